/* SPDX-License-Identifier: MIT */
/* The pieces that several messages share: addresses, heads, lists, framing (03-signal.md). */
#ifndef MLSH_PROTO_SIGNAL_WIRE_H
#define MLSH_PROTO_SIGNAL_WIRE_H

#include "proto/cbor.h"
#include "proto/signal.h"

void wire_put_addr(struct cbor_writer *w, const struct addr *a); /* the scope stays behind */
void wire_get_addr(struct cbor_reader *r, struct addr *ret);
void wire_put_candidates(struct cbor_writer *w, const struct wire_candidates *c);
void wire_get_candidates(struct cbor_reader *r, struct wire_candidates *ret);
void wire_put_head(struct cbor_writer *w, const struct wire_head *h);
void wire_get_head(struct cbor_reader *r, struct wire_head *ret);
void wire_put_relay_end(struct cbor_writer *w, const struct relay_end *e); /* two elements */
void wire_get_relay_end(struct cbor_reader *r, struct relay_end *ret);
/* At most ENTRIES_PER_MESSAGE_MAX records and LOG_PAGE_BYTES together, both ways. */
void wire_put_entries(struct cbor_writer *w, const struct wire_entries *e);
void wire_get_entries(struct cbor_reader *r, struct wire_entries *ret);

/* A writer that leaves room for the length in front, of at most `max` bytes of message. */
struct cbor_writer frame_begin(void *buf, size_t cap, size_t max);
/* Fills in the length: bytes written with it, or -ENOSPC. */
ptrdiff_t frame_end(struct cbor_writer *w, void *buf) MUST_CHECK;

#endif
