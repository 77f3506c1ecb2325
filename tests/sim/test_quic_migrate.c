/* SPDX-License-Identifier: MIT */
/*
 * Migration between labels. Two nodes with three ways to each other:
 *
 *	label 1: over a relay that strips nothing and adds nothing, in frames with 9 bytes in front
 *	label 2: 192.0.2.x, label 3: 198.51.100.x, direct
 *
 * Both use a router of their own, as overlay does.
 */
#include "quic/socket.h"
#include "quic_sim.h"

#define RELAY 1
#define DIRECT_A 2
#define DIRECT_B 3
#define FRAME_BYTES 9
#define FRAME_TYPE 0x10

struct net {
	struct quic_pair p;
	struct host *relay_host;
	struct udp *relay;
	struct addr relay_addr;
	struct quic_router router[2];	/* client's, server's */
	struct way {
		struct net *n;
		struct addr peer[4], local[4]; /* by label */
		bool blocked[4];	/* datagrams of this label are not let out */
		path_label as;		/* what strangers' addresses count as; 0: dropped */
		uint64_t wrapped;
	} way[2];
};

static path_label way_label(void *ctx, struct quic_conn *c, const struct udp_rx *rx)
{
	struct way *w = ctx;

	for (path_label l = DIRECT_A; l <= DIRECT_B; l++) {
		if (addr_equal(&w->peer[l], &rx->from))
			return l;
	}
	return c && w->as ? quic_conn_label(c) : 0;
}

static bool way_route(void *ctx, struct quic_conn *c, path_label label, struct quic_route *ret)
{
	struct way *w = ctx;

	(void)c;
	if (label < RELAY || label > DIRECT_B || w->blocked[label])
		return false;
	*ret = (struct quic_route){ .to = w->peer[label],
				    .local = w->local[label],
				    .overhead = label == RELAY ? FRAME_BYTES : 0,
				    .payload_max = label == RELAY ? 1452 - FRAME_BYTES : 1452 };
	return true;
}

static void way_wrap(void *ctx, struct quic_conn *c, path_label label, uint8_t *frame, size_t len)
{
	struct way *w = ctx;

	(void)c;
	ck_assert_uint_eq(label, RELAY);
	ck_assert_uint_gt(len, FRAME_BYTES);
	frame[0] = FRAME_TYPE;
	memset(frame + 1, 0xaa, FRAME_BYTES - 1);
	w->wrapped++;
}

/* The socket's `other`: a frame of the relay. */
static void unwrap(void *ctx, struct udp_rx *rx)
{
	struct quic_node *node = ctx;
	struct udp_rx inner = *rx;

	node->others++;
	ck_assert(rx->len > FRAME_BYTES && rx->data[0] == FRAME_TYPE && rx->data[5] == 0xaa);
	inner.data += FRAME_BYTES;
	inner.len = inner.segment = rx->len - FRAME_BYTES;
	quic_socket_receive(node->s, &inner, RELAY);
}

static void relay_readable(void *ctx)
{
	struct net *n = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t count = udp_recv(n->relay, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < count; i++) {
		bool from_client = addr_ip4(&rx[i].from) == IP(192, 0, 2, 2);
		struct udp_tx tx = { .data = rx[i].data,
				     .len = rx[i].len,
				     .segment = rx[i].segment };

		tx.to = addr_v4(from_client ? IP(192, 0, 2, 1) : IP(192, 0, 2, 2), QUIC_SIM_PORT);
		ck_assert_uint_eq(udp_send(n->relay, &tx, 1), 1);
	}
}

static void node_open(struct net *n, struct quic_node *node, int which)
{
	struct quic_socket_config cfg = quic_node_config(node);

	n->router[which] = (struct quic_router){ .label = way_label,
						 .route = way_route,
						 .wrap = way_wrap,
						 .ctx = &n->way[which] };
	cfg.router = &n->router[which];
	cfg.other = unwrap;
	quic_node_open(node, &cfg);
}

static void net_start(struct net *n, uint64_t relay_delay, path_label first)
{
	struct udp_config relay = { .bind = { .port = QUIC_SIM_PORT } };
	struct link_params direct = { .delay_ns = NS_PER_MS, .rate_bps = 1000 * 1000 * 1000 };
	struct link_params half = { .delay_ns = relay_delay / 2, .rate_bps = 300 * 1000 * 1000 };
	struct quic_pin pin;
	struct addr a;

	memset(n, 0, sizeof(*n));
	quic_pair_hosts(&n->p);
	for (int i = 0; i < 2; i++) {
		struct host *h = i ? n->p.server.h : n->p.client.h;
		ip4 mine = i ? 1 : 2, theirs = i ? 2 : 1;

		a = addr_v4(IP(198, 51, 100, 0) + mine, 0);
		ck_assert_int_eq(world_host_addr(h, &a, "eth1"), 0);
		n->way[i].n = n;
		n->way[i].peer[RELAY] = addr_v4(IP(192, 0, 2, 9), QUIC_SIM_PORT);
		n->way[i].peer[DIRECT_A] = addr_v4(IP(192, 0, 2, 0) + theirs, QUIC_SIM_PORT);
		n->way[i].peer[DIRECT_B] = addr_v4(IP(198, 51, 100, 0) + theirs, QUIC_SIM_PORT);
		n->way[i].local[DIRECT_A] = addr_v4(IP(192, 0, 2, 0) + mine, 0);
		n->way[i].local[DIRECT_B] = addr_v4(IP(198, 51, 100, 0) + mine, 0);
	}
	n->relay_host = world_host(n->p.w, "relay", IP(192, 0, 2, 9));
	ck_assert_int_eq(udp_open(n->relay_host, &relay, relay_readable, n, NULL, &n->relay), 0);
	world_link_both(n->p.w, n->p.client.h, n->p.server.h, direct);
	world_link_both(n->p.w, n->p.client.h, n->relay_host, half);
	world_link_both(n->p.w, n->p.server.h, n->relay_host, half);
	node_open(n, &n->p.client, 0);
	node_open(n, &n->p.server, 1);
	pin = quic_node_pin(&n->p.server);
	n->p.ce = quic_end_new(&n->p.client, NULL);
	ck_assert_int_eq(quic_connect(n->p.client.s, &quic_sim_profile, &pin, first, NULL,
				      &quic_end_ops, n->p.ce, NULL, &n->p.ce->c),
			 0);
	sim_pass(n->p.w, 3 * NS_PER_S);
	SIM_CHECK(n->p.w, n->p.ce->connected && n->p.server.n_ends == 1);
	n->p.se = &n->p.server.end[0];
	SIM_CHECK(n->p.w, n->p.se->connected);
}

static void net_stop(struct net *n)
{
	udp_close(n->relay);
	quic_pair_stop(&n->p);
}

/* For that long, a datagram every millisecond both ways; then a while for the last to arrive. */
static void traffic(struct net *n, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		quic_end_datagrams(n->p.ce, 1);
		quic_end_datagrams(n->p.se, 1);
		sim_pass(n->p.w, NS_PER_MS);
	}
}

static void check_lost(struct net *n, uint32_t at_most)
{
	sim_pass(n->p.w, NS_PER_S);
	printf("client to server %u of %u, server to client %u of %u\n", n->p.se->got,
	       n->p.ce->sent,
	       n->p.ce->got, n->p.se->sent);
	fflush(stdout);
	SIM_CHECK(n->p.w, n->p.ce->sent == n->p.ce->to_send && n->p.se->sent == n->p.se->to_send);
	SIM_CHECK(n->p.w, n->p.se->got + at_most >= n->p.ce->sent);
	SIM_CHECK(n->p.w, n->p.ce->got + at_most >= n->p.se->sent);
	SIM_CHECK(n->p.w, n->p.se->doubled == 0 && n->p.ce->doubled == 0);
	SIM_CHECK(n->p.w, !n->p.ce->closed && !n->p.se->closed);
}

START_TEST(relay_carries_handshake_and_full_datagrams)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	SIM_CHECK(n.p.w,
		  quic_conn_label(n.p.ce->c) == RELAY && quic_conn_label(n.p.se->c) == RELAY);
	SIM_CHECK(n.p.w, n.p.client.others > 0 && n.p.server.others > 0);
	/* 1500 less IPv4 and UDP headers and the frame would be 1463. */
	SIM_CHECK(n.p.w, quic_conn_datagram_max(n.p.ce->c) >= 1412);
	n.p.ce->size = n.p.se->size = 1412;
	traffic(&n, 500);
	check_lost(&n, 0);
	SIM_CHECK(n.p.w, quic_socket_stats_get(n.p.server.s).retries_sent == 0);
	net_stop(&n);
}
END_TEST

/* Retry is for addresses, so the same over a direct label has one. */
START_TEST(direct_handshake_gets_a_retry)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, DIRECT_B);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.se->c) == DIRECT_B);
	SIM_CHECK(n.p.w, quic_socket_stats_get(n.p.server.s).retries_sent >= 1);
	traffic(&n, 100);
	check_lost(&n, 0);
	net_stop(&n);
}
END_TEST

static void migrate(struct net *n, path_label label, bool dead)
{
	int r;

	for (int tries = 0; tries < 100; tries++) {
		r = quic_conn_migrate(n->p.ce->c, label, dead);
		if (r != -EAGAIN)
			break;
		traffic(n, 5);
	}
	SIM_CHECK(n->p.w, r == 0);
}

static void switch_many(unsigned times, uint64_t every_ms, bool dead, uint64_t relay_delay,
			size_t size)
{
	static const path_label order[] = { DIRECT_A, DIRECT_B, RELAY, DIRECT_B, DIRECT_A, RELAY };
	struct net n;

	net_start(&n, relay_delay, RELAY);
	n.p.ce->size = n.p.se->size = size;
	traffic(&n, 100);
	for (unsigned i = 0; i < times; i++) {
		path_label to = order[i % ARRAY_LEN(order)];

		migrate(&n, to, dead);
		traffic(&n, every_ms);
		SIM_CHECK(n.p.w, quic_conn_label(n.p.ce->c) == to);
		SIM_CHECK(n.p.w, quic_conn_label(n.p.se->c) == to);
	}
	check_lost(&n, 0);
	SIM_CHECK(n.p.w, n.p.ce->paths_failed == 0);
	net_stop(&n);
}

START_TEST(fifty_switches_lose_nothing)
{
	switch_many(50, 300, false, 20 * NS_PER_MS, 200);
}
END_TEST

/*
 * Slower still, and packets of the relay would be overtaken by more than 128 of the direct path:
 * ngtcp2 gives them numbers of one byte, which can not be told apart then.
 */
START_TEST(fifty_switches_over_a_slow_relay_lose_nothing)
{
	switch_many(50, 500, false, 40 * NS_PER_MS, 200);
}
END_TEST

START_TEST(fifty_immediate_switches_lose_nothing)
{
	switch_many(50, 300, true, 20 * NS_PER_MS, 200);
}
END_TEST

START_TEST(full_size_datagrams_survive_switches)
{
	switch_many(50, 300, false, 20 * NS_PER_MS, 1400);
}
END_TEST

/*
 * Direct path dead in both directions: what is under way is lost, then all goes on over the relay.
 */
START_TEST(dead_path_is_left_at_once)
{
	struct net n;
	uint32_t before;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	migrate(&n, DIRECT_A, false);
	traffic(&n, 300);
	world_link_cut(n.p.w, n.p.client.h, n.p.server.h, true);
	traffic(&n, 100);
	before = n.p.se->got;
	migrate(&n, RELAY, true);
	traffic(&n, 25); /* one way of the relay, and a little */
	SIM_CHECK(n.p.w, n.p.se->got > before);
	traffic(&n, 500);
	check_lost(&n, 150);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.se->c) == RELAY);
	net_stop(&n);
}
END_TEST

/* The new path does not work: nothing is lost, the owner is told, another attempt is possible. */
START_TEST(failed_migration_changes_nothing)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	n.way[0].blocked[DIRECT_A] = true;
	migrate(&n, DIRECT_A, false);
	traffic(&n, 5000);
	SIM_CHECK(n.p.w, n.p.ce->paths_failed == 1);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.ce->c) == RELAY);
	n.way[0].blocked[DIRECT_A] = false;
	migrate(&n, DIRECT_A, false);
	traffic(&n, 200);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.ce->c) == DIRECT_A);
	check_lost(&n, 0);
	net_stop(&n);
}
END_TEST

/* A target under way is replaced by another one. */
START_TEST(migration_may_change_its_mind)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	n.way[0].blocked[DIRECT_A] = true;
	migrate(&n, DIRECT_A, false);
	traffic(&n, 100);
	migrate(&n, DIRECT_B, false);
	traffic(&n, 300);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.ce->c) == DIRECT_B);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.se->c) == DIRECT_B);
	check_lost(&n, 0);
	net_stop(&n);
}
END_TEST

START_TEST(servers_and_strangers_do_not_migrate)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	ck_assert_int_eq(quic_conn_migrate(n.p.se->c, DIRECT_A, false), -EINVAL);
	ck_assert_int_eq(quic_conn_migrate(n.p.ce->c, 0, false), -EINVAL);
	ck_assert_int_eq(quic_conn_migrate(n.p.ce->c, RELAY, false), 0); /* it is there already */
	traffic(&n, 50);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.se->c) == RELAY);
	quic_conn_close(n.p.ce->c, 0, "");
	ck_assert_int_eq(quic_conn_migrate(n.p.ce->c, DIRECT_A, false), -EINVAL);
	net_stop(&n);
}
END_TEST

/* Copies of the client's packets from a stranger's address neither move nor disturb the path. */
static bool copy_tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		     uint8_t *data, size_t *len)
{
	struct net *n = ctx;
	struct addr stranger = addr_v4(IP(203, 0, 113, 5), 4444);

	(void)src;
	if (from == n->p.client.h && addr_ip4(dst) == IP(192, 0, 2, 1))
		world_inject(n->p.w, &stranger, dst, 0, data, *len);
	return true;
}

START_TEST(copies_from_strangers_do_not_steal_the_path)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	n.way[1].as = 1; /* unproven addresses count as the current path, as in overlay */
	migrate(&n, DIRECT_A, false);
	traffic(&n, 200);
	world_tap(n.p.w, copy_tap, &n);
	traffic(&n, 500);
	SIM_CHECK(n.p.w, quic_conn_label(n.p.se->c) == DIRECT_A);
	check_lost(&n, 0);
	net_stop(&n);
}
END_TEST

/* The same under load: bulk both ways while switching. */
START_TEST(bulk_goes_on_across_switches)
{
	struct net n;
	uint32_t total = 60000;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	n.p.ce->size = n.p.se->size = 1200;
	quic_end_datagrams(n.p.ce, total);
	quic_end_datagrams(n.p.se, total);
	for (int i = 0; i < 20; i++) {
		SIM_CHECK(n.p.w,
			  quic_conn_migrate(n.p.ce->c, i % 2 ? RELAY : DIRECT_A, false) == 0);
		sim_pass(n.p.w, 250 * NS_PER_MS);
	}
	sim_pass(n.p.w, 5 * NS_PER_S);
	printf("bulk: %u and %u of %u\n", n.p.se->got, n.p.ce->got, total);
	SIM_CHECK(n.p.w, n.p.ce->sent == total && n.p.se->sent == total);
	SIM_CHECK(n.p.w, n.p.se->got > total * 9 / 10 && n.p.ce->got > total * 9 / 10);
	SIM_CHECK(n.p.w, n.p.se->doubled == 0 && n.p.ce->doubled == 0);
	net_stop(&n);
}
END_TEST

UNIT_MAIN("quic/migrate", relay_carries_handshake_and_full_datagrams, direct_handshake_gets_a_retry,
	  fifty_switches_lose_nothing, fifty_switches_over_a_slow_relay_lose_nothing,
	  fifty_immediate_switches_lose_nothing, full_size_datagrams_survive_switches,
	  dead_path_is_left_at_once, failed_migration_changes_nothing,
	  migration_may_change_its_mind, servers_and_strangers_do_not_migrate,
	  copies_from_strangers_do_not_steal_the_path, bulk_goes_on_across_switches)
