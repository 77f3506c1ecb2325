/* SPDX-License-Identifier: MIT */
/* One ping under way at a time. */
#include "tund/ping.h"

#include <stdlib.h>

#include "os/loop.h"

#define ANSWER_TIME (2 * NS_PER_S) /* a ping waits so long */
#define BUILD_TIME (10 * NS_PER_S) /* and the first one for a tunnel that is to be built */
#define BUILD_LOOK (100 * NS_PER_MS)

struct ping {
	struct list in_tunnel;
	struct host *host;
	struct ping_config cfg;
	struct timer *timer;
	bool waiting; /* for the answer, or for a tunnel: */
	bool sent_one;
	uint64_t nonce, began_at, sent_at;
	unsigned sent, answered; /* `sent`: begun, also those that found no tunnel */
	enum peer_path path;
	struct addr endpoint;
	bool over;
};

static void tell(struct ping *p, enum ping_event_type type)
{
	struct ping_event ev = { .type = type,
				 .seq = p->sent,
				 .path = p->path,
				 .endpoint = p->endpoint,
				 .sent = p->sent,
				 .answered = p->answered };

	p->cfg.event(p->cfg.ctx, &ev);
}

/* The event's receiver may free the ping. */
static void end(struct ping *p)
{
	if (p->over)
		return;
	p->over = true;
	list_remove(&p->in_tunnel);
	timer_set(p->timer, TIME_NEVER);
	tell(p, PING_END);
}

/* This one is done with: the next comes at its time. */
static void next(struct ping *p, bool done)
{
	uint64_t at = p->began_at + p->cfg.interval_ns, now = clock_now(p->host);

	p->waiting = false;
	if (done || p->sent >= p->cfg.count)
		timer_set_in(p->timer, 0);
	else
		timer_set(p->timer, MAX(at, now));
	if (done)
		p->cfg.count = p->sent;
}

/* The path as it is now; says so if it has changed. */
static void look(struct ping *p)
{
	struct peer_status s;

	if (!overlay_peer_status(p->cfg.overlay, p->cfg.member, &s))
		return;
	if (s.path == p->path && addr_equal(&s.endpoint, &p->endpoint))
		return;
	bool told = p->path != PEER_PATH_NONE && s.path != PEER_PATH_NONE;
	p->path = s.path;
	p->endpoint = s.endpoint;
	if (told)
		tell(p, PING_PATH);
}

static void try(struct ping *p, uint64_t now)
{
	uint64_t patience = p->sent == 1 ? BUILD_TIME : ANSWER_TIME;

	look(p);
	if (!p->sent_one && overlay_ping(p->cfg.overlay, p->cfg.member, &p->nonce) == 0) {
		p->sent_one = true;
		p->sent_at = now;
		timer_set_in(p->timer, ANSWER_TIME);
	} else if (p->sent_one || now - p->began_at >= patience) {
		tell(p, PING_SILENCE);
		next(p, false);
	} else {
		timer_set_in(p->timer, BUILD_LOOK);
	}
}

static void run(void *ctx)
{
	struct ping *p = ctx;
	uint64_t now = clock_now(p->host);

	if (!p->waiting && p->sent >= p->cfg.count) {
		end(p);
		return;
	}
	if (!p->waiting) {
		p->waiting = true;
		p->sent_one = false;
		p->began_at = now;
		p->sent++;
	}
	try(p, now);
}

void pings_answered(struct list *all, const struct member *m, uint64_t nonce, enum peer_path path,
		    const struct addr *from)
{
	list_for_each(it, all) {
		struct ping *p = list_entry(it, struct ping, in_tunnel);
		struct ping_event ev = { .type = PING_ANSWER, .path = path, .endpoint = *from };

		if (p->cfg.member != m || !p->waiting || !p->sent_one || p->nonce != nonce)
			continue;
		ev.rtt_ns = MAX(clock_now(p->host) - p->sent_at, 1);
		ev.seq = ev.sent = p->sent;
		ev.answered = ++p->answered;
		p->cfg.event(p->cfg.ctx, &ev);
		look(p);
		next(p, p->cfg.until_direct && path == PEER_PATH_DIRECT);
	}
}

void pings_path_changed(struct list *all, const struct member *m)
{
	list_for_each(it, all) {
		struct ping *p = list_entry(it, struct ping, in_tunnel);

		if (p->cfg.member != m)
			continue;
		look(p);
		/* Up at last, or direct at last: no need to wait. */
		if ((p->waiting && !p->sent_one) ||
		    (!p->waiting && p->cfg.until_direct && p->path == PEER_PATH_DIRECT))
			timer_set_in(p->timer, 0);
	}
}

void pings_end_member(struct list *all, const struct member *m)
{
	list_for_each(it, all) {
		struct ping *p = list_entry(it, struct ping, in_tunnel);

		if (p->cfg.member == m)
			end(p);
	}
}

void pings_end(struct list *all)
{
	list_for_each(it, all)
		end(list_entry(it, struct ping, in_tunnel));
}

int ping_new(struct host *h, const struct ping_config *cfg, struct list *all, struct ping **ret)
{
	struct ping *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->host = h;
	p->cfg = *cfg;
	p->cfg.interval_ns = MAX(cfg->interval_ns, PING_INTERVAL_MIN);
	p->cfg.count = MIN(MAX(cfg->count, 1u), (unsigned)PING_COUNT_MAX);
	p->timer = timer_new(h, run, p);
	if (!p->timer) {
		free(p);
		return -ENOMEM;
	}
	list_append(all, &p->in_tunnel);
	timer_set_in(p->timer, 0);
	*ret = p;
	return 0;
}

void ping_free(struct ping *p)
{
	if (!p)
		return;
	if (!p->over)
		list_remove(&p->in_tunnel);
	timer_free(p->timer);
	free(p);
}
