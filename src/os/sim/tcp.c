/* SPDX-License-Identifier: MIT */
/* Simulated TCP: what a test's stream writes arrives at once, as far as the window goes. */
#include "os/tcp.h"

#include "os/sim/sim.h"
#include "os/sim/stream.h"

#define PORT_FIRST 49152

struct pipe {
	uint8_t data[STREAM_WINDOW];
	size_t len;
};

struct stream {
	struct tcp *conn;     /* NULL: closed by the program */
	struct pipe up, down; /* to the program, and from it */
	bool finished;
};

struct tcp {
	struct list in_machine;	 /* a listener's, an accepted connection's */
	struct list in_listener; /* a connection's that nobody accepted yet */
	struct list waiting;
	struct host *host;
	struct addr local, from;
	struct stream *other;
	bool is_listener, gone, read, write;
	struct event event;
	loop_fn ready;
	void *ctx;
};

static bool is_ready(const struct tcp *t)
{
	if (t->is_listener)
		return t->read && !list_empty(&t->waiting);
	return (t->read && (t->gone || t->other->up.len > 0 || t->other->finished)) ||
	       (t->write && (t->gone || t->other->down.len < STREAM_WINDOW));
}

static void wake(struct tcp *t)
{
	if (t->ready && is_ready(t) && !event_is_set(&t->event))
		event_set(t->host->world, &t->event, t->host->world->now);
}

static void fire(struct event *e)
{
	struct tcp *t = container_of(e, struct tcp, event);

	if (!is_ready(t))
		return;
	event_set(t->host->world, e, t->host->world->now); /* again, while it is ready */
	t->ready(t->ctx);				   /* may close t */
}

static struct tcp *tcp_new(struct host *h)
{
	struct tcp *t = sim_alloc(sizeof(*t));

	t->host = h;
	t->read = true;
	list_init(&t->waiting);
	event_init(&t->event, h, fire);
	return t;
}

static struct tcp *listener_at(const struct machine *m, const struct addr *a)
{
	list_for_each(it, &m->tcps) {
		struct tcp *t = list_entry(it, struct tcp, in_machine);

		if (t->is_listener && t->host->alive && addr_equal(&t->local, a))
			return t;
	}
	return NULL;
}

int tcp_listen(struct host *h, const struct addr *bind, loop_fn ready, void *ctx, struct err *err,
	       struct tcp **ret)
{
	struct addr local = *bind;
	char text[ADDR_TEXT_MAX];
	struct tcp *t;

	if (!machine_owns(h->machine, bind))
		return err_set(err, -EADDRNOTAVAIL, "cannot open TCP %s: not an address of %s",
			       addr_format(bind, text), h->machine->name);
	for (uint16_t port = PORT_FIRST; bind->port == 0; port++) {
		local.port = port;
		if (!listener_at(h->machine, &local))
			break;
	}
	if (listener_at(h->machine, &local))
		return err_set(err, -EADDRINUSE, "cannot open TCP %s: in use on %s",
			       addr_format(bind, text), h->machine->name);
	t = tcp_new(h);
	t->local = local;
	t->is_listener = true;
	t->ready = ready;
	t->ctx = ctx;
	list_append(&h->machine->tcps, &t->in_machine);
	*ret = t;
	return 0;
}

int tcp_accept(struct tcp *listener, loop_fn ready, void *ctx, struct addr *ret_from,
	       struct tcp **ret)
{
	struct tcp *t;

	if (list_empty(&listener->waiting))
		return -EAGAIN;
	t = list_entry(listener->waiting.next, struct tcp, in_listener);
	list_remove(&t->in_listener);
	list_append(&t->host->machine->tcps, &t->in_machine);
	t->ready = ready;
	t->ctx = ctx;
	wake(t);
	*ret_from = t->from;
	*ret = t;
	return 0;
}

struct addr tcp_local(const struct tcp *t)
{
	return t->local;
}

void tcp_watch(struct tcp *t, bool read, bool write)
{
	t->read = read;
	t->write = write;
	wake(t);
}

static size_t take(struct pipe *p, void *out, size_t cap)
{
	size_t n = MIN(cap, p->len);

	memcpy(out, p->data, n);
	memmove(p->data, p->data + n, p->len - n);
	p->len -= n;
	return n;
}

static size_t put(struct pipe *p, const void *data, size_t len)
{
	size_t n = MIN(len, STREAM_WINDOW - p->len);

	memcpy(p->data + p->len, data, n);
	p->len += n;
	return n;
}

int tcp_read(struct tcp *t, void *out, size_t cap)
{
	if (t->gone)
		return -ECONNRESET;
	if (t->other->up.len == 0)
		return t->other->finished ? 0 : -EAGAIN;
	return (int)take(&t->other->up, out, cap);
}

int tcp_write(struct tcp *t, const void *data, size_t len)
{
	size_t n;

	if (t->gone)
		return -EPIPE;
	n = put(&t->other->down, data, len);
	return n ? (int)n : -EAGAIN;
}

void tcp_close(struct tcp *t)
{
	if (!t)
		return;
	list_for_each(it, &t->waiting)
		tcp_close(list_entry(it, struct tcp, in_listener));
	if (t->other)
		t->other->conn = NULL;
	event_cancel(t->host->world, &t->event);
	list_remove(&t->in_machine);
	list_remove(&t->in_listener);
	free(t);
}

/* ---- the test's side ---- */

struct stream *stream_open(struct host *machine, const struct addr *from, const struct addr *to)
{
	return machine_stream_open(machine->machine, from, to);
}

struct stream *machine_stream_open(struct machine *m, const struct addr *from,
				   const struct addr *to)
{
	struct tcp *listener = listener_at(m, to), *t;
	struct stream *s;

	if (!listener)
		return NULL;
	s = sim_alloc(sizeof(*s));
	t = tcp_new(listener->host);
	t->local = *to;
	t->from = *from;
	t->other = s;
	s->conn = t;
	list_append(&listener->waiting, &t->in_listener);
	wake(listener);
	return s;
}

size_t stream_count(const struct host *machine)
{
	size_t n = 0;

	list_for_each(it, &machine->machine->tcps)
		n += !list_entry(it, struct tcp, in_machine)->is_listener;
	return n;
}

size_t stream_send(struct stream *s, const void *data, size_t len)
{
	size_t n = s->conn ? put(&s->up, data, len) : 0;

	if (n)
		wake(s->conn);
	return n;
}

size_t stream_receive(struct stream *s, void *out, size_t cap)
{
	size_t n = take(&s->down, out, cap);

	if (n && s->conn)
		wake(s->conn);
	return n;
}

void stream_finish(struct stream *s)
{
	s->finished = true;
	if (s->conn)
		wake(s->conn);
}

bool stream_is_closed(const struct stream *s)
{
	return !s->conn;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	if (s->conn) {
		s->conn->gone = true;
		s->conn->other = NULL;
		wake(s->conn);
	}
	free(s);
}
