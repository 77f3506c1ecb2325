/* SPDX-License-Identifier: MIT */
/* Bookkeeping of paths. */
#include "overlay/reach/pathset.h"

struct path *pathset_of_label(struct pathset *ps, uint64_t label)
{
	for (size_t i = 0; label != 0 && i < PATHS_MAX; i++) {
		if (ps->path[i].label == label)
			return &ps->path[i];
	}
	return NULL;
}

struct path *pathset_of_addr(struct pathset *ps, const struct addr *a)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *p = &ps->path[i];

		if (p->label && p->kind != PATH_RELAY && p->to.port == a->port &&
		    addr_same_ip(&p->to, a))
			return p;
	}
	return NULL;
}

struct path *pathset_relay(struct pathset *ps)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		if (ps->path[i].label && ps->path[i].kind == PATH_RELAY)
			return &ps->path[i];
	}
	return NULL;
}

struct path *pathset_current(struct pathset *ps)
{
	return pathset_of_label(ps, ps->current);
}

bool pathset_is_direct(struct pathset *ps)
{
	const struct path *c = pathset_current(ps);

	return c && c->kind != PATH_RELAY && !c->lost;
}

/* Greater is worse: what never answered goes first, those that nobody named before the others. */
static unsigned worthless(const struct pathset *ps, const struct path *p)
{
	if (p->proven || p->kind == PATH_RELAY || p->label == ps->current)
		return 0;
	return 1 + (p->pongs == 0) * 4 + !p->listed * 2 + (p->pings > PUNCH_STEPS);
}

static struct path *pathset_place(struct pathset *ps)
{
	struct path *worst = NULL;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *p = &ps->path[i];

		if (p->label == 0)
			return p;
		if (worthless(ps, p) > (worst ? worthless(ps, worst) : 0))
			worst = p;
	}
	return worst;
}

struct path *pathset_add(struct pathset *ps, uint64_t label, enum path_kind kind,
			 const struct addr *to)
{
	struct path *p = pathset_place(ps);

	if (!p)
		return NULL;
	*p = (struct path){ .label = label, .kind = kind, .to = *to };
	punch_end(&p->punch);
	return p;
}

void path_remove(struct path *p)
{
	p->label = 0;
}

void path_pinged(struct path *p, uint64_t nonce, uint64_t now)
{
	p->sent[p->next_sent].nonce = nonce;
	p->sent[p->next_sent].at = now;
	p->next_sent = (p->next_sent + 1) % PATH_NONCES;
	p->last_ping = now;
	p->pings++;
	p->missed++;
}

bool path_echo(struct path *p, uint64_t nonce, uint64_t now)
{
	uint64_t rtt;
	size_t i = 0;

	while (i < PATH_NONCES && !(p->sent[i].at && p->sent[i].nonce == nonce))
		i++;
	if (i == PATH_NONCES || now - p->sent[i].at > PATH_NONCE_LIFE)
		return false;
	rtt = MAX(now - p->sent[i].at, 1);
	p->sent[i].at = 0;
	p->rtt = p->rtt ? (7 * p->rtt + rtt) / 8 : rtt;
	p->proven = true;
	p->lost = false;
	p->echoes++;
	p->missed = 0;
	p->last_echo = now;
	p->pongs++;
	return true;
}

void path_disprove(struct path *p)
{
	p->proven = p->theirs = false;
	p->echoes = 0;
}
