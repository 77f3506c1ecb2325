/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The place of a connection: among the strangers (callers that are not authenticated, or no longer)
 * or among the sessions. How it gets there, how it is counted, and what ends with a session.
 */
#include "signal/places.h"

#define FORMER_LIFETIME NS_PER_S /* of the connection of a removed member's session */

/* --- strangers -------------------------------------------------------------------------------- */

/* Returns true for the same IPv4 address, or the same IPv6 network. */
static bool same_source(const struct addr *a, const struct addr *b)
{
	return memcmp(a->ip, b->ip, addr_is_v4(a) ? sizeof(a->ip) : 8) == 0;
}

size_t strangers_of(const struct signal_server *s, const struct addr *source)
{
	for (struct list *it = s->strangers.next; it != &s->strangers; it = it->next) {
		const struct caller *c = list_entry(it, struct caller, in_server);

		if (same_source(&c->source, source))
			return c->same_source;
	}
	return 0;
}

static void strangers_count(struct signal_server *s, const struct addr *source, size_t n)
{
	list_for_each(it, &s->strangers) {
		struct caller *c = list_entry(it, struct caller, in_server);

		if (same_source(&c->source, source))
			c->same_source = n;
	}
}

void caller_is_stranger(struct caller *c)
{
	struct signal_server *s = c->server;

	list_append(&s->strangers, &c->in_server);
	s->n_strangers++;
	strangers_count(s, &c->source, strangers_of(s, &c->source) + 1);
}

void caller_unlist(struct caller *c)
{
	struct signal_server *s = c->server;

	if (!c->in_server.next)
		return;
	list_remove(&c->in_server);
	if (c->phase == CALLER_SESSION) {
		s->n_sessions--;
		recall_changed(s->recall);
		manager_touch(s->manager);
		return;
	}
	s->n_strangers--;
	strangers_count(s, &c->source, c->same_source - 1);
}

/* --- sessions --------------------------------------------------------------------------------- */

void caller_end_session(struct caller *c)
{
	echo_forget(c->server->echo, c);
	list_remove(&c->in_cluster);
	c->events = NO_STREAM;
	if (c->phase != CALLER_SESSION)
		return;
	relay_close_all(c->server->relay, c);
	presence_clear(c->cluster->presence, &c->node, c->session_id);
	events_presence_changed(c->server, c->cluster);
}

/*
 * Nodes of different networks never have one private source address, unless something between them
 * and this server rewrites it. Only the operator knows whether their networks differ. Said once.
 */
static void notice_one_source(struct signal_server *s, const struct caller *c)
{
	char text[ADDR_TEXT_MAX];

	if (s->one_source.known)
		return;
	if (addr_is_unset(&s->one_source.from)) {
		s->one_source.from = c->remote;
		s->one_source.node = c->node;
		s->one_source.known = !addr_is_private(&c->remote);
	} else if (!addr_same_ip(&s->one_source.from, &c->remote)) {
		s->one_source.known = true;
	} else if (!node_id_equal(&s->one_source.node, &c->node)) {
		s->one_source.known = true;
		log_warn(host_log(s->host),
			 "all nodes come from %s, a private address. If they "
			 "are in different networks, something in front of this server rewrites "
			 "source addresses (a container's published port, a proxy, a load "
			 "balancer): nodes behind NATs then cannot learn their addresses and stay "
			 "on the relay. Run mlsh-signal in its host's network, or let what is in "
			 "front of it keep the sources",
			 addr_format_ip(&c->remote, text));
	}
}

void caller_is_session(struct caller *c)
{
	struct signal_server *s = c->server;

	notice_one_source(s, c);
	caller_unlist(c);
	c->phase = CALLER_SESSION;
	c->deadline = TIME_NEVER;
	bucket_init(&c->rate, SIGNAL_SESSION_REQUESTS_PER_S, SIGNAL_SESSION_REQUESTS_BURST,
		    clock_now(s->host));
	list_append(&s->sessions, &c->in_server);
	s->n_sessions++;
	recall_changed(s->recall);
	manager_touch(s->manager);
}

/*
 * The caller still gets what was written to it, above all the record that ends its membership. The
 * tick closes the connection.
 */
void caller_is_former(struct caller *c, enum signal_close why, const char *phrase)
{
	struct signal_server *s = c->server;

	if (c->closing)
		return;
	caller_end_session(c);
	caller_unlist(c);
	c->phase = CALLER_FORMER;
	c->known = false;
	c->close_as = why;
	c->close_phrase = phrase;
	c->deadline = clock_now(s->host) + FORMER_LIFETIME;
	caller_is_stranger(c);
}
