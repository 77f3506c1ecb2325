/* SPDX-License-Identifier: MIT */
/* The bytes of the log file: written, added to, and read with what a crash may leave behind. */
#include "client/log_file.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "crypto/hash.h"
#include "proto/cbor.h"
#include "proto/signal.h"

#define FILE_MAGIC 0x8d6d6c73u /* no text begins with it */
#define FILE_VERSION 1
#define HEADER_BYTES (8 + HASH_LEN)
#define SUM_LEN 8
#define FRAME_BYTES (4 + SUM_LEN)
#define MARK_VERSION 1
#define RULES_VERSION 1 /* of what a mark vouches for: another one for every change of a rule */

/* --- writing -------------------------------------------------------------------------------- */

static void record_sum(struct span record, uint8_t ret[SUM_LEN])
{
	uint8_t hash[HASH_LEN];

	sha256(record, hash);
	memcpy(ret, hash, SUM_LEN);
}

static size_t frames_len(const struct mlog *l, uint64_t from, uint64_t until)
{
	size_t len = 0;

	for (uint64_t seq = from; seq < until; seq++)
		len += FRAME_BYTES + mlog_record(l, seq).len;
	return len;
}

static void put_frames(struct writer *w, const struct mlog *l, uint64_t from, uint64_t until)
{
	for (uint64_t seq = from; seq < until; seq++) {
		struct span record = mlog_record(l, seq);
		uint8_t sum[SUM_LEN];

		record_sum(record, sum);
		write_u32(w, (uint32_t)record.len);
		write_bytes(w, sum, sizeof(sum));
		write_bytes(w, record.data, record.len);
	}
}

/* Room for `len` bytes and a final NUL. */
static int room(size_t len, struct buf *ret)
{
	uint8_t *data = malloc(len + 1);

	if (!data)
		return -ENOMEM;
	data[len] = '\0';
	*ret = (struct buf){ data, len };
	return 0;
}

int log_file_encode_part(const struct mlog *l, uint64_t from, uint64_t until, struct buf *ret)
{
	size_t len = (from == 0 ? HEADER_BYTES : 0) + frames_len(l, from, until);
	struct writer w;
	int r = room(len, ret);

	if (r < 0)
		return r;
	w = writer_of(ret->data, len);
	if (from == 0) {
		write_u32(&w, FILE_MAGIC);
		write_u32(&w, FILE_VERSION);
		write_bytes(&w, mlog_cluster_id(l), HASH_LEN);
	}
	put_frames(&w, l, from, until);
	return 0;
}

int log_file_encode(const struct mlog *l, struct buf *ret)
{
	return log_file_encode_part(l, 0, mlog_count(l), ret);
}

/* --- reading -------------------------------------------------------------------------------- */

/*
 * What a step costs, in parts of about 4 us each: a look at a record, one that is taken as it is,
 * one that is verified. A step goes on until it has used its share.
 */
enum { COST_LOOK = 1, COST_RELOAD = 4, COST_VERIFY = 32, STEP_SHARE = 512 };
#define TAKEN_AT_ONCE (STEP_SHARE / COST_VERIFY)

struct log_reading {
	struct span bytes;
	uint8_t cluster_id[HASH_LEN];
	struct log_trust trust;
	uint8_t mark[HASH_LEN]; /* what trust.mark points to */
	size_t at;		/* behind the last record that was taken into `pending` */
	size_t n;		/* records before it */
	size_t trusted;		/* end of the last trusted record; 0 if no record is trusted */
	size_t looked;		/* so far it was searched for */
	bool is_searching;
	unsigned used; /* of this step */
	struct log_read read;
	/* Records whose signatures are to be verified, which no receipt vouches for yet. */
	struct span pending[ENTRIES_PER_MESSAGE_MAX];
	size_t n_pending, pending_bytes;
	size_t provable;    /* of those, up to the last that has a receipt */
	size_t provable_at; /* where that one ends in the file */
	size_t try_at;	    /* so many are pending when they are to be taken */
};

static bool is_zero(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != 0)
			return false;
	return true;
}

static struct span rest_from(struct span bytes, size_t at)
{
	return span_of(bytes.data + at, bytes.len - at);
}

/*
 * The record at *at, which is number n. Returns 1; 0 at the end, or where a crash left a batch
 * half written (the rest is zeros, or it ends in a record); -EBADMSG where the file was damaged.
 */
static int next_record(struct span bytes, size_t *at, size_t n, struct span *ret, struct err *err)
{
	struct span rest = rest_from(bytes, *at);
	struct reader in = reader_of(rest);
	uint32_t len = read_u32(&in);
	struct span sum = read_span(&in, SUM_LEN), record = read_span(&in, len);
	uint8_t want[SUM_LEN];
	size_t end;

	if (rest.len == 0 || is_zero(rest))
		return 0;
	if (rest.len >= 4 && (len == 0 || len > RECORD_MAX_BYTES))
		return err_set(err, -EBADMSG, "it is damaged: record %zu has an impossible length",
			       n);
	if (in.failed)
		return 0;
	end = *at + FRAME_BYTES + len;
	record_sum(record, want);
	if (memcmp(want, sum.data, SUM_LEN) != 0) {
		if (is_zero(rest_from(bytes, end)))
			return 0;
		return err_set(err, -EBADMSG, "it is damaged: record %zu is not what was written",
			       n);
	}
	*at = end;
	*ret = record;
	return 1;
}

static int check_header(struct span bytes, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	struct reader in = reader_of(bytes);
	uint32_t magic = read_u32(&in), version = read_u32(&in);
	struct span id = read_span(&in, HASH_LEN);

	if (bytes.len == 0)
		return err_set(err, -EBADMSG, "it is empty");
	if (bytes.len > LOG_FILE_MAX)
		return err_set(err, -EFBIG, "it is larger than %u bytes", LOG_FILE_MAX);
	if (bytes.len >= 8 && magic == FILE_MAGIC && version > FILE_VERSION)
		return err_set(err, -EPROTONOSUPPORT,
			       "it was written by a newer mlsh: upgrade this one");
	if (in.failed || magic != FILE_MAGIC || version != FILE_VERSION)
		return err_set(err, -EBADMSG, "it is not a membership log");
	if (memcmp(id.data, cluster_id, HASH_LEN) != 0)
		return err_set(err, -EBADMSG, "it is the log of another cluster");
	return 0;
}

/*
 * Verifies what is pending, as far as a receipt vouches for it. Where it is not `last`, records
 * that come later may vouch for them after all.
 */
static int take_pending(struct log_reading *r, bool last, struct err *err)
{
	struct mlog_take take;

	if (r->provable == 0)
		return 0;
	r->used += (unsigned)r->provable * COST_VERIFY;
	r->read.verified += r->provable; /* in vain, too */
	mlog_take_all(r->read.log, r->pending, r->provable, &take);
	if (take.result == TAKEN_UNPROVEN && take.added == 0 && !last) {
		r->try_at = r->n_pending + TAKEN_AT_ONCE;
		return 0;
	}
	if (take.result != TAKEN || take.added != r->provable) {
		(void)err_set(err,
			      take.result == TAKEN_NO_MEMORY ? -ENOMEM
			      : take.result == TAKEN_UPGRADE ? -EPROTONOSUPPORT
							     : -EBADMSG,
			      "record %zu is not valid: %s", mlog_count(r->read.log),
			      take.why.text[0] ? take.why.text : "it does not follow");
		return err ? err->code : -EBADMSG;
	}
	r->read.place.bytes = r->provable_at;
	memmove(r->pending, r->pending + r->provable,
		(r->n_pending - r->provable) * sizeof(r->pending[0]));
	r->n_pending -= r->provable;
	r->pending_bytes = 0;
	for (size_t i = 0; i < r->n_pending; i++)
		r->pending_bytes += r->pending[i].len;
	r->provable = 0;
	r->try_at = TAKEN_AT_ONCE;
	return 0;
}

/* Takes a few at once, or as many as a message has where only then a receipt vouches for them. */
static int add_pending(struct log_reading *r, struct span record, struct err *err)
{
	struct record x;
	int rc = record_decode(record, &x, err);

	if (rc < 0)
		return rc;
	/* A recovery that goes back here would have all before it played again. */
	if ((x.genesis ? 0 : x.order.seq) != r->n - 1)
		return err_set(err, -EBADMSG, "record %zu is not the one that belongs there",
			       r->n - 1);
	if (r->n_pending == ENTRIES_PER_MESSAGE_MAX ||
	    r->pending_bytes + record.len > LOG_PAGE_BYTES)
		rc = take_pending(r, true, err);
	if (rc < 0)
		return rc;
	if (r->n_pending == ENTRIES_PER_MESSAGE_MAX)
		return err_set(err, -EBADMSG, "record %zu and those before it have no receipt",
			       r->n - 1);
	r->pending[r->n_pending++] = record;
	r->pending_bytes += record.len;
	if (x.genesis || x.receipt) {
		r->provable = r->n_pending;
		r->provable_at = r->at;
	}
	return r->n_pending < r->try_at ? 0 : take_pending(r, false, err);
}

static bool is_trusted(const struct log_trust *t, const struct record *x)
{
	struct head head = { .seq = x->genesis ? 0 : x->order.seq };

	memcpy(head.hash, x->hash, HASH_LEN);
	return (t->mark && memcmp(x->hash, t->mark, HASH_LEN) == 0) ||
	       (t->known && mlog_has_head(t->known, &head));
}

/* Looks for the last record that is trusted: its hash vouches for all before it. */
static void search_trusted(struct log_reading *r)
{
	const struct log_trust *t = &r->trust;
	struct span record;
	struct record x;

	while (r->used < STEP_SHARE) {
		r->used += COST_LOOK;
		if ((!t->known && (!t->mark || r->trusted > 0)) ||
		    next_record(r->bytes, &r->looked, 0, &record, NULL) != 1) {
			r->is_searching = false;
			return;
		}
		if (record_decode(record, &x, NULL) == 0 && is_trusted(t, &x))
			r->trusted = r->looked;
	}
}

/*
 * Takes a record that is trusted. A known one is taken from the log that has it, since its receipt
 * there was verified: hashes do not cover receipts.
 */
static int reload(struct log_reading *r, struct span record, struct err *err)
{
	int rc;

	r->used += COST_RELOAD;
	if (r->trust.known)
		record = mlog_record(r->trust.known, mlog_count(r->read.log));
	rc = mlog_reload(r->read.log, record, err);
	r->read.place.bytes = r->at;
	return rc;
}

/* Returns 1 at the end of the file, 0 when the step is over, or a negative errno. */
static int read_records(struct log_reading *r, struct err *err)
{
	struct span record;
	int rc = 0, more;

	while (rc == 0 && r->used < STEP_SHARE) {
		more = next_record(r->bytes, &r->at, r->n, &record, err);
		if (more < 0)
			return more;
		if (more == 0) {
			rc = take_pending(r, true, err);
			return rc < 0 ? rc : 1;
		}
		r->n++;
		r->used += COST_LOOK;
		rc = r->at > r->trusted ? add_pending(r, record, err) : reload(r, record, err);
	}
	return rc;
}

int log_reading_new(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    const struct log_trust *trust, struct err *err, struct log_reading **ret)
{
	struct log_reading *r;
	uint8_t seed[16];
	int rc = check_header(bytes, cluster_id, err);

	if (rc < 0)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	random_fill(h, seed, sizeof(seed));
	*r = (struct log_reading){ .bytes = bytes,
				   .at = HEADER_BYTES,
				   .looked = HEADER_BYTES,
				   .is_searching = true,
				   .read.log = mlog_new(seed),
				   .try_at = TAKEN_AT_ONCE };
	memcpy(r->cluster_id, cluster_id, HASH_LEN);
	if (trust)
		r->trust = *trust;
	if (r->trust.mark) {
		memcpy(r->mark, r->trust.mark, HASH_LEN);
		r->trust.mark = r->mark;
	}
	if (!r->read.log) {
		log_reading_free(r);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*ret = r;
	return 0;
}

void log_reading_free(struct log_reading *r)
{
	if (!r)
		return;
	mlog_free(r->read.log);
	free(r);
}

size_t log_reading_verified(const struct log_reading *r)
{
	return r->read.verified;
}

int log_reading_step(struct log_reading *r, struct log_read *ret, struct err *err)
{
	int rc;

	r->used = 0;
	if (r->is_searching)
		search_trusted(r);
	rc = r->is_searching ? 0 : read_records(r, err);
	if (rc <= 0)
		return rc;
	if (mlog_count(r->read.log) == 0)
		return err_set(err, -EBADMSG, "it has no record");
	if (memcmp(mlog_cluster_id(r->read.log), r->cluster_id, HASH_LEN) != 0)
		return err_set(err, -EBADMSG, "it is the log of another cluster");
	mlog_commit(r->read.log);
	r->read.place.head = mlog_head(r->read.log);
	r->read.torn = r->bytes.len - r->read.place.bytes;
	*ret = r->read;
	r->read.log = NULL;
	return 1;
}

int log_file_decode(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    const struct log_trust *trust, struct log_read *ret, struct err *err)
{
	struct log_reading *r = NULL;
	int rc = log_reading_new(h, bytes, cluster_id, trust, err, &r);

	while (rc == 0)
		rc = log_reading_step(r, ret, err);
	log_reading_free(r);
	return rc < 0 ? rc : 0;
}

/* --- the mark ------------------------------------------------------------------------------- */

ptrdiff_t log_mark_encode(const uint8_t hash[HASH_LEN], void *out, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(out, cap);

	cbor_put_array(&w, 3);
	cbor_put_uint(&w, MARK_VERSION);
	cbor_put_uint(&w, RULES_VERSION);
	cbor_put_bytes(&w, hash, HASH_LEN);
	return w.failed ? -ENOSPC : (ptrdiff_t)cbor_writer_span(&w).len;
}

int log_mark_decode(struct span bytes, uint8_t ret_hash[HASH_LEN])
{
	struct cbor_reader r = cbor_reader_of(bytes);
	uint64_t version, rules;

	cbor_get_array(&r, 3);
	version = cbor_get_uint(&r, UINT32_MAX);
	rules = cbor_get_uint(&r, UINT32_MAX);
	cbor_get_bytes_fixed(&r, ret_hash, HASH_LEN);
	return cbor_reader_end(&r) < 0 || version != MARK_VERSION || rules != RULES_VERSION
		       ? -EBADMSG
		       : 0;
}
