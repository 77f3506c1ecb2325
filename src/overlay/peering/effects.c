/* SPDX-License-Identifier: MIT */
/* Between reach, which decides, and those who are told. */
#include "overlay/peering/effects.h"

#include "overlay/internal.h"

/* --- the surroundings ------------------------------------------------------------------------ */

void effects_refresh(struct overlay *o)
{
	if (!surroundings_look(&o->around))
		return;
	o->ops->candidates(o->ctx, &o->around.own);
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_candidates(p->active);
	}
}

static void tell_nat(struct overlay *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_nat(p->active);
	}
}

static void tell_ports(struct overlay *o)
{
	uint64_t now = clock_now(o->h);

	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->prober)
			predict_learnt(p->prober, now);
	}
}

void effects_around(struct overlay *o, unsigned effects)
{
	if (effects & REACH_REFRESH)
		effects_refresh(o);
	if (effects & REACH_TELL_NAT)
		tell_nat(o);
	if (effects & REACH_PORT_LEARNT)
		tell_ports(o);
}

void effects_observed_by(struct peer *p, const struct addr *a)
{
	if (surroundings_observed_by(&p->o->around, p, &p->hearsay, a))
		effects_refresh(p->o);
}

static void on_news(void *overlay)
{
	effects_refresh(overlay);
}

static void on_nat(void *overlay)
{
	struct overlay *o = overlay;

	effects_around(o, nat_run(&o->around));
}

static void send_direct(void *overlay, const struct addr *to, const uint8_t *data, size_t len,
			uint8_t hops)
{
	struct overlay *o = overlay;
	struct udp_tx run = { .data = data, .len = len, .segment = len, .to = *to, .hops = hops };

	if (hops)
		(void)quic_socket_send_runs(o->socket, &run, 1);
	else
		quic_socket_send_other(o->socket, to, data, len);
}

int effects_begin(struct overlay *o)
{
	struct surroundings *s = &o->around;

	s->port = quic_socket_local(o->socket).port;
	s->way = (struct probe_way){ .direct = send_direct, .ctx = o };
	s->nat.check.timer = timer_new(o->h, on_nat, o);
	s->news_later = timer_new(o->h, on_news, o);
	return s->nat.check.timer && s->news_later ? 0 : -ENOMEM;
}
