/* SPDX-License-Identifier: MIT */
/*
 * The frame that all entries have in common, written and read. What was read is written again and
 * must give the same bytes, so that an entry has one encoding and one hash.
 */
#include "membership/entry.h"

#include <inttypes.h>

#include "crypto/hash.h"
#include "membership/internal.h"

#define ENTRY_VERSION 1
#define PAYLOAD_FIELDS 7

/* --- writing -------------------------------------------------------------------------------- */

void entry_put_payload(struct cbor_writer *w, const struct entry *e)
{
	const struct entry_ops *ops = entry_ops(e->type);
	uint8_t buf[ENTRY_MAX_BYTES];
	struct cbor_writer body = cbor_writer_of(buf, sizeof(buf));
	struct span span = e->body;

	if (ops && ops->put) {
		ops->put(&body, e);
		w->failed |= body.failed;
		span = cbor_writer_span(&body);
	}
	cbor_put_array(w, PAYLOAD_FIELDS);
	cbor_put_uint(w, ENTRY_VERSION);
	cbor_put_uint(w, e->type);
	cbor_put_uint(w, e->time_s);
	cbor_put_bytes(w, e->author.bytes, NODE_ID_LEN);
	cbor_put_uint(w, e->base.seq);
	cbor_put_bytes(w, e->base.hash, HASH_LEN);
	cbor_put_bytes(w, span.data, span.len);
}

void entry_put(struct cbor_writer *w, struct span payload, const uint8_t *const *sigs, size_t n)
{
	cbor_put_array(w, 2);
	cbor_put_bytes(w, payload.data, payload.len);
	cbor_put_array(w, n);
	for (size_t i = 0; i < n; i++)
		cbor_put_bytes(w, sigs[i], SIG_LEN);
}

/* --- reading -------------------------------------------------------------------------------- */

static int upgrade(struct err *err, const char *what, uint64_t v)
{
	return refuse(err, -EPROTONOSUPPORT, REFUSAL_VERSION,
		      "the membership log has an entry of %s %" PRIu64 ", which this mlsh does not "
		      "know: upgrade mlsh on this machine",
		      what, v);
}

/* [payload, sigs]; any number of signatures up to the most that a type has. */
static int get_envelope(struct span bytes, struct entry *e, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(bytes);

	cbor_get_array(&r, 2);
	e->payload = cbor_get_bytes(&r, 1, ENTRY_MAX_BYTES);
	e->n_sigs = cbor_get_array_len(&r, ENTRY_SIGS_MAX);
	for (size_t i = 0; i < e->n_sigs; i++)
		e->sig[i] = cbor_get_bytes(&r, SIG_LEN, SIG_LEN).data;
	if (cbor_reader_end(&r) < 0 || e->n_sigs == 0)
		return entry_malformed(err, "it is not a payload with its signatures");
	return 0;
}

static int get_payload(struct entry *e, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(e->payload);
	size_t fields = cbor_get_array_len(&r, 64);
	uint64_t version = cbor_get_uint(&r, UINT64_MAX), type;

	if (!r.failed && version != ENTRY_VERSION)
		return upgrade(err, "version", version);
	type = cbor_get_uint(&r, UINT32_MAX);
	if (!r.failed && !entry_ops((unsigned)type))
		return upgrade(err, "type", type);
	if (r.failed || fields != PAYLOAD_FIELDS)
		return entry_malformed(err, "its payload is not an array of seven fields");
	e->type = (unsigned)type;
	e->time_s = cbor_get_uint(&r, LOG_TIME_MAX_S);
	cbor_get_bytes_fixed(&r, e->author.bytes, NODE_ID_LEN);
	e->base.seq = cbor_get_uint(&r, LOG_MAX_ENTRIES - 1);
	cbor_get_bytes_fixed(&r, e->base.hash, HASH_LEN);
	e->body = cbor_get_bytes(&r, 0, ENTRY_MAX_BYTES);
	if (cbor_reader_end(&r) < 0)
		return entry_malformed(err, "a field of its payload has the wrong form");
	return 0;
}

/* `lacking`: so many signatures less than the type has. */
static int get_body(struct entry *e, const struct entry_ops *ops, size_t lacking, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(e->body);

	if (!ops->get)
		return 0; /* not known, and skipped */
	ops->get(&r, e);
	if (cbor_reader_end(&r) < 0)
		return entry_malformed(err, "a field of its body has the wrong form");
	if (e->n_sigs + lacking != entry_sig_count(e))
		return entry_malformed(err, "it has the wrong number of signatures");
	return 0;
}

static int check_canonical(struct span bytes, const struct entry *e, struct err *err)
{
	uint8_t buf[ENTRY_MAX_BYTES];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));

	entry_put_payload(&w, e);
	if (!span_equal(cbor_writer_span(&w), e->payload))
		return entry_malformed(err, "its payload is not in the one valid encoding");
	w = cbor_writer_of(buf, sizeof(buf));
	entry_put(&w, e->payload, e->sig, e->n_sigs);
	if (!span_equal(cbor_writer_span(&w), bytes))
		return entry_malformed(err, "it is not in the one valid encoding");
	return 0;
}

static int decode(struct span bytes, unsigned nesting, size_t lacking, struct entry *ret,
		  struct err *err);

/* The attempt that it supersedes is one for the same place, and names this one's key. */
static int check_superseded(struct entry *e, struct err *err)
{
	struct entry earlier;
	uint8_t hash[HASH_LEN];
	int r;

	if (e->type != ENTRY_RECOVER || e->recover.supersedes.len == 0)
		return 0;
	if (e->nesting >= RECOVER_DEPTH_MAX)
		return entry_malformed(err, "it supersedes too many attempts");
	r = decode(e->recover.supersedes, e->nesting + 1, 0, &earlier, err);
	if (r < 0)
		return r;
	sha256(span_of(e->recover.key, KEY_LEN), hash);
	if (earlier.type != ENTRY_RECOVER || earlier.base.seq != e->base.seq ||
	    memcmp(earlier.base.hash, e->base.hash, HASH_LEN) != 0)
		return entry_malformed(err, "the entry that it supersedes is not a recovery "
					    "from its base");
	if (memcmp(earlier.recover.next, hash, HASH_LEN) != 0)
		return entry_malformed(err, "the entry that it supersedes names another code");
	e->recover.depth = earlier.recover.depth + 1;
	return 0;
}

static int decode(struct span bytes, unsigned nesting, size_t lacking, struct entry *ret,
		  struct err *err)
{
	const struct entry_ops *ops;
	int r;

	*ret = (struct entry){ .nesting = nesting };
	if (bytes.len > ENTRY_MAX_BYTES)
		return entry_malformed(err, "it is too long");
	r = get_envelope(bytes, ret, err);
	if (r == 0)
		r = get_payload(ret, err);
	if (r < 0)
		return r;
	ops = entry_ops(ret->type);
	r = get_body(ret, ops, lacking, err);
	if (r == 0)
		r = check_canonical(bytes, ret, err);
	if (r == 0 && ops->check)
		r = ops->check(ret, err);
	if (r == 0)
		r = check_superseded(ret, err);
	if (r < 0)
		return r;
	sha256(bytes, ret->hash);
	sha256(ret->payload, ret->payload_hash);
	return 0;
}

int entry_decode(struct span bytes, struct entry *ret, struct err *err)
{
	return decode(bytes, 0, 0, ret, err);
}

int entry_decode_half(struct span bytes, struct entry *ret, struct err *err)
{
	int r = decode(bytes, 0, 1, ret, err);

	if (r == 0 && ret->n_sigs != 1)
		r = entry_malformed(err, "it has the wrong number of signatures");
	return r;
}

unsigned entry_peek(struct span entry)
{
	struct cbor_reader r = cbor_reader_of(entry);
	uint64_t type;

	cbor_get_array(&r, 2);
	r = cbor_reader_of(cbor_get_bytes(&r, 1, ENTRY_MAX_BYTES));
	cbor_get_array(&r, PAYLOAD_FIELDS);
	(void)cbor_get_uint(&r, UINT64_MAX);
	type = cbor_get_uint(&r, UINT32_MAX);
	return r.failed ? 0 : (unsigned)type;
}

/* --- attempts of recoveries ----------------------------------------------------------------- */

int entry_superseded(const struct entry *e, struct entry *ret)
{
	if (e->type != ENTRY_RECOVER || e->recover.supersedes.len == 0)
		return -ENOENT;
	return decode(e->recover.supersedes, e->nesting + 1, 0, ret, NULL) < 0 ? -ENOENT : 0;
}

bool entry_supersedes(const struct entry *e, const uint8_t payload_hash[HASH_LEN])
{
	struct entry earlier;

	return entry_superseded(e, &earlier) == 0 &&
	       (memcmp(earlier.payload_hash, payload_hash, HASH_LEN) == 0 ||
		entry_supersedes(&earlier, payload_hash));
}
