/* SPDX-License-Identifier: MIT */
/* A ring of packets of any length, each in one piece, until there is a tunnel. */
#include "overlay/datapath/queue.h"

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

void queue_commit(struct queue *q, size_t len)
{
	struct queue_slot *s = &q->slot[(q->first + q->n) % QUEUE_PACKETS_MAX];

	*s = (struct queue_slot){ .at = q->write_at, .len = (uint32_t)len };
	q->write_at += (uint32_t)len;
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
	q->first = (q->first + 1) % QUEUE_PACKETS_MAX;
	q->n--;
}
