/* SPDX-License-Identifier: MIT */
/*
 * Datagrams that are not QUIC, in runs, over sockets of the real machine: joined on the way in and
 * sent on as they are. A relay between two ends that shuffles nothing and loses nothing.
 */
#include "crypto/init.h"
#include "identity/identity.h"
#include "os_unit.h"
#include "quic/quic.h"

#define SIZE 1217
#define RUN 40
#define ROUNDS 3 /* fit the smallest socket buffer */

struct end {
	struct quic_socket *s;
	struct addr to; /* where `others` sends what it gets; port 0: nowhere */
	size_t runs, datagrams, bytes;
	uint8_t next; /* the first byte of each datagram counts up */
};

static struct host *h;
static struct identity *id;

static void others(void *ctx, struct udp_rx *runs, size_t n)
{
	struct end *e = ctx;
	struct udp_tx tx[UDP_BATCH_MAX];

	ck_assert_uint_le(n, UDP_BATCH_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t parts = (runs[i].len + runs[i].segment - 1) / runs[i].segment;

		e->runs++;
		e->datagrams += parts;
		e->bytes += runs[i].len;
		for (size_t k = 0; k < parts; k++) {
			const uint8_t *d = runs[i].data + k * runs[i].segment;

			ck_assert_uint_eq(d[0] & 0xc0, 0);
			ck_assert_uint_eq(d[1], e->next++);
		}
		tx[i] = (struct udp_tx){ .data = runs[i].data,
					 .len = runs[i].len,
					 .segment = runs[i].segment,
					 .to = e->to };
	}
	if (e->to.port)
		quic_socket_send_runs(e->s, tx, n);
	if (e->bytes == (size_t)ROUNDS * (RUN * SIZE - 500) && !e->to.port)
		loop_stop(h);
}

static void end_open(struct end *e)
{
	struct quic_socket_config cfg = {
		.identity = id,
		.udp = { .bind = addr_v4(0x7f000001, 0), .rcvbuf_bytes = 4 * 1024 * 1024 },
		.others = others,
		.ctx = e,
	};

	memset(e, 0, sizeof(*e));
	ck_assert_int_eq(quic_socket_open(h, &cfg, NULL, &e->s), 0);
}

/* Packets that look like QUIC's lie between the others: each goes its own way. */
START_TEST(runs_are_forwarded_whole)
{
	static uint8_t bytes[RUN * SIZE];
	struct end from, relay, to;
	uint8_t count = 0;

	h = os_unit_host();
	ck_assert_int_eq(crypto_init(NULL), 0);
	ck_assert_int_eq(identity_new(h, NULL, &id), 0);
	end_open(&from);
	end_open(&relay);
	end_open(&to);
	relay.to = quic_socket_local(to.s);
	for (int round = 0; round < ROUNDS; round++) {
		struct udp_tx run = { .data = bytes,
				      .len = sizeof(bytes) - 500,
				      .segment = SIZE,
				      .to = quic_socket_local(relay.s) };
		static const uint8_t quic[SIZE] = { 0x40 };

		for (size_t i = 0; i < RUN; i++) {
			bytes[i * SIZE] = 0x10;
			bytes[i * SIZE + 1] = count++;
		}
		ck_assert_uint_eq(quic_socket_send_runs(from.s, &run, 1), RUN);
		quic_socket_send_other(from.s, &run.to, quic, sizeof(quic));
	}
	os_unit_run(h, "the last run");
	printf("%zu datagrams came in %zu runs, and in %zu behind the relay\n", to.datagrams,
	       relay.runs, to.runs);
	ck_assert_uint_eq(relay.datagrams, RUN * ROUNDS);
	ck_assert_uint_eq(to.datagrams, RUN * ROUNDS);
	ck_assert_uint_eq(to.bytes, relay.bytes);
	ck_assert_uint_eq(quic_socket_stats_get(relay.s).dropped_unknown, ROUNDS);
	quic_socket_close(from.s);
	quic_socket_close(relay.s);
	quic_socket_close(to.s);
	identity_free(id);
	host_free(h);
}
END_TEST

UNIT_MAIN("quic/runs", runs_are_forwarded_whole)
