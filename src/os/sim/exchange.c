/* SPDX-License-Identifier: MIT */
/* TCP of the simulated world, as far as it is: a question within one's own net. */
#include "os/exchange.h"

#include "os/sim/service.h"
#include "os/sim/sim.h"
#include "os/sim/stream.h"

#define WAY (10 * NS_PER_MS) /* there and back, with the handshake */
#define LOOK NS_PER_MS	     /* how often a stream is looked at */

struct service {
	struct list in_machine;
	struct host *host;
	uint16_t port;
	service_fn fn;
	void *ctx;
};

struct exchange {
	struct event event;
	struct addr to, from;
	exchange_fn fn;
	void *ctx;
	bool asked;
	struct stream *stream; /* to a program that listens, if no service does */
	size_t sent, len;
	uint64_t until;
	uint8_t request[EXCHANGE_REQUEST_MAX];
	size_t request_len;
	uint8_t *answer;
};

struct service *service_new(struct host *h, uint16_t port, service_fn fn, void *ctx)
{
	struct service *s = sim_alloc(sizeof(*s));

	s->host = h;
	s->port = port;
	s->fn = fn;
	s->ctx = ctx;
	list_append(&h->machine->services, &s->in_machine);
	return s;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	list_remove(&s->in_machine);
	free(s);
}

/* Returns the service at this address, seen from a machine, or NULL if there is none. */
static struct service *find(const struct machine *m, const struct addr *to)
{
	struct machine *there = net_machine(m->net, to);

	if (!there || there->suspended || !there->carrier || !m->carrier)
		return NULL;
	list_for_each(it, &there->services) {
		struct service *s = list_entry(it, struct service, in_machine);

		if (s->port == to->port && s->host->alive)
			return s;
	}
	return NULL;
}

static bool stream_begin(struct exchange *x, const struct machine *m)
{
	struct machine *there = net_machine(m->net, &x->to);

	x->stream = there ? machine_stream_open(there, &x->from, &x->to) : NULL;
	if (x->stream)
		x->answer = sim_alloc(EXCHANGE_ANSWER_MAX);
	return x->stream;
}

/* Returns false when nothing more will come. */
static bool stream_goes_on(struct exchange *x)
{
	size_t n;

	x->sent += stream_send(x->stream, x->request + x->sent, x->request_len - x->sent);
	n = stream_receive(x->stream, x->answer + x->len, EXCHANGE_ANSWER_MAX - x->len);
	x->len += n;
	return x->event.owner->world->now < x->until && x->len < EXCHANGE_ANSWER_MAX &&
	       (n > 0 || !stream_is_closed(x->stream));
}

static void fire(struct event *e)
{
	struct exchange *x = container_of(e, struct exchange, event);
	struct machine *m = e->owner->machine;
	struct service *s = x->asked || x->stream ? NULL : find(m, &x->to);

	if ((x->stream || (!x->asked && !s && stream_begin(x, m))) && stream_goes_on(x)) {
		event_set(m->world, e, MIN(m->world->now + LOOK, x->until));
		return;
	}
	x->asked |= x->stream != NULL;
	if (s) {
		x->answer = sim_alloc(EXCHANGE_ANSWER_MAX);
		x->len = s->fn(s->ctx, &x->from, span_of(x->request, x->request_len), x->answer,
			       EXCHANGE_ANSWER_MAX);
	}
	if (!x->asked) { /* the answer's way; without one the time runs out */
		x->asked = true;
		event_set(m->world, e, s ? m->world->now + WAY / 2 : x->until);
		return;
	}
	x->fn(x->ctx, span_of(x->answer, x->len));
	exchange_cancel(x);
}

int exchange_start(struct host *h, const struct addr *to, struct span request, uint64_t timeout_ns,
		   exchange_fn fn, void *ctx, struct exchange **ret)
{
	struct exchange *x;

	if (request.len > EXCHANGE_REQUEST_MAX)
		return -EINVAL;
	x = sim_alloc(sizeof(*x));
	x->to = *to;
	if (!machine_source(h->machine, to, &x->from)) {
		free(x);
		return -ENETUNREACH;
	}
	x->fn = fn;
	x->ctx = ctx;
	x->until = h->world->now + timeout_ns;
	x->request_len = request.len;
	memcpy(x->request, request.data, request.len);
	event_init(&x->event, h, fire);
	event_set(h->world, &x->event, h->world->now + WAY / 2);
	*ret = x;
	return 0;
}

void exchange_cancel(struct exchange *x)
{
	if (!x)
		return;
	event_cancel(x->event.owner->world, &x->event);
	stream_close(x->stream);
	free(x->answer);
	free(x);
}

void exchange_say(struct host *h, const struct addr *to, struct span request, uint64_t timeout_ns)
{
	struct service *s = h->alive ? find(h->machine, to) : NULL;
	uint8_t *answer;
	struct addr from;

	(void)timeout_ns;
	if (!s || !machine_source(h->machine, to, &from))
		return;
	answer = sim_alloc(EXCHANGE_ANSWER_MAX);
	s->fn(s->ctx, &from, request, answer, EXCHANGE_ANSWER_MAX);
	free(answer);
}
