/* SPDX-License-Identifier: MIT */
/* How connections and streams end, what is said about it, and what owners may do in events. */
#include "quic/socket.h"
#include "quic_sim.h"

static void check_reason(struct world *w, const struct quic_end *e, enum quic_close_reason reason,
			 uint64_t error)
{
	if (e->reason != reason || e->error != error)
		printf("reason %d error %llu: %s\n", e->reason, (unsigned long long)e->error,
		       e->detail);
	SIM_CHECK(w, e->closed && e->reason == reason && e->error == error);
}

/* Nothing of any connection is left but what lingers, and after a second not even that. */
static void check_clean(struct quic_pair *p, struct quic_node *n)
{
	struct quic_socket_stats st = quic_socket_stats_get(n->s);

	SIM_CHECK(p->w, st.conns == 0 && st.half_open == 0);
	closing_expire(n->s, world_now(p->w) + 2 * NS_PER_S);
	SIM_CHECK(p->w, map_count(n->s->cids) == 0 && map_count(n->s->initials) == 0 &&
				map_count(n->s->tokens) == 0);
}

START_TEST(both_sides_hear_of_a_close)
{
	struct quic_pair p;

	quic_pair_start(&p);
	quic_conn_close(p.ce->c, 77, "good\nbye\x1b[2J");
	ck_assert(!p.ce->closed); /* from the loop, not from within */
	sim_pass(p.w, NS_PER_S);
	check_reason(p.w, p.ce, QUIC_CLOSE_LOCAL, 77);
	check_reason(p.w, p.se, QUIC_CLOSE_REMOTE_APP, 77);
	ck_assert_str_eq(p.se->detail, "good?bye?[2J");
	check_clean(&p, &p.client);
	check_clean(&p, &p.server);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(freeing_closes_without_an_event)
{
	struct quic_pair p;

	quic_pair_start(&p);
	quic_conn_free(p.se->c);
	p.se->c = NULL;
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, !p.se->closed);
	check_reason(p.w, p.ce, QUIC_CLOSE_REMOTE_APP, 0);
	check_clean(&p, &p.server);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(lost_close_is_repeated)
{
	struct quic_pair p;

	quic_pair_start(&p);
	world_link_cut(p.w, p.server.h, p.client.h, true);
	quic_conn_close(p.se->c, 5, "lost");
	sim_pass(p.w, 10 * NS_PER_MS);
	world_link_cut(p.w, p.server.h, p.client.h, false);
	quic_end_messages(p.ce, 1); /* the client speaks within the closing period */
	SIM_CHECK(p.w, world_run(p.w, NS_PER_S, quic_end_is_closed, p.ce));
	check_reason(p.w, p.ce, QUIC_CLOSE_REMOTE_APP, 5);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(silence_ends_in_idle_timeout)
{
	struct quic_pair p;
	uint64_t cut_at;

	quic_pair_start(&p);
	world_link_cut(p.w, p.server.h, p.client.h, true);
	cut_at = world_now(p.w);
	SIM_CHECK(p.w, world_run(p.w, 60 * NS_PER_S, quic_end_is_closed, p.ce));
	sim_pass(p.w, 15 * NS_PER_S);
	SIM_CHECK(p.w, world_now(p.w) - cut_at > 25 * NS_PER_S);
	check_reason(p.w, p.ce, QUIC_CLOSE_TIMEOUT, 0);
	check_reason(p.w, p.se, QUIC_CLOSE_TIMEOUT, 0);
	check_clean(&p, &p.server);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(keep_alive_keeps_alive)
{
	struct quic_pair p;

	quic_pair_start(&p);
	sim_pass(p.w, 300 * NS_PER_S);
	SIM_CHECK(p.w, !p.ce->closed && !p.se->closed);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(death_shows_in_unanswered_traffic)
{
	struct quic_conn_info info;
	struct quic_pair p;
	uint64_t cut_at;

	quic_pair_start(&p);
	quic_conn_info_get(p.ce->c, &info);
	SIM_CHECK(p.w, info.last_heard > 0 && info.unanswered_since == 0);
	world_link_cut(p.w, p.server.h, p.client.h, true);
	cut_at = world_now(p.w);
	sim_pass(p.w, 100 * NS_PER_MS);
	quic_end_messages(p.ce, 1);
	sim_pass(p.w, NS_PER_S);
	quic_conn_info_get(p.ce->c, &info);
	SIM_CHECK(p.w, info.last_heard <= cut_at);
	SIM_CHECK(p.w, info.unanswered_since == cut_at + 100 * NS_PER_MS);
	world_link_cut(p.w, p.server.h, p.client.h, false);
	sim_pass(p.w, 5 * NS_PER_S);
	quic_conn_info_get(p.ce->c, &info);
	SIM_CHECK(p.w, info.last_heard > cut_at && info.unanswered_since == 0);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(nobody_there_ends_in_handshake_timeout)
{
	struct quic_pair p;
	struct quic_pin pin;
	uint64_t began;

	pin = quic_pair_ready(&p);
	world_link_cut(p.w, p.server.h, p.client.h, true);
	began = world_now(p.w);
	p.ce = quic_node_connect(&p.client, &pin, p.server_addr);
	SIM_CHECK(p.w, world_run(p.w, 20 * NS_PER_S, quic_end_is_closed, p.ce));
	check_reason(p.w, p.ce, QUIC_CLOSE_HANDSHAKE_TIMEOUT, 0);
	SIM_CHECK(p.w, world_now(p.w) - began >= quic_sim_profile.handshake_timeout);
	check_clean(&p, &p.client);
	quic_pair_stop(&p);
}
END_TEST

/* A client that vanishes in the middle of its handshake leaves nothing at the server. */
START_TEST(half_open_handshake_is_forgotten)
{
	struct quic_pair p;
	struct quic_pin pin;
	bool seen = false;

	pin = quic_pair_ready(&p);
	p.ce = quic_node_connect(&p.client, &pin, p.server_addr);
	for (int i = 0; i < 100 && !seen; i++) {
		sim_pass(p.w, NS_PER_MS);
		seen = quic_socket_stats_get(p.server.s).half_open == 1;
	}
	SIM_CHECK(p.w, seen);
	world_link_cut(p.w, p.server.h, p.client.h, true);
	sim_pass(p.w, 15 * NS_PER_S);
	SIM_CHECK(p.w, p.server.n_ends == 0);
	check_clean(&p, &p.server);
	quic_pair_stop(&p);
}
END_TEST

/* A program that starts again with the same identity resets the connections of its former life. */
START_TEST(restarted_server_resets)
{
	struct quic_pair p;
	struct quic_node again;
	struct quic_socket_config cfg;
	uint64_t sent_at;

	quic_pair_start(&p);
	world_host_crash(p.server.h);
	memset(&again, 0, sizeof(again));
	again.h = world_host_boot(p.server.h);
	again.id = p.server.id;
	cfg = quic_node_config(&again);
	quic_node_open(&again, &cfg);
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, !p.ce->closed);
	quic_end_messages(p.ce, 1);
	sent_at = world_now(p.w);
	SIM_CHECK(p.w, world_run(p.w, 5 * NS_PER_S, quic_end_is_closed, p.ce));
	SIM_CHECK(p.w, world_now(p.w) - sent_at < 100 * NS_PER_MS);
	check_reason(p.w, p.ce, QUIC_CLOSE_RESET, 0);
	quic_socket_close(again.s);
	quic_pair_stop(&p);
}
END_TEST

/* --- frames that nobody asked for --- */

/* RFC 9221 section 3: a side that did not offer to take DATAGRAM frames closes when one comes. */
/* [P4-7] */
START_TEST(datagram_frames_are_a_violation)
{
	for (int which = 0; which < 2; which++) {
		struct quic_pair p;
		struct quic_end *from, *to;
		ngtcp2_transport_params *said;
		ngtcp2_path_storage ps;
		ngtcp2_pkt_info pi;
		ngtcp2_vec vec = { (uint8_t *)"packet", 6 };
		struct quic_conn *c;
		uint8_t *at;
		int accepted = 0;
		ngtcp2_ssize n;

		quic_pair_start(&p);
		from = which ? p.se : p.ce;
		to = which ? p.ce : p.se;
		c = from->c;
		said = (ngtcp2_transport_params *)ngtcp2_conn_get_remote_transport_params(c->qc);
		SIM_CHECK(p.w, said->max_datagram_frame_size == 0);
		said->max_datagram_frame_size = 65535; /* as if: ngtcp2 would not send it */
		at = tx_reserve(&c->s->tx, QUIC_OVERHEAD_MAX + UDP_PAYLOAD_MAX);
		ck_assert_ptr_nonnull(at);
		ngtcp2_path_storage_zero(&ps);
		n = ngtcp2_conn_writev_datagram(c->qc, &ps.path, &pi, at, UDP_PAYLOAD_MAX,
						&accepted, NGTCP2_WRITE_DATAGRAM_FLAG_NONE, 0, &vec,
						1, world_now(p.w));
		ck_assert(n > 0 && accepted);
		conn_put(c, label_of(&ps.path), at, 0, (size_t)n, pi.ecn);
		tx_flush(&c->s->tx);
		sim_pass(p.w, NS_PER_S);
		check_reason(p.w, to, QUIC_CLOSE_PROTOCOL, NGTCP2_PROTOCOL_VIOLATION);
		check_reason(p.w, from, QUIC_CLOSE_REMOTE, NGTCP2_PROTOCOL_VIOLATION);
		check_clean(&p, &p.client);
		check_clean(&p, &p.server);
		quic_pair_stop(&p);
	}
}
END_TEST

/* --- what owners may do in events --- */

struct hasty {
	struct quic_node *node;
	enum quic_event_type at;
	enum { FREE_CONN, CLOSE_CONN, CLOSE_SOCKET } what;
	unsigned events, after;
	bool done;
};

static void hasty_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct hasty *h = ctx;

	h->events++;
	if (h->done && ev->type != QUIC_CLOSED)
		h->after++;
	if (h->done || ev->type != h->at)
		return;
	h->done = true;
	if (h->what == FREE_CONN)
		quic_conn_free(c);
	else if (h->what == CLOSE_CONN)
		quic_conn_close(c, 1, "now");
	else {
		quic_socket_close(h->node->s);
		h->node->s = NULL;
	}
}

static const struct quic_conn_ops hasty_ops = { .event = hasty_event };

START_TEST(anything_may_be_freed_in_any_event)
{
	static const enum quic_event_type when[] = { QUIC_CONNECTED, QUIC_STREAM_READABLE,
						     QUIC_STREAM_RESET, QUIC_CLOSED };

	for (size_t i = 0; i < ARRAY_LEN(when) * 3; i++) {
		struct hasty h = { .at = when[i % ARRAY_LEN(when)], .what = i / ARRAY_LEN(when) };
		struct quic_conn *c;
		struct quic_pair p;
		struct quic_pin pin;
		struct quic_end *se;

		pin = quic_pair_ready(&p);
		h.node = &p.client;
		ck_assert_int_eq(quic_connect(p.client.s, &quic_sim_profile, &pin, 0,
					      &p.server_addr, &hasty_ops, &h, NULL, &c),
				 0);
		sim_pass(p.w, NS_PER_S);
		if (p.server.n_ends == 1 && !p.server.end[0].closed) {
			se = &p.server.end[0];
			quic_end_stream(se, true, 100000);
			sim_pass(p.w, NS_PER_S);
			if (!se->closed)
				quic_stream_reset(se->c, se->stream, 3);
			sim_pass(p.w, NS_PER_S);
			if (!se->closed)
				quic_conn_close(se->c, 9, "end");
			sim_pass(p.w, NS_PER_S);
		}
		if (!h.done || h.after)
			printf("at %d, what %d: done %d, %u after\n", h.at, h.what, h.done,
			       h.after);
		SIM_CHECK(p.w, h.done && h.after == 0);
		if (h.what == CLOSE_CONN)
			quic_conn_free(c);
		quic_pair_stop(&p);
	}
}
END_TEST

START_TEST(closing_the_socket_tells_the_others)
{
	struct quic_pair p;

	quic_pair_start(&p);
	p.se->c = NULL; /* gone with the socket */
	quic_socket_close(p.server.s);
	p.server.s = NULL;
	sim_pass(p.w, NS_PER_S);
	check_reason(p.w, p.ce, QUIC_CLOSE_REMOTE_APP, 0);
	quic_pair_stop(&p);
}
END_TEST

/* --- streams --- */

START_TEST(reset_reaches_the_other_side)
{
	struct quic_pair p;

	quic_pair_start(&p);
	quic_end_stream(p.ce, true, 50000);
	sim_pass(p.w, 100 * NS_PER_MS);
	SIM_CHECK(p.w, p.se->rx_bytes == 50000);
	quic_stream_reset(p.ce->c, p.ce->stream, 42);
	sim_pass(p.w, NS_PER_S);
	SIM_CHECK(p.w, p.se->resets == 1 && p.se->reset_error == 42);
	SIM_CHECK(p.w, list_empty(&p.ce->c->streams) && list_empty(&p.se->c->streams));
	quic_pair_stop(&p);
}
END_TEST

START_TEST(unread_data_stops_the_sender)
{
	struct quic_pair p;
	uint64_t written;

	quic_pair_start(&p);
	p.se->hold = true;
	quic_end_stream(p.ce, false, 10 * 1000 * 1000);
	sim_pass(p.w, 5 * NS_PER_S);
	written = p.ce->stream_at;
	SIM_CHECK(p.w, written <= quic_sim_profile.stream_window_bytes +
					  quic_sim_profile.stream_send_bytes);
	SIM_CHECK(p.w, p.se->c->streams.next != &p.se->c->streams);
	sim_pass(p.w, 5 * NS_PER_S);
	SIM_CHECK(p.w, p.ce->stream_at == written);
	p.se->hold = false;
	quic_end_read(p.se, p.ce->stream);
	sim_pass(p.w, 30 * NS_PER_S);
	SIM_CHECK(p.w, p.se->rx_bytes == 10 * 1000 * 1000 && p.se->rx_ends == 1);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(streams_are_limited_and_given_back)
{
	struct quic_pair p;
	int64_t id;

	quic_pair_start(&p);
	p.se->hold = true;
	for (unsigned i = 0; i < quic_sim_profile.max_remote_uni; i++)
		quic_end_stream(p.ce, false, 10);
	ck_assert_int_eq(quic_stream_open(p.ce->c, false, &id), -EAGAIN);
	sim_pass(p.w, NS_PER_S);
	/* Delivered and acknowledged, but not read: still no room. */
	ck_assert_int_eq(quic_stream_open(p.ce->c, false, &id), -EAGAIN);
	p.se->hold = false;
	for (int64_t sid = 2; sid < 4 * (int64_t)quic_sim_profile.max_remote_uni; sid += 4)
		quic_end_read(p.se, sid);
	sim_pass(p.w, NS_PER_S);
	for (int round = 0; round < 100; round++) {
		quic_end_stream(p.ce, false, 10);
		sim_pass(p.w, 100 * NS_PER_MS);
	}
	SIM_CHECK(p.w, p.se->rx_ends == 100 + quic_sim_profile.max_remote_uni);
	SIM_CHECK(p.w, list_empty(&p.ce->c->streams) && list_empty(&p.se->c->streams));
	quic_pair_stop(&p);
}
END_TEST

START_TEST(writes_are_all_or_nothing)
{
	struct quic_pair p;
	uint32_t max = quic_sim_profile.stream_send_bytes;
	uint8_t *data = calloc(1, max + 1);
	int64_t id;

	quic_pair_start(&p);
	p.se->hold = true;
	ck_assert_int_eq(quic_stream_open(p.ce->c, true, &id), 0);
	ck_assert_int_eq(quic_stream_write(p.ce->c, id, data, max + 1, false), -ENOBUFS);
	ck_assert_int_eq(quic_stream_write(p.ce->c, id, data, max - 5, false), 0);
	ck_assert_int_eq(quic_stream_write(p.ce->c, id, data, 6, false), -ENOBUFS);
	ck_assert_int_eq(quic_stream_write(p.ce->c, id, data, 5, true), 0);
	ck_assert_int_eq(quic_stream_write(p.ce->c, id, data, 1, false), -EPIPE);
	ck_assert_int_eq(quic_stream_write(p.ce->c, id + 4, data, 1, false), -EPIPE);
	sim_pass(p.w, 5 * NS_PER_S);
	SIM_CHECK(p.w, p.ce->writables > 0);
	quic_conn_close(p.ce->c, 0, "");
	ck_assert_int_eq(quic_stream_write(p.ce->c, id, data, 1, false), -ENOTCONN);
	ck_assert_int_eq(quic_stream_open(p.ce->c, true, &id), -ENOTCONN);
	quic_pair_stop(&p);
	free(data);
}
END_TEST

START_TEST(answers_come_back_on_the_same_stream)
{
	struct quic_pair p;

	quic_pair_start(&p);
	p.se->echo = true;
	for (int i = 0; i < 50; i++) {
		quic_end_stream(p.ce, true, 3000);
		sim_pass(p.w, 100 * NS_PER_MS);
	}
	SIM_CHECK(p.w, p.ce->rx_ends == 50 && p.ce->rx_bytes == 50 * 3000);
	SIM_CHECK(p.w, list_empty(&p.ce->c->streams) && list_empty(&p.se->c->streams));
	quic_pair_stop(&p);
}
END_TEST

UNIT_MAIN("quic/close", both_sides_hear_of_a_close, freeing_closes_without_an_event,
	  lost_close_is_repeated, silence_ends_in_idle_timeout, keep_alive_keeps_alive,
	  death_shows_in_unanswered_traffic, nobody_there_ends_in_handshake_timeout,
	  half_open_handshake_is_forgotten, restarted_server_resets,
	  datagram_frames_are_a_violation, anything_may_be_freed_in_any_event,
	  closing_the_socket_tells_the_others, reset_reaches_the_other_side,
	  unread_data_stops_the_sender, streams_are_limited_and_given_back,
	  writes_are_all_or_nothing, answers_come_back_on_the_same_stream)
