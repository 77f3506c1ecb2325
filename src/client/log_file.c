/* SPDX-License-Identifier: MIT */
/* The bytes of the log file: written, added to, and read with what a crash may leave behind. */
#include "client/log_file.h"

#include <stdlib.h>

#include "base/cursor.h"
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

static size_t frames_len(const struct mlog *l, uint64_t from)
{
	size_t len = 0;

	for (uint64_t seq = from; seq < mlog_count(l); seq++)
		len += FRAME_BYTES + mlog_record(l, seq).len;
	return len;
}

static void put_frames(struct writer *w, const struct mlog *l, uint64_t from)
{
	for (uint64_t seq = from; seq < mlog_count(l); seq++) {
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

int log_file_encode(const struct mlog *l, struct buf *ret)
{
	size_t len = HEADER_BYTES + frames_len(l, 0);
	struct writer w;
	int r = room(len, ret);

	if (r < 0)
		return r;
	w = writer_of(ret->data, len);
	write_u32(&w, FILE_MAGIC);
	write_u32(&w, FILE_VERSION);
	write_bytes(&w, mlog_cluster_id(l), HASH_LEN);
	put_frames(&w, l, 0);
	return 0;
}

int log_file_encode_more(const struct mlog *l, uint64_t from, struct buf *ret)
{
	size_t len = frames_len(l, from);
	struct writer w;
	int r = room(len, ret);

	if (r < 0)
		return r;
	w = writer_of(ret->data, len);
	put_frames(&w, l, from);
	return 0;
}

/* --- reading -------------------------------------------------------------------------------- */

/* A file that is being read. */
struct reading {
	struct span bytes;
	size_t at; /* behind the last record that was taken into `pending` */
	size_t n;  /* records before it */
	struct log_read *ret;
	/* Records whose signatures are to be verified, which no receipt vouches for yet. */
	struct span pending[ENTRIES_PER_MESSAGE_MAX];
	size_t n_pending, pending_bytes;
	size_t provable;    /* of those, up to the last that has a receipt */
	size_t provable_at; /* where that one ends in the file */
};

static bool is_zero(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != 0)
			return false;
	return true;
}

static struct span rest_from(const struct reading *r, size_t at)
{
	return span_of(r->bytes.data + at, r->bytes.len - at);
}

/*
 * The next record. Returns 1; 0 at the end, or where a crash left a batch half written (the rest
 * is zeros, or it ends in a record); -EBADMSG where the file was damaged.
 */
static int next_record(struct reading *r, struct span *ret, struct err *err)
{
	struct span rest = rest_from(r, r->at);
	struct reader in = reader_of(rest);
	uint32_t len = read_u32(&in);
	struct span sum = read_span(&in, SUM_LEN), record = read_span(&in, len);
	uint8_t want[SUM_LEN];
	size_t end;

	if (rest.len == 0 || is_zero(rest))
		return 0;
	if (rest.len >= 4 && (len == 0 || len > RECORD_MAX_BYTES))
		return err_set(err, -EBADMSG, "it is damaged: record %zu has an impossible length",
			       r->n);
	if (in.failed)
		return 0;
	end = r->at + FRAME_BYTES + len;
	record_sum(record, want);
	if (memcmp(want, sum.data, SUM_LEN) != 0) {
		if (is_zero(rest_from(r, end)))
			return 0;
		return err_set(err, -EBADMSG, "it is damaged: record %zu is not what was written",
			       r->n);
	}
	r->at = end;
	r->n++;
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
		return err_set(err, -EBADMSG, "it is no membership log");
	if (memcmp(id.data, cluster_id, HASH_LEN) != 0)
		return err_set(err, -EBADMSG, "it is the log of another cluster");
	return 0;
}

/* Verifies what is pending, as far as a receipt vouches for it. */
static int take_pending(struct reading *r, struct err *err)
{
	struct mlog_take take;

	if (r->provable == 0)
		return 0;
	mlog_take(r->ret->log, r->pending, r->provable, &take);
	if (take.result != TAKEN || take.added != r->provable) {
		(void)err_set(err,
			      take.result == TAKEN_NO_MEMORY ? -ENOMEM
			      : take.result == TAKEN_UPGRADE ? -EPROTONOSUPPORT
							     : -EBADMSG,
			      "record %zu is not valid: %s", mlog_count(r->ret->log),
			      take.why.text[0] ? take.why.text : "it does not follow");
		return err ? err->code : -EBADMSG;
	}
	r->ret->verified += take.added;
	r->ret->place.bytes = r->provable_at;
	memmove(r->pending, r->pending + r->provable,
		(r->n_pending - r->provable) * sizeof(r->pending[0]));
	r->n_pending -= r->provable;
	r->pending_bytes = 0;
	for (size_t i = 0; i < r->n_pending; i++)
		r->pending_bytes += r->pending[i].len;
	r->provable = 0;
	return 0;
}

/* As many records at once as a message has: one receipt is enough for them. */
static int add_pending(struct reading *r, struct span record, struct err *err)
{
	struct record x;
	int rc = record_decode(record, &x, err);

	if (rc < 0)
		return rc;
	if (r->n_pending == ENTRIES_PER_MESSAGE_MAX ||
	    r->pending_bytes + record.len > LOG_PAGE_BYTES)
		rc = take_pending(r, err);
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
	return 0;
}

/* What need not be verified again: up to a record with this hash, or what this log has. */
struct trust {
	const uint8_t *mark;
	const struct mlog *known;
};

static bool is_trusted(const struct trust *t, const struct record *x)
{
	struct head head = { .seq = x->genesis ? 0 : x->order.seq };

	memcpy(head.hash, x->hash, HASH_LEN);
	return (t->mark && memcmp(x->hash, t->mark, HASH_LEN) == 0) ||
	       (t->known && mlog_has_head(t->known, &head));
}

/* Where the last record that is trusted ends in the file; 0: it has none. Its hash vouches for all
 * before it. */
static size_t find_trusted(const struct reading *r, const struct trust *t)
{
	struct reading copy = { .bytes = r->bytes, .at = r->at };
	struct span record;
	struct record x;
	size_t end = 0;

	while ((t->known || (t->mark && end == 0)) && next_record(&copy, &record, NULL) == 1)
		if (record_decode(record, &x, NULL) == 0 && is_trusted(t, &x))
			end = copy.at;
	return end;
}

/*
 * Takes a record that is trusted. A known one is taken from the log that has it, since its receipt
 * there was verified: hashes do not cover receipts.
 */
static int reload(struct reading *r, const struct trust *t, struct span record, struct err *err)
{
	int rc;

	if (t->known)
		record = mlog_record(t->known, mlog_count(r->ret->log));
	rc = mlog_reload(r->ret->log, record, err);
	r->ret->place.bytes = r->at;
	return rc;
}

static int read_records(struct reading *r, const struct trust *t, struct err *err)
{
	size_t trusted = find_trusted(r, t);
	struct span record;
	int rc = 0, more;

	while (rc == 0 && (more = next_record(r, &record, err)) != 0) {
		if (more < 0)
			return more;
		rc = r->at > trusted ? add_pending(r, record, err) : reload(r, t, record, err);
	}
	return rc < 0 ? rc : take_pending(r, err);
}

static int decode(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		  const struct trust *trust, struct log_read *ret, struct err *err)
{
	struct reading *r;
	uint8_t seed[16];
	int rc = check_header(bytes, cluster_id, err);

	if (rc < 0)
		return rc;
	*ret = (struct log_read){ .verified = 0 };
	random_fill(h, seed, sizeof(seed));
	ret->log = mlog_new(seed);
	r = calloc(1, sizeof(*r));
	if (!ret->log || !r) {
		rc = err_set(err, -ENOMEM, "out of memory");
	} else {
		*r = (struct reading){ .bytes = bytes, .at = HEADER_BYTES, .ret = ret };
		rc = read_records(r, trust, err);
	}
	free(r);
	if (rc == 0 && mlog_count(ret->log) == 0)
		rc = err_set(err, -EBADMSG, "it has no record");
	if (rc == 0 && memcmp(mlog_cluster_id(ret->log), cluster_id, HASH_LEN) != 0)
		rc = err_set(err, -EBADMSG, "it is the log of another cluster");
	if (rc < 0) {
		mlog_free(ret->log);
		ret->log = NULL;
		return rc;
	}
	mlog_commit(ret->log);
	ret->place.head = mlog_head(ret->log);
	ret->torn = bytes.len - ret->place.bytes;
	return 0;
}

int log_file_decode(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    const uint8_t *verified, struct log_read *ret, struct err *err)
{
	return decode(h, bytes, cluster_id, &(struct trust){ .mark = verified }, ret, err);
}

int log_file_decode_known(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
			  const struct mlog *known, struct log_read *ret, struct err *err)
{
	return decode(h, bytes, cluster_id, &(struct trust){ .known = known }, ret, err);
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
