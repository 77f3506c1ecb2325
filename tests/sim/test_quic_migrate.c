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
	struct quic_router router[2]; /* client's, server's */
	struct way {
		struct net *n;
		struct addr peer[4], local[4]; /* by label */
		bool blocked[4];	       /* datagrams of this label are not let out */
		path_label as;		       /* what strangers' addresses count as; 0: dropped */
		size_t largest;		       /* frame */
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

static bool way_endpoint(void *ctx, struct quic_conn *c, path_label label,
			 struct quic_endpoint *ret)
{
	struct way *w = ctx;

	(void)c;
	if (label < RELAY || label > DIRECT_B || w->blocked[label])
		return false;
	*ret = (struct quic_endpoint){ .to = w->peer[label],
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
	w->largest = MAX(w->largest, len);
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
						 .endpoint = way_endpoint,
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
	quic_pair_mark(&n->p);
}

static void net_stop(struct net *n)
{
	udp_close(n->relay);
	quic_pair_stop(&n->p);
}

/* For that long, a message every millisecond both ways. */
static void traffic(struct net *n, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		quic_end_messages(n->p.ce, 1);
		quic_end_messages(n->p.se, 1);
		sim_pass(n->p.w, NS_PER_MS);
	}
}

static void check_way(struct net *n, const struct quic_end *from, const struct quic_end *to,
		      uint64_t slowest_ms)
{
	struct quic_conn_info info;
	int64_t missing = quic_missing(from, to);

	quic_conn_info_get(from->c, &info);
	printf("%s: %u of %u, slowest %.1f ms, longest gap %.1f ms; of %llu packets %lld missing, "
	       "%llu taken for lost\n",
	       from == n->p.ce ? "client to server" : "server to client", to->got, from->to_send,
	       (double)to->slowest / 1e6, (double)to->longest_gap / 1e6,
	       (unsigned long long)(info.tx_packets - from->tx_mark), (long long)missing,
	       (unsigned long long)info.lost_packets);
	fflush(stdout);
	SIM_CHECK(n->p.w, to->got == from->to_send && !from->closed);
	SIM_CHECK(n->p.w, to->slowest <= slowest_ms * NS_PER_MS);
}

/*
 * After a while, so that the last have arrived: all messages are there, in order and once, and none
 * took longer than that.
 */
static void check_messages(struct net *n, uint64_t slowest_ms)
{
	sim_pass(n->p.w, NS_PER_S);
	check_way(n, n->p.ce, n->p.se, slowest_ms);
	check_way(n, n->p.se, n->p.ce, slowest_ms);
}

/*
 * And every packet that went out was read. A message that had to be sent again would have taken
 * more than a round trip; with all packets there, each takes the way itself.
 */
static void check_nothing_lost(struct net *n, uint64_t way_ms)
{
	check_messages(n, way_ms + 2);
	SIM_CHECK(n->p.w, quic_missing(n->p.ce, n->p.se) == 0);
	SIM_CHECK(n->p.w, quic_missing(n->p.se, n->p.ce) == 0);
}

START_TEST(relay_carries_handshake_and_full_packets)
{
	struct quic_conn_info info;
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	SIM_CHECK(n.p.w,
		  quic_conn_label(n.p.ce->c) == RELAY && quic_conn_label(n.p.se->c) == RELAY);
	SIM_CHECK(n.p.w, n.p.client.others > 0 && n.p.server.others > 0);
	quic_conn_info_get(n.p.ce->c, &info);
	SIM_CHECK(n.p.w, info.max_udp_payload == 1452 - FRAME_BYTES);
	n.p.ce->size = n.p.se->size = 1400;
	traffic(&n, 500);
	check_nothing_lost(&n, 4 * 20); /* the congestion window is small at first */
	SIM_CHECK(n.p.w, n.way[0].largest == 1452 && n.way[1].largest == 1452);
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
	check_nothing_lost(&n, 1);
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

/* Fifty times, after each of which there are messages for that long. */
static void switch_many(struct net *n, uint64_t every_ms, bool dead)
{
	static const path_label order[] = { DIRECT_A, DIRECT_B, RELAY, DIRECT_B, DIRECT_A, RELAY };

	traffic(n, 100);
	for (unsigned i = 0; i < 50; i++) {
		path_label to = order[i % ARRAY_LEN(order)];

		migrate(n, to, dead);
		traffic(n, every_ms);
		SIM_CHECK(n->p.w, quic_conn_label(n->p.ce->c) == to);
		SIM_CHECK(n->p.w, quic_conn_label(n->p.se->c) == to);
	}
	SIM_CHECK(n->p.w, n->p.ce->paths_failed == 0);
}

/* [P6-69] [P6-70] */
START_TEST(fifty_switches_lose_nothing)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	switch_many(&n, 300, false);
	check_nothing_lost(&n, 20);
	net_stop(&n);
}
END_TEST

/*
 * The last packets of the relay come later than ngtcp2 keeps the connection ID that they are sent
 * to. They are sent again before they are missed by much.
 */
START_TEST(fifty_switches_over_a_slow_relay_delay_little)
{
	struct net n;

	net_start(&n, 40 * NS_PER_MS, RELAY);
	switch_many(&n, 500, false);
	check_messages(&n, 2 * 40);
	net_stop(&n);
}
END_TEST

START_TEST(fifty_immediate_switches_lose_nothing)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	switch_many(&n, 300, true);
	check_nothing_lost(&n, 20);
	net_stop(&n);
}
END_TEST

/*
 * The congestion window is small at first on each path, so that messages wait over the relay; those
 * that then go the direct way overtake packets by more than 128, and a few cannot be read (see
 * below).
 */
START_TEST(full_size_packets_survive_switches)
{
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	n.p.ce->size = n.p.se->size = 1400;
	switch_many(&n, 300, false);
	check_messages(&n, 5 * 20);
	SIM_CHECK(n.p.w, quic_missing(n.p.ce, n.p.se) < 50 && quic_missing(n.p.se, n.p.ce) < 50);
	net_stop(&n);
}
END_TEST

/*
 * Direct path dead in both directions: what is under way is lost, and sent again over the relay.
 */
START_TEST(dead_path_is_left_at_once)
{
	struct quic_conn_info before, after;
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	migrate(&n, DIRECT_A, false);
	traffic(&n, 300);
	world_link_cut(n.p.w, n.p.client.h, n.p.server.h, true);
	traffic(&n, 100);
	quic_conn_info_get(n.p.se->c, &before);
	migrate(&n, RELAY, true);
	traffic(&n, 25); /* one way of the relay, and a little */
	quic_conn_info_get(n.p.se->c, &after);
	SIM_CHECK(n.p.w, after.rx_packets > before.rx_packets);
	traffic(&n, 500);
	check_messages(&n, 100 + 3 * 40);
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
	check_messages(&n, 22);
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
	check_messages(&n, 22);
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

/* [P6-71] */
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
	check_messages(&n, 22);
	net_stop(&n);
}
END_TEST

/*
 * The same under load: bulk both ways while switching, which goes on on every path. On a faster
 * direct path more than 128 packets would overtake those that test the relay: ngtcp2 gives them
 * numbers of one byte, which cannot be told apart then, and the path is not changed.
 */
START_TEST(bulk_goes_on_across_switches)
{
	struct link_params direct = { .delay_ns = NS_PER_MS, .rate_bps = 30 * 1000 * 1000 };
	uint64_t least[2] = { UINT64_MAX, UINT64_MAX };
	struct net n;

	net_start(&n, 20 * NS_PER_MS, RELAY);
	world_link_both(n.p.w, n.p.client.h, n.p.server.h, direct);
	quic_end_stream(n.p.ce, false, 1000 * 1000 * 1000);
	quic_end_stream(n.p.se, false, 1000 * 1000 * 1000);
	for (int i = 0; i < 20; i++) {
		path_label to = i % 2 ? RELAY : DIRECT_A;
		uint64_t before[2] = { n.p.se->rx_bytes, n.p.ce->rx_bytes };

		SIM_CHECK(n.p.w, quic_conn_migrate(n.p.ce->c, to, false) == 0);
		sim_pass(n.p.w, 250 * NS_PER_MS);
		SIM_CHECK(n.p.w, quic_conn_label(n.p.ce->c) == to);
		SIM_CHECK(n.p.w, quic_conn_label(n.p.se->c) == to);
		least[0] = MIN(least[0], n.p.se->rx_bytes - before[0]);
		least[1] = MIN(least[1], n.p.ce->rx_bytes - before[1]);
	}
	printf("bulk: %llu and %llu KB, at least %llu and %llu in 250 ms\n",
	       (unsigned long long)n.p.se->rx_bytes / 1000,
	       (unsigned long long)n.p.ce->rx_bytes / 1000, (unsigned long long)least[0] / 1000,
	       (unsigned long long)least[1] / 1000);
	fflush(stdout);
	SIM_CHECK(n.p.w, least[0] > 200 * 1000 && least[1] > 200 * 1000);
	SIM_CHECK(n.p.w, !n.p.ce->closed && !n.p.se->closed);
	net_stop(&n);
}
END_TEST

UNIT_MAIN("quic/migrate", relay_carries_handshake_and_full_packets, direct_handshake_gets_a_retry,
	  fifty_switches_lose_nothing, fifty_switches_over_a_slow_relay_delay_little,
	  fifty_immediate_switches_lose_nothing, full_size_packets_survive_switches,
	  dead_path_is_left_at_once, failed_migration_changes_nothing,
	  migration_may_change_its_mind, servers_and_strangers_do_not_migrate,
	  copies_from_strangers_do_not_steal_the_path, bulk_goes_on_across_switches)
