/* SPDX-License-Identifier: MIT */
/* Two ends on a simulated network: handshake, streams, loss, full links and sockets. */
#include "quic/socket.h"
#include "quic_sim.h"

/* [P1-12] */
START_TEST(handshake_authenticates_both)
{
	struct quic_pair p;
	struct quic_conn_info info;
	uint8_t a[32], b[32];
	struct addr remote;

	quic_pair_start(&p);
	ck_assert(!quic_conn_is_server(p.ce->c) && quic_conn_is_server(p.se->c));
	ck_assert_mem_eq(quic_conn_peer_key_sha256(p.ce->c), identity_key_sha256(p.server.id), 32);
	ck_assert_mem_eq(quic_conn_peer_key_sha256(p.se->c), identity_key_sha256(p.client.id), 32);
	ck_assert_mem_eq(quic_conn_peer_ed25519(p.se->c), identity_key(p.client.id), 32);
	ck_assert_mem_eq(quic_conn_peer_cert_sha256(p.ce->c), identity_cert_sha256(p.server.id),
			 32);
	quic_conn_info_get(p.ce->c, &info);
	ck_assert_str_eq(info.group, "X25519MLKEM768");
	ck_assert_str_eq(info.cipher, "TLS_AES_128_GCM_SHA256");
	ck_assert_int_eq(quic_conn_export(p.ce->c, "EXPORTER-test", span_str("c"), a, 32), 0);
	ck_assert_int_eq(quic_conn_export(p.se->c, "EXPORTER-test", span_str("c"), b, 32), 0);
	ck_assert_mem_eq(a, b, 32);
	ck_assert_int_eq(quic_conn_export(p.se->c, "EXPORTER-test", span_str("d"), b, 32), 0);
	ck_assert_mem_ne(a, b, 32);
	ck_assert(quic_conn_remote_addr(p.se->c, &remote));
	ck_assert(addr_is_v4(&remote) && addr_ip4(&remote) == IP(192, 0, 2, 2));
	quic_pair_stop(&p);
}
END_TEST

/* Without their TLS sessions both go on; what was learnt of the other side stays. */
START_TEST(tls_is_dropped_when_nothing_more_is_exported)
{
	struct quic_pair p;
	struct quic_conn_info info;
	uint8_t out[32];

	quic_pair_start(&p);
	quic_conn_drop_tls(p.se->c);
	quic_conn_drop_tls(p.ce->c);
	sim_pass(p.w, NS_PER_S);
	ck_assert(!p.ce->c->tls.ssl && !p.se->c->tls.ssl);
	ck_assert_int_eq(quic_conn_export(p.ce->c, "EXPORTER-test", span_str("c"), out, 32),
			 -ENOTCONN);
	quic_conn_info_get(p.se->c, &info);
	ck_assert_str_eq(info.group, "X25519MLKEM768");
	ck_assert_str_eq(info.cipher, "TLS_AES_128_GCM_SHA256");
	ck_assert_mem_eq(quic_conn_peer_ed25519(p.se->c), identity_key(p.client.id), 32);
	quic_end_stream(p.ce, true, 100000);
	sim_pass(p.w, 5 * NS_PER_S);
	ck_assert_uint_eq(p.se->rx_bytes, 100000);
	/* keys are changed without it (RFC 9001 section 6) */
	ck_assert_int_eq(ngtcp2_conn_initiate_key_update(p.ce->c->qc, clock_now(p.client.h)), 0);
	quic_end_stream(p.ce, true, 100000);
	sim_pass(p.w, 5 * NS_PER_S);
	ck_assert_uint_eq(p.se->rx_bytes, 200000);
	/* a TLS message that comes now ends the connection */
	ck_assert_int_eq(ngtcp2_conn_submit_crypto_data(p.ce->c->qc, NGTCP2_ENCRYPTION_LEVEL_1RTT,
							out, sizeof(out)),
			 0);
	quic_end_stream(p.ce, true, 1000);
	sim_pass(p.w, 5 * NS_PER_S);
	SIM_CHECK(p.w, p.se->closed && p.ce->closed);
	quic_pair_stop(&p);
}
END_TEST

static bool stream_done(void *ctx)
{
	const struct quic_pair *p = ctx;

	return p->ce->rx_ends == 1 && p->se->rx_ends == 1;
}

static void exchange(struct quic_pair *p, size_t bytes, uint64_t limit)
{
	quic_end_stream(p->ce, true, bytes);
	quic_end_stream(p->se, false, bytes);
	SIM_CHECK(p->w, world_run(p->w, limit, stream_done, p));
	SIM_CHECK(p->w, p->ce->rx_bytes == bytes && p->se->rx_bytes == bytes);
}

START_TEST(streams_carry_large_data_both_ways)
{
	struct quic_pair p;

	quic_pair_start(&p);
	exchange(&p, 10 * 1000 * 1000, 60 * NS_PER_S);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(streams_survive_loss)
{
	struct link_params lossy = LINK_DEFAULT;
	struct quic_pair p;

	lossy.loss = 0.05;
	quic_pair_hosts(&p);
	quic_pair_open(&p);
	quic_pair_connect(&p); /* handshakes_survive_loss has that */
	world_link_both(p.w, p.server.h, p.client.h, lossy);
	exchange(&p, 1000 * 1000, 120 * NS_PER_S);
	quic_pair_stop(&p);
}
END_TEST

/* The ClientHello spans two packets, and there is a Retry before: each may be lost. */
START_TEST(handshakes_survive_loss)
{
	static const double losses[] = { 0.05, 0.2 };
	struct link_params lossy = LINK_DEFAULT;

	for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
		unsigned up = 0, tries = 40;
		uint64_t longest = 0;

		for (unsigned n = 0; n < tries; n++) {
			struct quic_pair p;
			struct quic_pin pin;
			uint64_t began;

			quic_pair_seeded(&p, sim_seed() * 1000 + n);
			lossy.loss = losses[i];
			world_link_both(p.w, p.server.h, p.client.h, lossy);
			quic_pair_open(&p);
			pin = quic_node_pin(&p.server);
			began = world_now(p.w);
			p.ce = quic_node_connect(&p.client, &pin, p.server_addr);
			SIM_CHECK(p.w, world_run(p.w, 20 * NS_PER_S, quic_end_done, p.ce));
			longest = MAX(longest, world_now(p.w) - began);
			up += p.ce->connected;
			quic_pair_stop(&p);
		}
		printf("loss %.2f: %u of %u up, longest %.3f s\n", losses[i], up, tries,
		       (double)longest / 1e9);
		fflush(stdout);
		ck_assert_uint_ge(up, losses[i] < 0.1 ? tries : tries - 2);
	}
}
END_TEST

/* Full packets, both ways as fast as the windows allow: none is lost, no time is. */
START_TEST(bulk_fills_packets_and_window)
{
	struct link_params link = LINK_DEFAULT;
	size_t bytes = 20 * 1000 * 1000;
	struct quic_conn_info info;
	struct quic_pair p;
	uint64_t began, took;

	link.rate_bps = 1000 * 1000 * 1000;
	quic_pair_hosts(&p);
	world_link_both(p.w, p.server.h, p.client.h, link);
	quic_pair_open(&p);
	quic_pair_connect(&p);
	quic_pair_mark(&p);
	began = world_now(p.w);
	exchange(&p, bytes, 20 * NS_PER_S);
	took = world_now(p.w) - began;
	sim_pass(p.w, NS_PER_S);
	quic_conn_info_get(p.ce->c, &info);
	printf("%zu bytes each way in %.3f s, %llu packets\n", bytes, (double)took / 1e9,
	       (unsigned long long)(info.tx_packets - p.ce->tx_mark));
	fflush(stdout);
	SIM_CHECK(p.w, info.max_udp_payload == 1452);
	SIM_CHECK(p.w, took < 2 * NS_PER_S); /* two round trips a window */
	SIM_CHECK(p.w, quic_missing(p.ce, p.se) == 0 && quic_missing(p.se, p.ce) == 0);
	quic_pair_stop(&p);
}
END_TEST

static bool socket_is_full(void *ctx)
{
	return ((const struct quic_pair *)ctx)->client.s->tx.blocked;
}

static bool stream_is_through(void *ctx)
{
	return ((const struct quic_pair *)ctx)->se->rx_ends == 1;
}

static bool messages_are_through(void *ctx)
{
	const struct quic_pair *p = ctx;

	return p->se->got == p->ce->to_send;
}

/* A network card slower than the sender: the socket is full, nothing is lost for that. */
START_TEST(full_socket_only_delays)
{
	struct quic_socket_config cfg;
	struct quic_pair p;

	quic_pair_hosts(&p);
	cfg = quic_node_config(&p.client);
	cfg.udp.sndbuf_bytes = 16 * 1024;
	world_host_uplink(p.client.h, 5 * 1000 * 1000);
	quic_node_open(&p.client, &cfg);
	cfg = quic_node_config(&p.server);
	quic_node_open(&p.server, &cfg);
	quic_pair_connect(&p);
	quic_pair_mark(&p);
	p.ce->size = p.se->size = 1400;
	quic_end_messages(p.ce, 3000);
	quic_end_stream(p.ce, false, 500 * 1000);
	SIM_CHECK(p.w, world_run(p.w, NS_PER_S, socket_is_full, &p));
	SIM_CHECK(p.w, world_run(p.w, 3 * NS_PER_S, stream_is_through, &p));
	SIM_CHECK(p.w, p.se->got < 3000); /* they took turns */
	SIM_CHECK(p.w, world_run(p.w, 60 * NS_PER_S, messages_are_through, &p));
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, p.client.s->tx.dropped == 0 && quic_missing(p.ce, p.se) == 0);
	quic_pair_stop(&p);
}
END_TEST

UNIT_MAIN("quic/basic", handshake_authenticates_both, tls_is_dropped_when_nothing_more_is_exported,
	  streams_carry_large_data_both_ways, streams_survive_loss, handshakes_survive_loss,
	  bulk_fills_packets_and_window, full_socket_only_delays)
