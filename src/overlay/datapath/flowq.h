/* SPDX-License-Identifier: MIT */
/*
 * Packets read from the TUN that cannot be sent at once, by flow (after RFC 8290). Flows take
 * turns, and a flow that just began comes first, so that a bulk transfer does not delay a shell
 * session beside it. CoDel (RFC 8289) marks or drops packets that wait too long. Without room the
 * flow that holds most of it loses a packet. Neither allocates nor asks for the time.
 */
#ifndef MLSH_OVERLAY_FLOWQ_H
#define MLSH_OVERLAY_FLOWQ_H

#include "base/list.h"
#include "os/tun.h"
#include "overlay/datapath/packet.h"

#define FLOWQ_FLOWS 256 /* buckets of the hash */
#define FLOWQ_LARGE 28	/* packets of any size that fit */
#define FLOWQ_SMALL 512 /* packets of FLOWQ_SMALL_BYTES at most */
#define FLOWQ_SMALL_BYTES 2048
#define FLOWQ_QUANTUM 16384	     /* bytes of a turn */
#define FLOWQ_TARGET (5 * NS_PER_MS) /* RFC 8289 section 4.2 */
#define FLOWQ_INTERVAL (100 * NS_PER_MS)

struct flowq_item {
	struct tun_packet packet;
	struct packet4 header;
	uint8_t *buffer;
	uint64_t since;
	uint16_t next; /* in its flow, or among the free ones */
};

struct flow_waiting {
	struct list turn;     /* linked while it has packets, or had lately */
	uint16_t first, last; /* items, or FLOWQ_NONE */
	uint16_t held[2];     /* small and large places */
	int32_t deficit;
	/* CoDel */
	uint64_t first_above, drop_next;
	uint32_t drops;
	bool dropping;
};

struct flowq {
	uint8_t *memory;
	struct flowq_item *item; /* FLOWQ_LARGE large ones, then the small ones */
	struct flow_waiting *flow;
	uint16_t free_large, free_small;
	uint16_t lent;	/* item whose buffer was given out for reading */
	uint16_t taken; /* by the last flowq_next */
	struct list fresh, old;
	uint64_t target; /* waiting longer than this for an interval is late */
	uint32_t n;
	uint64_t dropped; /* for want of room, or by CoDel; ever */
};

/* -ENOMEM */
int flowq_init(struct flowq *q) MUST_CHECK;
void flowq_fini(struct flowq *q); /* zeroed is fine, too */
/* Where the next packet may be read to (TUN_READ_BYTES). Never NULL: another packet makes room. */
uint8_t *flowq_buffer(struct flowq *q);
/* Takes the packet that was read there. */
void flowq_put(struct flowq *q, const struct tun_packet *p, const struct packet4 *h, uint64_t now);
/* Returns the next packet to send, valid until the next call of flowq; NULL if no packet waits. */
const struct flowq_item *flowq_next(struct flowq *q, uint64_t now);

static inline bool flowq_empty(const struct flowq *q)
{
	return q->n == 0;
}

#endif
