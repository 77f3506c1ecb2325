/* SPDX-License-Identifier: MIT */
/* Beacons: bytes, rules, and the newest of each admin. */
#include "membership/beacon.h"

#include <inttypes.h>
#include <stdlib.h>

#include "membership/internal.h"

#define BEACON_VERSION 1

/* --- bytes ---------------------------------------------------------------------------------- */

static struct span put_payload(const struct beacon *b, uint8_t buf[BEACON_MAX_BYTES])
{
	struct cbor_writer w = cbor_writer_of(buf, BEACON_MAX_BYTES);

	cbor_put_array(&w, 7);
	cbor_put_uint(&w, BEACON_VERSION);
	cbor_put_bytes(&w, b->cluster_id, HASH_LEN);
	order_put(&w, &b->order);
	cbor_put_bytes(&w, b->entry_hash, HASH_LEN);
	cbor_put_bytes(&w, b->receipt, SIG_LEN);
	cbor_put_uint(&w, b->time_s);
	cbor_put_bytes(&w, b->author.bytes, NODE_ID_LEN);
	return cbor_writer_span(&w);
}

static int put(struct span payload, const uint8_t sig[SIG_LEN], struct beacon_bytes *ret)
{
	struct cbor_writer w = cbor_writer_of(ret->data, sizeof(ret->data));

	cbor_put_array(&w, 2);
	cbor_put_bytes(&w, payload.data, payload.len);
	cbor_put_bytes(&w, sig, SIG_LEN);
	ret->len = cbor_writer_span(&w).len;
	return ret->len == 0 ? -EMSGSIZE : 0;
}

int beacon_make(const struct mlog *l, const struct node_id *author, const struct signer *key,
		uint64_t now_s, struct beacon_bytes *ret)
{
	struct beacon b = { .time_s = now_s, .author = *author };
	uint8_t payload[BEACON_MAX_BYTES], sig[SIG_LEN];
	struct record r;
	struct span s;
	int rc;

	if (mlog_count(l) < 2 || record_decode(mlog_record(l, mlog_count(l) - 1), &r, NULL) < 0 ||
	    !r.receipt)
		return -ENODATA;
	memcpy(b.cluster_id, mlog_cluster_id(l), HASH_LEN);
	b.order = r.order;
	memcpy(b.entry_hash, r.entry_hash, HASH_LEN);
	b.receipt = r.receipt;
	s = put_payload(&b, payload);
	rc = signer_sign(key, SIGN_BEACON, b.cluster_id, s, sig);
	return rc < 0 ? rc : put(s, sig, ret);
}

static int malformed(struct err *err, const char *what)
{
	return refuse(err, -EBADMSG, REFUSAL_MALFORMED, "the beacon is malformed: %s", what);
}

static int get_payload(struct beacon *b, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(b->payload);
	uint64_t version;

	cbor_get_array(&r, 7);
	version = cbor_get_uint(&r, UINT32_MAX);
	cbor_get_bytes_fixed(&r, b->cluster_id, HASH_LEN);
	order_get(&r, &b->order);
	cbor_get_bytes_fixed(&r, b->entry_hash, HASH_LEN);
	b->receipt = cbor_get_bytes(&r, SIG_LEN, SIG_LEN).data;
	b->time_s = cbor_get_uint(&r, LOG_TIME_MAX_S);
	cbor_get_bytes_fixed(&r, b->author.bytes, NODE_ID_LEN);
	if (cbor_reader_end(&r) < 0 || version != BEACON_VERSION)
		return malformed(err, "a field has the wrong form");
	if (b->order.seq == 0)
		return malformed(err, "it names the first record, which proves nothing");
	return 0;
}

int beacon_decode(struct span bytes, struct beacon *ret, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(bytes);
	uint8_t again[BEACON_MAX_BYTES];
	struct beacon_bytes whole;
	struct beacon b = { .sig = NULL };

	if (bytes.len > BEACON_MAX_BYTES)
		return malformed(err, "it is too long");
	cbor_get_array(&r, 2);
	b.payload = cbor_get_bytes(&r, 1, BEACON_MAX_BYTES);
	b.sig = cbor_get_bytes(&r, SIG_LEN, SIG_LEN).data;
	if (cbor_reader_end(&r) < 0)
		return malformed(err, "a part has the wrong form");
	if (get_payload(&b, err) < 0)
		return -EBADMSG;
	if (!span_equal(put_payload(&b, again), b.payload) || put(b.payload, b.sig, &whole) < 0 ||
	    !span_equal(span_of(whole.data, whole.len), bytes))
		return malformed(err, "it is not in the one valid encoding");
	b.head.seq = b.order.seq;
	place_hash(&b.order, b.entry_hash, b.head.hash);
	*ret = b;
	return 0;
}

/* --- rules ---------------------------------------------------------------------------------- */

static int check_author(const struct mlog *l, const struct beacon *b, struct err *err)
{
	const struct member *m = roster_by_id(mlog_roster(l), &b->author, ROSTER_CURRENT);

	if (!m || m->role != ROLE_ADMIN)
		return refuse(err, -EACCES, REFUSAL_NOT_ALLOWED,
			      "the beacon's author is not an admin of the cluster");
	if (key_verify(m->key, SIGN_BEACON, b->cluster_id, b->payload, b->sig) < 0)
		return refuse(err, -EKEYREJECTED, REFUSAL_TAMPERED,
			      "the beacon is not signed by %s", m->name);
	return 0;
}

int beacon_check(const struct mlog *l, const struct beacon *b, uint64_t now_s, struct err *err)
{
	uint64_t seq = MIN(b->order.seq, mlog_count(l));

	if (memcmp(b->cluster_id, mlog_cluster_id(l), HASH_LEN) != 0)
		return refuse(err, -EACCES, REFUSAL_WRONG_CLUSTER,
			      "the beacon is of another cluster");
	if (b->order.generation < mlog_generation(l))
		return refuse(err, -ESTALE, REFUSAL_STALE,
			      "the beacon is from before the last recovery");
	if (check_author(l, b, err) < 0)
		return err ? err->code : -EACCES;
	/* A record that we have needs no receipt. Of the others: by the key in force there. */
	if (!mlog_has_head(l, &b->head) && receipt_verify(mlog_order_key(l, seq), b->cluster_id,
							  &b->order, b->entry_hash, b->receipt) < 0)
		return refuse(err, -EKEYREJECTED, REFUSAL_TAMPERED,
			      "the signal server has not signed the record that the beacon names");
	if (b->time_s > now_s + BEACON_AHEAD_MAX_S)
		return refuse(err, -EAGAIN, REFUSAL_AHEAD,
			      "the beacon is dated %" PRIu64 " s ahead", b->time_s - now_s);
	return 0;
}

/* --- the newest of each admin ---------------------------------------------------------------- */

struct held {
	uint64_t serial;
	uint8_t key[KEY_LEN]; /* that verified it */
	struct beacon_bytes bytes;
	struct beacon b; /* views into `bytes` */
};

/* Few of each cluster: the room is taken as admins appear. */
struct beacons {
	struct held *item[BEACONS_MAX]; /* the oldest serial first */
	size_t n;
	uint64_t last_serial;
};

struct beacons *beacons_new(void)
{
	return calloc(1, sizeof(struct beacons));
}

void beacons_free(struct beacons *s)
{
	for (size_t i = 0; s && i < s->n; i++)
		free(s->item[i]);
	free(s);
}

static void drop(struct beacons *s, size_t i)
{
	free(s->item[i]);
	memmove(&s->item[i], &s->item[i + 1], (--s->n - i) * sizeof(s->item[0]));
}

static size_t find(const struct beacons *s, const struct node_id *author)
{
	size_t i = 0;

	while (i < s->n && !node_id_equal(&s->item[i]->b.author, author))
		i++;
	return i;
}

/* The one with the earliest date gives its place to another admin's. */
static void make_room(struct beacons *s)
{
	size_t oldest = 0;

	if (s->n < BEACONS_MAX)
		return;
	for (size_t i = 1; i < s->n; i++)
		if (s->item[i]->b.time_s < s->item[oldest]->b.time_s)
			oldest = i;
	drop(s, oldest);
}

static int hold(struct beacons *s, const struct mlog *l, struct span bytes, size_t old)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	memcpy(h->bytes.data, bytes.data, bytes.len);
	h->bytes.len = bytes.len;
	if (beacon_decode(span_of(h->bytes.data, h->bytes.len), &h->b, NULL) < 0) {
		free(h);
		return -EBADMSG;
	}
	memcpy(h->key, roster_by_id(mlog_roster(l), &h->b.author, ROSTER_CURRENT)->key, KEY_LEN);
	h->serial = ++s->last_serial;
	if (old < s->n)
		drop(s, old);
	make_room(s);
	s->item[s->n++] = h;
	return 1;
}

int beacons_add(struct beacons *s, const struct mlog *l, struct span bytes, uint64_t now_s,
		struct err *err)
{
	struct beacon b;
	size_t old;
	int rc = beacon_decode(bytes, &b, err);

	if (rc < 0)
		return rc;
	old = find(s, &b.author);
	if (old < s->n && b.time_s < s->item[old]->b.time_s + BEACON_GAP_S)
		return 0; /* before anything is verified: what is known comes from many */
	rc = beacon_check(l, &b, now_s, err);
	return rc < 0 ? rc : hold(s, l, bytes, old);
}

void beacons_update(struct beacons *s, const struct mlog *l)
{
	for (size_t i = s->n; i-- > 0;) {
		const struct held *h = s->item[i];
		const struct member *m = roster_by_id(mlog_roster(l), &h->b.author, ROSTER_CURRENT);

		if (!m || m->role != ROLE_ADMIN || memcmp(m->key, h->key, KEY_LEN) != 0 ||
		    h->b.order.generation < mlog_generation(l))
			drop(s, i);
	}
}

void beacons_drop(struct beacons *s, const struct node_id *author)
{
	size_t i = find(s, author);

	if (i < s->n)
		drop(s, i);
}

struct span beacons_next(const struct beacons *s, uint64_t *serial)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct held *h = s->item[i];

		if (h->serial > *serial) {
			*serial = h->serial;
			return span_of(h->bytes.data, h->bytes.len);
		}
	}
	return span_of(NULL, 0);
}

bool beacons_newest(const struct beacons *s, struct beacon *ret)
{
	const struct held *newest = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (!newest || s->item[i]->b.time_s > newest->b.time_s)
			newest = s->item[i];
	if (newest)
		*ret = newest->b;
	return newest != NULL;
}

static bool is_higher(const struct beacon *a, const struct beacon *b)
{
	return a->order.generation != b->order.generation
		       ? a->order.generation > b->order.generation
		       : a->order.seq > b->order.seq;
}

bool beacons_lacking(const struct beacons *s, const struct mlog *l, struct beacon *ret)
{
	const struct held *highest = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct held *h = s->item[i];

		if (!mlog_has_head(l, &h->b.head) && (!highest || is_higher(&h->b, &highest->b)))
			highest = h;
	}
	if (highest)
		*ret = highest->b;
	return highest != NULL;
}
