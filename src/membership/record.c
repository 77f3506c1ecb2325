/* SPDX-License-Identifier: MIT */
/* The bytes of records, and the server's signature over an entry's place. */
#include "membership/record.h"

#include "crypto/hash.h"
#include "membership/internal.h"

#define ORDER_FIELDS 5
#define PLACE_MAX_BYTES 128

void order_put(struct cbor_writer *w, const struct order *o)
{
	cbor_put_array(w, ORDER_FIELDS);
	cbor_put_uint(w, o->generation);
	cbor_put_uint(w, o->seq);
	cbor_put_bytes(w, o->prev, HASH_LEN);
	cbor_put_uint(w, o->time_s);
	if (o->address)
		cbor_put_uint(w, o->address);
	else
		cbor_put_null(w);
}

void order_get(struct cbor_reader *r, struct order *o)
{
	cbor_get_array(r, ORDER_FIELDS);
	o->generation = cbor_get_uint(r, GENERATION_MAX);
	o->seq = cbor_get_uint(r, LOG_MAX_ENTRIES - 1);
	cbor_get_bytes_fixed(r, o->prev, HASH_LEN);
	o->time_s = cbor_get_uint(r, LOG_TIME_MAX_S);
	if (cbor_get_null(r))
		return;
	o->address = (ip4)cbor_get_uint(r, UINT32_MAX);
	if (o->address == 0)
		r->failed = true; /* null is its one form */
}

/* [order, entry_hash] */
static struct span place_put(const struct order *o, const uint8_t entry_hash[HASH_LEN],
			     uint8_t buf[PLACE_MAX_BYTES])
{
	struct cbor_writer w = cbor_writer_of(buf, PLACE_MAX_BYTES);

	cbor_put_array(&w, 2);
	order_put(&w, o);
	cbor_put_bytes(&w, entry_hash, HASH_LEN);
	return cbor_writer_span(&w);
}

void place_hash(const struct order *o, const uint8_t entry_hash[HASH_LEN], uint8_t ret[HASH_LEN])
{
	uint8_t buf[PLACE_MAX_BYTES];

	sha256(place_put(o, entry_hash, buf), ret);
}

int receipt_make(const uint8_t seed[SIGN_SEED_LEN], const uint8_t cluster_id[HASH_LEN],
		 const struct order *o, const uint8_t entry_hash[HASH_LEN], uint8_t ret[SIG_LEN])
{
	uint8_t buf[PLACE_MAX_BYTES];

	return seed_sign(seed, SIGN_ORDER, cluster_id, place_put(o, entry_hash, buf), ret);
}

int receipt_verify(const uint8_t order_key[KEY_LEN], const uint8_t cluster_id[HASH_LEN],
		   const struct order *o, const uint8_t entry_hash[HASH_LEN],
		   const uint8_t sig[SIG_LEN])
{
	uint8_t buf[PLACE_MAX_BYTES];

	return key_verify(order_key, SIGN_ORDER, cluster_id, place_put(o, entry_hash, buf), sig);
}

int record_encode(const struct record *r, struct record_bytes *ret)
{
	struct cbor_writer w = cbor_writer_of(ret->data, sizeof(ret->data));

	cbor_put_array(&w, 3);
	if (r->genesis)
		cbor_put_null(&w);
	else
		order_put(&w, &r->order);
	cbor_put_bytes(&w, r->entry.data, r->entry.len);
	if (r->receipt)
		cbor_put_bytes(&w, r->receipt, SIG_LEN);
	else
		cbor_put_null(&w);
	ret->len = cbor_writer_span(&w).len;
	return ret->len == 0 ? -EMSGSIZE : 0;
}

static int malformed(struct err *err, const char *what)
{
	return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "the log record is malformed: %s", what);
}

static int check_canonical(struct span bytes, const struct record *r, struct err *err)
{
	struct record_bytes again;

	if (record_encode(r, &again) < 0 || !span_equal(span_of(again.data, again.len), bytes))
		return malformed(err, "it is not in the one valid encoding");
	return 0;
}

int record_decode(struct span bytes, struct record *ret, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(bytes);
	struct record rec = { .receipt = NULL };
	int e;

	if (bytes.len > RECORD_MAX_BYTES)
		return malformed(err, "it is too long");
	cbor_get_array(&r, 3);
	rec.genesis = cbor_get_null(&r);
	if (!rec.genesis)
		order_get(&r, &rec.order);
	rec.entry = cbor_get_bytes(&r, 1, ENTRY_MAX_BYTES);
	if (!cbor_get_null(&r))
		rec.receipt = cbor_get_bytes(&r, SIG_LEN, SIG_LEN).data;
	if (cbor_reader_end(&r) < 0)
		return malformed(err, "a field has the wrong form");
	if (rec.genesis != (rec.order.seq == 0))
		return malformed(err, "record 0 has no order, and every other has one");
	if (rec.genesis && rec.receipt)
		return malformed(err, "the first record has a receipt");
	e = check_canonical(bytes, &rec, err);
	if (e < 0)
		return e;
	sha256(rec.entry, rec.entry_hash);
	if (rec.genesis)
		memcpy(rec.hash, rec.entry_hash, HASH_LEN);
	else
		place_hash(&rec.order, rec.entry_hash, rec.hash);
	*ret = rec;
	return 0;
}
