/* SPDX-License-Identifier: MIT */
/*
 * Learning what our NAT does: from the server's second port, which we are seen at from another port
 * of the same address, and from peers.
 */
#include "overlay/reach/nat.h"

#include "base/log.h"
#include "crypto/hash.h"
#include "overlay/reach/effects.h"
#include "overlay/reach/predict.h"
#include "overlay/reach/surroundings.h"
#include "proto/names.h"

#define WAIT_REPLY (3 * NS_PER_S)      /* for the word where the second port is */
#define WAIT_UNASKED (250 * NS_PER_MS) /* for the server's unasked ping, after its answer */
#define ASK_GAP (250 * NS_PER_MS)
#define ASK_MAX 4
#define FILTER_REMEMBERS (600 * NS_PER_S) /* longer than NATs let somebody in we once wrote to */

bool nat_is_rewritten(const struct addr *observed, const struct addr *server)
{
	return (addr_is_private(observed) && !addr_is_private(server)) ||
	       addr_same_ip(observed, server);
}

/* Do two peers see the same port? */
static bool some_agree(const struct nat_view *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n; k++) {
			if (addr_equal(&v[i].seen, &v[k].seen) &&
			    !addr_same_ip(&v[i].from, &v[k].from))
				return true;
		}
	}
	return false;
}

/*
 * A NAT that remembers strangers gives another port towards peers whose pings came before ours. So
 * another port is the peer's doing as long as any two of those who look, at different addresses,
 * see the same one, or only a single peer sees it. The server never comes before us.
 */
enum nat_mapping nat_mapping_of(const struct nat_view *v, size_t n, bool at_home)
{
	size_t peers = 0, others = 0;

	if (at_home)
		return MAPPING_NONE;
	for (size_t i = 1; i < n; i++) {
		bool other = !addr_equal(&v[i].seen, &v[0].seen);

		if (other &&
		    (addr_same_ip(&v[i].from, &v[0].from) || !addr_same_ip(&v[i].seen, &v[0].seen)))
			return MAPPING_VARIES;
		peers += !addr_same_ip(&v[i].from, &v[0].from);
		others += other;
	}
	if (n < 2 || (n - 1 == peers && peers == 1 && others == 1))
		return MAPPING_UNKNOWN;
	return others < 2 || some_agree(v, n) ? MAPPING_SAME : MAPPING_VARIES;
}

static size_t view_of(const struct nat_state *n, const struct addr *from)
{
	size_t i = 0;

	while (i < n->n_views && !addr_equal(&n->view[i].from, from))
		i++;
	return i;
}

/* One word for each place that somebody looks from. */
static void view_put(struct nat_state *n, const struct addr *from, const struct addr *seen)
{
	size_t i = view_of(n, from);

	if (i == NAT_VIEWS_MAX) {
		i = n->next_view;
		n->next_view = (i + 1) % NAT_VIEWS_MAX;
	}
	n->view[i] = (struct nat_view){ .from = *from, .seen = *seen };
	n->n_views = MAX(n->n_views, i + 1);
}

struct addr nat_by_hand(const struct surroundings *s)
{
	struct addr a = s->observed;

	if (s->nat.kind.mapping != MAPPING_VARIES || !addr_is_v4(&a))
		return (struct addr){ 0 };
	a.port = s->port;
	return a;
}

struct nat_kind nat_told(const struct surroundings *s)
{
	struct addr external;

	if (s->mapper && mapper_external(s->mapper, &external) && !addr_is_private(&external))
		return (struct nat_kind){ MAPPING_ASKED, FILTERING_OPEN };
	return s->nat.kind;
}

/* What follows now; told to the peers when it is something else than before. */
static unsigned judge(struct surroundings *s, enum nat_filtering filtering)
{
	struct nat_state *n = &s->nat;
	struct nat_kind now = { .filtering = filtering };
	struct nat_view all[NAT_VIEWS_MAX + 1];
	size_t count = 0;

	if (addr_is_v4(&s->observed) && !addr_is_unset(&s->observed))
		all[count++] = (struct nat_view){ .from = n->check.server, .seen = s->observed };
	for (size_t i = 0; i < n->n_views; i++)
		all[count++] = n->view[i];
	now.mapping = nat_mapping_of(all, count, s->at_home && addr_is_v4(&s->observed));
	if (now.mapping == n->kind.mapping && now.filtering == n->kind.filtering)
		return 0;
	n->kind = now;
	log_debug(host_log(s->h), "NAT: mapping %s, filtering %s", nat_mapping_name(now.mapping),
		  nat_filtering_name(now.filtering));
	return REACH_REFRESH | REACH_TELL_NAT;
}

unsigned nat_seen(struct surroundings *s, const struct addr *from, const struct addr *seen,
		  uint64_t now)
{
	size_t i;

	if (!addr_is_v4(from) || !addr_is_v4(seen) || addr_is_private(seen) ||
	    addr_same_ip(from, &s->observed))
		return 0; /* not through the same NATs as to the server */
	i = view_of(&s->nat, from);
	if (i < s->nat.n_views && addr_equal(&s->nat.view[i].seen, seen))
		return 0;
	/* Rate limit: a peer that keeps changing its answer must not make us notify the others. */
	if (!bucket_take(&s->reported, 1, now))
		return 0;
	view_put(&s->nat, from, seen);
	return judge(s, s->nat.kind.filtering);
}

unsigned nat_reset(struct surroundings *s)
{
	s->nat.n_views = s->nat.next_view = 0;
	s->nat.in_turn = s->nat.varies = false;
	return judge(s, FILTERING_UNKNOWN);
}

/* --- the check ------------------------------------------------------------------------------- */

static unsigned check_end(struct surroundings *s)
{
	struct nat_check *c = &s->nat.check;
	enum nat_filtering filtering = FILTERING_UNKNOWN;
	unsigned effects;

	c->running = false;
	timer_set(c->timer, TIME_NEVER);
	if (!c->known)
		return judge(s, filtering);
	if (c->heard)
		filtering = FILTERING_OPEN;
	else if (c->answered)
		filtering = FILTERING_PORT;
	c->last = (struct nat_memory){ c->echo, s->observed, (uint64_t)MAX(clock_wall_s(s->h), 0),
				       filtering };
	c->last_at = clock_now(s->h);
	effects = judge(s, filtering);
	return c->answered && s->nat.in_turn ? effects | REACH_PORT_LEARNT : effects;
}

/* Two ports that were taken one soon after the other: are they close, too? */
static void note_port(struct surroundings *s, const struct addr *seen)
{
	struct nat_state *n = &s->nat;
	unsigned a = seen->port, b = s->observed.port;

	n->last_port = *seen;
	n->varies = !addr_equal(seen, &s->observed);
	n->in_turn |= addr_same_ip(seen, &s->observed) && a != b &&
		      (a > b ? a - b : b - a) <= PREDICT_NEAR;
}

static void check_ask(struct surroundings *s)
{
	struct nat_check *c = &s->nat.check;
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN };
	uint8_t buf[PROBE_PING_MIN];
	ptrdiff_t n;

	random_fill(s->h, &c->nonce, sizeof(c->nonce));
	f.nonce = c->nonce;
	f.counter = ++c->counter;
	memcpy(f.tag, c->keys.tag, sizeof(f.tag));
	n = probe_encode(&f, c->keys.client, hmac_sha256, buf, sizeof(buf));
	if (n > 0)
		s->way.direct(s->way.ctx, &c->echo, buf, (size_t)n, 0);
	c->sent++;
	timer_set_in(c->timer, ASK_GAP);
}

unsigned nat_run(struct surroundings *s)
{
	struct nat_check *c = &s->nat.check;

	if (!c->running)
		return 0;
	if (!c->known || c->answered || c->sent == ASK_MAX)
		return check_end(s);
	check_ask(s);
	return 0;
}

/* From a port of the server's that this node never sends to. */
static bool is_unasked(const struct nat_check *c, const struct addr *from)
{
	return addr_same_ip(from, &c->server) && from->port != c->server.port &&
	       !(c->known && from->port == c->echo.port);
}

bool nat_received(struct surroundings *s, struct span frame, const struct addr *from)
{
	struct nat_check *c = &s->nat.check;
	struct probe f;

	if (!c->running || probe_decode(frame, &f) < 0 ||
	    memcmp(f.tag, c->keys.tag, sizeof(f.tag)) != 0)
		return false;
	if (probe_verify(frame, c->keys.server, hmac_sha256) < 0)
		return true;
	if (f.type == PROBE_PING) {
		c->heard |= is_unasked(c, from);
	} else if (f.type == PROBE_PONG && f.nonce == c->nonce && c->known && !c->answered &&
		   addr_equal(from, &c->echo)) {
		c->answered = true;
		view_put(&s->nat, &c->echo, &f.observed);
		note_port(s, &f.observed);
		timer_set_in(c->timer, c->heard ? 0 : WAIT_UNASKED);
	}
	return true;
}

void nat_check_begin(struct surroundings *s, const struct probe_keys *keys,
		     const struct addr *server)
{
	struct nat_check *c = &s->nat.check;

	c->keys = *keys;
	c->server = *server;
	c->running = true;
	c->known = c->answered = c->heard = false;
	c->sent = 0;
	timer_set_in(c->timer, WAIT_REPLY);
}

void nat_check_port(struct surroundings *s, const struct addr *server, uint16_t port)
{
	struct nat_check *c = &s->nat.check;

	if (!c->running || c->known || !addr_equal(server, &c->server))
		return;
	c->echo = *server;
	c->echo.port = port;
	c->known = true;
	check_ask(s);
}

uint64_t nat_last_at(const struct surroundings *s)
{
	return s->nat.check.last_at;
}

/* --- over a restart -------------------------------------------------------------------------- */

bool nat_memory_get(const struct surroundings *s, struct nat_memory *ret)
{
	*ret = s->nat.check.last;
	return s->nat.check.last_at != 0;
}

void nat_memory_set(struct surroundings *s, const struct nat_memory *m)
{
	struct nat_check *c = &s->nat.check;
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(s->h), 0);
	/* A clock that was set back says nothing: as if it had just been. */
	uint64_t ago_s = now_s > m->wall_s ? now_s - m->wall_s : 0;

	if (ago_s >= FILTER_REMEMBERS / NS_PER_S)
		return;
	c->last = *m;
	c->last.wall_s = now_s - ago_s;
	/* The monotonic clock may be younger than that after a reboot. */
	c->last_at = MAX(clock_now(s->h), ago_s * NS_PER_S + 1) - ago_s * NS_PER_S;
}
