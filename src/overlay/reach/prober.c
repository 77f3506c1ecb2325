/* SPDX-License-Identifier: MIT */
/*
 * The paths of a tunnel at work: pings and pongs, what changes. What is known and decided is in
 * pathset.c, punch.c and choose.c; rounds are in rounds.c, and the path in use is
 * prober_watch.c's.
 */
#include "crypto/hash.h"
#include "overlay/reach/mtu.h"

#include <stdlib.h>

#define LOOK_OFTEN (25 * NS_PER_MS) /* while packets flow or something is under way */
#define BUSY_FOR (2 * NS_PER_S)	    /* after the last packet */

struct pathset *prober_paths(struct prober *pr)
{
	return &pr->set;
}

/* --- frames ---------------------------------------------------------------------------------- */

static void send_frame(struct prober *pr, const struct probe *f, bool relay, const struct addr *to,
		       uint8_t hops)
{
	struct peer *p = peer_of(pr);
	uint8_t buf[RELAY_OVERHEAD + PROBE_MAX];
	uint8_t *at = buf + RELAY_OVERHEAD;
	ptrdiff_t n = probe_encode(f, pr->key_out, hmac_sha256, at, PROBE_MAX);

	if (n < 0 || (relay && !p->relay.on))
		return;
	if (!relay) {
		p->o->around.way.direct(p->o->around.way.ctx, to, at, (size_t)n, hops);
		return;
	}
	relay_path_wrap(&p->relay, buf, (size_t)n);
	quic_socket_send_other(p->o->socket, &p->relay.server, buf, RELAY_OVERHEAD + (size_t)n);
}

static uint64_t ping(struct prober *pr, struct path *path, bool urgent, uint8_t hops, uint64_t now)
{
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN, .counter = pr->counter++ };

	memcpy(f.tag, pr->tag, sizeof(f.tag));
	random_fill(peer_of(pr)->o->h, &f.nonce, sizeof(f.nonce));
	f.flags = (path->proven ? PROBE_PROVEN : 0) | (urgent ? PROBE_URGENT : 0);
	path_pinged(path, f.nonce, now);
	if (!path->proven && path->kind != PATH_RELAY && !hops)
		pr->strange_at = now;
	send_frame(pr, &f, path->kind == PATH_RELAY, &path->to, hops);
	return f.nonce;
}

uint64_t prober_ping(struct prober *pr, struct path *path, bool urgent, uint64_t now)
{
	return ping(pr, path, urgent, 0, now);
}

void prober_open_nat(struct prober *pr, struct path *path, uint64_t now)
{
	ping(pr, path, false, pr->hops, now);
}

void prober_ping_sized(struct prober *pr, const struct path *path, uint64_t nonce, size_t len)
{
	struct probe f = {
		.type = PROBE_PING, .nonce = nonce, .len = len, .counter = pr->counter++
	};

	memcpy(f.tag, pr->tag, sizeof(f.tag));
	f.flags = path->proven ? PROBE_PROVEN : 0;
	send_frame(pr, &f, path->kind == PATH_RELAY, &path->to, 0);
}

static void pong(struct prober *pr, const struct path *path, const struct probe *to_ping,
		 const struct addr *from)
{
	struct probe f = { .type = PROBE_PONG, .nonce = to_ping->nonce };
	bool relay = path && path->kind == PATH_RELAY;

	memcpy(f.tag, pr->tag, sizeof(f.tag));
	f.flags = path && path->proven ? PROBE_PROVEN : 0;
	if (!relay)
		f.observed = *from;
	send_frame(pr, &f, relay, from, 0);
}

/* --- looking --------------------------------------------------------------------------------- */

static void notice_traffic(struct prober *pr, uint64_t now)
{
	struct peer *p = peer_of(pr);

	if (p->dest.tx_packets != pr->tx_seen)
		pr->busy_until = now + BUSY_FOR;
	pr->tx_seen = p->dest.tx_packets;
	p->dest.idle = now >= pr->busy_until;
}

static void arm(struct prober *pr, uint64_t now)
{
	uint64_t at = MIN(MIN(MIN(prober_round_at(pr), pr->tell_at), pr->predict.next_at),
			  MIN(prober_keep_at(pr), mtu_next_at(pr)));
	bool often = !peer_of(pr)->dest.idle || pr->set.doubt.since || pr->set.stray_since;

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

void prober_run(void *prober)
{
	struct prober *pr = prober;
	uint64_t now = clock_now(peer_of(pr)->o->h);

	notice_traffic(pr, now);
	prober_watch(pr, now);
	prober_decide(pr, now);
	prober_keep(pr, now);
	prober_rounds(pr, now);
	predict_run(pr, now);
	mtu_run(pr, now);
	peer_push(peer_of(pr));
	arm(pr, now);
}

void prober_wake(struct peer *p)
{
	struct prober *pr = p->prober;
	uint64_t now = clock_now(p->o->h);

	p->dest.idle = false;
	pr->busy_until = now + BUSY_FOR;
	if (pr->next_at > now + LOOK_OFTEN) {
		pr->next_at = now + LOOK_OFTEN;
		timer_set(pr->timer, pr->next_at);
	}
}

/* --- what comes ------------------------------------------------------------------------------ */

static enum path_kind kind_of(const struct overlay *o, const struct addr *a)
{
	if (addr_is_private(a) || candidate_is_near(a, &o->around.home))
		return PATH_LAN;
	return addr_is_v4(a) ? PATH_PUBLIC : PATH_IP6;
}

static struct path *reflexive(struct prober *pr, const struct addr *from)
{
	struct overlay *o = peer_of(pr)->o;

	if (!candidate_ok(from, mlog_genesis(o->log)->subnet))
		return NULL;
	return pathset_add(&pr->set, label_new(&o->labels), kind_of(o, from), from);
}

/* A ping proves nothing about where it says that it comes from: it may be somebody else's. */
static bool may_pong(struct prober *pr, const struct path *path, uint64_t now)
{
	struct peer *p = peer_of(pr);

	if (path && (path->proven || path->kind == PATH_RELAY))
		return bucket_take(&p->pongs, 1, now);
	return bucket_take(&p->strange_pongs, 1, now) && bucket_take(&p->o->around.pongs, 1, now);
}

/*
 * Such a ping came before. A copy from elsewhere is left without an answer; but where the copy was
 * sooner, this is the real one, and its sender waits for a pong.
 */
static void on_repeated(struct prober *pr, const struct path *path, const struct probe *f,
			const struct udp_rx *rx, uint64_t now)
{
	const struct wire_candidates *named = &peer_of(pr)->from_peer;

	if (path &&
	    (path->proven || path->kind == PATH_RELAY || candidates_have(named, &path->to)) &&
	    bucket_take(&peer_of(pr)->repeated_pongs, 1, now))
		pong(pr, path, f, &rx->from);
}

static void on_ping(struct prober *pr, struct path *path, const struct probe *f,
		    const struct udp_rx *rx, uint64_t now)
{
	if (may_pong(pr, path, now))
		pong(pr, path, f, &rx->from);
	if (!path)
		return;
	path->theirs = f->flags & PROBE_PROVEN;
	path->heard++;
	path->local = rx->local;
	if ((f->flags & PROBE_URGENT) && path->label != pr->set.current &&
	    now - pr->urged_at >= NS_PER_S) {
		pr->urged_at = now;
		prober_doubt(pr, true, now);
	}
	if (!path->proven && now - path->last_ping >= PUNCH_SPREAD && punch_extra(&path->punch) &&
	    prober_may_ping(pr, path, now))
		prober_ping(pr, path, false, now);
}

static void on_pong(struct prober *pr, struct path *path, const struct probe *f, uint64_t now)
{
	struct overlay *o = peer_of(pr)->o;

	if (mtu_pong(path, f->nonce, now) || !path || !path_echo(path, f->nonce, now))
		return;
	path->theirs = f->flags & PROBE_PROVEN;
	path->punch.sent = 0;
	if (path->echoes < PATH_ECHOES_WANTED && path->punch.next == TIME_NEVER)
		punch_begin(&path->punch, now + PUNCH_SPREAD, 0, true);
	if (path->kind == PATH_PUBLIC)
		effects_around(o, nat_seen(&o->around, &path->to, &f->observed, now));
	if (o->ops->pong)
		o->ops->pong(o->ctx, peer_of(pr)->member, f->nonce,
			     path->kind == PATH_RELAY ? PEER_PATH_RELAY : PEER_PATH_DIRECT,
			     &path->to);
	if (path->kind == PATH_RELAY || addr_equal(&f->observed, &pr->seen))
		return;
	pr->seen = f->observed;
	effects_observed_by(peer_of(pr), &f->observed);
}

void prober_received(struct overlay *o, struct span frame, const struct udp_rx *rx,
		     struct peer *relay)
{
	struct probe f;
	struct peer *p = probe_decode(frame, &f) == 0 ? map_get(o->tags, f.tag) : NULL;
	struct prober *pr = p ? p->prober : NULL;
	uint64_t now = clock_now(o->h);
	struct path *path;

	if (!pr || (relay && relay != p) || probe_verify(frame, pr->key_in, hmac_sha256) < 0)
		return;
	path = relay ? pathset_relay(&pr->set) : pathset_of_addr(&pr->set, &rx->from);
	if (relay && !path)
		return;
	if (f.type == PROBE_PONG) {
		on_pong(pr, path, &f, now);
	} else if (window_allows(&pr->window, f.counter)) {
		window_take(&pr->window, f.counter);
		on_ping(pr, path ? path : reflexive(pr, &rx->from), &f, rx, now);
	} else {
		on_repeated(pr, path, &f, rx, now);
	}
	prober_run(pr);
}

/* --- what changes ---------------------------------------------------------------------------- */

static bool sync_candidates(struct prober *pr)
{
	struct peer *p = peer_of(pr);
	struct wire_candidates all = { 0 };
	bool grew = false;

	candidates_filter(&p->from_peer, &p->o->around.own, mlog_genesis(p->o->log)->subnet, &all);
	candidates_filter(&p->from_server, &p->o->around.own, mlog_genesis(p->o->log)->subnet,
			  &all);
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
		path = pathset_add(&pr->set, label_new(&p->o->labels), kind_of(p->o, &all.item[i]),
				   &all.item[i]);
		if (path)
			path->listed = grew = true;
	}
	return grew;
}

static bool sync_relay(struct prober *pr)
{
	struct peer *p = peer_of(pr);
	struct path *path = pathset_relay(&pr->set);

	if (!p->relay.on) {
		if (path && path->label == pr->set.current) {
			path_disprove(path);
			prober_doubt(pr, false, clock_now(p->o->h));
		} else if (path)
			path_remove(path);
		return false;
	}
	/* The other side may have been restarted: then it knows nothing of our connection. */
	if (path && path->label == pr->set.current &&
	    memcmp(pr->channel, p->relay.end.channel, sizeof(pr->channel)) != 0)
		peer_maybe_restarted(p);
	if (!path)
		path = pathset_add(&pr->set, p->relay.label, PATH_RELAY, &p->relay.server);
	else if (memcmp(pr->channel, p->relay.end.channel, sizeof(pr->channel)) == 0)
		return false;
	if (!path)
		return false;
	path->to = p->relay.server;
	path_disprove(path);
	memcpy(pr->channel, p->relay.end.channel, sizeof(pr->channel));
	return true;
}

void prober_candidates(struct peer *p)
{
	struct prober *pr = p->prober;
	bool changed;

	if (!pr)
		return;
	changed = sync_candidates(pr);
	changed |= sync_relay(pr);
	pr->word_due |= pr->word_for != pr->link->candidates_heard;
	if (changed)
		prober_round(pr, clock_now(p->o->h));
	prober_run(pr);
}

void prober_network_changed(struct peer *p)
{
	struct prober *pr = p->prober;
	uint64_t now = clock_now(p->o->h);

	if (!pr)
		return;
	for (size_t i = 0; i < PATHS_MAX; i++) {
		pr->set.path[i].echoes = 0;
		memset(&pr->set.path[i].local, 0, sizeof(pr->set.path[i].local));
	}
	mtu_suspect(pr);
	prober_doubt(pr, true, now);
	prober_round(pr, now);
	prober_run(pr);
}

void prober_test(struct peer *p)
{
	struct prober *pr = p->prober;

	if (!pr)
		return;
	prober_doubt(pr, false, clock_now(p->o->h));
	prober_run(pr);
}

void prober_path_changed(struct peer *p)
{
	struct prober *pr = p->prober;
	path_label label = pr ? quic_conn_label(pr->link->conn) : 0;

	if (!pr || label == pr->set.current)
		return;
	prober_moved(pr, label, clock_now(p->o->h));
	if (is_client(pr))
		control_observed(pr->link);
	prober_run(pr);
}

void prober_path_failed(struct peer *p, path_label label)
{
	struct path *path = p->prober ? pathset_of_label(&p->prober->set, label) : NULL;

	if (!path)
		return;
	path_disprove(path);
	p->prober->set.changed_at = clock_now(p->o->h);
	peer_push(p);
}

/* --- life ------------------------------------------------------------------------------------ */

static int derive_keys(struct prober *pr)
{
	struct span cluster_id = span_of(mlog_cluster_id(peer_of(pr)->o->log), HASH_LEN);
	struct probe_keys k = { 0 };
	int rc = probe_keys_export(quic_conn_exporter, pr->link->conn, cluster_id, &k);

	memcpy(pr->tag, k.tag, sizeof(pr->tag));
	memcpy(pr->key_out, is_client(pr) ? k.client : k.server, PROBE_KEY_LEN);
	memcpy(pr->key_in, is_client(pr) ? k.server : k.client, PROBE_KEY_LEN);
	secret_wipe(&k, sizeof(k));
	return rc;
}

/* The handshake has proven both sides' addresses. */
static void add_first(struct prober *pr, uint64_t now)
{
	const struct link *l = pr->link;
	enum path_kind kind = l->relayed ? PATH_RELAY : kind_of(peer_of(pr)->o, &l->to);
	struct path *path = pathset_add(&pr->set, l->label, kind, &l->to);

	path->local = l->local;
	path->proven = true;
	path->last_echo = now;
	pr->set.current = l->label;
	if (l->relayed)
		memcpy(pr->channel, peer_of(pr)->relay.end.channel, sizeof(pr->channel));
}

int prober_start(struct link *l)
{
	struct peer *p = l->peer;
	struct prober *pr;
	uint64_t now = clock_now(p->o->h);
	int rc;

	prober_free(p);
	pr = calloc(1, sizeof(*pr));
	if (!pr)
		return -ENOMEM;
	pr->link = l;
	doubt_end(&pr->set.doubt);
	predict_init(&pr->predict);
	pr->tell_at = pr->word_next = TIME_NEVER;
	pr->timer = timer_new(p->o->h, prober_run, pr);
	rc = pr->timer ? derive_keys(pr) : -ENOMEM;
	if (rc == 0)
		rc = map_put(p->o->tags, pr->tag, p);
	if (rc < 0) {
		timer_free(pr->timer);
		secret_wipe(pr, sizeof(*pr));
		free(pr);
		return rc;
	}
	p->prober = pr;
	p->mtu_label = 0;
	add_first(pr, now);
	sync_candidates(pr);
	sync_relay(pr);
	prober_first_round(pr, now);
	prober_run(pr);
	return 0;
}

void prober_free(struct peer *p)
{
	struct prober *pr = p->prober;

	if (!pr)
		return;
	p->prober = NULL;
	p->dest.idle = false;
	map_remove(p->o->tags, pr->tag);
	timer_free(pr->timer);
	secret_wipe(pr, sizeof(*pr));
	free(pr);
	peer_push(p);
}

size_t overlay_peer_paths(const struct overlay *o, const struct member *m,
			  struct peer_path_status *out, size_t max)
{
	const struct peer *p = peer_of_address(o, m->address);
	size_t n = 0;

	for (size_t i = 0; p && p->prober && i < PATHS_MAX && n < max; i++) {
		const struct path *path = &p->prober->set.path[i];

		if (path->label == 0)
			continue;
		out[n++] = (struct peer_path_status){
			.kind = (enum peer_path_kind)path->kind,
			.to = path->to,
			.in_use = path->label == p->prober->set.current,
			.named = path->listed,
			.proven = path->proven,
			.proven_by_them = path->theirs,
			.lost = path->lost,
			.pings = path->pings,
			.pongs = path->pongs,
			.heard = path->heard,
			.rtt_ns = path->rtt,
			.local = path->local,
			.last_echo = path->pongs ? path->last_echo : 0,
			.mtu_bytes = mtu_limit(&path->mtu),
		};
	}
	return n;
}
