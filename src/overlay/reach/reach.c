/* SPDX-License-Identifier: MIT */
/*
 * The paths of a tunnel at work: what is told and comes in, and runs. What is known and decided is
 * in pathset.c, punch.c and choose.c; rounds are in rounds.c, and the path in use is in watch.c.
 */
#include "crypto/hash.h"
#include "overlay/reach/mtu.h"

#include <errno.h>
#include <stdlib.h>

#define LOOK_OFTEN (25 * NS_PER_MS) /* while packets flow or something is under way */
#define BUSY_FOR (2 * NS_PER_S)	    /* after the last packet */

struct pathset *reach_paths(struct reach *r)
{
	return &r->set;
}

void reach_budgets_init(struct reach_budgets *b, uint64_t now)
{
	bucket_init(&b->guesses, REACH_GUESSES_PER_S, REACH_GUESSES_BURST, now);
	bucket_init(&b->ports, REACH_PORTS_PER_S, REACH_PORTS_BURST, now);
	bucket_init(&b->pongs, REACH_PONGS_PER_S, REACH_PONGS_BURST, now);
	bucket_init(&b->strange_pongs, REACH_STRANGE_PONGS_PER_S, REACH_STRANGE_PONGS_BURST, now);
	bucket_init(&b->repeated_pongs, REACH_REPEATED_PONGS_PER_S, REACH_REPEATED_PONGS_BURST,
		    now);
	bucket_init(&b->punches, REACH_PUNCHES_PER_S, REACH_PUNCHES_BURST, now);
}

/* --- running --------------------------------------------------------------------------------- */

static void notice_traffic(struct reach *r, uint64_t now)
{
	struct dest *d = r->dest;

	if (d->tx_packets != r->tx_seen)
		r->busy_until = now + BUSY_FOR;
	r->tx_seen = d->tx_packets;
	d->idle = now >= r->busy_until;
}

void reach_look(struct reach *r, uint64_t now)
{
	notice_traffic(r, now);
	reach_watch(r, now);
	reach_decide(r, now);
}

void reach_work(struct reach *r, uint64_t now)
{
	reach_keep(r, now);
	reach_rounds(r, now);
	predict_run(r, now);
	mtu_run(r, now);
}

void reach_arm(struct reach *r, uint64_t now)
{
	uint64_t at = MIN(MIN(MIN(reach_round_at(r), r->tell_at), r->predict.next_at),
			  MIN(reach_keep_at(r), mtu_next_at(r)));
	bool often = !r->dest->idle || r->set.doubt.since || r->set.stray_since;

	at = MIN(at, r->word_next);
	for (size_t i = 0; i < PATHS_MAX; i++) {
		if (r->set.path[i].label)
			at = MIN(at, r->set.path[i].punch.next);
	}
	if (often)
		at = MIN(at, now + LOOK_OFTEN);
	r->next_at = MAX(at, now + NS_PER_MS);
	timer_set(r->timer, r->next_at);
}

void reach_wake(struct reach *r, uint64_t now)
{
	r->dest->idle = false;
	r->busy_until = now + BUSY_FOR;
	if (r->next_at > now + LOOK_OFTEN) {
		r->next_at = now + LOOK_OFTEN;
		timer_set(r->timer, r->next_at);
	}
}

struct reach_effects reach_effects_take(struct reach *r)
{
	struct reach_effects e = r->effects;

	r->effects = (struct reach_effects){ .bits = 0 };
	return e;
}

/* --- what comes ------------------------------------------------------------------------------ */

static enum path_kind kind_of(const struct surroundings *s, const struct addr *a)
{
	if (addr_is_private(a) || candidate_is_near(a, &s->home))
		return PATH_LAN;
	return addr_is_v4(a) ? PATH_PUBLIC : PATH_IP6;
}

static struct path *add_path(struct reach *r, const struct addr *to)
{
	struct surroundings *s = r->around;

	return pathset_add(&r->set, ++*s->last_label, kind_of(s, to), to);
}

static struct path *reflexive(struct reach *r, const struct addr *from)
{
	return candidate_ok(from, r->around->subnet) ? add_path(r, from) : NULL;
}

/* A ping proves nothing about where it says that it comes from: it may be somebody else's. */
static bool may_pong(struct reach *r, const struct path *path, uint64_t now)
{
	struct reach_budgets *b = r->budgets;

	if (path && (path->proven || path->kind == PATH_RELAY))
		return bucket_take(&b->pongs, 1, now);
	return bucket_take(&b->strange_pongs, 1, now) && bucket_take(&r->around->pongs, 1, now);
}

/*
 * Such a ping came before. A copy from elsewhere is left without an answer; but where the copy was
 * sooner, this is the real one, and its sender waits for a pong.
 */
static void on_repeated(struct reach *r, const struct path *path, const struct probe *f,
			const struct probe_via *via, uint64_t now)
{
	if (path &&
	    (path->proven || path->kind == PATH_RELAY ||
	     candidates_have(r->from_peer, &path->to)) &&
	    bucket_take(&r->budgets->repeated_pongs, 1, now))
		reach_pong(r, path, f, &via->from);
}

static void on_ping(struct reach *r, struct path *path, const struct probe *f,
		    const struct probe_via *via, uint64_t now)
{
	if (may_pong(r, path, now))
		reach_pong(r, path, f, &via->from);
	if (!path)
		return;
	path->theirs = f->flags & PROBE_PROVEN;
	path->heard++;
	path->local = via->local;
	if ((f->flags & PROBE_URGENT) && path->label != r->set.current &&
	    now - r->urged_at >= NS_PER_S) {
		r->urged_at = now;
		reach_doubt(r, true, now);
	}
	if (!path->proven && now - path->last_ping >= PUNCH_SPREAD && punch_extra(&path->punch) &&
	    reach_may_ping(r, path, now))
		reach_ping(r, path, false, now);
}

static void on_pong(struct reach *r, struct path *path, const struct probe *f, uint64_t now)
{
	struct reach_effects *e = &r->effects;

	if (mtu_pong(path, f->nonce, now) || !path || !path_echo(path, f->nonce, now))
		return;
	path->theirs = f->flags & PROBE_PROVEN;
	path->punch.sent = 0;
	if (path->echoes < PATH_ECHOES_WANTED && path->punch.next == TIME_NEVER)
		punch_begin(&path->punch, now + PUNCH_SPREAD, 0, true);
	if (path->kind == PATH_PUBLIC)
		e->bits |= nat_seen(r->around, &path->to, &f->observed, now);
	e->bits |= REACH_PONG;
	e->pong.nonce = f->nonce;
	e->pong.relay = path->kind == PATH_RELAY;
	e->pong.to = path->to;
	if (path->kind == PATH_RELAY || addr_equal(&f->observed, &r->seen))
		return;
	r->seen = e->seen = f->observed;
	e->bits |= REACH_SEEN_AT;
}

bool reach_received(struct reach *r, struct span frame, const struct probe *f,
		    const struct probe_via *via, uint64_t now)
{
	struct path *path;

	if (probe_verify(frame, r->key_in, hmac_sha256) < 0)
		return false;
	path = via->relay ? pathset_relay(&r->set) : pathset_of_addr(&r->set, &via->from);
	if (via->relay && !path)
		return false;
	if (f->type == PROBE_PONG) {
		on_pong(r, path, f, now);
	} else if (window_allows(&r->window, f->counter)) {
		window_take(&r->window, f->counter);
		on_ping(r, path ? path : reflexive(r, &via->from), f, via, now);
	} else {
		on_repeated(r, path, f, via, now);
	}
	return true;
}

/* --- what changes ---------------------------------------------------------------------------- */

/*
 * A NAT may have another port for us than for all others, which nobody can name. As long as it
 * remembers us, the peer is found again where it was.
 */
static void candidates_get(const struct reach *r, struct wire_candidates *ret)
{
	const struct surroundings *s = r->around;

	candidates_filter(r->from_peer, &s->home, s->subnet, ret);
	candidates_filter(r->from_server, &s->home, s->subnet, ret);
	if (!addr_is_unset(r->was_at) && candidate_ok(r->was_at, s->subnet) &&
	    !candidates_have(&s->home, r->was_at))
		candidates_add(ret, r->was_at);
}

bool reach_candidates(struct reach *r)
{
	struct wire_candidates all = { 0 };
	bool grew = false;

	candidates_get(r, &all);
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &r->set.path[i];
		bool known = path->listed;

		path->listed = path->kind != PATH_RELAY && candidates_have(&all, &path->to);
		if (known && !path->listed && !path->proven && path->label != r->set.current)
			path_remove(path);
	}
	for (size_t i = 0; i < all.n; i++) {
		struct path *path;

		if (pathset_of_addr(&r->set, &all.item[i]))
			continue;
		path = add_path(r, &all.item[i]);
		if (path)
			path->listed = grew = true;
	}
	r->word_due |= r->word_for != r->candidates_heard;
	return grew;
}

static bool same_channel(const struct reach *r)
{
	return memcmp(r->channel, r->dest->relay->end.channel, sizeof(r->channel)) == 0;
}

/* The other side may have been restarted: then it knows nothing of our connection. */
bool reach_channel_is_new(struct reach *r)
{
	const struct path *path = pathset_relay(&r->set);

	return r->dest->relay->on && path && path->label == r->set.current && !same_channel(r);
}

bool reach_relay(struct reach *r, uint64_t now)
{
	const struct relay_path *relay = r->dest->relay;
	struct path *path = pathset_relay(&r->set);

	if (!relay->on) {
		if (path && path->label == r->set.current) {
			path_disprove(path);
			reach_doubt(r, false, now);
		} else if (path)
			path_remove(path);
		return false;
	}
	if (!path)
		path = pathset_add(&r->set, relay->label, PATH_RELAY, &relay->server);
	else if (same_channel(r))
		return false;
	if (!path)
		return false;
	path->to = relay->server;
	path_disprove(path);
	memcpy(r->channel, relay->end.channel, sizeof(r->channel));
	return true;
}

void reach_network_changed(struct reach *r, uint64_t now)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		r->set.path[i].echoes = 0;
		memset(&r->set.path[i].local, 0, sizeof(r->set.path[i].local));
	}
	mtu_suspect(r);
	reach_doubt(r, true, now);
	reach_round(r, now);
}

void reach_path_failed(struct reach *r, path_label label, uint64_t now)
{
	struct path *path = pathset_of_label(&r->set, label);

	if (!path)
		return;
	path_disprove(path);
	r->set.changed_at = now;
}

/* --- life ------------------------------------------------------------------------------------ */

int reach_new(const struct reach_config *c, struct reach **ret)
{
	struct reach *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->around = c->around;
	r->dest = c->dest;
	r->budgets = c->budgets;
	r->from_peer = c->from_peer;
	r->from_server = c->from_server;
	r->was_at = c->was_at;
	r->name = c->name;
	r->client = c->client;
	r->timer = c->timer;
	memcpy(r->tag, c->keys->tag, sizeof(r->tag));
	memcpy(r->key_out, c->client ? c->keys->client : c->keys->server, PROBE_KEY_LEN);
	memcpy(r->key_in, c->client ? c->keys->server : c->keys->client, PROBE_KEY_LEN);
	doubt_end(&r->set.doubt);
	predict_init(&r->predict);
	r->tell_at = r->word_next = TIME_NEVER;
	*ret = r;
	return 0;
}

void reach_free(struct reach *r)
{
	if (!r)
		return;
	timer_free(r->timer);
	secret_wipe(r, sizeof(*r));
	free(r);
}

/* The handshake has proven both sides' addresses. */
static void add_first(struct reach *r, const struct reach_first *first, uint64_t now)
{
	enum path_kind kind = first->relayed ? PATH_RELAY : kind_of(r->around, &first->to);
	struct path *path = pathset_add(&r->set, first->label, kind, &first->to);

	path->local = first->local;
	path->proven = true;
	path->last_echo = now;
	r->set.current = first->label;
	if (first->relayed)
		memcpy(r->channel, r->dest->relay->end.channel, sizeof(r->channel));
}

void reach_begin(struct reach *r, const struct reach_first *first, uint64_t now)
{
	add_first(r, first, now);
	(void)reach_candidates(r);
	(void)reach_relay(r, now);
	reach_first_round(r, now);
}
