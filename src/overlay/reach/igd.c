/* SPDX-License-Identifier: MIT */
/* UPnP's steps: search, description, address, mapping. */
#include "overlay/reach/igd.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/exchange.h"
#include "os/udp.h"
#include "proto/upnp.h"

#define LEASE_S 3600
#define SEARCHES 3
#define SEARCH_TIME (500 * NS_PER_MS) /* for the first answer; doubled for the next ones */
#define CALL_TIME (3 * NS_PER_S)
#define LAST_CALL_TIME (500 * NS_PER_MS)
#define PORTS_TRIED 4 /* when the one that is wanted is taken */
#define PORT_FIRST 1024
#define RECEIVES 8

enum step { STEP_NONE, STEP_SEARCH, STEP_DESCRIBE, STEP_ADDRESS, STEP_ADD, STEP_DELETE };

/* A mapping that there is or may be, and whom to tell that it is not wanted. */
struct made {
	uint16_t port; /* outer; 0 if unknown */
	struct upnp_control control;
};

struct igd {
	struct host *host;
	uint16_t port; /* ours */
	igd_fn done;
	void *ctx;
	struct gateway gateway;
	struct udp *udp; /* during the search */
	struct timer *timer;
	struct exchange *exchange;
	struct deferred *closing; /* of the socket, out of its own callback */
	enum step step;
	unsigned sent, ports_tried;
	struct upnp_url description;
	struct upnp_control control;
	struct upnp_call add;
	struct made made;  /* was granted and not taken away since */
	struct made asked; /* nobody knows yet, or any more */
	ip4 external;
};

static void finish(struct igd *g, const struct addr *external, uint32_t lifetime_s, const char *why)
{
	g->step = STEP_NONE;
	timer_set(g->timer, TIME_NEVER);
	deferred_call(g->closing);
	g->done(g->ctx, external, lifetime_s, why);
}

/* --- calls ----------------------------------------------------------------------------------- */

static void on_answer(void *ctx, struct span in);

static void begin_exchange(struct igd *g, enum step step, const struct upnp_url *u,
			   const uint8_t *request, ptrdiff_t len)
{
	g->step = step;
	if (len < 0 || exchange_start(g->host, &u->host, span_of(request, (size_t)len), CALL_TIME,
				      on_answer, g, &g->exchange) < 0)
		finish(g, NULL, 0, "its control point cannot be reached");
}

static void describe(struct igd *g)
{
	uint8_t request[UPNP_REQUEST_MAX];

	begin_exchange(g, STEP_DESCRIBE, &g->description, request,
		       upnp_get_encode(&g->description, request, sizeof(request)));
}

static void call(struct igd *g, enum step step, const struct upnp_call *c)
{
	uint8_t request[UPNP_REQUEST_MAX];

	begin_exchange(g, step, &g->control.url, request,
		       upnp_call_encode(&g->control, c, request, sizeof(request)));
}

static void ask_mapping(struct igd *g)
{
	g->asked = (struct made){ g->add.external_port, g->control };
	call(g, STEP_ADD, &g->add);
}

static void ask_address(struct igd *g)
{
	call(g, STEP_ADDRESS, &(struct upnp_call){ .action = UPNP_ADDRESS });
}

static void refused(struct igd *g, const struct upnp_answer *a)
{
	char why[64];

	snprintf(why, sizeof(why), "refused with error %u", a->error ? a->error : a->status);
	finish(g, NULL, 0, why);
}

static void added(struct igd *g, const struct upnp_answer *a)
{
	struct addr external = addr_v4(g->external, g->add.external_port);
	struct made asked = g->asked;

	g->asked.port = 0;
	if (a->error == UPNP_ERROR_CONFLICT && g->made.port == asked.port)
		g->made.port = 0; /* it is somebody else's now */
	if (a->status == 200 && !a->error) {
		g->made = asked;
		finish(g, &external, LEASE_S, NULL);
	} else if (a->error == UPNP_ERROR_PERMANENT_ONLY && g->add.lease_s) {
		g->add.lease_s = 0; /* taken away at our end, and asked for again as any other */
		ask_mapping(g);
	} else if (a->error == UPNP_ERROR_CONFLICT && ++g->ports_tried < PORTS_TRIED) {
		g->add.external_port = (uint16_t)(PORT_FIRST +
						  random_below(g->host, 65536 - PORT_FIRST));
		ask_mapping(g);
	} else {
		refused(g, a);
	}
}

static ptrdiff_t delete_encode(const struct made *m, uint8_t out[UPNP_REQUEST_MAX])
{
	const struct upnp_call c = { .action = UPNP_DELETE, .external_port = m->port };

	return upnp_call_encode(&m->control, &c, out, UPNP_REQUEST_MAX);
}

static void delete_one(struct igd *g)
{
	const struct made *m = g->asked.port ? &g->asked : &g->made;
	uint8_t request[UPNP_REQUEST_MAX];
	ptrdiff_t len;

	if (m->port == 0 || g->step != STEP_NONE)
		return;
	len = delete_encode(m, request);
	if (len > 0 && exchange_start(g->host, &m->control.url.host, span_of(request, (size_t)len),
				      CALL_TIME, on_answer, g, &g->exchange) == 0)
		g->step = STEP_DELETE;
}

void igd_unwanted(struct igd *g, uint16_t taken_over)
{
	if (g->asked.port == taken_over)
		g->asked.port = 0;
	if (g->made.port == taken_over)
		g->made.port = 0;
	delete_one(g);
}

/* Without an answer it is tried once more at our end. */
static void deleted(struct igd *g, struct span in)
{
	g->step = STEP_NONE;
	if (in.len == 0)
		return;
	*(g->asked.port ? &g->asked : &g->made) = (struct made){ .port = 0 };
	delete_one(g);
}

static void on_answer(void *ctx, struct span in)
{
	struct igd *g = ctx;
	struct upnp_answer a;

	g->exchange = NULL; /* frees itself */
	if (g->step == STEP_DELETE) {
		deleted(g, in);
	} else if (in.len == 0) {
		finish(g, NULL, 0, NULL);
	} else if (g->step == STEP_DESCRIBE) {
		if (upnp_description_decode(in, &g->description, &g->control) == 0)
			ask_address(g);
		else
			finish(g, NULL, 0, "its description names no way to map ports");
	} else if (upnp_answer_decode(in, &a) < 0) {
		finish(g, NULL, 0, "an answer that cannot be read");
	} else if (g->step == STEP_ADD) {
		added(g, &a);
	} else if (a.status != 200 || a.error) {
		refused(g, &a);
	} else {
		g->external = a.external;
		ask_mapping(g);
	}
}

/* --- search ---------------------------------------------------------------------------------- */

static void search_send(struct igd *g)
{
	uint8_t request[UPNP_REQUEST_MAX];
	ptrdiff_t len = upnp_search_encode(request, sizeof(request));
	struct addr source = addr_v4(g->gateway.source, 0);
	/* Some listen to the group only; none but the gateway's answer counts. */
	const ip4 to[] = { g->gateway.ip, UPNP_SEARCH_GROUP };

	timer_set_in(g->timer, SEARCH_TIME << g->sent);
	g->sent++;
	for (size_t i = 0; len > 0 && i < ARRAY_LEN(to); i++) {
		struct udp_tx tx = { .data = request,
				     .len = (size_t)len,
				     .segment = (size_t)len,
				     .to = addr_v4(to[i], UPNP_SEARCH_PORT),
				     .local = source };

		if (udp_send(g->udp, &tx, 1) < 1)
			udp_forget(g->udp);
	}
}

static void on_timer(void *ctx)
{
	struct igd *g = ctx;

	if (g->step != STEP_SEARCH)
		return;
	if (g->sent < SEARCHES)
		search_send(g);
	else
		finish(g, NULL, 0, NULL);
}

static void on_readable(void *ctx)
{
	struct igd *g = ctx;
	struct addr gateway = addr_v4(g->gateway.ip, 0);
	struct udp_rx rx[RECEIVES];
	size_t n = udp_recv(g->udp, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n && g->step == STEP_SEARCH; i++) {
		struct upnp_url u;

		if (!addr_same_ip(&rx[i].from, &gateway) ||
		    upnp_search_decode(span_of(rx[i].data, rx[i].segment), &u) < 0 ||
		    !addr_same_ip(&u.host, &gateway))
			continue;
		timer_set(g->timer, TIME_NEVER);
		g->description = u;
		describe(g);
	}
}

static void close_udp(void *ctx)
{
	struct igd *g = ctx;

	if (g->step == STEP_SEARCH)
		return; /* another one began */
	udp_close(g->udp);
	g->udp = NULL;
}

static void search(struct igd *g)
{
	struct udp_config cfg = { .bind = { .port = 0 } };

	g->step = STEP_SEARCH;
	g->sent = 0;
	if (!g->udp && udp_open(g->host, &cfg, on_readable, g, NULL, &g->udp) < 0)
		g->sent = SEARCHES; /* as if there had been no answer */
	else
		search_send(g);
	if (g->sent == SEARCHES)
		timer_set_in(g->timer, 0);
}

/* --- life ------------------------------------------------------------------------------------ */

void igd_ask(struct igd *g, const struct gateway *gateway, uint16_t external_port)
{
	exchange_cancel(g->exchange);
	g->exchange = NULL;
	g->gateway = *gateway;
	g->ports_tried = 0;
	g->add = (struct upnp_call){ .action = UPNP_ADD,
				     .external_port = external_port,
				     .internal_port = g->port,
				     .client = gateway->source,
				     .lease_s = LEASE_S };
	/* A search each time: the gateway's ports change when it restarts. */
	search(g);
}

void igd_forget(struct igd *g)
{
	exchange_cancel(g->exchange);
	g->exchange = NULL;
	g->step = STEP_NONE;
	g->made.port = g->asked.port = 0;
	timer_set(g->timer, TIME_NEVER);
	deferred_call(g->closing);
}

void igd_unmap(struct igd *g)
{
	const struct made *all[] = { &g->made, &g->asked };
	size_t n = 0;

	if (g->asked.port == g->made.port)
		g->asked.port = 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		n += all[i]->port != 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		uint8_t request[UPNP_REQUEST_MAX];
		ptrdiff_t len = all[i]->port ? delete_encode(all[i], request) : 0;

		if (len > 0)
			exchange_say(g->host, &all[i]->control.url.host,
				     span_of(request, (size_t)len), LAST_CALL_TIME / n);
	}
}

int igd_new(struct host *h, uint16_t port, igd_fn done, void *ctx, struct igd **ret)
{
	struct igd *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->host = h;
	g->port = port;
	g->done = done;
	g->ctx = ctx;
	g->timer = timer_new(h, on_timer, g);
	g->closing = deferred_new(h, close_udp, g);
	if (!g->timer || !g->closing) {
		igd_free(g);
		return -ENOMEM;
	}
	*ret = g;
	return 0;
}

void igd_free(struct igd *g)
{
	if (!g)
		return;
	exchange_cancel(g->exchange);
	udp_close(g->udp);
	timer_free(g->timer);
	deferred_free(g->closing);
	free(g);
}
