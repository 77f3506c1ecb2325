/* SPDX-License-Identifier: MIT */
/* The server's second port: members are told where they are seen, nobody else gets a byte. */
#include "crypto/hash.h"
#include "relay_kit.h"

static struct probe_keys keys_of(struct raw *r)
{
	struct span context = span_of(r->cluster_id, HASH_LEN);
	uint8_t both[2 * PROBE_KEY_LEN];
	struct probe_keys k;

	ck_assert_int_eq(quic_conn_export(r->c, PROBE_EXPORTER, context, both, sizeof(both)), 0);
	ck_assert_int_eq(quic_conn_export(r->c, PROBE_TAG_EXPORTER, context, k.tag, sizeof(k.tag)),
			 0);
	memcpy(k.client, both, PROBE_KEY_LEN);
	memcpy(k.server, both + PROBE_KEY_LEN, PROBE_KEY_LEN);
	return k;
}

static uint16_t ask_port(struct raw *r)
{
	struct signal_request rq = { .type = SIGNAL_ECHO };
	struct signal_reply reply;

	ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_NONE);
	return reply.echo_port;
}

/* Its nonce is its counter, too. */
static void ping(struct raw *from, const struct probe_keys *k, uint16_t port, uint64_t nonce)
{
	struct probe f = {
		.type = PROBE_PING, .len = PROBE_PING_MIN, .nonce = nonce, .counter = nonce
	};
	struct addr to = addr_v4(SIGNAL_SIM_IP, port);
	uint8_t buf[PROBE_PING_MIN];

	memcpy(f.tag, k->tag, sizeof(f.tag));
	ck_assert_int_eq(probe_encode(&f, k->client, hmac_sha256, buf, sizeof(buf)), sizeof(buf));
	quic_socket_send_other(from->socket, &to, buf, sizeof(buf));
	sim_pass(chan_g.w, 50 * NS_PER_MS);
}

/* The last frame that came: of this type, under the server's key, from that port. */
static struct probe last(struct raw *r, const struct probe_keys *k, enum probe_type type,
			 uint16_t port)
{
	struct span frame = span_of(r->frame, r->frame_len);
	struct probe f;

	ck_assert_int_eq(probe_decode(frame, &f), 0);
	ck_assert_int_eq(probe_verify(frame, k->server, hmac_sha256), 0);
	ck_assert_int_eq(f.type, type);
	ck_assert_uint_eq(r->frame_from.port, port);
	return f;
}

/* [P6-36] */
START_TEST(a_member_is_pinged_unasked_and_told_where_it_is_seen)
{
	struct probe_keys k;
	struct addr seen;
	uint16_t port;

	chan_begin();
	k = keys_of(chan_a);
	port = ask_port(chan_a);
	ck_assert_uint_eq(port, SIGNAL_PORT + 1);
	sim_pass(chan_g.w, 50 * NS_PER_MS);
	ck_assert_uint_eq(chan_a->frames, 2);
	/* Not from the port that the node is told: a NAT may remember who came unasked. */
	ck_assert_uint_ne(chan_a->frame_from.port, port);
	ck_assert_uint_ne(chan_a->frame_from.port, SIGNAL_PORT);
	last(chan_a, &k, PROBE_PING, chan_a->frame_from.port);
	ping(chan_a, &k, port, 77);
	ck_assert_uint_eq(chan_a->frames, 3);
	ck_assert_uint_eq(last(chan_a, &k, PROBE_PONG, port).nonce, 77);
	seen = last(chan_a, &k, PROBE_PONG, port).observed;
	ck_assert_uint_eq(seen.port, quic_socket_local(chan_a->socket).port);
	/* From elsewhere: the answer goes there. */
	ping(chan_b, &k, port, 78);
	ck_assert_uint_eq(chan_b->frames, 1);
	ck_assert_uint_eq(last(chan_b, &k, PROBE_PONG, port).observed.port,
			  quic_socket_local(chan_b->socket).port);
	chan_end();
}
END_TEST

/* [P6-39] */
START_TEST(nobody_else_gets_a_byte)
{
	struct probe_keys k, bad;
	uint16_t port;

	chan_begin();
	k = keys_of(chan_a);
	ping(chan_a, &k, SIGNAL_PORT + 1, 1); /* has not asked */
	ck_assert_uint_eq(chan_a->frames, 0);
	port = ask_port(chan_a);
	sim_pass(chan_g.w, 50 * NS_PER_MS);
	ck_assert_uint_eq(chan_a->frames, 2);
	bad = k;
	bad.client[5] ^= 1;
	ping(chan_a, &bad, port, 2);
	bad = k;
	bad.tag[0] ^= 1;
	ping(chan_a, &bad, port, 3);
	bad = k;
	memcpy(bad.client, k.server, PROBE_KEY_LEN); /* its own, sent back */
	ping(chan_a, &bad, port, 4);
	bad = keys_of(chan_b);
	ping(chan_b, &bad, port, 5); /* a member that has not asked */
	ck_assert_uint_eq(chan_a->frames, 2);
	ck_assert_uint_eq(chan_b->frames, 0);
	ping(chan_a, &k, SIGNAL_PORT, 6); /* the first port does not count */
	ck_assert_uint_eq(chan_a->frames, 2);
	raw_hang_up(chan_a);
	sim_pass(chan_g.w, 2 * NS_PER_S);
	ping(chan_b, &k, port, 7); /* with the keys of a session that has ended */
	ck_assert_uint_eq(chan_b->frames, 0);
	chan_end();
}
END_TEST

/* [P6-38] */
START_TEST(a_copy_of_a_ping_gets_nothing)
{
	struct probe_keys k;
	uint16_t port;

	chan_begin();
	k = keys_of(chan_a);
	port = ask_port(chan_a);
	ping(chan_a, &k, port, 10);
	ck_assert_uint_eq(chan_a->frames, 3);
	for (unsigned i = 0; i < 100; i++)
		ping(chan_b, &k, port, 10); /* somebody else has seen it */
	ping(chan_b, &k, port, 9);
	ck_assert_uint_eq(chan_b->frames, 0);
	ping(chan_a, &k, port, 11);
	ck_assert_uint_eq(chan_a->frames, 4);
	chan_end();
}
END_TEST

/* [P6-39] */
START_TEST(a_session_gets_no_more_than_its_share)
{
	struct probe_keys k;
	unsigned before;
	uint16_t port;

	chan_begin();
	k = keys_of(chan_a);
	port = ask_port(chan_a);
	for (uint64_t i = 0; i < 100; i++)
		ping(chan_a, &k, port, i);
	/* 16 at once, two of them the unasked ones, and two a second for five seconds. */
	ck_assert_uint_le(chan_a->frames, 16 + 10 + 1);
	ck_assert_uint_ge(chan_a->frames, 16 + 8);
	before = chan_a->frames;
	for (int i = 0; i < 50; i++)
		ck_assert_uint_eq(ask_port(chan_a), port);
	ck_assert_uint_le(chan_a->frames, before + 2 + 2 * 10);
	chan_end();
}
END_TEST

/* The next port belongs to somebody else: any other will do. */
START_TEST(a_taken_port_is_replaced_by_another)
{
	struct udp_config cfg = { .bind = { .port = SIGNAL_PORT + 1 } };
	struct udp *u;
	uint16_t port;

	sig_init(&chan_g, "100.64.0.0/10");
	ck_assert_int_eq(udp_open(chan_g.h, &cfg, NULL, NULL, NULL, &u), 0);
	sig_open(&chan_g);
	chan_a = raw_founder(&chan_g);
	chan_b = raw_member(chan_a, "laptop");
	port = ask_port(chan_a);
	ck_assert_uint_ne(port, 0);
	ck_assert_uint_ne(port, SIGNAL_PORT + 1);
	udp_close(u);
	chan_end();
}
END_TEST

static void begin_with(uint16_t second_port, bool none)
{
	sig_init(&chan_g, "100.64.0.0/10");
	chan_g.cfg.second_port = second_port;
	chan_g.cfg.no_second_port = none;
	sig_open(&chan_g);
	chan_a = raw_founder(&chan_g);
	chan_b = raw_member(chan_a, "laptop");
}

START_TEST(another_port_may_be_named_or_none)
{
	begin_with(5000, false);
	ck_assert_uint_eq(ask_port(chan_a), 5000);
	chan_end();
	begin_with(0, true);
	ck_assert_uint_eq(ask_port(chan_a), 0);
	sim_pass(chan_g.w, 50 * NS_PER_MS);
	ck_assert_uint_eq(chan_a->frames, 0);
	chan_end();
}
END_TEST

UNIT_MAIN("sim/signal_echo", a_member_is_pinged_unasked_and_told_where_it_is_seen,
	  nobody_else_gets_a_byte, a_copy_of_a_ping_gets_nothing,
	  a_session_gets_no_more_than_its_share, a_taken_port_is_replaced_by_another,
	  another_port_may_be_named_or_none)
