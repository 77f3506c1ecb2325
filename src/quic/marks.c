/* SPDX-License-Identifier: MIT */
/*
 * Marks on connections: the work that is left until the loop sleeps. A mark only puts the
 * connection into a list of its socket; socket.c does the work, from the loop.
 */
#include "quic/socket.h"

void conn_mark_dirty(struct quic_conn *c)
{
	if (!c->alive || c->dirty.next)
		return;
	list_append(&c->s->dirty, &c->dirty);
	deferred_call(c->s->work);
}

void conn_mark_event(struct quic_conn *c)
{
	if (c->freed || c->events.next)
		return;
	list_append(&c->s->events, &c->events);
	deferred_call(c->s->work);
}

void conn_bury(struct quic_conn *c)
{
	if (c->freed)
		return;
	c->freed = true;
	c->ops = NULL;
	list_remove(&c->events);
	list_remove(&c->link);
	list_append(&c->s->dead, &c->link);
	deferred_call(c->s->work);
}
