/* SPDX-License-Identifier: MIT */
/* A ring of packets of any length, each in one piece, with CoDel at its head. */
#include "overlay/queue.h"

#include <errno.h>
#include <stdlib.h>

int queue_init(struct queue *q)
{
	if (q->bytes)
		return 0;
	uint8_t *bytes = malloc(QUEUE_BYTES_MAX);
	struct queue_slot *slot = calloc(QUEUE_PACKETS_MAX, sizeof(*slot));

	if (!bytes || !slot) {
		free(bytes);
		free(slot);
		return -ENOMEM;
	}
	*q = (struct queue){ .bytes = bytes, .slot = slot };
	return 0;
}

void queue_fini(struct queue *q)
{
	free(q->bytes);
	free(q->slot);
	*q = (struct queue){ 0 };
}

static const struct queue_slot *head(const struct queue *q)
{
	return &q->slot[q->first];
}

uint8_t *queue_reserve(struct queue *q, size_t len)
{
	if (!q->bytes || len == 0 || len > QUEUE_BYTES_MAX || q->n == QUEUE_PACKETS_MAX)
		return NULL;
	if (q->n == 0) {
		q->write_at = 0; /* an idle queue uses the same few cache lines again and again */
		return q->bytes;
	}
	uint32_t read_at = head(q)->at;

	if (q->write_at > read_at) {
		if (QUEUE_BYTES_MAX - q->write_at >= len)
			return q->bytes + q->write_at;
		if (read_at < len)
			return NULL;
		q->write_at = 0; /* the rest up to the end stays unused this time */
		return q->bytes;
	}
	return read_at - q->write_at >= len ? q->bytes + q->write_at : NULL;
}

void queue_commit(struct queue *q, size_t len, uint64_t now)
{
	struct queue_slot *s = &q->slot[(q->first + q->n) % QUEUE_PACKETS_MAX];

	*s = (struct queue_slot){ .at = q->write_at, .len = (uint32_t)len, .since = now };
	q->write_at += (uint32_t)len;
	q->used += (uint32_t)len;
	q->n++;
}

struct span queue_head(const struct queue *q)
{
	if (q->n == 0)
		return (struct span){ 0 };
	return span_of(q->bytes + head(q)->at, head(q)->len);
}

void queue_pop(struct queue *q)
{
	if (q->n == 0)
		return;
	q->used -= head(q)->len;
	q->first = (q->first + 1) % QUEUE_PACKETS_MAX;
	q->n--;
}

void queue_clear(struct queue *q)
{
	q->n = q->used = q->first = q->write_at = 0;
	q->dropping = false;
	q->first_above = 0;
}

static uint64_t isqrt(uint64_t v)
{
	uint64_t r = 0;

	for (uint64_t bit = (uint64_t)1 << 20; bit; bit >>= 1) {
		if ((r | bit) * (r | bit) <= v)
			r |= bit;
	}
	return r;
}

/* RFC 8289 section 5.5: the interval over the square root of the number of drops. */
static uint64_t control_law(uint64_t at, uint32_t drops)
{
	return at + QUEUE_INTERVAL * 1024 / isqrt((uint64_t)MIN(drops, 1u << 16) << 20);
}

/* Has the head waited too long, for a whole interval? */
static bool is_late(struct queue *q, uint64_t now)
{
	if (q->n <= 1 || now - head(q)->since < QUEUE_TARGET) {
		q->first_above = 0;
		return false;
	}
	if (q->first_above == 0) {
		q->first_above = now + QUEUE_INTERVAL;
		return false;
	}
	return now >= q->first_above;
}

void queue_restamp(struct queue *q, uint64_t now)
{
	for (uint32_t i = 0; i < q->n; i++)
		q->slot[(q->first + i) % QUEUE_PACKETS_MAX].since = now;
}

size_t queue_drop_late(struct queue *q, uint64_t now)
{
	size_t n = 0;

	for (; q->n > 1 && now - head(q)->since > QUEUE_WAIT_MAX; n++)
		queue_pop(q);
	if (n > 0)
		return n;
	if (!is_late(q, now)) {
		q->dropping = false;
		return 0;
	}
	if (!q->dropping) {
		/* Soon after the last time: begin where it ended (RFC 8289 section 5.3). */
		bool recent = q->drops > 2 && now - q->drop_next < 8 * QUEUE_INTERVAL;

		q->dropping = true;
		q->drops = recent ? q->drops - 2 : 1;
		q->drop_next = control_law(now, q->drops);
		queue_pop(q);
		return 1;
	}
	while (now >= q->drop_next && n < 16 && q->n > 1) {
		queue_pop(q);
		n++;
		q->drops++;
		if (!is_late(q, now)) {
			q->dropping = false;
			break;
		}
		q->drop_next = control_law(q->drop_next, q->drops);
	}
	return n;
}
