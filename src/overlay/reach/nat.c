/* SPDX-License-Identifier: MIT */
/*
 * Learning what our NAT does: from the server's second port, which we are seen at from another port
 * of the same address, and from peers.
 */
#include "overlay/reach/nat.h"

#include "overlay/internal.h"
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

struct addr nat_by_hand(const struct overlay *o)
{
	struct addr a = o->around.observed;

	if (o->around.nat.kind.mapping != MAPPING_VARIES || !addr_is_v4(&a))
		return (struct addr){ 0 };
	a.port = quic_socket_local(o->socket).port;
	return a;
}

struct nat_kind nat_told(const struct overlay *o)
{
	struct addr external;

	if (o->around.mapper && mapper_external(o->around.mapper, &external) &&
	    !addr_is_private(&external))
		return (struct nat_kind){ MAPPING_ASKED, FILTERING_OPEN };
	return o->around.nat.kind;
}

void nat_tell(struct overlay *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_nat(p->active);
	}
}

/* What follows now; told to the peers when it is something else than before. */
static void judge(struct overlay *o, enum nat_filtering filtering)
{
	struct nat_state *n = &o->around.nat;
	struct nat_kind now = { .filtering = filtering };
	struct nat_view all[NAT_VIEWS_MAX + 1];
	size_t count = 0;

	if (addr_is_v4(&o->around.observed) && !addr_is_unset(&o->around.observed))
		all[count++] = (struct nat_view){ .from = n->check.server,
						  .seen = o->around.observed };
	for (size_t i = 0; i < n->n_views; i++)
		all[count++] = n->view[i];
	now.mapping = nat_mapping_of(all, count,
				     o->around.at_home && addr_is_v4(&o->around.observed));
	if (now.mapping == n->kind.mapping && now.filtering == n->kind.filtering)
		return;
	n->kind = now;
	log_debug(host_log(o->h), "NAT: mapping %s, filtering %s", nat_mapping_name(now.mapping),
		  nat_filtering_name(now.filtering));
	overlay_refresh_candidates(o);
	nat_tell(o);
}

void nat_seen(struct overlay *o, const struct addr *from, const struct addr *seen)
{
	size_t i;

	if (!addr_is_v4(from) || !addr_is_v4(seen) || addr_is_private(seen) ||
	    addr_same_ip(from, &o->around.observed))
		return; /* not through the same NATs as to the server */
	i = view_of(&o->around.nat, from);
	if (i < o->around.nat.n_views && addr_equal(&o->around.nat.view[i].seen, seen))
		return;
	/* Rate limit: a peer that keeps changing its answer must not make us notify the others. */
	if (!bucket_take(&o->around.hearsay, 1, clock_now(o->h)))
		return;
	view_put(&o->around.nat, from, seen);
	judge(o, o->around.nat.kind.filtering);
}

void nat_reset(struct overlay *o)
{
	o->around.nat.n_views = o->around.nat.next_view = 0;
	o->around.nat.in_turn = o->around.nat.varies = false;
	judge(o, FILTERING_UNKNOWN);
}

/* --- the check ------------------------------------------------------------------------------- */

static void check_end(struct overlay *o)
{
	struct nat_check *c = &o->around.nat.check;
	enum nat_filtering filtering = FILTERING_UNKNOWN;

	c->running = false;
	timer_set(c->timer, TIME_NEVER);
	if (!c->known) {
		judge(o, filtering);
		return;
	}
	if (c->heard)
		filtering = FILTERING_OPEN;
	else if (c->answered)
		filtering = FILTERING_PORT;
	c->last.echo = c->echo;
	c->last.observed = o->around.observed;
	c->last.at = clock_now(o->h);
	c->last.wall_s = (uint64_t)MAX(clock_wall_s(o->h), 0);
	c->last.filtering = filtering;
	judge(o, filtering);
	if (c->answered && o->around.nat.in_turn)
		predict_learnt(o);
}

/* Two ports that were taken one soon after the other: are they close, too? */
static void note_port(struct overlay *o, const struct addr *seen)
{
	struct nat_state *n = &o->around.nat;
	unsigned a = seen->port, b = o->around.observed.port;

	n->last_port = *seen;
	n->varies = !addr_equal(seen, &o->around.observed);
	n->in_turn |= addr_same_ip(seen, &o->around.observed) && a != b &&
		      (a > b ? a - b : b - a) <= PREDICT_NEAR;
}

static void check_ask(struct overlay *o)
{
	struct nat_check *c = &o->around.nat.check;
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN };
	uint8_t buf[PROBE_PING_MIN];
	ptrdiff_t n;

	random_fill(o->h, &c->nonce, sizeof(c->nonce));
	f.nonce = c->nonce;
	f.counter = ++c->counter;
	memcpy(f.tag, c->keys.tag, sizeof(f.tag));
	n = probe_encode(&f, c->keys.client, hmac_sha256, buf, sizeof(buf));
	if (n > 0)
		quic_socket_send_other(o->socket, &c->echo, buf, (size_t)n);
	c->sent++;
	timer_set_in(c->timer, ASK_GAP);
}

void nat_run(void *overlay)
{
	struct overlay *o = overlay;
	struct nat_check *c = &o->around.nat.check;

	if (!c->running)
		return;
	if (!c->known || c->answered || c->sent == ASK_MAX)
		check_end(o);
	else
		check_ask(o);
}

/* From a port of the server's that this node never sends to. */
static bool is_unasked(const struct nat_check *c, const struct addr *from)
{
	return addr_same_ip(from, &c->server) && from->port != c->server.port &&
	       !(c->known && from->port == c->echo.port);
}

bool nat_received(struct overlay *o, struct span frame, const struct udp_rx *rx)
{
	struct nat_check *c = &o->around.nat.check;
	struct probe f;

	if (!c->running || probe_decode(frame, &f) < 0 ||
	    memcmp(f.tag, c->keys.tag, sizeof(f.tag)) != 0)
		return false;
	if (probe_verify(frame, c->keys.server, hmac_sha256) < 0)
		return true;
	if (f.type == PROBE_PING) {
		c->heard |= is_unasked(c, &rx->from);
	} else if (f.type == PROBE_PONG && f.nonce == c->nonce && c->known && !c->answered &&
		   addr_equal(&rx->from, &c->echo)) {
		c->answered = true;
		view_put(&o->around.nat, &c->echo, &f.observed);
		note_port(o, &f.observed);
		timer_set_in(c->timer, c->heard ? 0 : WAIT_UNASKED);
	}
	return true;
}

void overlay_echo(struct overlay *o, const struct probe_keys *keys, const struct addr *server,
		  uint16_t port)
{
	struct nat_check *c = &o->around.nat.check;
	struct addr echo = *server;

	/* Behind a rewritten address everything is seen that is in front of the server, too. */
	if (!addr_is_v4(server) || o->around.rewritten)
		return;
	if (keys) {
		c->keys = *keys;
		c->server = *server;
		c->running = true;
		c->known = c->answered = c->heard = false;
		c->sent = 0;
		timer_set_in(c->timer, WAIT_REPLY);
		return;
	}
	if (!c->running || c->known || !addr_equal(server, &c->server))
		return;
	echo.port = port;
	c->echo = echo;
	c->known = true;
	check_ask(o);
}

uint64_t nat_last_at(const struct overlay *o)
{
	return o->around.nat.check.last.at;
}

/* --- over a restart -------------------------------------------------------------------------- */

bool overlay_nat_memory(const struct overlay *o, struct nat_memory *ret)
{
	const struct nat_check *c = &o->around.nat.check;

	if (!c->last.at)
		return false;
	*ret = (struct nat_memory){ c->last.echo, c->last.observed, c->last.wall_s,
				    c->last.filtering };
	return true;
}

void overlay_nat_remember(struct overlay *o, const struct nat_memory *m)
{
	struct nat_check *c = &o->around.nat.check;
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(o->h), 0);
	/* A clock that was set back says nothing: as if it had just been. */
	uint64_t ago_s = now_s > m->wall_s ? now_s - m->wall_s : 0;

	if (ago_s >= FILTER_REMEMBERS / NS_PER_S)
		return;
	c->last.echo = m->echo;
	c->last.observed = m->observed;
	c->last.filtering = m->filtering;
	c->last.wall_s = now_s - ago_s;
	/* The monotonic clock may be younger than that after a reboot. */
	c->last.at = MAX(clock_now(o->h), ago_s * NS_PER_S + 1) - ago_s * NS_PER_S;
}

/* --- looking --------------------------------------------------------------------------------- */

void overlay_nat_get(const struct overlay *o, struct overlay_nat *ret)
{
	*ret = (struct overlay_nat){ .kind = o->around.nat.kind,
				     .told = nat_told(o),
				     .checking = o->around.nat.check.running,
				     .in_turn = o->around.nat.in_turn,
				     .rewritten = o->around.rewritten,
				     .observers = o->around.nat.n_views };
	if (!addr_is_unset(&o->around.observed) && addr_is_v4(&o->around.observed))
		ret->observers++;
}

bool overlay_peer_nat(const struct overlay *o, const struct member *m, struct nat_kind *ret)
{
	const struct peer *p = peer_of_address(o, m->address);

	if (!p || p->member != m)
		return false;
	*ret = p->nat;
	return true;
}
