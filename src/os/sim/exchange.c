/* SPDX-License-Identifier: MIT */
/* TCP of the simulated world, as far as it is: a question to a service in one's own net. */
#include "os/exchange.h"

#include "os/sim/service.h"
#include "os/sim/sim.h"

#define WAY (10 * NS_PER_MS) /* there and back, with the handshake */

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
	size_t len;
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

/* Who answers at this address, seen from a machine. NULL: nobody. */
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

static void fire(struct event *e)
{
	struct exchange *x = container_of(e, struct exchange, event);
	struct machine *m = e->owner->machine;
	struct service *s = x->asked ? NULL : find(m, &x->to);

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
