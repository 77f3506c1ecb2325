/* SPDX-License-Identifier: MIT */
/* What the relay of a simulated server forwards and keeps at most, whoever asks. */
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
			send_frame(r, e, counter++, PACKET);
		sim_pass(g.w, NS_PER_MS);
	}
	return counter;
}

START_TEST(a_nodes_rate_is_limited)
{
	struct relay_end ea, eb;
	uint32_t counter;
	size_t got;

	begin_rates(RATE, 0);
	channel(&ea, &eb);
	counter = flood(a, &ea, 0, 2000); /* 3.6 MB a second */
	sim_pass(g.w, NS_PER_S);
	got = b->frame_bytes;
	printf("%zu bytes of %zu\n", got, (size_t)counter * FRAME);
	ck_assert_uint_le(got, BURST + 2 * RATE + RATE / 50);
	ck_assert_uint_ge(got, BURST + 2 * RATE - RATE / 50);
	ck_assert_uint_eq(stats().dropped_node_rate, counter - b->frames);
	ck_assert_uint_eq(stats().dropped_cluster_rate, 0);
	ck_assert_uint_eq(told(a, &ea), RATE); /* so that nothing more need be dropped */
	ck_assert_uint_le(a->rate_words, 2 * 20);
	ck_assert_uint_eq(b->rate_words, 0);
	/* the other side has a rate of its own */
	send_frame(b, &eb, 0, PACKET);
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(a->frames, 1);
	/* and within it nothing is lost */
	got = b->frames;
	for (unsigned i = 0; i < 500; i++) {
		send_frame(a, &ea, counter++, PACKET);
		sim_pass(g.w, 2 * NS_PER_MS);
	}
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(b->frames, got + 500);
	end();
}
END_TEST

START_TEST(a_clusters_rate_is_limited)
{
	struct relay_end ea, eb;

	begin_rates(0, RATE);
	channel(&ea, &eb);
	for (uint32_t i = 0; i < 1000; i++) {
		send_frame(a, &ea, 2 * i, PACKET);
		send_frame(a, &ea, 2 * i + 1, PACKET);
		send_frame(b, &eb, i, PACKET);
		sim_pass(g.w, NS_PER_MS);
	}
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_le(a->frame_bytes + b->frame_bytes, BURST + RATE + RATE / 50);
	ck_assert_uint_ge(a->frame_bytes + b->frame_bytes, BURST / 2 + RATE - RATE / 50);
	ck_assert_uint_ge(told(a, &ea), RATE / 2 - RATE / 20);
	ck_assert_uint_le(told(a, &ea), RATE / 2 + RATE / 20);
	/* the louder one does not silence the other, which has half of it if it wants */
	ck_assert_uint_ge(a->frame_bytes, (BURST / 2 + RATE) / 2 - RATE / 20);
	ck_assert_uint_eq(stats().dropped_cluster_rate, 3000 - a->frames - b->frames);
	ck_assert_uint_eq(stats().dropped_node_rate, 0);
	end();
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

	begin();
	s.host = g.h;
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
	end();
}
END_TEST

/* Asking forever costs the server nothing. */
START_TEST(asking_again_and_again_is_one_channel)
{
	struct relay_end e, first;

	begin();
	ck_assert_int_eq(open_to(a, b, &first), REFUSAL_NONE);
	for (unsigned i = 0; i < 400; i++) {
		enum refusal refused = open_to(i % 2 ? b : a, i % 2 ? a : b, &e);

		ck_assert(refused == REFUSAL_NONE || refused == REFUSAL_RATE);
		if (refused == REFUSAL_NONE && i % 2 == 0)
			ck_assert_mem_eq(&e, &first, sizeof(e));
	}
	ck_assert_uint_eq(stats().channels, 1);
	ck_assert_uint_eq(stats().opened, 1);
	end();
}
END_TEST

UNIT_MAIN("signal/relay_limits", a_nodes_rate_is_limited, a_clusters_rate_is_limited,
	  channels_are_limited, asking_again_and_again_is_one_channel)
