/* SPDX-License-Identifier: MIT */
/* What the tests of wire messages share: the values in the vectors, and the vector files. */
#ifndef MLSH_TESTS_PROTO_KIT_H
#define MLSH_TESTS_PROTO_KIT_H

#include "proto/peer.h"
#include "proto/signal.h"
#include "unit.h"

#define KIT_FRAME_MAX (FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX)

/* Bytes that count up. */
void kit_bytes(uint8_t first, uint8_t *out, size_t len);

struct addr kit_addr4(void);
struct addr kit_addr6(void);
struct relay_end kit_relay_end(void);
struct wire_head kit_head(void);
struct span kit_wire_entry(unsigned n);
void kit_entries(struct wire_entries *e, size_t n);
struct wire_candidates kit_candidates(void);

/* The frame of that name in the file; its length, 0 when it is not there. */
size_t kit_vector(const char *file, const char *name, uint8_t *out, size_t cap);

/* How many vectors of the file begin with this prefix? */
size_t kit_vector_count(const char *file, const char *prefix);

struct span kit_message(const uint8_t *frame, size_t len);

#endif
