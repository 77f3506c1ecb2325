/* SPDX-License-Identifier: MIT */
/* Flow queues: where packets lie, whose turn it is, and what has to go. */
#include "overlay/datapath/flowq.h"

#include <errno.h>
#include <stdlib.h>

#define ITEMS (FLOWQ_LARGE + FLOWQ_SMALL)
#define NONE UINT16_MAX
#define ECN_MASK 3
#define ECN_CE 3

/* --- where they lie -------------------------------------------------------------------------- */

static bool is_large(uint16_t i)
{
	return i < FLOWQ_LARGE;
}

int flowq_init(struct flowq *q)
{
	*q = (struct flowq){ .free_large = NONE,
			     .free_small = NONE,
			     .lent = NONE,
			     .taken = NONE,
			     .target = FLOWQ_TARGET };
	q->memory = malloc((size_t)FLOWQ_LARGE * TUN_READ_BYTES +
			   (size_t)FLOWQ_SMALL * (TUN_HEADROOM + FLOWQ_SMALL_BYTES));
	q->item = calloc(ITEMS, sizeof(*q->item));
	q->flow = calloc(FLOWQ_FLOWS, sizeof(*q->flow));
	list_init(&q->fresh);
	list_init(&q->old);
	if (!q->memory || !q->item || !q->flow) {
		flowq_fini(q);
		return -ENOMEM;
	}
	for (uint16_t i = ITEMS; i-- > 0;) { /* those that are used first lie first */
		bool large = is_large(i);
		uint16_t *list = large ? &q->free_large : &q->free_small;
		size_t at = large ? (size_t)i * TUN_READ_BYTES
				  : (size_t)FLOWQ_LARGE * TUN_READ_BYTES +
					    (size_t)(i - FLOWQ_LARGE) *
						    (TUN_HEADROOM + FLOWQ_SMALL_BYTES);

		q->item[i] = (struct flowq_item){ .buffer = q->memory + at, .next = *list };
		*list = i;
	}
	for (size_t i = 0; i < FLOWQ_FLOWS; i++)
		q->flow[i].first = q->flow[i].last = NONE;
	return 0;
}

void flowq_fini(struct flowq *q)
{
	free(q->memory);
	free(q->item);
	free(q->flow);
	*q = (struct flowq){ .n = 0 };
}

static uint16_t take_free(const struct flowq *q, uint16_t *list)
{
	uint16_t i = *list;

	if (i != NONE)
		*list = q->item[i].next;
	return i;
}

static void give_back(struct flowq *q, uint16_t i)
{
	uint16_t *list = is_large(i) ? &q->free_large : &q->free_small;

	q->item[i].next = *list;
	*list = i;
}

static void end_taken(struct flowq *q)
{
	if (q->taken != NONE)
		give_back(q, q->taken);
	q->taken = NONE;
}

/* --- flows ----------------------------------------------------------------------------------- */

static uint16_t flow_pop(struct flowq *q, struct flow_waiting *f)
{
	uint16_t i = f->first;

	if (i == NONE)
		return NONE;
	f->first = q->item[i].next;
	if (f->first == NONE)
		f->last = NONE;
	f->held[is_large(i)]--;
	q->n--;
	return i;
}

static void drop_head(struct flowq *q, struct flow_waiting *f)
{
	uint16_t i = flow_pop(q, f);

	if (i == NONE)
		return;
	give_back(q, i);
	q->dropped++;
}

/* RFC 8290 section 4.1.2: drops from the head of the longest flow until there is such a place. */
static uint16_t place(struct flowq *q, bool large)
{
	uint16_t *list = large ? &q->free_large : &q->free_small;
	struct flow_waiting *f = &q->flow[0];

	for (size_t i = 1; *list == NONE && i < FLOWQ_FLOWS; i++) {
		if (q->flow[i].held[large] > f->held[large])
			f = &q->flow[i];
	}
	while (*list == NONE)
		drop_head(q, f);
	return take_free(q, list);
}

/* The senders are local programs: that flows meet in a bucket does no harm. */
static struct flow_waiting *flow_of(struct flowq *q, const struct tun_packet *p,
				    const struct packet4 *h)
{
	uint32_t v = h->dst ^ (uint32_t)h->proto << 24;

	if (!h->fragment && p->len >= (size_t)h->header_len + 4 &&
	    (h->proto == IPPROTO_TCP4 || h->proto == IPPROTO_UDP4))
		v ^= load_be32(p->data + h->header_len) * UINT32_C(0x85ebca6b);
	v *= UINT32_C(0x9e3779b1);
	return &q->flow[(v >> 16) % FLOWQ_FLOWS];
}

uint8_t *flowq_buffer(struct flowq *q)
{
	end_taken(q);
	if (q->lent == NONE)
		q->lent = place(q, true);
	return q->item[q->lent].buffer;
}

/* A small packet moves to a small place, so that the large ones are there for large ones. */
static uint16_t settle(struct flowq *q, const struct tun_packet *p)
{
	uint16_t i = q->lent;

	if (p->len <= FLOWQ_SMALL_BYTES) {
		i = place(q, false);
		q->item[i].packet = *p;
		q->item[i].packet.data = q->item[i].buffer + TUN_HEADROOM;
		memcpy(q->item[i].packet.data, p->data, p->len);
		return i;
	}
	q->lent = NONE;
	q->item[i].packet = *p;
	return i;
}

void flowq_put(struct flowq *q, const struct tun_packet *p, const struct packet4 *h, uint64_t now)
{
	struct flow_waiting *f = flow_of(q, p, h);
	uint16_t i = settle(q, p);

	q->item[i].header = *h;
	q->item[i].since = now;
	q->item[i].next = NONE;
	if (f->last != NONE)
		q->item[f->last].next = i;
	else
		f->first = i;
	f->last = i;
	f->held[is_large(i)]++;
	q->n++;
	if (!f->turn.next) {
		f->deficit = FLOWQ_QUANTUM;
		list_append(&q->fresh, &f->turn);
	}
}

/* --- CoDel ----------------------------------------------------------------------------------- */

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
	return at + FLOWQ_INTERVAL * 1024 / isqrt((uint64_t)MIN(drops, 1u << 16) << 20);
}

/* Has the head waited too long, for a whole interval? The last one never has. */
static bool is_late(const struct flowq *q, struct flow_waiting *f, uint64_t now)
{
	if (f->first == f->last || now - q->item[f->first].since < q->target) {
		f->first_above = 0;
		return false;
	}
	if (f->first_above == 0) {
		f->first_above = now + FLOWQ_INTERVAL;
		return false;
	}
	return now >= f->first_above;
}

/* RFC 3168 section 5: marks the packets of a sender that understands marks, and drops none. */
static bool mark(struct flowq_item *i)
{
	uint8_t *ip = i->packet.data;

	if ((ip[1] & ECN_MASK) == 0)
		return false;
	ip[1] |= ECN_CE;
	packet_ip_checksum(ip, i->header.header_len);
	return true;
}

/* Returns false if the head was dropped. */
static bool head_passes(struct flowq *q, struct flow_waiting *f, uint64_t now)
{
	if (!is_late(q, f, now)) {
		f->dropping = false;
		return true;
	}
	if (!f->dropping) {
		/* Soon after the last time: begin where it ended (RFC 8289 section 5.3). */
		bool recent = f->drops > 2 && now - f->drop_next < 8 * FLOWQ_INTERVAL;

		f->dropping = true;
		f->drops = recent ? f->drops - 2 : 1;
		f->drop_next = control_law(now, f->drops);
	} else if (now >= f->drop_next) {
		f->drops++;
		f->drop_next = control_law(f->drop_next, f->drops);
	} else {
		return true;
	}
	if (mark(&q->item[f->first]))
		return true;
	drop_head(q, f);
	return false;
}

/* --- turns ----------------------------------------------------------------------------------- */

/* Whose turn it is: fresh flows first, each for a quantum (RFC 8290 section 4.2). */
static struct flow_waiting *turn(struct flowq *q)
{
	for (;;) {
		bool fresh = !list_empty(&q->fresh);
		struct list *from = fresh ? &q->fresh : &q->old;
		struct flow_waiting *f;

		if (list_empty(from))
			return NULL;
		f = list_entry(from->next, struct flow_waiting, turn);
		if (f->deficit > 0 && f->first != NONE)
			return f;
		list_remove(&f->turn);
		if (f->deficit <= 0)
			f->deficit += FLOWQ_QUANTUM;
		else if (!fresh)
			continue; /* had its turn and has nothing: forgotten */
		list_append(&q->old, &f->turn);
	}
}

const struct flowq_item *flowq_next(struct flowq *q, uint64_t now)
{
	struct flow_waiting *f;

	end_taken(q);
	while ((f = turn(q)) != NULL) {
		if (!head_passes(q, f, now))
			continue;
		q->taken = flow_pop(q, f);
		f->deficit -= (int32_t)q->item[q->taken].packet.len;
		return &q->item[q->taken];
	}
	return NULL;
}
