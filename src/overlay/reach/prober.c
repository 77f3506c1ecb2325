/* SPDX-License-Identifier: MIT */
/*
 * The paths of a tunnel at work: what is told and comes in, and runs. What is known and decided is
 * in pathset.c, punch.c and choose.c; rounds are in rounds.c, and the path in use is
 * prober_watch.c's.
 */
#include "crypto/hash.h"
#include "overlay/reach/mtu.h"

#include <errno.h>
#include <stdlib.h>

#define LOOK_OFTEN (25 * NS_PER_MS) /* while packets flow or something is under way */
#define BUSY_FOR (2 * NS_PER_S)	    /* after the last packet */

struct pathset *prober_paths(struct prober *pr)
{
	return &pr->set;
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

static void notice_traffic(struct prober *pr, uint64_t now)
{
	struct dest *d = pr->dest;

	if (d->tx_packets != pr->tx_seen)
		pr->busy_until = now + BUSY_FOR;
	pr->tx_seen = d->tx_packets;
	d->idle = now >= pr->busy_until;
}

void reach_look(struct prober *pr, uint64_t now)
{
	notice_traffic(pr, now);
	prober_watch(pr, now);
	prober_decide(pr, now);
}

void reach_work(struct prober *pr, uint64_t now)
{
	prober_keep(pr, now);
	prober_rounds(pr, now);
	predict_run(pr, now);
	mtu_run(pr, now);
}

void reach_arm(struct prober *pr, uint64_t now)
{
	uint64_t at = MIN(MIN(MIN(prober_round_at(pr), pr->tell_at), pr->predict.next_at),
			  MIN(prober_keep_at(pr), mtu_next_at(pr)));
	bool often = !pr->dest->idle || pr->set.doubt.since || pr->set.stray_since;

	at = MIN(at, pr->word_next);
	for (size_t i = 0; i < PATHS_MAX; i++) {
		if (pr->set.path[i].label)
			at = MIN(at, pr->set.path[i].punch.next);
	}
	if (often)
		at = MIN(at, now + LOOK_OFTEN);
	pr->next_at = MAX(at, now + NS_PER_MS);
	timer_set(pr->timer, pr->next_at);
}

void reach_wake(struct prober *pr, uint64_t now)
{
	pr->dest->idle = false;
	pr->busy_until = now + BUSY_FOR;
	if (pr->next_at > now + LOOK_OFTEN) {
		pr->next_at = now + LOOK_OFTEN;
		timer_set(pr->timer, pr->next_at);
	}
}

struct reach_effects reach_effects_take(struct prober *pr)
{
	struct reach_effects e = pr->effects;

	pr->effects = (struct reach_effects){ .bits = 0 };
	return e;
}

/* --- what comes ------------------------------------------------------------------------------ */

static enum path_kind kind_of(const struct surroundings *s, const struct addr *a)
{
	if (addr_is_private(a) || candidate_is_near(a, &s->home))
		return PATH_LAN;
	return addr_is_v4(a) ? PATH_PUBLIC : PATH_IP6;
}

static struct path *add_path(struct prober *pr, const struct addr *to)
{
	struct surroundings *s = pr->around;

	return pathset_add(&pr->set, ++*s->last_label, kind_of(s, to), to);
}

static struct path *reflexive(struct prober *pr, const struct addr *from)
{
	return candidate_ok(from, pr->around->subnet) ? add_path(pr, from) : NULL;
}

/* A ping proves nothing about where it says that it comes from: it may be somebody else's. */
static bool may_pong(struct prober *pr, const struct path *path, uint64_t now)
{
	struct reach_budgets *b = pr->budgets;

	if (path && (path->proven || path->kind == PATH_RELAY))
		return bucket_take(&b->pongs, 1, now);
	return bucket_take(&b->strange_pongs, 1, now) && bucket_take(&pr->around->pongs, 1, now);
}

/*
 * Such a ping came before. A copy from elsewhere is left without an answer; but where the copy was
 * sooner, this is the real one, and its sender waits for a pong.
 */
static void on_repeated(struct prober *pr, const struct path *path, const struct probe *f,
			const struct probe_via *via, uint64_t now)
{
	if (path &&
	    (path->proven || path->kind == PATH_RELAY ||
	     candidates_have(pr->from_peer, &path->to)) &&
	    bucket_take(&pr->budgets->repeated_pongs, 1, now))
		prober_pong(pr, path, f, &via->from);
}

static void on_ping(struct prober *pr, struct path *path, const struct probe *f,
		    const struct probe_via *via, uint64_t now)
{
	if (may_pong(pr, path, now))
		prober_pong(pr, path, f, &via->from);
	if (!path)
		return;
	path->theirs = f->flags & PROBE_PROVEN;
	path->heard++;
	path->local = via->local;
	if ((f->flags & PROBE_URGENT) && path->label != pr->set.current &&
	    now - pr->urged_at >= NS_PER_S) {
		pr->urged_at = now;
		reach_doubt(pr, true, now);
	}
	if (!path->proven && now - path->last_ping >= PUNCH_SPREAD && punch_extra(&path->punch) &&
	    prober_may_ping(pr, path, now))
		prober_ping(pr, path, false, now);
}

static void on_pong(struct prober *pr, struct path *path, const struct probe *f, uint64_t now)
{
	struct reach_effects *e = &pr->effects;

	if (mtu_pong(path, f->nonce, now) || !path || !path_echo(path, f->nonce, now))
		return;
	path->theirs = f->flags & PROBE_PROVEN;
	path->punch.sent = 0;
	if (path->echoes < PATH_ECHOES_WANTED && path->punch.next == TIME_NEVER)
		punch_begin(&path->punch, now + PUNCH_SPREAD, 0, true);
	if (path->kind == PATH_PUBLIC)
		e->bits |= nat_seen(pr->around, &path->to, &f->observed, now);
	e->bits |= REACH_PONG;
	e->pong.nonce = f->nonce;
	e->pong.relay = path->kind == PATH_RELAY;
	e->pong.to = path->to;
	if (path->kind == PATH_RELAY || addr_equal(&f->observed, &pr->seen))
		return;
	pr->seen = e->seen = f->observed;
	e->bits |= REACH_SEEN_AT;
}

bool reach_received(struct prober *pr, struct span frame, const struct probe *f,
		    const struct probe_via *via, uint64_t now)
{
	struct path *path;

	if (probe_verify(frame, pr->key_in, hmac_sha256) < 0)
		return false;
	path = via->relay ? pathset_relay(&pr->set) : pathset_of_addr(&pr->set, &via->from);
	if (via->relay && !path)
		return false;
	if (f->type == PROBE_PONG) {
		on_pong(pr, path, f, now);
	} else if (window_allows(&pr->window, f->counter)) {
		window_take(&pr->window, f->counter);
		on_ping(pr, path ? path : reflexive(pr, &via->from), f, via, now);
	} else {
		on_repeated(pr, path, f, via, now);
	}
	return true;
}

/* --- what changes ---------------------------------------------------------------------------- */

bool reach_candidates(struct prober *pr)
{
	const struct surroundings *s = pr->around;
	struct wire_candidates all = { 0 };
	bool grew = false;

	candidates_filter(pr->from_peer, &s->own, s->subnet, &all);
	candidates_filter(pr->from_server, &s->own, s->subnet, &all);
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &pr->set.path[i];
		bool known = path->listed;

		path->listed = path->kind != PATH_RELAY && candidates_have(&all, &path->to);
		if (known && !path->listed && !path->proven && path->label != pr->set.current)
			path_remove(path);
	}
	for (size_t i = 0; i < all.n; i++) {
		struct path *path;

		if (pathset_of_addr(&pr->set, &all.item[i]))
			continue;
		path = add_path(pr, &all.item[i]);
		if (path)
			path->listed = grew = true;
	}
	pr->word_due |= pr->word_for != pr->conn.candidates_heard;
	return grew;
}

static bool same_channel(const struct prober *pr)
{
	return memcmp(pr->channel, pr->dest->relay->end.channel, sizeof(pr->channel)) == 0;
}

/* The other side may have been restarted: then it knows nothing of our connection. */
bool reach_channel_is_new(struct prober *pr)
{
	const struct path *path = pathset_relay(&pr->set);

	return pr->dest->relay->on && path && path->label == pr->set.current && !same_channel(pr);
}

bool reach_relay(struct prober *pr, uint64_t now)
{
	const struct relay_path *relay = pr->dest->relay;
	struct path *path = pathset_relay(&pr->set);

	if (!relay->on) {
		if (path && path->label == pr->set.current) {
			path_disprove(path);
			reach_doubt(pr, false, now);
		} else if (path)
			path_remove(path);
		return false;
	}
	if (!path)
		path = pathset_add(&pr->set, relay->label, PATH_RELAY, &relay->server);
	else if (same_channel(pr))
		return false;
	if (!path)
		return false;
	path->to = relay->server;
	path_disprove(path);
	memcpy(pr->channel, relay->end.channel, sizeof(pr->channel));
	return true;
}

void reach_network_changed(struct prober *pr, uint64_t now)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		pr->set.path[i].echoes = 0;
		memset(&pr->set.path[i].local, 0, sizeof(pr->set.path[i].local));
	}
	mtu_suspect(pr);
	reach_doubt(pr, true, now);
	reach_round(pr, now);
}

void reach_path_failed(struct prober *pr, path_label label, uint64_t now)
{
	struct path *path = pathset_of_label(&pr->set, label);

	if (!path)
		return;
	path_disprove(path);
	pr->set.changed_at = now;
}

/* --- life ------------------------------------------------------------------------------------ */

int reach_new(const struct reach_config *c, struct prober **ret)
{
	struct prober *pr = calloc(1, sizeof(*pr));

	if (!pr)
		return -ENOMEM;
	pr->around = c->around;
	pr->dest = c->dest;
	pr->budgets = c->budgets;
	pr->from_peer = c->from_peer;
	pr->from_server = c->from_server;
	pr->name = c->name;
	pr->client = c->client;
	pr->timer = c->timer;
	memcpy(pr->tag, c->keys->tag, sizeof(pr->tag));
	memcpy(pr->key_out, c->client ? c->keys->client : c->keys->server, PROBE_KEY_LEN);
	memcpy(pr->key_in, c->client ? c->keys->server : c->keys->client, PROBE_KEY_LEN);
	doubt_end(&pr->set.doubt);
	predict_init(&pr->predict);
	pr->tell_at = pr->word_next = TIME_NEVER;
	*ret = pr;
	return 0;
}

void reach_free(struct prober *pr)
{
	if (!pr)
		return;
	timer_free(pr->timer);
	secret_wipe(pr, sizeof(*pr));
	free(pr);
}

/* The handshake has proven both sides' addresses. */
static void add_first(struct prober *pr, const struct reach_first *first, uint64_t now)
{
	enum path_kind kind = first->relayed ? PATH_RELAY : kind_of(pr->around, &first->to);
	struct path *path = pathset_add(&pr->set, first->label, kind, &first->to);

	path->local = first->local;
	path->proven = true;
	path->last_echo = now;
	pr->set.current = first->label;
	if (first->relayed)
		memcpy(pr->channel, pr->dest->relay->end.channel, sizeof(pr->channel));
}

void reach_begin(struct prober *pr, const struct reach_first *first, uint64_t now)
{
	add_first(pr, first, now);
	(void)reach_candidates(pr);
	(void)reach_relay(pr, now);
	prober_first_round(pr, now);
}
