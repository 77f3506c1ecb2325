/* SPDX-License-Identifier: MIT */
/* DNS over TCP: queries cut and joined in all ways, and what a client cannot make the node do. */
#include "mesh.h"
#include "os/sim/stream.h"
#include "tund/dns_tcp.h"

#define PORT 5300
#define CLIENT IP(100, 64, 0, 9)

static struct mesh *m;
static struct mesh_node *nas;
static struct dns_tcp *server;

static void setup(void)
{
	struct dns_names names = { 0 };
	struct addr at;

	m = mesh_of(sim_seed(), 2);
	nas = &m->node[0];
	at = addr_v4(nas->address, PORT);
	names.log = tunnel_log(mesh_tunnel(nas));
	names.self = tunnel_self(mesh_tunnel(nas));
	SIM_CHECK_OK(m->w, dns_tcp_new(nas->daemon_host, &at, &names, NULL, &server));
	MESH_CHECK(m, dns_tcp_port(server) == PORT);
}

static void teardown(void)
{
	dns_tcp_free(server);
	mesh_free(m);
}

static struct stream *client(ip4 ip)
{
	struct addr from = addr_v4(ip, 40000), to = addr_v4(nas->address, PORT);
	struct stream *s = stream_open(nas->daemon_host, &from, &to);

	MESH_CHECK(m, s != NULL);
	sim_pass(m->w, MS);
	return s;
}

/* "laptop.homelab A" with its length in front. */
static size_t query(uint8_t id, uint8_t out[64])
{
	static const uint8_t name[] = "\6laptop\7homelab\0\0\1\0\1";
	size_t len = 12 + sizeof(name) - 1;

	memset(out, 0, 64);
	store_be16(out, (uint16_t)len);
	out[3] = id;
	out[4] = 1;
	out[7] = 1;
	memcpy(out + 2 + 12, name, sizeof(name) - 1);
	return 2 + len;
}

/* Takes one answer off the stream: laptop's address, to the query of that number. */
static void expect_answer(struct stream *s, uint8_t id)
{
	uint8_t len[2], data[DNS_MESSAGE_MAX];
	size_t n;

	MESH_CHECK(m, stream_receive(s, len, 2) == 2);
	n = load_be16(len);
	MESH_CHECK(m, n > 12 && n <= sizeof(data) && stream_receive(s, data, n) == n);
	MESH_CHECK(m, data[1] == id && (data[3] & 15) == 0 && data[7] == 1);
	MESH_CHECK(m, load_be32(data + n - 4) == m->node[1].address);
}

static bool is_empty(struct stream *s)
{
	uint8_t byte;

	return stream_receive(s, &byte, 1) == 0;
}

START_TEST(queries_are_answered_however_they_are_cut)
{
	struct stream *s;
	uint8_t q[64], all[20 * 64];
	size_t len, n = 0;

	setup();
	s = client(CLIENT);
	for (uint8_t i = 0; i < 20; i++) { /* all at once: RFC 7766 section 6.2.1.1 */
		len = query(i, q);
		memcpy(all + n, q, len);
		n += len;
	}
	MESH_CHECK(m, stream_send(s, all, n) == n);
	sim_pass(m->w, MS);
	for (uint8_t i = 0; i < 20; i++)
		expect_answer(s, i);
	for (size_t i = 0; i < n; i++) { /* byte by byte */
		MESH_CHECK(m, stream_send(s, all + i, 1) == 1);
		sim_pass(m->w, MS);
	}
	for (uint8_t i = 0; i < 20; i++)
		expect_answer(s, i);
	MESH_CHECK(m, is_empty(s) && !stream_is_closed(s));
	/* a client that has said all it wants still gets its answers */
	MESH_CHECK(m, stream_send(s, all, n) == n);
	stream_finish(s);
	sim_pass(m->w, MS);
	for (uint8_t i = 0; i < 20; i++)
		expect_answer(s, i);
	MESH_CHECK(m, stream_is_closed(s) && stream_count(nas->daemon_host) == 0);
	stream_close(s);
	teardown();
}
END_TEST

START_TEST(what_is_no_query_ends_the_connection)
{
	static const uint8_t too_long[2] = { 0xff, 0xff }, empty[2] = { 0 };
	struct stream *s[3];
	uint8_t q[64];
	size_t len;

	setup();
	for (size_t i = 0; i < 3; i++)
		s[i] = client(CLIENT);
	len = query(1, q);
	q[4] |= 0x80; /* a response */
	stream_send(s[0], q, len);
	stream_send(s[1], too_long, sizeof(too_long));
	stream_send(s[2], empty, sizeof(empty));
	sim_pass(m->w, MS);
	for (size_t i = 0; i < 3; i++) {
		MESH_CHECK(m, stream_is_closed(s[i]) && is_empty(s[i]));
		stream_close(s[i]);
	}
	MESH_CHECK(m, stream_count(nas->daemon_host) == 0);
	teardown();
}
END_TEST

/* Bytes that never become a query do not keep a connection open; queries do. */
START_TEST(who_does_not_ask_is_let_go)
{
	struct stream *idle, *slow, *busy;
	uint8_t q[64];
	size_t len;

	setup();
	idle = client(CLIENT);
	slow = client(CLIENT);
	busy = client(CLIENT);
	len = query(7, q);
	for (int i = 0; i < 12; i++) {
		stream_send(slow, q + i, 1);
		MESH_CHECK(m, stream_send(busy, q, len) == len);
		sim_pass(m->w, SECOND);
		expect_answer(busy, 7);
		MESH_CHECK(m, stream_is_closed(idle) == (i >= 9));
	}
	MESH_CHECK(m, stream_is_closed(slow) && !stream_is_closed(busy));
	MESH_CHECK(m, stream_count(nas->daemon_host) == 1);
	stream_close(idle);
	stream_close(slow);
	stream_close(busy);
	sim_pass(m->w, MS);
	MESH_CHECK(m, stream_count(nas->daemon_host) == 0);
	teardown();
}
END_TEST

/* A client that reads nothing is not read from either, and is let go; answers are not lost. */
START_TEST(who_does_not_read_is_not_read)
{
	struct stream *s;
	uint8_t q[64];
	size_t len, sent = 0, got = 0, taken;

	setup();
	s = client(CLIENT);
	len = query(3, q);
	for (int i = 0; i < 5000; i++) {
		taken = stream_send(s, q, len);
		if (taken < len)
			break;
		sent++;
		sim_pass(m->w, MS / 100);
	}
	MESH_CHECK(m, taken < len && sent > 100 && sent < 2000);
	while (got < sent) {
		expect_answer(s, 3);
		got++;
		sim_pass(m->w, MS / 100);
	}
	stream_close(s);
	s = client(CLIENT);
	for (int i = 0; i < 5000 && stream_send(s, q, len) == len; i++)
		sim_pass(m->w, MS / 100);
	sim_pass(m->w, 11 * SECOND);
	MESH_CHECK(m, stream_is_closed(s) && stream_count(nas->daemon_host) == 0);
	stream_close(s);
	teardown();
}
END_TEST

/* A client that opens as many as it can pushes its own ones out, not another's. */
START_TEST(connections_are_bounded)
{
	struct stream *many[3 * DNS_TCP_CONNS_MAX], *other;
	uint8_t q[64];
	size_t len = query(5, q), open = 0;

	setup();
	other = client(CLIENT + 1);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = client(CLIENT);
		MESH_CHECK(m, stream_count(nas->daemon_host) <= DNS_TCP_CONNS_MAX);
	}
	MESH_CHECK(m, stream_send(other, q, len) == len);
	MESH_CHECK(m, stream_send(many[ARRAY_LEN(many) - 1], q, len) == len);
	sim_pass(m->w, MS);
	expect_answer(other, 5);
	expect_answer(many[ARRAY_LEN(many) - 1], 5);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		open += !stream_is_closed(many[i]);
		stream_close(many[i]);
	}
	MESH_CHECK(m, open == DNS_TCP_CONNS_MAX - 1);
	stream_close(other);
	teardown();
}
END_TEST

START_TEST(garbage_is_survived)
{
	struct unit_rng rng = unit_rng_new("dns_tcp garbage");

	setup();
	for (int i = 0; i < 200; i++) {
		struct stream *s = client(CLIENT + (ip4)unit_random_below(&rng, 3));
		uint8_t data[512];
		size_t len = query(1, data);

		unit_random_bytes(&rng, data + len, sizeof(data) - len);
		for (uint64_t flips = unit_random_below(&rng, 4); flips > 0; flips--)
			data[unit_random_below(&rng, len)] ^= (uint8_t)unit_random(&rng);
		stream_send(s, data, unit_random_below(&rng, sizeof(data)));
		if (unit_random_below(&rng, 2))
			stream_finish(s);
		sim_pass(m->w, MS);
		stream_close(s);
	}
	sim_pass(m->w, MS);
	MESH_CHECK(m, stream_count(nas->daemon_host) == 0);
	teardown();
}
END_TEST

UNIT_MAIN("tund/dns_tcp", queries_are_answered_however_they_are_cut,
	  what_is_no_query_ends_the_connection, who_does_not_ask_is_let_go,
	  who_does_not_read_is_not_read, connections_are_bounded, garbage_is_survived)
