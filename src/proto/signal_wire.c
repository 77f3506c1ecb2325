/* SPDX-License-Identifier: MIT */
/* The pieces that several messages share. */
#include "proto/signal_wire.h"

void wire_put_addr(struct cbor_writer *w, const struct addr *a)
{
	uint8_t bytes[ADDR_WIRE_LEN];

	memcpy(bytes, a->ip, sizeof(a->ip));
	store_be16(bytes + sizeof(a->ip), a->port);
	cbor_put_bytes(w, bytes, sizeof(bytes));
}

void wire_get_addr(struct cbor_reader *r, struct addr *ret)
{
	uint8_t bytes[ADDR_WIRE_LEN];

	cbor_get_bytes_fixed(r, bytes, sizeof(bytes));
	*ret = addr_v6(bytes, load_be16(bytes + sizeof(ret->ip)));
}

void wire_put_candidates(struct cbor_writer *w, const struct wire_candidates *c)
{
	if (c->n > CANDIDATES_MAX) {
		w->failed = true;
		return;
	}
	cbor_put_array(w, c->n);
	for (size_t i = 0; i < c->n; i++)
		wire_put_addr(w, &c->item[i]);
}

void wire_get_candidates(struct cbor_reader *r, struct wire_candidates *ret)
{
	ret->n = cbor_get_array_len(r, CANDIDATES_MAX);
	for (size_t i = 0; i < ret->n; i++)
		wire_get_addr(r, &ret->item[i]);
}

bool wire_candidates_equal(const struct wire_candidates *a, const struct wire_candidates *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!addr_equal(&a->item[i], &b->item[i]))
			return false;
	}
	return true;
}

void wire_put_head(struct cbor_writer *w, const struct wire_head *h)
{
	cbor_put_array(w, 3);
	cbor_put_uint(w, h->generation);
	cbor_put_uint(w, h->seq);
	cbor_put_bytes(w, h->hash, sizeof(h->hash));
}

void wire_get_head(struct cbor_reader *r, struct wire_head *ret)
{
	cbor_get_array(r, 3);
	ret->generation = cbor_get_uint(r, GENERATION_MAX);
	ret->seq = cbor_get_uint(r, LOG_MAX_ENTRIES - 1);
	cbor_get_bytes_fixed(r, ret->hash, sizeof(ret->hash));
}

void wire_put_entries(struct cbor_writer *w, const struct wire_entries *e)
{
	size_t total = 0;

	if (e->n > ENTRIES_PER_MESSAGE_MAX) {
		w->failed = true;
		return;
	}
	cbor_put_array(w, e->n);
	for (size_t i = 0; i < e->n; i++) {
		total += e->item[i].len;
		if (e->item[i].len == 0 || e->item[i].len > RECORD_MAX_BYTES ||
		    total > LOG_PAGE_BYTES)
			w->failed = true;
		cbor_put_bytes(w, e->item[i].data, e->item[i].len);
	}
}

void wire_get_entries(struct cbor_reader *r, struct wire_entries *ret)
{
	size_t total = 0;

	ret->n = cbor_get_array_len(r, ENTRIES_PER_MESSAGE_MAX);
	for (size_t i = 0; i < ret->n && !r->failed; i++) {
		ret->item[i] = cbor_get_bytes(r, 1, RECORD_MAX_BYTES);
		total += ret->item[i].len;
		if (total > LOG_PAGE_BYTES)
			r->failed = true;
	}
}

void wire_put_relay_end(struct cbor_writer *w, const struct relay_end *e)
{
	cbor_put_bytes(w, e->channel, sizeof(e->channel));
	cbor_put_bytes(w, e->key, sizeof(e->key));
}

void wire_get_relay_end(struct cbor_reader *r, struct relay_end *ret)
{
	cbor_get_bytes_fixed(r, ret->channel, sizeof(ret->channel));
	cbor_get_bytes_fixed(r, ret->key, sizeof(ret->key));
}
