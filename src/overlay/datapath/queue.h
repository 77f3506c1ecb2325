/* SPDX-License-Identifier: MIT */
/* The packets that wait for a tunnel: a fixed ring, bounded in packets and bytes. */
#ifndef MLSH_OVERLAY_QUEUE_H
#define MLSH_OVERLAY_QUEUE_H

#include "base/bytes.h"

#define QUEUE_PACKETS_MAX 64
#define QUEUE_BYTES_MAX (72u << 10) /* a super-packet of the TUN, cut */

struct queue_slot {
	uint32_t at, len; /* within bytes */
};

struct queue {
	uint8_t *bytes; /* NULL until the first packet */
	struct queue_slot *slot;
	uint32_t first, n; /* slots in use */
	uint32_t write_at; /* in bytes: where the next packet goes if it fits */
};

/* Makes room for packets if there is none yet. -ENOMEM. */
int queue_init(struct queue *q) MUST_CHECK;
void queue_fini(struct queue *q); /* drops what waits; zeroed or used again after queue_init */

/*
 * Where a packet of `len` bytes may be written, to be followed by queue_commit; NULL when there is
 * no room.
 */
uint8_t *queue_reserve(struct queue *q, size_t len);
void queue_commit(struct queue *q, size_t len);

/* The packet at the head, without taking it; empty when none waits. */
struct span queue_head(const struct queue *q);
void queue_pop(struct queue *q);

static inline bool queue_empty(const struct queue *q)
{
	return q->n == 0;
}

#endif
