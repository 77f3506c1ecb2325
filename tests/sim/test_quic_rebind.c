/* SPDX-License-Identifier: MIT */
/* Addresses that change below a connection, with the built-in router: QUIC validates them. */
#include "quic/socket.h"
#include "quic_sim.h"

static ip4 seen_by_server(const struct quic_pair *p)
{
	struct addr a = { .port = 0 };

	ck_assert(quic_conn_remote_addr(p->se->c, &a));
	return addr_is_v4(&a) ? addr_ip4(&a) : 0;
}

START_TEST(server_follows_a_client_that_moves)
{
	struct quic_pair p;

	quic_pair_start(&p);
	SIM_CHECK(p.w, seen_by_server(&p) == IP(192, 0, 2, 2));
	for (unsigned i = 0; i < 20; i++) {
		ip4 now = IP(192, 0, 2, 20) + i;

		world_host_roam(p.client.h, now);
		quic_end_messages(p.ce, 1);
		sim_pass(p.w, NS_PER_S);
		SIM_CHECK(p.w, seen_by_server(&p) == now && p.se->told_addr == now);
		SIM_CHECK(p.w, p.se->got == i + 1);
		quic_end_stream(p.ce, false, 50000);
		quic_end_stream(p.se, false, 50000);
		sim_pass(p.w, 2 * NS_PER_S);
		SIM_CHECK(p.w, p.se->rx_ends == i + 1 && p.ce->rx_ends == i + 1);
	}
	/* Not one message came later than its first packet takes. */
	SIM_CHECK(p.w, p.se->slowest == LINK_DEFAULT.delay_ns);
	SIM_CHECK(p.w, !p.ce->closed && !p.se->closed);
	quic_pair_stop(&p);
}
END_TEST

/* --- a stranger who sees the packets, and delivers copies sooner from elsewhere --- */

struct stranger {
	struct quic_pair *p;
	unsigned copies, told;
};

static const struct addr stranger_addr = { .ip = { [10] = 0xff, 0xff, 203, 0, 113, 5 },
					   .port = 4444 };

static bool copy_tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		     uint8_t *data, size_t *len)
{
	struct stranger *s = ctx;

	(void)src;
	if (from == s->p->client.h && addr_equal(dst, &s->p->server_addr)) {
		world_inject(s->p->w, &stranger_addr, dst, 0, data, *len);
		s->copies++;
	}
	if (from == s->p->server.h && addr_equal(dst, &stranger_addr))
		s->told++;
	return true;
}

START_TEST(unvalidated_address_is_not_believed)
{
	struct quic_pair p;
	struct stranger s = { .p = &p };
	struct link_params slow = LINK_DEFAULT;

	quic_pair_hosts(&p);
	slow.delay_ns = 20 * NS_PER_MS; /* the copies are faster */
	world_link_both(p.w, p.client.h, p.server.h, slow);
	quic_pair_open(&p);
	quic_pair_connect(&p);
	world_tap(p.w, copy_tap, &s);
	for (int i = 0; i < 2000; i++) {
		quic_end_messages(p.ce, 1);
		sim_pass(p.w, NS_PER_MS);
		SIM_CHECK(p.w, seen_by_server(&p) == IP(192, 0, 2, 2));
	}
	world_tap(p.w, NULL, NULL);
	printf("%u copies, %u packets to the stranger\n", s.copies, s.told);
	fflush(stdout);
	SIM_CHECK(p.w, s.copies > 1000 && s.told < 100);
	sim_pass(p.w, 5 * NS_PER_S);
	SIM_CHECK(p.w, p.se->got == p.ce->sent && p.ce->sent == 2000);
	SIM_CHECK(p.w, p.se->slowest <= slow.delay_ns);
	/* It ends with the copies: the real address again, and all works. */
	quic_end_stream(p.se, false, 50000);
	sim_pass(p.w, 2 * NS_PER_S);
	SIM_CHECK(p.w, p.ce->rx_ends == 1 && seen_by_server(&p) == IP(192, 0, 2, 2));
	quic_pair_stop(&p);
}
END_TEST

/* The server's packets from an address that the client did not ask for are dropped. */
static bool forge_tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		      uint8_t *data, size_t *len)
{
	struct stranger *s = ctx;

	(void)src;
	if (from != s->p->server.h)
		return true;
	world_inject(s->p->w, &stranger_addr, dst, 0, data, *len);
	s->copies++;
	return false;
}

START_TEST(client_knows_its_server)
{
	struct quic_pair p;
	struct stranger s = { .p = &p };

	quic_pair_start(&p);
	world_tap(p.w, forge_tap, &s);
	for (int i = 0; i < 5; i++) {
		quic_end_messages(p.se, 1);
		sim_pass(p.w, 200 * NS_PER_MS);
	}
	SIM_CHECK(p.w, s.copies >= 5 && p.ce->got == 0);
	SIM_CHECK(p.w, quic_socket_stats_get(p.client.s).dropped_unknown >= s.copies);
	world_tap(p.w, NULL, NULL);
	sim_pass(p.w, 5 * NS_PER_S);
	SIM_CHECK(p.w, p.ce->got == 5);
	quic_pair_stop(&p);
}
END_TEST

/* Bulk goes in packets of the size that the path takes, none of which vanishes for it. */
static bool size_tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		     uint8_t *data, size_t *len)
{
	size_t *largest = ctx;

	(void)from;
	(void)src;
	(void)dst;
	(void)data;
	*largest = MAX(*largest, *len);
	return true;
}

static void check_full_packets(struct quic_pair *p, size_t size)
{
	struct quic_conn_info info;
	size_t largest = 0;

	quic_conn_info_get(p->ce->c, &info);
	SIM_CHECK(p->w, info.max_udp_payload == size);
	quic_pair_mark(p);
	world_tap(p->w, size_tap, &largest);
	quic_end_stream(p->ce, false, 100 * 1000);
	sim_pass(p->w, 2 * NS_PER_S);
	world_tap(p->w, NULL, NULL);
	SIM_CHECK(p->w, p->se->rx_bytes == 100 * 1000 && p->se->rx_ends == 1);
	SIM_CHECK(p->w, largest == size);
	SIM_CHECK(p->w, quic_missing(p->ce, p->se) == 0 && quic_missing(p->se, p->ce) == 0);
}

START_TEST(ipv6_and_ipv4_on_one_socket)
{
	struct addr six[2];
	struct quic_pair p;
	struct quic_pin pin;

	ck_assert_int_eq(addr_parse_ip("2001:db8::1", &six[0]), 0);
	ck_assert_int_eq(addr_parse_ip("2001:db8::2", &six[1]), 0);
	quic_pair_hosts(&p);
	ck_assert_int_eq(world_host_addr(p.server.h, &six[0], "eth0"), 0);
	ck_assert_int_eq(world_host_addr(p.client.h, &six[1], "eth0"), 0);
	quic_pair_open(&p);
	quic_pair_connect(&p);
	pin = quic_node_pin(&p.server);
	six[0].port = QUIC_SIM_PORT;
	p.ce = quic_node_connect(&p.client, &pin, six[0]);
	SIM_CHECK(p.w, world_run(p.w, 5 * NS_PER_S, quic_end_done, p.ce));
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, p.ce->connected && p.server.n_ends == 2);
	p.se = &p.server.end[1];
	check_full_packets(&p, 1452);
	quic_pair_stop(&p);
}
END_TEST

/* Paths of every size: no packet is longer than what fits, none much shorter. */
START_TEST(path_size_is_found)
{
	static const unsigned mtus[] = {
		1500, 1492, 1440, 1420, 1400, 1380, 1360, 1300, 1280, 1260
	};

	for (size_t i = 0; i < ARRAY_LEN(mtus); i++) {
		struct link_params link = LINK_DEFAULT;
		struct quic_pair p;
		struct quic_conn_info info;
		size_t max;

		link.mtu_bytes = mtus[i];
		quic_pair_hosts(&p);
		world_link_both(p.w, p.server.h, p.client.h, link);
		quic_pair_open(&p);
		quic_pair_connect(&p);
		sim_pass(p.w, 20 * NS_PER_S);
		quic_conn_info_get(p.ce->c, &info);
		max = info.max_udp_payload;
		SIM_CHECK(p.w, max >= QUIC_PAYLOAD_MIN && max + 28 <= mtus[i]);
		SIM_CHECK(p.w, max + 28 + 50 > mtus[i] || mtus[i] == 1500);
		check_full_packets(&p, max);
		quic_pair_stop(&p);
	}
}
END_TEST

UNIT_MAIN("quic/rebind", server_follows_a_client_that_moves, unvalidated_address_is_not_believed,
	  client_knows_its_server, ipv6_and_ipv4_on_one_socket, path_size_is_found)
