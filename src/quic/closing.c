/* SPDX-License-Identifier: MIT */
/* The closing and draining periods (RFC 9000 section 10.2), kept short and without a connection. */
#include <stdlib.h>

#include "quic/socket.h"

#define CLOSINGS_MAX 256

static void closing_free(struct quic_socket *s, struct closing *cl)
{
	cids_free(s, &cl->cids);
	list_remove(&cl->link);
	s->n_closings--;
	free(cl);
}

static struct closing *closing_oldest(struct quic_socket *s)
{
	return list_entry(s->closings.next, struct closing, link);
}

void closing_add(struct quic_conn *c, const void *packet, size_t len,
		 const struct quic_endpoint *endpoint, uint64_t until)
{
	struct quic_socket *s = c->s;
	struct closing *cl;

	if (endpoint->overhead > 0)
		len = 0; /* a wrapped packet cannot be sent twice */
	closing_expire(s, clock_now(s->h));
	if (s->n_closings >= CLOSINGS_MAX)
		closing_free(s, closing_oldest(s));
	cl = malloc(sizeof(*cl) + len);
	if (!cl)
		return;
	*cl = (struct closing){ .until = until, .endpoint = *endpoint, .len = len };
	if (len > 0)
		memcpy(cl->packet, packet, len);
	list_init(&cl->cids);
	list_append(&s->closings, &cl->link);
	s->n_closings++;
	list_for_each(it, &c->cids) {
		struct cid *cid = list_entry(it, struct cid, link);

		list_remove(it);
		list_append(&cl->cids, it);
		cid->conn = NULL;
		cid->closing = cl;
	}
}

/* Repeats the packet at the 1st, 2nd, 4th, 8th, ... datagram, and never answers a smaller one. */
void closing_hit(struct quic_socket *s, struct closing *cl, size_t len)
{
	cl->hits++;
	if (cl->len == 0 || len < cl->len || (cl->hits & (cl->hits - 1)) != 0)
		return;
	tx_send(&s->tx, cl->packet, cl->len, &cl->endpoint.to, &cl->endpoint.local);
}

void closing_expire(struct quic_socket *s, uint64_t now)
{
	list_for_each(it, &s->closings) {
		struct closing *cl = list_entry(it, struct closing, link);

		if (cl->until <= now)
			closing_free(s, cl);
	}
}

void closings_free(struct quic_socket *s)
{
	while (!list_empty(&s->closings))
		closing_free(s, closing_oldest(s));
}
