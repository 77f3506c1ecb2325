/* SPDX-License-Identifier: MIT */
/*
 * The packets that wait for one peer's connection: a fixed ring, bounded in packets and bytes. What
 * stays too long is dropped from its head (CoDel, RFC 8289), so that a bulk transfer does not ruin
 * a shell session beside it.
 */
#ifndef MLSH_OVERLAY_QUEUE_H
#define MLSH_OVERLAY_QUEUE_H

#include "base/bytes.h"

#define QUEUE_PACKETS_MAX 1024
#define QUEUE_BYTES_MAX (256u << 10)
#define QUEUE_TARGET (5 * NS_PER_MS)	/* RFC 8289 section 4.2 */
#define QUEUE_INTERVAL (100 * NS_PER_MS)
#define QUEUE_WAIT_MAX (200 * NS_PER_MS) /* against flows that take no hint */

struct queue_slot {
	uint32_t at, len;	/* within bytes */
	uint64_t since;		/* ns: when it was put in */
};

struct queue {
	uint8_t *bytes;		/* NULL until the first packet */
	struct queue_slot *slot;
	uint32_t first, n;	/* slots in use */
	uint32_t write_at;	/* in bytes: where the next packet goes if it fits */
	uint32_t used;		/* bytes of packets waiting */
	/* CoDel */
	uint64_t first_above;	/* when the wait has been too long for an interval; 0: it is not */
	uint64_t drop_next;
	uint32_t drops;		/* since dropping began */
	bool dropping;
};

/* Makes room for packets if there is none yet. -ENOMEM. */
int queue_init(struct queue *q) MUST_CHECK;
void queue_fini(struct queue *q); /* drops what waits; zeroed or used again after queue_init */

/*
 * Where a packet of `len` bytes may be written, to be followed by queue_commit; NULL when there is
 * no room.
 */
uint8_t *queue_reserve(struct queue *q, size_t len);
void queue_commit(struct queue *q, size_t len, uint64_t now);

/* The packet at the head, without taking it; empty when none waits. */
struct span queue_head(const struct queue *q);
void queue_pop(struct queue *q);
void queue_clear(struct queue *q);
/* What waits counts as put in now: it waited for a tunnel, not in a queue. */
void queue_restamp(struct queue *q, uint64_t now);
/*
 * Drops what CoDel wants dropped at the head, at `now`, and whatever has waited longer than
 * QUEUE_WAIT_MAX, but never the last one; returns how many. To be called when packets are taken
 * out.
 */
size_t queue_drop_late(struct queue *q, uint64_t now);

static inline bool queue_empty(const struct queue *q)
{
	return q->n == 0;
}

/* Could it not take a whole super-packet? */
static inline bool queue_is_high(const struct queue *q)
{
	return q->used > QUEUE_BYTES_MAX - (72u << 10) || q->n > QUEUE_PACKETS_MAX - 64;
}

static inline bool queue_is_low(const struct queue *q)
{
	return q->used < QUEUE_BYTES_MAX / 4 && q->n < QUEUE_PACKETS_MAX / 4;
}

#endif
