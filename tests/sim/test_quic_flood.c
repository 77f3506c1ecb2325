/* SPDX-License-Identifier: MIT */
/*
 * Strangers: spoofed Initials, stolen tokens, garbage of every size. What they can cost is bounded,
 * and nobody is ever sent more than they (or whoever used their address) sent.
 */
#include <malloc.h>

#include "quic/socket.h"
#include "quic_sim.h"

#define CAPTURE_MAX 32

struct capture {
	struct quic_pair *p;
	uint8_t data[CAPTURE_MAX][1500];
	size_t len[CAPTURE_MAX];
	size_t n;
	bool to_server_only;
	/* per datagram that somebody outside sent: what the server sent there */
	uint64_t in_bytes, out_bytes, out_largest;
	bool counting;
	bool swallow; /* the client's packets do not arrive */
	uint8_t reply[1500];
	size_t reply_len;
};

static bool tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		uint8_t *data, size_t *len)
{
	struct capture *c = ctx;

	(void)src;
	(void)dst;
	if (from == c->p->client.h) {
		if (c->n < CAPTURE_MAX) {
			memcpy(c->data[c->n], data, *len);
			c->len[c->n++] = *len;
		}
		return !c->swallow;
	}
	if (from == c->p->server.h && c->counting) {
		c->out_bytes += *len;
		c->out_largest = MAX(c->out_largest, *len);
		memcpy(c->reply, data, *len);
		c->reply_len = *len;
	}
	return true;
}

static void start(struct quic_pair *p, struct capture *c, const struct quic_socket_config *server)
{
	struct quic_socket_config cfg = server ? *server : quic_node_config(&p->server);

	memset(c, 0, sizeof(*c));
	c->p = p;
	quic_node_open(&p->server, &cfg);
	cfg = quic_node_config(&p->client);
	quic_node_open(&p->client, &cfg);
	world_tap(p->w, tap, c);
}

static void inject(struct quic_pair *p, struct capture *c, struct addr src, const void *data,
		   size_t len)
{
	c->in_bytes += len;
	world_inject(p->w, &src, &p->server_addr, 0, data, len);
}

static struct addr stranger(unsigned i)
{
	return addr_v4(IP(198, 51, 100, 0) + (i >> 8), (uint16_t)(1024 + (i & 0xff)));
}

/* The datagrams of a client's first flight, which never arrive. */
static void capture_initials(struct quic_pair *p, struct capture *c)
{
	struct quic_pin pin = quic_node_pin(&p->server);

	c->swallow = true;
	p->ce = quic_node_connect(&p->client, &pin, p->server_addr);
	sim_pass(p->w, 10 * NS_PER_MS);
	SIM_CHECK(p->w, c->n >= 2 && c->len[0] >= 1200);
	quic_conn_free(p->ce->c);
	p->ce->c = NULL;
	sim_pass(p->w, 10 * NS_PER_MS);
	c->swallow = false;
	c->counting = true;
}

START_TEST(initials_get_a_retry_and_no_memory)
{
	struct quic_socket_stats st;
	struct quic_pair p;
	struct capture c;
	struct mallinfo2 before, after;

	quic_pair_hosts(&p);
	start(&p, &c, NULL);
	capture_initials(&p, &c);
	inject(&p, &c, stranger(0), c.data[0], c.len[0]); /* first uses of the library */
	sim_pass(p.w, NS_PER_S);
	before = mallinfo2();
	for (unsigned i = 0; i < 10000; i++) {
		inject(&p, &c, stranger(i), c.data[0], c.len[0]);
		if (i % 16 == 0)
			sim_pass(p.w, NS_PER_MS);
	}
	sim_pass(p.w, NS_PER_S);
	after = mallinfo2();
	st = quic_socket_stats_get(p.server.s);
	SIM_CHECK(p.w, st.half_open == 0 && st.accepted == 0);
	SIM_CHECK(p.w, st.retries_sent >= 10000);
	SIM_CHECK(p.w, map_count(p.server.s->cids) == 0 && map_count(p.server.s->sources) == 0);
	SIM_CHECK(p.w, after.uordblks < before.uordblks + 1024 * 1024);
	SIM_CHECK(p.w, c.out_largest < 1200 && c.out_bytes < c.in_bytes);
	quic_pair_stop(&p);
}
END_TEST

/*
 * Strangers with good Initials who never say more: up to retry_above they cost memory for a while,
 * past it they must prove their address, and max_half_open is never passed.
 */
static void check_half_open(size_t max_half_open, size_t retry_above, size_t expected)
{
	struct quic_socket_config cfg;
	struct quic_socket_stats st;
	struct quic_pair p;
	struct capture c;

	quic_pair_hosts(&p);
	cfg = quic_node_config(&p.server);
	cfg.max_half_open = max_half_open;
	cfg.retry_above = retry_above;
	start(&p, &c, &cfg);
	for (unsigned client = 0; client < 60; client++) {
		memset(&c, 0, sizeof(c));
		c.p = &p;
		p.client.n_ends = 0;
		capture_initials(&p, &c);
		for (unsigned i = 0; i < 170; i++)
			inject(&p, &c, stranger(client), c.data[0], c.len[0]);
		sim_pass(p.w, 10 * NS_PER_MS);
		st = quic_socket_stats_get(p.server.s);
		SIM_CHECK(p.w, st.half_open <= expected && c.out_bytes <= 3 * c.in_bytes);
	}
	SIM_CHECK(p.w, st.half_open == expected);
	SIM_CHECK(p.w,
		  retry_above < max_half_open ? st.retries_sent > 1000 : st.refused_limit > 1000);
	p.client.n_ends = 0;
	sim_pass(p.w, 12 * NS_PER_S);
	st = quic_socket_stats_get(p.server.s);
	SIM_CHECK(p.w, st.half_open == 0 && p.server.n_ends == 0);
	SIM_CHECK(p.w, map_count(p.server.s->initials) == 0);
	world_tap(p.w, NULL, NULL);
	quic_pair_connect(&p); /* and it still serves */
	quic_pair_stop(&p);
}

START_TEST(half_open_handshakes_are_capped)
{
	check_half_open(40, 1000, 40);
	check_half_open(40, 30, 30);
}
END_TEST

/* Begins `n` handshakes from one address with good tokens and stops in the middle of each. */
START_TEST(one_source_can_not_take_all_places)
{
	struct quic_socket_stats st;
	struct quic_pair p;
	struct quic_pin pin;

	pin = quic_pair_ready(&p);
	for (int i = 0; i < 12; i++)
		(void)quic_node_connect(&p.client, &pin, p.server_addr);
	/* Retry takes a round trip (10 ms), the ClientHello another: cut in between. */
	sim_pass(p.w, 17 * NS_PER_MS);
	world_link_cut(p.w, p.server.h, p.client.h, true);
	st = quic_socket_stats_get(p.server.s);
	SIM_CHECK(p.w, st.half_open == 8 && st.refused_limit >= 4);
	world_link_cut(p.w, p.server.h, p.client.h, false);
	sim_pass(p.w, 8 * NS_PER_S);
	for (size_t i = 0; i < p.client.n_ends; i++)
		SIM_CHECK(p.w, p.client.end[i].connected); /* repeated, they come through */
	st = quic_socket_stats_get(p.server.s);
	SIM_CHECK(p.w, st.half_open == 0);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(rate_of_one_source_is_limited)
{
	struct quic_socket_config cfg;
	struct quic_pair p;
	struct quic_pin pin;
	struct quic_end *e;

	quic_pair_hosts(&p);
	cfg = quic_node_config(&p.server);
	cfg.accepts_per_s = 1; /* burst 10 */
	quic_node_open(&p.server, &cfg);
	cfg = quic_node_config(&p.client);
	quic_node_open(&p.client, &cfg);
	pin = quic_node_pin(&p.server);
	for (int i = 0; i < 10; i++) {
		e = quic_node_connect(&p.client, &pin, p.server_addr);
		SIM_CHECK(p.w, world_run(p.w, 90 * NS_PER_MS, quic_end_done, e));
		quic_conn_close(e->c, 0, "");
	}
	e = quic_node_connect(&p.client, &pin, p.server_addr);
	(void)world_run(p.w, 50 * NS_PER_MS, quic_end_done, e);
	SIM_CHECK(p.w, !e->connected && quic_socket_stats_get(p.server.s).refused_rate > 0);
	SIM_CHECK(p.w, world_run(p.w, 9 * NS_PER_S, quic_end_done, e) && e->connected);
	quic_pair_stop(&p);
}
END_TEST

/*
 * A client connects, and what it answers to the Retry does not arrive. The first packet of it, in
 * the capture.
 */
static size_t swallow_token(struct quic_pair *p, struct capture *c)
{
	struct quic_pin pin = quic_node_pin(&p->server);

	p->ce = quic_node_connect(&p->client, &pin, p->server_addr);
	sim_pass(p->w, 7 * NS_PER_MS);
	c->swallow = true;
	return c->n;
}

/* A token works for the address it was given to, and for no other, port included. */
START_TEST(token_of_another_address_is_refused)
{
	struct quic_socket_stats st;
	struct quic_pair p;
	struct capture c;
	size_t with_token;

	quic_pair_hosts(&p);
	start(&p, &c, NULL);
	with_token = swallow_token(&p, &c);
	sim_pass(p.w, 8 * NS_PER_MS);
	c.swallow = false;
	SIM_CHECK(p.w, c.n > with_token);
	c.counting = true;
	inject(&p, &c, addr_v4(IP(192, 0, 2, 3), QUIC_SIM_PORT), c.data[with_token],
	       c.len[with_token]);
	inject(&p, &c, addr_v4(IP(192, 0, 2, 2), QUIC_SIM_PORT + 1), c.data[with_token],
	       c.len[with_token]);
	sim_pass(p.w, 20 * NS_PER_MS);
	st = quic_socket_stats_get(p.server.s);
	SIM_CHECK(p.w, st.half_open == 0 && map_count(p.server.s->cids) == 0);
	SIM_CHECK(p.w, c.out_bytes > 0 && c.out_largest < 100); /* INVALID_TOKEN, briefly */
	/* From its own address it is good. */
	inject(&p, &c, addr_v4(IP(192, 0, 2, 2), QUIC_SIM_PORT), c.data[with_token],
	       c.len[with_token]);
	sim_pass(p.w, 6 * NS_PER_MS);
	st = quic_socket_stats_get(p.server.s);
	SIM_CHECK(p.w, st.half_open == 1);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(old_token_is_refused)
{
	struct quic_pair p;
	struct capture c;
	size_t with_token;

	quic_pair_hosts(&p);
	start(&p, &c, NULL);
	with_token = swallow_token(&p, &c);
	sim_pass(p.w, 11 * NS_PER_S);
	inject(&p, &c, addr_v4(IP(192, 0, 2, 2), QUIC_SIM_PORT), c.data[with_token],
	       c.len[with_token]);
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, quic_socket_stats_get(p.server.s).half_open == 0);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(unknown_version_gets_the_list)
{
	struct quic_pair p;
	struct capture c;
	uint8_t packet[1200] = { 0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0 };

	quic_pair_hosts(&p);
	start(&p, &c, NULL);
	c.counting = true;
	inject(&p, &c, stranger(1), packet, sizeof(packet));
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, c.reply_len == 1 + 4 + 1 + 1 + 8 + 4);
	SIM_CHECK(p.w, load_be32(c.reply + 1) == 0 && load_be32(c.reply + 15) == 1);
	c.reply_len = 0;
	inject(&p, &c, stranger(2), packet, 1199); /* too short to be worth an answer */
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, c.reply_len == 0);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(resets_are_smaller_and_bounded)
{
	struct quic_pair p;
	struct capture c;
	uint8_t packet[1500] = { 0x41 };

	quic_pair_hosts(&p);
	start(&p, &c, NULL);
	c.counting = true;
	for (size_t len = 1; len < 100; len++) {
		uint64_t before = c.out_bytes;

		inject(&p, &c, stranger((unsigned)len), packet, len);
		sim_pass(p.w, 100 * NS_PER_MS);
		SIM_CHECK(p.w, c.out_bytes - before < len);
	}
	SIM_CHECK(p.w, c.out_bytes > 0);
	c.out_bytes = 0;
	for (unsigned i = 0; i < 5000; i++) {
		inject(&p, &c, stranger(i), packet, 1200);
		if (i % 16 == 0)
			sim_pass(p.w, NS_PER_MS / 10);
	}
	sim_pass(p.w, 10 * NS_PER_MS);
	SIM_CHECK(p.w, c.out_bytes <= 300 * 43);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(garbage_of_any_size_is_dropped)
{
	struct unit_rng rng = { .state = sim_seed() };
	struct quic_pair p;
	struct capture c;
	uint8_t packet[1500];

	quic_pair_start(&p);
	memset(&c, 0, sizeof(c));
	c.p = &p;
	world_tap(p.w, tap, &c);
	c.counting = true;
	for (unsigned i = 0; i < 20000; i++) {
		size_t len = unit_random_below(&rng, sizeof(packet) + 1);
		struct addr src = i % 4 ? stranger(i) : addr_v4(IP(192, 0, 2, 2), QUIC_SIM_PORT);

		unit_random_bytes(&rng, packet, len);
		if (len > 20 && i % 3 == 0) { /* looks like an Initial of version 1 */
			packet[0] = (uint8_t)(0xc0 | (packet[0] & 0x0f));
			store_be32(packet + 1, 1);
			packet[5] = (uint8_t)(packet[5] % 21);
		}
		if (len > 20 && i % 7 == 0) { /* with one of our connection ids */
			size_t pos = 0;
			void *cid;

			if (map_next(p.server.s->cids, &pos, &cid))
				memcpy(packet + 1, ((struct cid *)cid)->bytes, CID_LEN);
			packet[0] = 0x40 | (packet[0] & 0x3f);
		}
		inject(&p, &c, src, packet, len);
		if (i % 16 == 0)
			sim_pass(p.w, NS_PER_MS);
	}
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, !p.se->closed && !p.ce->closed && p.server.n_ends == 1);
	SIM_CHECK(p.w, c.out_bytes < c.in_bytes);
	SIM_CHECK(p.w, p.server.others > 0);
	world_tap(p.w, NULL, NULL);
	quic_end_stream(p.ce, true, 100000);
	sim_pass(p.w, 5 * NS_PER_S);
	SIM_CHECK(p.w, p.se->rx_bytes == 100000);
	quic_pair_stop(&p);
}
END_TEST

/* Every byte of the first flights changed once: no crash, no connection that should not be. */
START_TEST(changed_handshakes_end_well)
{
	for (unsigned which = 0; which < 400; which++) {
		struct unit_rng rng = { .state = sim_seed() * 1000 + which };
		struct quic_pair p;
		struct capture c;
		struct quic_pin pin;

		quic_pair_hosts(&p);
		start(&p, &c, NULL);
		capture_initials(&p, &c);
		for (size_t i = 0; i < c.n; i++) {
			c.data[i][unit_random_below(&rng, 60)] ^=
				(uint8_t)(1 + unit_random_below(&rng, 255));
			inject(&p, &c, addr_v4(IP(192, 0, 2, 2), QUIC_SIM_PORT), c.data[i],
			       c.len[i]);
		}
		pin = quic_node_pin(&p.server);
		(void)quic_node_connect(&p.client, &pin, p.server_addr);
		sim_pass(p.w, 200 * NS_PER_MS);
		quic_pair_stop(&p);
	}
}
END_TEST

UNIT_MAIN("quic/flood", initials_get_a_retry_and_no_memory, half_open_handshakes_are_capped,
	  one_source_can_not_take_all_places, rate_of_one_source_is_limited,
	  token_of_another_address_is_refused, old_token_is_refused, unknown_version_gets_the_list,
	  resets_are_smaller_and_bounded, garbage_of_any_size_is_dropped,
	  changed_handshakes_end_well)
