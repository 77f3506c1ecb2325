/* SPDX-License-Identifier: MIT */
/*
 * Two sockets of the real machine: batches, GSO and GRO as the kernel does them, a full socket
 * buffer. What is sent on a stream arrives whole.
 */
#include "crypto/init.h"
#include "identity/identity.h"
#include "os_unit.h"
#include "quic/quic.h"

#define BULK_BYTES (64 * 1000 * 1000)

static const struct quic_profile profile = {
	.alpn = "mlsh-test/1",
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
	int64_t stream;
	size_t to_send, sent, got;
};

static uint8_t byte_at(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

/* What the stream takes now. */
static void end_pump(struct end *e)
{
	uint8_t piece[16 * 1024];

	while (e->sent < e->to_send) {
		size_t n = MIN(sizeof(piece), e->to_send - e->sent);
		int r;

		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(e->sent + i);
		r = quic_stream_write(e->c, e->stream, piece, n, e->sent + n == e->to_send);
		if (r == -ENOBUFS)
			return;
		ck_assert_int_eq(r, 0);
		e->sent += n;
	}
}

static void end_read(struct end *e, int64_t stream)
{
	bool fin, same = true;
	struct span data = quic_stream_peek(e->c, stream, &fin);

	for (size_t i = 0; i < data.len; i++)
		same &= data.data[i] == byte_at(e->got + i);
	ck_assert(same);
	e->got += data.len;
	quic_stream_consume(e->c, stream, data.len);
	if (fin)
		loop_stop(e->h);
}

static void end_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct end *e = ctx;

	if (ev->type == QUIC_CONNECTED) {
		e->connected = true;
		if (!quic_conn_is_server(c))
			loop_stop(e->h);
	} else if (ev->type == QUIC_STREAM_READABLE) {
		end_read(e, ev->stream);
	} else if (ev->type == QUIC_STREAM_WRITABLE) {
		end_pump(e);
	} else {
		ck_assert_int_ne(ev->type, QUIC_CLOSED);
	}
}

static const struct quic_conn_ops ops = { .event = end_event };

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
	ck_assert_int_eq(quic_connect(client->s, &profile, &pin, 0, &to, &ops, client, NULL,
				      &client->c),
			 0);
	os_unit_run(h, "the handshake");
	os_unit_run_for(h, 100 * NS_PER_MS); /* the server's end, and the path's size */
	ck_assert(client->connected && server->connected);
	return h;
}

static void stop(struct host *h, struct end *client, struct end *server)
{
	end_close(client);
	end_close(server);
	host_free(h);
}

static void send_stream(struct host *h, struct end *client, const struct end *server, size_t bytes)
{
	client->to_send = bytes;
	ck_assert_int_eq(quic_stream_open(client->c, false, &client->stream), 0);
	end_pump(client);
	os_unit_run(h, "the stream");
	ck_assert_uint_eq(server->got, bytes);
}

START_TEST(packets_travel_in_batches)
{
	struct end client, server;
	struct host *h = start(&client, &server, 4 * 1024 * 1024);
	struct udp_stats st;

	send_stream(h, &client, &server, BULK_BYTES);
	st = quic_socket_stats_get(client.s).udp;
	printf("%llu packets, %.1f a call\n", (unsigned long long)st.tx_datagrams,
	       (double)st.tx_datagrams / (double)st.tx_calls);
	ck_assert_uint_ge(st.tx_datagrams, BULK_BYTES / 1452);
	ck_assert_uint_le(st.tx_datagrams, 2 * BULK_BYTES / 1452);
	ck_assert_uint_le(st.tx_calls * 4, st.tx_datagrams);
	stop(h, &client, &server);
}
END_TEST

/* Sends wait in a socket buffer that holds little more than one of them. */
START_TEST(full_socket_only_delays)
{
	struct end client, server;
	struct host *h = start(&client, &server, 16 * 1024);
	struct quic_conn_info sent;

	send_stream(h, &client, &server, BULK_BYTES / 20);
	os_unit_run_for(h, 100 * NS_PER_MS);
	quic_conn_info_get(client.c, &sent);
	printf("%llu packets, %llu taken for lost\n", (unsigned long long)sent.tx_packets,
	       (unsigned long long)sent.lost_packets);
	ck_assert_uint_le(sent.lost_packets * 100, sent.tx_packets);
	stop(h, &client, &server);
}
END_TEST

UNIT_MAIN("quic/loopback", packets_travel_in_batches, full_socket_only_delays)
