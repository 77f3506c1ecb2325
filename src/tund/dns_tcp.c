/* SPDX-License-Identifier: MIT */
/* Connections of the TCP server in front of dns_answer, and their limits. */
#include "tund/dns_tcp.h"

#include <stdlib.h>

#include "base/list.h"
#include "os/tcp.h"

#define PREFIX 2			  /* the length in front of a message */
#define ANSWERS_BYTES 8192		  /* that wait to be read; no query is read meanwhile */
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS) /* when there is no descriptor left */

struct dns_tcp {
	struct host *host;
	struct dns_names names;
	struct tcp *listener;
	struct list conns; /* the one that has not asked for longest is first */
	size_t n_conns;
	struct timer *idle; /* for the first one */
	struct timer *resume;
};

struct conn {
	struct list entry;
	struct dns_tcp *server;
	struct tcp *tcp;
	struct addr from;
	uint64_t asked_at; /* its last whole query; at first, when it came */
	bool ended;	   /* the client sends no more */
	size_t in_len, out_len;
	uint8_t in[PREFIX + DNS_TCP_QUERY_MAX];
	uint8_t out[ANSWERS_BYTES];
};

static void idle_schedule(struct dns_tcp *d)
{
	if (list_empty(&d->conns))
		timer_set(d->idle, TIME_NEVER);
	else
		timer_set(d->idle, list_entry(d->conns.next, struct conn, entry)->asked_at +
					   DNS_TCP_IDLE_NS);
}

static void conn_close(struct conn *c)
{
	tcp_close(c->tcp);
	list_remove(&c->entry);
	c->server->n_conns--;
	free(c);
}

static void on_idle(void *ctx)
{
	struct dns_tcp *d = ctx;
	uint64_t now = clock_now(d->host);

	list_for_each(it, &d->conns) {
		struct conn *c = list_entry(it, struct conn, entry);

		if (c->asked_at + DNS_TCP_IDLE_NS > now)
			break;
		conn_close(c);
	}
	idle_schedule(d);
}

/* ---- queries and answers ---- */

/* Answers one query. Returns false if it is not a query: the connection ends. */
static bool answer_one(struct conn *c, struct span query)
{
	struct dns_tcp *d = c->server;
	uint8_t *out = c->out + c->out_len;
	size_t n = dns_answer(&d->names, query, out + PREFIX, DNS_MESSAGE_MAX);

	if (!n)
		return false;
	store_be16(out, (uint16_t)n);
	c->out_len += PREFIX + n;
	c->asked_at = clock_now(d->host);
	list_remove(&c->entry);
	list_append(&d->conns, &c->entry);
	return true;
}

static bool room_for_answer(const struct conn *c)
{
	return c->out_len + PREFIX + DNS_MESSAGE_MAX <= sizeof(c->out);
}

/* Every whole query that there is room to answer. Returns false if the client speaks no DNS. */
static bool answer_all(struct conn *c)
{
	size_t at = 0;

	while (c->in_len - at >= PREFIX && room_for_answer(c)) {
		size_t len = load_be16(c->in + at);

		if (len > DNS_TCP_QUERY_MAX)
			return false;
		if (c->in_len - at < PREFIX + len)
			break;
		if (!answer_one(c, span_of(c->in + at + PREFIX, len)))
			return false;
		at += PREFIX + len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	return true;
}

/* Returns false if the connection is gone. */
static bool flush(struct conn *c)
{
	while (c->out_len) {
		int n = tcp_write(c->tcp, c->out, c->out_len);

		if (n == -EAGAIN)
			return true;
		if (n < 0)
			return false;
		memmove(c->out, c->out + n, c->out_len - (size_t)n);
		c->out_len -= (size_t)n;
	}
	return true;
}

static bool read_some(struct conn *c)
{
	int n;

	if (c->ended || c->in_len == sizeof(c->in))
		return true;
	n = tcp_read(c->tcp, c->in + c->in_len, sizeof(c->in) - c->in_len);
	if (n == -EAGAIN)
		return true;
	if (n < 0)
		return false;
	c->ended = n == 0;
	c->in_len += (size_t)n;
	return true;
}

/* One read a call, so that no client keeps others from being served. */
static void on_ready(void *ctx)
{
	struct conn *c = ctx;
	struct dns_tcp *d = c->server;
	size_t before;
	bool ok = read_some(c);

	do {
		before = c->in_len;
		ok = ok && answer_all(c) && flush(c);
	} while (ok && c->in_len < before && c->out_len == 0);
	if (!ok || (c->ended && c->out_len == 0))
		conn_close(c);
	else
		tcp_watch(c->tcp, !c->ended && room_for_answer(c), c->out_len > 0);
	idle_schedule(d);
}

/* ---- connections ---- */

static size_t count_of(const struct dns_tcp *d, const struct addr *from)
{
	size_t n = 0;

	list_for_each(it, &d->conns)
		n += addr_same_ip(&list_entry(it, struct conn, entry)->from, from);
	return n;
}

/* A client with many connections makes room with its own. */
static void make_room(struct dns_tcp *d)
{
	struct conn *victim = NULL;
	size_t most = 0;

	list_for_each(it, &d->conns) {
		struct conn *c = list_entry(it, struct conn, entry);
		size_t n = count_of(d, &c->from);

		if (n > most) {
			most = n;
			victim = c;
		}
	}
	if (victim)
		conn_close(victim);
}

/* Returns false if no more can be accepted now. */
static bool accept_one(struct dns_tcp *d)
{
	struct conn *c = calloc(1, sizeof(*c));
	int rc = c ? tcp_accept(d->listener, on_ready, c, &c->from, &c->tcp) : -ENOMEM;

	if (rc < 0) {
		free(c);
		if (rc != -EAGAIN) {
			tcp_watch(d->listener, false, false);
			timer_set_in(d->resume, ACCEPT_PAUSE_NS);
		}
		return false;
	}
	if (d->n_conns == DNS_TCP_CONNS_MAX)
		make_room(d);
	c->server = d;
	c->asked_at = clock_now(d->host);
	list_append(&d->conns, &c->entry);
	d->n_conns++;
	return true;
}

static void on_acceptable(void *ctx)
{
	struct dns_tcp *d = ctx;

	for (int i = 0; i < DNS_TCP_CONNS_MAX && accept_one(d); i++)
		;
	idle_schedule(d);
}

static void on_resume(void *ctx)
{
	tcp_watch(((struct dns_tcp *)ctx)->listener, true, false);
}

int dns_tcp_new(struct host *h, const struct addr *bind, const struct dns_names *names,
		struct err *err, struct dns_tcp **ret)
{
	struct dns_tcp *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return err_set(err, -ENOMEM, "no memory for DNS over TCP");
	d->host = h;
	d->names = *names;
	list_init(&d->conns);
	d->idle = timer_new(h, on_idle, d);
	d->resume = timer_new(h, on_resume, d);
	rc = d->idle && d->resume ? tcp_listen(h, bind, on_acceptable, d, err, &d->listener)
				  : err_set(err, -ENOMEM, "no memory for DNS over TCP");
	if (rc < 0) {
		dns_tcp_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

uint16_t dns_tcp_port(const struct dns_tcp *d)
{
	return tcp_local(d->listener).port;
}

void dns_tcp_free(struct dns_tcp *d)
{
	if (!d)
		return;
	list_for_each(it, &d->conns)
		conn_close(list_entry(it, struct conn, entry));
	tcp_close(d->listener);
	timer_free(d->idle);
	timer_free(d->resume);
	free(d);
}
