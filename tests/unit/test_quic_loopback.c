/* SPDX-License-Identifier: MIT */
/*
 * Two sockets of the real machine: batches, GSO and GRO as the kernel does them, a full socket
 * buffer.
 */
#include "identity/identity.h"
#include "os_unit.h"
#include "quic/quic.h"

#define DATAGRAMS 50000

static const struct quic_profile profile = {
	.alpn = "mlsh-test/1",
	.datagrams = true,
	.max_remote_uni = 4,
	.stream_window_bytes = 1024 * 1024,
	.conn_window_bytes = 4 * 1024 * 1024,
	.stream_send_bytes = 1024 * 1024,
	.handshake_timeout = 10 * NS_PER_S,
	.idle_timeout = 30 * NS_PER_S,
};

static const struct quic_profile *const serve[] = { &profile, NULL };

struct end {
	struct host *h;
	struct identity *id;
	struct quic_socket *s;
	struct quic_conn *c;
	bool connected;
	uint32_t to_send, sent, got;
	size_t bytes;
	uint8_t packet[1400];
};

static void end_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct end *e = ctx;

	if (ev->type == QUIC_CONNECTED) {
		e->connected = true;
		if (!quic_conn_is_server(c))
			loop_stop(e->h);
	} else if (ev->type == QUIC_STREAM_READABLE) {
		bool fin;
		size_t n = quic_stream_peek(c, ev->stream, &fin).len;

		e->bytes += n;
		quic_stream_consume(c, ev->stream, n);
		if (fin)
			loop_stop(e->h);
	} else {
		ck_assert_int_ne(ev->type, QUIC_CLOSED);
	}
}

static void end_datagram(void *ctx, struct quic_conn *c, const uint8_t *data, size_t len)
{
	struct end *e = ctx;

	(void)c;
	ck_assert_uint_eq(len, sizeof(e->packet));
	ck_assert(data[0] == 0x45);
	e->got++;
}

static bool end_next(void *ctx, struct quic_conn *c, struct quic_datagram *ret)
{
	struct end *e = ctx;

	if (e->sent >= e->to_send || quic_conn_datagram_max(c) < sizeof(e->packet))
		return false;
	ret->piece[0] = span_of(e->packet, 1);
	ret->piece[1] = span_of(e->packet + 1, sizeof(e->packet) - 1);
	return true;
}

static void end_taken(void *ctx, struct quic_conn *c)
{
	struct end *e = ctx;

	(void)c;
	if (++e->sent == e->to_send)
		loop_stop(e->h);
}

static const struct quic_conn_ops ops = { .event = end_event,
					  .datagram = end_datagram,
					  .next_datagram = end_next,
					  .datagram_taken = end_taken };

static bool end_accepted(void *ctx, struct quic_conn *c, const struct quic_profile *p,
			 const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct end *e = ctx;

	ck_assert_ptr_eq(p, &profile);
	e->c = c;
	*ret_ops = &ops;
	*ret_ctx = e;
	return true;
}

static void end_open(struct end *e, struct host *h, size_t sndbuf)
{
	struct quic_socket_config cfg = { .serve = serve, .accepted = end_accepted, .ctx = e };

	memset(e, 0, sizeof(*e));
	e->h = h;
	e->packet[0] = 0x45;
	ck_assert_int_eq(identity_new(h, NULL, &e->id), 0);
	cfg.identity = e->id;
	cfg.udp = (struct udp_config){ .bind = addr_v4(0x7f000001, 0),
				       .rcvbuf_bytes = 4 * 1024 * 1024,
				       .sndbuf_bytes = sndbuf };
	ck_assert_int_eq(quic_socket_open(h, &cfg, NULL, &e->s), 0);
}

static void end_close(struct end *e)
{
	quic_conn_free(e->c);
	quic_socket_close(e->s);
	identity_free(e->id);
}

static struct host *start(struct end *client, struct end *server, size_t sndbuf)
{
	struct host *h = os_unit_host();
	struct quic_pin pin = { .by_key = true };
	struct addr to;

	ck_assert_int_eq(crypto_init(NULL), 0);
	end_open(server, h, sndbuf);
	end_open(client, h, sndbuf);
	to = quic_socket_local(server->s);
	memcpy(pin.key_sha256, identity_key_sha256(server->id), 32);
	ck_assert_int_eq(
		quic_connect(client->s, &profile, &pin, 0, &to, &ops, client, NULL, &client->c), 0);
	os_unit_run(h, "the handshake");
	os_unit_run_for(h, 100 * NS_PER_MS); /* the server's end, and the path's size */
	ck_assert(client->connected && server->connected);
	ck_assert_uint_ge(quic_conn_datagram_max(client->c), sizeof(client->packet));
	return h;
}

static void stop(struct host *h, struct end *client, struct end *server)
{
	end_close(client);
	end_close(server);
	host_free(h);
}

START_TEST(datagrams_travel_in_batches)
{
	struct end client, server;
	struct host *h = start(&client, &server, 4 * 1024 * 1024);
	struct udp_stats st;

	client.to_send = DATAGRAMS;
	quic_conn_wake(client.c);
	os_unit_run(h, "the datagrams to be sent");
	os_unit_run_for(h, 200 * NS_PER_MS);
	st = quic_socket_stats_get(client.s).udp;
	printf("%u of %u, %.1f datagrams a call\n", server.got, client.sent,
	       (double)st.tx_datagrams / (double)st.tx_calls);
	ck_assert_uint_ge(server.got, DATAGRAMS * 9 / 10);
	ck_assert_uint_le(st.tx_calls * 4, st.tx_datagrams);
	stop(h, &client, &server);
}
END_TEST

/* Sends wait in a socket buffer that holds little more than one of them. */
START_TEST(full_socket_only_delays)
{
	struct end client, server;
	struct host *h = start(&client, &server, 16 * 1024);

	client.to_send = 2000;
	quic_conn_wake(client.c);
	os_unit_run(h, "the datagrams to be sent");
	os_unit_run_for(h, 200 * NS_PER_MS);
	ck_assert_uint_ge(server.got, 1900);
	stop(h, &client, &server);
}
END_TEST

START_TEST(streams_arrive_whole)
{
	static uint8_t data[1000 * 1000];
	struct end client, server;
	struct host *h = start(&client, &server, 4 * 1024 * 1024);
	int64_t id;

	ck_assert_int_eq(quic_stream_open(client.c, false, &id), 0);
	ck_assert_int_eq(quic_stream_write(client.c, id, data, sizeof(data), true), 0);
	os_unit_run(h, "the stream");
	ck_assert_uint_eq(server.bytes, sizeof(data));
	stop(h, &client, &server);
}
END_TEST

UNIT_MAIN("quic/loopback", datagrams_travel_in_batches, full_socket_only_delays,
	  streams_arrive_whole)
