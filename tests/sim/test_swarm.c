/* SPDX-License-Identifier: MIT */
/*
 * Five hundred nodes of one cluster that lose their server at the same moment: real sessions, each
 * on a machine of its own, without tunnels. What the server gets to do a second is bounded by the
 * nodes' own waiting, and all are back soon.
 */
#include "client/session.h"
#include "signal/caller.h"
#include "signal_steps.h"

#ifdef __SANITIZE_ADDRESS__
#define NODES 120 /* ten times as slow */
#else
#define NODES 500
#endif
#define SERVER_NAME "signal.example"
#define MS NS_PER_MS
#define SECOND NS_PER_S

struct light {
	struct host *h;
	struct identity *id;
	struct quic_socket *socket;
	struct session *session;
	struct cluster_file cluster;
	unsigned resets; /* of presence */
	unsigned online; /* items of presence since the last one */
};

struct swarm {
	struct sig g;
	unsigned n;
	struct mlog *log; /* of all of them: it does not grow any more */
	struct light node[NODES];
	/* what the nodes send to the server, by the first packets of handshakes */
	uint64_t initials;
	uint64_t window_at; /* of a second */
	uint64_t in_window, peak;
};

/* --- what the sessions say -------------------------------------------------------------------- */

static void on_state(void *ctx)
{
	(void)ctx;
}

static void on_grew(void *ctx)
{
	(void)ctx;
	ck_abort_msg("the log grew");
}

static void on_fork(void *ctx, const struct log_proof *proof)
{
	(void)ctx, (void)proof;
	ck_abort_msg("a fork");
}

static void on_presence(void *ctx, const struct member *m, bool online,
			const struct wire_candidates *c)
{
	struct light *n = ctx;

	(void)c;
	n->resets += m == NULL;
	n->online = m ? n->online + online : 0;
}

static void on_observed(void *ctx, const struct addr *a, const struct addr *server)
{
	(void)server;
	(void)ctx, (void)a;
}

static void on_stopped(void *ctx, const struct err *err)
{
	(void)ctx;
	ck_abort_msg("stopped: %s", err->text);
}

static const struct session_ops ops = {
	.state = on_state,
	.log_grew = on_grew,
	.fork = on_fork,
	.presence = on_presence,
	.observed = on_observed,
	.stopped = on_stopped,
};

/* --- the swarm -------------------------------------------------------------------------------- */

/* Long header, type Initial, from a node: RFC 9000 section 17.2.2. */
static bool count_initials(void *ctx, struct host *from, const struct addr *src,
			   const struct addr *dst, uint8_t *data, size_t *len)
{
	struct swarm *s = ctx;
	uint64_t now = world_now(s->g.w);

	(void)src, (void)dst;
	if (from == s->g.h || *len < 1200 || (data[0] & 0xf0) != 0xc0)
		return true;
	s->initials++;
	if (now - s->window_at >= SECOND) {
		s->window_at = now;
		s->in_window = 0;
	}
	s->in_window++;
	s->peak = MAX(s->peak, s->in_window);
	return true;
}

/* A member whose raw client has joined becomes a light node. */
static void light_init(struct swarm *s, struct light *n, struct raw *r)
{
	const struct genesis *x = mlog_genesis(s->log);
	struct cluster_file *f = &n->cluster;
	struct quic_socket_config cfg = { .identity = r->id };

	n->h = r->h;
	n->id = r->id;
	snprintf(f->cluster, sizeof(f->cluster), "%s", x->name);
	memcpy(f->cluster_id, r->cluster_id, HASH_LEN);
	f->node_id = identity_node_id(r->id);
	f->address = r->address;
	f->subnet = x->subnet;
	snprintf(f->signal_host, sizeof(f->signal_host), "%s", SERVER_NAME);
	f->signal_port = SIGNAL_PORT;
	memcpy(f->signal_cert, x->server.cert, HASH_LEN);
	memcpy(f->signal_key, x->server.key, HASH_LEN);
	memcpy(f->node_token, r->token, HASH_LEN);
	raw_hang_up(r);
	quic_socket_close(r->socket);
	free(r);
	SIM_CHECK_OK(s->g.w, quic_socket_open(n->h, &cfg, NULL, &n->socket));
}

static void swarm_join(struct swarm *s)
{
	struct raw *founder = raw_new(&s->g);
	char name[16];

	raw_setup(founder, s->g.code, "homelab", NULL);
	s->log = founder->log;
	for (unsigned i = 1; i < s->n; i++) {
		struct raw_invite inv = raw_invite(founder);
		struct raw *r = raw_new(&s->g);

		snprintf(name, sizeof(name), "n%u", i);
		r->log = s->log;
		raw_adopt(r, &inv, name);
		light_init(s, &s->node[i], r);
	}
	light_init(s, &s->node[0], founder);
}

static size_t count_up(const struct swarm *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct session_status st;

		session_status_get(s->node[i].session, &st);
		n += st.state == SESSION_UP;
	}
	return n;
}

static bool all_up(void *ctx)
{
	struct swarm *s = ctx;

	return signal_server_stats_get(s->g.s).sessions == s->n && count_up(s) == s->n;
}

static struct swarm *swarm_new(unsigned n)
{
	struct swarm *s = calloc(1, sizeof(*s));
	struct addr at = addr_v4(SIGNAL_SIM_IP, 0);

	ck_assert_ptr_nonnull(s);
	s->n = n;
	sig_start(&s->g);
	SIM_CHECK_OK(s->g.w, world_dns_set(s->g.w, SERVER_NAME, &at));
	swarm_join(s);
	for (size_t i = 0; i < s->n; i++) {
		struct light *l = &s->node[i];
		struct wire_candidates c = { .n = 1 };

		c.item[0] = addr_v4(IP(203, 0, 113, 7), (uint16_t)(10000 + i));
		SIM_CHECK_OK(s->g.w, session_new(l->h, l->socket, &l->cluster, l->id, s->log, &ops,
						 l, NULL, &l->session));
		session_set_candidates(l->session, &c);
	}
	world_tap(s->g.w, count_initials, s);
	return s;
}

static void swarm_free(struct swarm *s)
{
	for (size_t i = 0; i < s->n; i++) {
		session_free(s->node[i].session);
		quic_socket_close(s->node[i].socket);
		identity_free(s->node[i].id);
	}
	mlog_free(s->log);
	sig_stop(&s->g);
	free(s);
}

/* --- measuring -------------------------------------------------------------------------------- */

struct load {
	uint64_t took;			  /* until all were back */
	uint64_t initials, initials_peak; /* ever; most in a second */
	uint64_t requests, requests_peak;
};

/* Runs until all are back; fails after `within`. */
static struct load measure(struct swarm *s, uint64_t within, const char *what)
{
	uint64_t begin = world_now(s->g.w), first = sig_stats(&s->g).requests, last = first;
	struct load l = { 0 };

	s->initials = s->in_window = s->peak = 0;
	while (!all_up(s)) {
		uint64_t now;

		SIM_CHECK(s->g.w, world_now(s->g.w) - begin < within);
		for (int i = 0; i < 10 && !all_up(s); i++)
			sim_pass(s->g.w, 100 * MS);
		now = sig_stats(&s->g).requests;
		l.requests_peak = MAX(l.requests_peak, now - last);
		last = now;
	}
	l.took = world_now(s->g.w) - begin;
	l.initials = s->initials;
	l.initials_peak = s->peak;
	l.requests = last - first;
	printf("%s: all back after %.1f s; handshake packets %llu, at most %llu in a second; "
	       "requests %llu, at most %llu in a second\n",
	       what, (double)l.took / 1e9, (unsigned long long)l.initials,
	       (unsigned long long)l.initials_peak, (unsigned long long)l.requests,
	       (unsigned long long)l.requests_peak);
	fflush(stdout);
	return l;
}

static void swarm_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

static bool is_stopped(void *ctx)
{
	return *(bool *)ctx;
}

/* As SIGTERM does: everybody is told at once. */
static void server_stop(struct swarm *s)
{
	bool stopped = false;

	signal_server_stop(s->g.s, swarm_stopped, &stopped);
	SIM_CHECK(s->g.w, world_run(s->g.w, 3 * SECOND, is_stopped, &stopped));
	sig_crash(&s->g);
}

/* A handshake is three packets of 1200 bytes that begin as Initials do; five requests follow. */
#define PACKETS 3
#define REQUESTS 5
#define CALM_PER_S 700 /* in a second: no load, however much in step */

/* Each node has seen all the others. */
static void check_presence(struct swarm *s)
{
	sim_pass(s->g.w, 2 * SECOND);
	for (size_t i = 0; i < s->n; i++)
		SIM_CHECK(s->g.w, s->node[i].online >= s->n - 1);
}

/*
 * Killed and started again at once: a node notices when the server calls it back, or by the answer
 * to its next keep-alive, each at its own time, so that they are not in step.
 */
START_TEST(server_is_killed_and_restarted)
{
	struct swarm *s = swarm_new(NODES);
	struct load l = measure(s, 5 * SECOND, "first start");

	SIM_CHECK(s->g.w, l.requests <= REQUESTS * NODES);
	sim_pass(s->g.w, 15 * SECOND);
	sig_crash(&s->g);
	sig_boot(&s->g);
	l = measure(s, 10 * SECOND, "killed and restarted");
	SIM_CHECK(s->g.w, l.took <= 4500 * MS);
	SIM_CHECK(s->g.w, l.initials <= (PACKETS + 1) * NODES);
	SIM_CHECK(s->g.w, l.initials_peak <= MAX(PACKETS * NODES * 2 / 3, CALM_PER_S));
	SIM_CHECK(s->g.w, l.requests <= (REQUESTS + 1) * NODES);
	SIM_CHECK(s->g.w, l.requests_peak <= MAX(REQUESTS * NODES * 2 / 3, CALM_PER_S));
	check_presence(s);
	swarm_free(s);
}
END_TEST

/* All are told at the same instant, and their first attempts find nobody yet. */
/* [P3-82] */
START_TEST(server_is_stopped_and_restarted)
{
	struct swarm *s = swarm_new(NODES);
	struct load l;

	measure(s, 5 * SECOND, "first start");
	sim_pass(s->g.w, 15 * SECOND);
	server_stop(s);
	sim_pass(s->g.w, 500 * MS);
	sig_boot(&s->g);
	l = measure(s, 15 * SECOND, "stopped and restarted");
	SIM_CHECK(s->g.w, l.initials_peak <= MAX(PACKETS * NODES * 2 / 3, CALM_PER_S));
	SIM_CHECK(s->g.w, l.requests <= (REQUESTS + 1) * NODES);
	SIM_CHECK(s->g.w, l.requests_peak <= MAX(REQUESTS * NODES * 2 / 3, CALM_PER_S));
	check_presence(s);
	swarm_free(s);
}
END_TEST

/* While it is away they try every few seconds, and when it returns they come one after another. */
START_TEST(server_is_away_for_a_while)
{
	struct swarm *s = swarm_new(NODES);
	struct load l;
	uint64_t tried;

	measure(s, 5 * SECOND, "first start");
	sim_pass(s->g.w, 15 * SECOND);
	sig_crash(&s->g);
	sim_pass(s->g.w, 30 * SECOND);
	s->initials = s->peak = s->in_window = 0;
	sim_pass(s->g.w, 60 * SECOND);
	tried = s->initials;
	printf("away: %llu handshake packets in a minute, at most %llu in a second\n",
	       (unsigned long long)tried, (unsigned long long)s->peak);
	fflush(stdout);
	/* an attempt of each in eight seconds or so, and they are not in step */
	SIM_CHECK(s->g.w, tried <= 60 * NODES && s->peak <= 2 * NODES + NODES / 2);
	sig_boot(&s->g);
	l = measure(s, 15 * SECOND, "away for 90 s");
	SIM_CHECK(s->g.w, l.initials_peak <= 2 * NODES);
	SIM_CHECK(s->g.w, l.requests_peak <= REQUESTS * NODES / 2);
	SIM_CHECK(s->g.w, l.requests <= (REQUESTS + 1) * NODES);
	check_presence(s);
	swarm_free(s);
}
END_TEST

/* A session that did not last was of no use: nodes that begin again with short waits after
 * it hammer at a server that is in trouble. */
START_TEST(server_that_fails_again_and_again)
{
	enum { FEW = 100, ROUNDS = 20 };
	struct swarm *s = swarm_new(FEW);
	uint64_t begun = 0, late = 0;

	measure(s, 5 * SECOND, "first start");
	sim_pass(s->g.w, 15 * SECOND);
	for (int i = 0; i < ROUNDS; i++) {
		server_stop(s);
		sig_boot(&s->g);
		sim_pass(s->g.w, SECOND);
		begun += sig_stats(&s->g).sessions;
		late += i >= ROUNDS / 2 ? sig_stats(&s->g).sessions : 0;
	}
	printf("%d rounds of a second: %.1f sessions a node, %.1f in the second half\n", ROUNDS,
	       (double)begun / FEW, (double)late / FEW);
	SIM_CHECK(s->g.w, begun <= ROUNDS / 2 * FEW && late <= ROUNDS / 5 * FEW);
	/* it lasts: all are back, and the next loss finds short waits again */
	measure(s, 10 * SECOND, "lasting");
	sim_pass(s->g.w, 15 * SECOND);
	server_stop(s);
	sig_boot(&s->g);
	measure(s, 2500 * MS, "lost again"); /* it asks them to wait for a second */
	swarm_free(s);
}
END_TEST

UNIT_MAIN("sim/swarm", server_is_killed_and_restarted, server_is_stopped_and_restarted,
	  server_is_away_for_a_while, server_that_fails_again_and_again)
