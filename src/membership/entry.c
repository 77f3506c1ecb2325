/* SPDX-License-Identifier: MIT */
/*
 * The bytes of log entries, written and read. What was read is written again and must give the same
 * bytes, so that an entry has one encoding and one hash.
 */
#include "membership/entry.h"

#include <inttypes.h>

#include "membership/internal.h"

#define ENTRY_VERSION 1
#define PAYLOAD_FIELDS 7

/* --- writing -------------------------------------------------------------------------------- */

static void put_genesis(struct cbor_writer *w, const struct genesis *g)
{
	cbor_put_array(w, 11);
	cbor_put_text(w, g->name);
	cbor_put_array(w, 2);
	cbor_put_uint(w, g->subnet.net);
	cbor_put_uint(w, g->subnet.bits);
	cbor_put_bytes(w, g->key, KEY_LEN);
	cbor_put_text(w, g->node_name);
	cbor_put_uint(w, g->address);
	cbor_put_text(w, g->signal_host);
	cbor_put_uint(w, g->signal_port);
	cbor_put_bytes(w, g->signal_cert, HASH_LEN);
	cbor_put_bytes(w, g->signal_key, HASH_LEN);
	cbor_put_bytes(w, g->recovery, HASH_LEN);
	cbor_put_bytes(w, g->random, sizeof(g->random));
}

static void put_admit(struct cbor_writer *w, const struct admit *a)
{
	cbor_put_array(w, 5);
	cbor_put_bytes(w, a->key, KEY_LEN);
	cbor_put_text(w, a->node_name);
	cbor_put_uint(w, a->address);
	cbor_put_bytes(w, a->invite.data, a->invite.len);
	cbor_put_bytes(w, a->invite_sig, SIG_LEN);
}

static void put_cancel(struct cbor_writer *w, const struct cancel *c)
{
	cbor_put_array(w, 1);
	cbor_put_bytes(w, c->nonce, NONCE_LEN);
}

void entry_put_payload(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, PAYLOAD_FIELDS);
	cbor_put_uint(w, ENTRY_VERSION);
	cbor_put_uint(w, e->type);
	cbor_put_uint(w, e->seq);
	cbor_put_bytes(w, e->prev, HASH_LEN);
	cbor_put_uint(w, e->time_s);
	cbor_put_bytes(w, e->author.bytes, NODE_ID_LEN);
	switch (e->type) {
	case ENTRY_GENESIS:
		put_genesis(w, &e->genesis);
		break;
	case ENTRY_ADMIT:
		put_admit(w, &e->admit);
		break;
	case ENTRY_CANCEL:
		put_cancel(w, &e->cancel);
		break;
	}
}

void entry_put(struct cbor_writer *w, struct span payload, const uint8_t *const *sigs, size_t n)
{
	cbor_put_array(w, 2);
	cbor_put_bytes(w, payload.data, payload.len);
	cbor_put_array(w, n);
	for (size_t i = 0; i < n; i++)
		cbor_put_bytes(w, sigs[i], SIG_LEN);
}

size_t entry_sig_count(enum entry_type type)
{
	return type == ENTRY_ADMIT ? 2 : 1;
}

/* --- reading -------------------------------------------------------------------------------- */

static int malformed(struct err *err, const char *what)
{
	return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "the log entry is malformed: %s", what);
}

static int upgrade(struct err *err, const char *what, uint64_t v)
{
	return refuse(err, -EPROTONOSUPPORT, REFUSAL_VERSION,
		      "the membership log has an entry of %s %" PRIu64 ", which this mlsh does not "
		      "know: upgrade mlsh on this machine",
		      what, v);
}

static void get_genesis(struct cbor_reader *r, struct genesis *g)
{
	cbor_get_array(r, 11);
	cbor_get_text_copy(r, g->name, sizeof(g->name));
	cbor_get_array(r, 2);
	g->subnet.net = (ip4)cbor_get_uint(r, UINT32_MAX);
	g->subnet.bits = (uint8_t)cbor_get_uint(r, 32);
	cbor_get_bytes_fixed(r, g->key, KEY_LEN);
	cbor_get_text_copy(r, g->node_name, sizeof(g->node_name));
	g->address = (ip4)cbor_get_uint(r, UINT32_MAX);
	cbor_get_text_copy(r, g->signal_host, sizeof(g->signal_host));
	g->signal_port = (uint16_t)cbor_get_uint(r, UINT16_MAX);
	cbor_get_bytes_fixed(r, g->signal_cert, HASH_LEN);
	cbor_get_bytes_fixed(r, g->signal_key, HASH_LEN);
	cbor_get_bytes_fixed(r, g->recovery, HASH_LEN);
	cbor_get_bytes_fixed(r, g->random, sizeof(g->random));
}

static void get_admit(struct cbor_reader *r, struct admit *a)
{
	cbor_get_array(r, 5);
	cbor_get_bytes_fixed(r, a->key, KEY_LEN);
	cbor_get_text_copy(r, a->node_name, sizeof(a->node_name));
	a->address = (ip4)cbor_get_uint(r, UINT32_MAX);
	a->invite = cbor_get_bytes(r, 1, INVITE_MAX_BYTES);
	cbor_get_bytes_fixed(r, a->invite_sig, SIG_LEN);
}

static void get_cancel(struct cbor_reader *r, struct cancel *c)
{
	cbor_get_array(r, 1);
	cbor_get_bytes_fixed(r, c->nonce, NONCE_LEN);
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
	if (cbor_reader_end(&r) < 0)
		return malformed(err, "it is not a payload with its signatures");
	return 0;
}

static int get_payload(struct entry *e, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(e->payload);
	size_t fields = cbor_get_array_len(&r, 64);
	uint64_t version = cbor_get_uint(&r, UINT64_MAX), type;

	if (!r.failed && version != ENTRY_VERSION)
		return upgrade(err, "version", version);
	type = cbor_get_uint(&r, UINT64_MAX);
	if (!r.failed && (type < ENTRY_GENESIS || type > ENTRY_CANCEL))
		return upgrade(err, "type", type);
	if (r.failed || fields != PAYLOAD_FIELDS)
		return malformed(err, "its payload is not an array of seven fields");
	e->type = (enum entry_type)type;
	e->seq = cbor_get_uint(&r, UINT64_MAX);
	cbor_get_bytes_fixed(&r, e->prev, HASH_LEN);
	e->time_s = cbor_get_uint(&r, LOG_TIME_MAX_S);
	cbor_get_bytes_fixed(&r, e->author.bytes, NODE_ID_LEN);
	switch (e->type) {
	case ENTRY_GENESIS:
		get_genesis(&r, &e->genesis);
		break;
	case ENTRY_ADMIT:
		get_admit(&r, &e->admit);
		break;
	case ENTRY_CANCEL:
		get_cancel(&r, &e->cancel);
		break;
	}
	if (cbor_reader_end(&r) < 0)
		return malformed(err, "a field of its payload has the wrong form");
	if (e->n_sigs != entry_sig_count(e->type))
		return malformed(err, "it has the wrong number of signatures");
	return 0;
}

static int check_canonical(struct span bytes, const struct entry *e, struct err *err)
{
	uint8_t buf[ENTRY_MAX_BYTES];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));

	entry_put_payload(&w, e);
	if (!span_equal(cbor_writer_span(&w), e->payload))
		return malformed(err, "its payload is not in the one valid encoding");
	w = cbor_writer_of(buf, sizeof(buf));
	entry_put(&w, e->payload, e->sig, e->n_sigs);
	if (!span_equal(cbor_writer_span(&w), bytes))
		return malformed(err, "it is not in the one valid encoding");
	return 0;
}

static int check_label(const char *what, const char *name, struct err *err)
{
	struct err why;
	int r = label_check(what, name, &why);

	if (r == 0)
		return 0;
	return refuse(err, -EBADMSG, REFUSAL_NAME_BAD, "%s", why.text);
}

static int check_genesis(const struct entry *e, struct err *err)
{
	const struct genesis *g = &e->genesis;
	struct err why;
	int r;

	if (e->seq != 0 || memcmp(e->prev, zero_hash, HASH_LEN) != 0)
		return malformed(err, "a first entry that is not the first");
	r = check_label("cluster name", g->name, err);
	if (r == 0)
		r = check_label("node name", g->node_name, err);
	if (r < 0)
		return r;
	if (overlay_subnet_check(g->subnet, &why) < 0)
		return refuse(err, -EBADMSG, REFUSAL_SUBNET, "%s", why.text);
	if (g->address < prefix4_first(g->subnet) || g->address > prefix4_last(g->subnet))
		return malformed(err, "the first node's address is not in the subnet");
	if (!key_ok(g->key))
		return malformed(err, "the first node's key cannot be used");
	if (!host_is_normal(g->signal_host) || g->signal_port == 0)
		return malformed(err, "the signaling server's address has the wrong form");
	return 0;
}

static int check_admit(struct entry *e, struct err *err)
{
	int r;

	if (e->seq == 0)
		return malformed(err, "the first entry must found the cluster");
	r = check_label("node name", e->admit.node_name, err);
	if (r == 0)
		r = invite_decode(e->admit.invite, &e->admit.invite_decoded, err);
	if (r < 0)
		return r;
	if (!key_ok(e->admit.key))
		return malformed(err, "the node's key cannot be used");
	return 0;
}

int entry_decode(struct span bytes, struct entry *ret, struct err *err)
{
	struct entry e = { .n_sigs = 0 };
	int r;

	if (bytes.len > ENTRY_MAX_BYTES)
		return malformed(err, "it is too long");
	r = get_envelope(bytes, &e, err);
	if (r == 0)
		r = get_payload(&e, err);
	if (r == 0)
		r = check_canonical(bytes, &e, err);
	if (r == 0 && e.type == ENTRY_GENESIS)
		r = check_genesis(&e, err);
	if (r == 0 && e.type == ENTRY_ADMIT)
		r = check_admit(&e, err);
	if (r == 0 && e.type == ENTRY_CANCEL && e.seq == 0)
		r = malformed(err, "the first entry must found the cluster");
	if (r < 0)
		return r;
	sha256(bytes, e.hash);
	*ret = e;
	return 0;
}
