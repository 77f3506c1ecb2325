/* SPDX-License-Identifier: MIT */
/* What the relay of a simulated server forwards and keeps at most, whoever asks. */
#include "quic/conn.h"
#include "relay_kit.h"

#define RATE 1000000 /* bytes a second */
#define BURST (256u << 10)

/* The rate that the server has told this node last. */
static uint64_t told(const struct raw *r, const struct relay_end *e)
{
	uint64_t next = 0, rate = UINT64_MAX;

	ck_assert_uint_gt(r->rate_words, 0);
	ck_assert_int_eq(relay_rate_get(e, span_of(r->rate_word, RELAY_RATE_LEN), &next, &rate), 0);
	return rate;
}

/* So many bytes a millisecond for so long; returns the next counter. */
static uint32_t flood(struct raw *r, const struct relay_end *e, uint32_t counter, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		for (unsigned k = 0; k < 3; k++)
			chan_send_frame(r, e, counter++, PACKET);
		sim_pass(chan_g.w, NS_PER_MS);
	}
	return counter;
}

START_TEST(a_nodes_rate_is_limited)
{
	struct relay_end ea, eb;
	uint32_t counter;
	size_t got;

	chan_begin_rates(RATE, 0);
	chan_new(&ea, &eb);
	counter = flood(chan_a, &ea, 0, 2000); /* 3.6 MB a second */
	sim_pass(chan_g.w, NS_PER_S);
	got = chan_b->frame_bytes;
	printf("%zu bytes of %zu\n", got, (size_t)counter * FRAME);
	ck_assert_uint_le(got, BURST + 2 * RATE + RATE / 50);
	ck_assert_uint_ge(got, BURST + 2 * RATE - RATE / 50);
	ck_assert_uint_eq(chan_stats().dropped_node_rate, counter - chan_b->frames);
	ck_assert_uint_eq(chan_stats().dropped_cluster_rate, 0);
	ck_assert_uint_eq(told(chan_a, &ea), RATE); /* so that nothing more need be dropped */
	ck_assert_uint_le(chan_a->rate_words, 2 * 20);
	ck_assert_uint_eq(chan_b->rate_words, 0);
	/* the other side has a rate of its own */
	chan_send_frame(chan_b, &eb, 0, PACKET);
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_eq(chan_a->frames, 1);
	/* and within it nothing is lost */
	got = chan_b->frames;
	for (unsigned i = 0; i < 500; i++) {
		chan_send_frame(chan_a, &ea, counter++, PACKET);
		sim_pass(chan_g.w, 2 * NS_PER_MS);
	}
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_eq(chan_b->frames, got + 500);
	chan_end();
}
END_TEST

START_TEST(a_clusters_rate_is_limited)
{
	struct relay_end ea, eb;

	chan_begin_rates(0, RATE);
	chan_new(&ea, &eb);
	for (uint32_t i = 0; i < 1000; i++) {
		chan_send_frame(chan_a, &ea, 2 * i, PACKET);
		chan_send_frame(chan_a, &ea, 2 * i + 1, PACKET);
		chan_send_frame(chan_b, &eb, i, PACKET);
		sim_pass(chan_g.w, NS_PER_MS);
	}
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_le(chan_a->frame_bytes + chan_b->frame_bytes, BURST + RATE + RATE / 50);
	ck_assert_uint_ge(chan_a->frame_bytes + chan_b->frame_bytes, BURST / 2 + RATE - RATE / 50);
	ck_assert_uint_ge(told(chan_a, &ea), RATE / 2 - RATE / 20);
	ck_assert_uint_le(told(chan_a, &ea), RATE / 2 + RATE / 20);
	/* the louder one does not silence the other, which has half of it if it wants */
	ck_assert_uint_ge(chan_a->frame_bytes, (BURST / 2 + RATE) / 2 - RATE / 20);
	ck_assert_uint_eq(chan_stats().dropped_cluster_rate,
			  3000 - chan_a->frames - chan_b->frames);
	ck_assert_uint_eq(chan_stats().dropped_node_rate, 0);
	chan_end();
}
END_TEST

/* As many channels as a session may have, and as many as all may have. */
START_TEST(channels_are_limited)
{
	enum { CALLERS = RELAY_CHANNELS_PER_SESSION + 2 };
	static struct signal_server s;
	static struct caller caller[CALLERS];
	static struct cluster cluster;
	static const uint8_t seed[16];
	struct err err = { .code = 0 };
	struct relay_end e;
	struct relay *r = relay_new(seed, 0, 0);

	chan_begin();
	s.host = chan_g.h;
	for (size_t i = 0; i < CALLERS; i++) {
		caller[i] =
			(struct caller){ .server = &s, .cluster = &cluster, .events = NO_STREAM };
		relay_begin(r, &caller[i]);
	}
	for (size_t i = 1; i < CALLERS; i++) {
		int code = relay_open(r, &caller[i % 2 ? 0 : i], &caller[i % 2 ? i : 0], &e, &err);

		ck_assert_int_eq(code, i <= RELAY_CHANNELS_PER_SESSION ? 0 : -ENOSPC);
	}
	ck_assert_int_eq(err.reason, REFUSAL_FULL);
	ck_assert_uint_eq(relay_stats_get(r).channels, RELAY_CHANNELS_PER_SESSION);
	ck_assert_int_eq(relay_open(r, &caller[7], &caller[0], &e, &err), 0); /* it has that */
	relay_close_all(r, &caller[7]);
	ck_assert_uint_eq(relay_stats_get(r).channels, RELAY_CHANNELS_PER_SESSION - 1);
	ck_assert_int_eq(relay_open(r, &caller[CALLERS - 1], &caller[0], &e, &err), 0);
	for (size_t i = 1; i < CALLERS; i++) {
		for (size_t k = i + 1; k < CALLERS && caller[i].n_relay_ends < 200; k++) {
			if (caller[k].n_relay_ends < 200)
				(void)!relay_open(r, &caller[i], &caller[k], &e, &err);
		}
	}
	ck_assert_uint_le(relay_stats_get(r).channels, RELAY_CHANNELS_MAX);
	ck_assert_uint_ge(relay_stats_get(r).channels, RELAY_CHANNELS_MAX - 1);
	ck_assert_int_eq(err.reason, REFUSAL_FULL);
	for (size_t i = 0; i < CALLERS / 2; i++)
		relay_close_all(r, &caller[i]);
	for (size_t i = 0; i < CALLERS / 2; i++)
		ck_assert_uint_eq(caller[i].n_relay_ends, 0);
	relay_free(r); /* with those that are left */
	chan_end();
}
END_TEST

/* Asking forever costs the server nothing. */
START_TEST(asking_again_and_again_is_one_channel)
{
	struct relay_end e, first;

	chan_begin();
	ck_assert_int_eq(chan_open_to(chan_a, chan_b, &first), REFUSAL_NONE);
	for (unsigned i = 0; i < 400; i++) {
		enum refusal refused = chan_open_to(i % 2 ? chan_b : chan_a,
						    i % 2 ? chan_a : chan_b, &e);

		ck_assert(refused == REFUSAL_NONE || refused == REFUSAL_RATE);
		if (refused == REFUSAL_NONE && i % 2 == 0)
			ck_assert_mem_eq(&e, &first, sizeof(e));
	}
	ck_assert_uint_eq(chan_stats().channels, 1);
	ck_assert_uint_eq(chan_stats().opened, 1);
	chan_end();
}
END_TEST

/* --- two that fetch nothing ------------------------------------------------------------------- */

static struct caller *session_of(const struct raw *r)
{
	struct cluster *c = registry_find(chan_g.s->registry, r->cluster_id);
	struct node_id id = identity_node_id(r->id);

	return presence_get(c->presence, &id)->session;
}

/* Bytes of events that the server will still take for this session. */
static size_t room(const struct caller *c)
{
	list_for_each(it, &c->quic->streams) {
		const struct quic_stream *st = list_entry(it, struct quic_stream, link);

		if (st->id == c->events)
			return SIGNAL_EVENT_BACKLOG_BYTES - (size_t)(st->tx_end - st->tx_acked);
	}
	ck_abort_msg("no stream of events");
	return 0;
}

/* Events of a session that fetches none, until there is room for so many bytes. */
static void fill_up(struct caller *c, size_t left)
{
	static const uint8_t bytes[30000];
	size_t before = room(c), around;

	events_beacon(c, span_of(bytes, sizeof(bytes)));
	around = before - room(c) - sizeof(bytes);
	while (room(c) > left + 2 * sizeof(bytes))
		events_beacon(c, span_of(bytes, sizeof(bytes)));
	events_beacon(c, span_of(bytes, (room(c) - left) / 2));
	events_beacon(c, span_of(bytes, room(c) - left - around));
	ck_assert_uint_eq(room(c), left);
}

/*
 * The attack: two nodes with a channel between them leave their events lie, until a record is too
 * much for one of them, and the word that its channel is closed too much for the other. The server
 * is then in the middle of its list of both.
 */
START_TEST(two_that_fetch_no_events_end_together)
{
	struct relay_end ea, eb;
	struct raw *healthy, *late;
	struct raw_invite invite;
	size_t entries;

	chan_begin();
	healthy = raw_member(chan_a, "healthy");
	raw_online(healthy);
	invite = raw_invite(chan_a);
	chan_new(&ea, &eb);
	chan_a->hold = chan_b->hold = true;
	fill_up(session_of(chan_a), 2000000);
	fill_up(session_of(chan_b), 2000000);
	sim_pass(chan_g.w, 10 * NS_PER_S); /* what flow control lets pass is acknowledged */
	fill_up(session_of(chan_a), 10);
	fill_up(session_of(chan_b), 10);
	entries = healthy->log_entries;
	late = raw_new(&chan_g);
	raw_adopt(late, &invite, "late");
	raw_await_close(chan_a, SIGNAL_CLOSE_SLOW);
	raw_await_close(chan_b, SIGNAL_CLOSE_SLOW);
	ck_assert(!healthy->closed);
	ck_assert_uint_gt(healthy->log_entries, entries);
	ck_assert_uint_eq(chan_stats().channels, 0);
	raw_free(late);
	raw_free(healthy);
	chan_end();
}
END_TEST

UNIT_MAIN("signal/relay_limits", a_nodes_rate_is_limited, a_clusters_rate_is_limited,
	  channels_are_limited, asking_again_and_again_is_one_channel,
	  two_that_fetch_no_events_end_together)
