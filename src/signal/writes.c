/* SPDX-License-Identifier: AGPL-3.0-only */
/* Requests that wait for the database: queued, and forgotten with their connection. */
#include "signal/writes.h"

#include <stdlib.h>

void write_free(struct signal_server *s, struct write *w)
{
	list_remove(&w->link);
	s->n_writes--;
	secret_wipe(w->message, w->len); /* setup: a token's code */
	secret_wipe(&w->reply, sizeof(w->reply));
	free(w);
}

void writes_soon(struct signal_server *s)
{
	uint64_t now = clock_now(s->host);

	if (timer_is_set(s->write_timer))
		return;
	if (now >= s->write_at)
		deferred_call(s->write_soon);
	else
		timer_set(s->write_timer, s->write_at);
}

void writes_schedule(struct signal_server *s)
{
	if (!list_empty(&s->writes))
		writes_soon(s);
}

int write_later(struct caller *c, int64_t stream, enum signal_request_type type,
		struct span message, struct err *err)
{
	struct signal_server *s = c->server;
	struct write *w = NULL;

	if (s->n_writes < WRITES_WAITING_MAX)
		w = malloc(sizeof(*w) + message.len);
	if (!w)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL,
			      "Too many requests wait for the server's database; try again later.");
	*w = (struct write){ .caller = c,
			     .stream = stream,
			     .since = clock_now(s->host),
			     .type = type,
			     .len = message.len };
	memcpy(w->message, message.data, message.len);
	list_append(&s->writes, &w->link);
	s->n_writes++;
	writes_schedule(s);
	return 0;
}

void writes_forget(struct caller *c)
{
	struct signal_server *s = c->server;

	list_for_each(it, &s->writes)
		if (write_at(it)->caller == c)
			write_free(s, write_at(it));
	list_for_each(it, &s->writing)
		if (write_at(it)->caller == c)
			write_at(it)->caller = NULL;
	list_for_each(it, &s->written)
		if (write_at(it)->caller == c)
			write_at(it)->caller = NULL;
}
