/* SPDX-License-Identifier: MIT */
/*
 * The relay of a simulated server: who gets a channel, what travels on it, what does not, and when
 * it ends. The nodes are raw: their frames are made here.
 */
#include "relay_kit.h"

/* --- channels --------------------------------------------------------------------------------- */

/* [P6-3] [P6-5] [P6-10] [P6-15] */
START_TEST(a_channel_carries_packets_both_ways)
{
	struct relay_end ea, eb, again;

	chan_begin();
	chan_new(&ea, &eb);
	ck_assert_mem_ne(ea.channel, eb.channel, RELAY_CHANNEL_LEN);
	ck_assert_mem_ne(ea.key, eb.key, RELAY_KEY_LEN);
	for (uint32_t i = 0; i < 20; i++) {
		chan_send_frame(chan_a, &ea, i, PACKET - i);
		chan_send_frame(chan_b, &eb, i, 1 + i);
		sim_pass(chan_g.w, 50 * NS_PER_MS);
		ck_assert_uint_eq(chan_a->frames, i + 1);
		ck_assert_uint_eq(chan_b->frames, i + 1);
		chan_arrived(chan_b, &eb, i, PACKET - i);
		chan_arrived(chan_a, &ea, i, 1 + i);
	}
	/* the same again, from both sides */
	SIM_CHECK(chan_g.w, chan_open_to(chan_a, chan_b, &again) == REFUSAL_NONE);
	ck_assert_mem_eq(&again, &ea, sizeof(ea));
	SIM_CHECK(chan_g.w, chan_open_to(chan_b, chan_a, &again) == REFUSAL_NONE);
	ck_assert_mem_eq(&again, &eb, sizeof(eb));
	chan_send_frame(chan_a, &ea, 20, 100);
	sim_pass(chan_g.w, 50 * NS_PER_MS);
	chan_arrived(chan_b, &eb, 20, 100);
	ck_assert_uint_eq(chan_stats().channels, 1);
	ck_assert_uint_eq(chan_stats().opened, 1);
	ck_assert_uint_eq(chan_stats().forwarded, 41);
	chan_end();
}
END_TEST

/* Runs of one size that the kernel joined are sent as such, a shorter one at their end too. */
START_TEST(joined_runs_arrive_whole_and_in_order)
{
	enum { RUN = 40 };
	static uint8_t bytes[2 * RUN][FRAME];
	struct relay_end ea, eb;
	uint32_t counter = 0;

	chan_begin();
	chan_new(&ea, &eb);
	for (size_t round = 0; round < 3; round++) {
		struct udp_tx run = {
			.data = bytes[0], .len = RUN * FRAME, .segment = FRAME, .to = chan_server()
		};

		for (size_t i = 0; i < RUN; i++) {
			chan_fill(bytes[i], (uint8_t)counter);
			relay_wrap(&ea, RELAY_TO_SERVER, counter++, bytes[i], PACKET);
		}
		if (round == 1)
			bytes[5][14] ^= 1; /* in the middle of it: only this one is dropped */
		if (round == 2) {
			relay_wrap(&ea, RELAY_TO_SERVER, counter - 1, bytes[RUN - 1], 300);
			run.len -= PACKET - 300;
		}
		ck_assert_uint_eq(quic_socket_send_runs(chan_a->socket, &run, 1), RUN);
		sim_pass(chan_g.w, 100 * NS_PER_MS);
		chan_arrived(chan_b, &eb, counter - 1, round == 2 ? 300 : PACKET);
	}
	ck_assert_uint_eq(chan_b->frames, 3 * RUN - 1);
	ck_assert_uint_eq(chan_b->frame_bytes, (3 * RUN - 1) * FRAME - (PACKET - 300));
	ck_assert_uint_eq(chan_stats().forwarded, 3 * RUN - 1);
	ck_assert_uint_eq(chan_stats().forwarded_bytes, chan_b->frame_bytes);
	ck_assert_uint_eq(chan_stats().dropped_mac, 1);
	chan_end();
}
END_TEST

/* --- what does not get through ---------------------------------------------------------------- */

/* [P6-13] [P6-14] [P6-17] */
START_TEST(frames_of_others_are_dropped)
{
	static const uint8_t nothing[64] = { RELAY_FRAME_TYPE };
	struct relay_end ea, eb, bad;
	struct raw *c;
	uint8_t frame[FRAME];

	chan_begin();
	chan_new(&ea, &eb);
	c = raw_member(chan_a, "phone");
	raw_online(c);
	chan_send_frame(chan_a, &ea, 7, 100);
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_b->frames, 1);

	chan_send_frame(chan_a, &ea, 7, 100); /* seen before */
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_stats().dropped_replay, 1);
	chan_send_frame(c, &ea, 8, 100);      /* with a's id and key, but from elsewhere */
	chan_send_frame(chan_b, &ea, 8, 100); /* the other side is elsewhere, too */
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_stats().dropped_source, 2);
	bad = ea;
	bad.key[3] ^= 0x40;
	chan_send_frame(chan_a, &bad, 9, 100);
	chan_fill(frame, 9);
	relay_wrap(&ea, RELAY_FROM_SERVER, 9, frame, 100); /* a frame sent back */
	chan_send_raw(chan_a, frame, RELAY_OVERHEAD + 100);
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_stats().dropped_mac, 2);
	bad = ea;
	bad.channel[0] ^= 1;
	chan_send_frame(chan_a, &bad, 10, 100);
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_stats().dropped_unknown, 1);
	chan_send_raw(chan_a, nothing, RELAY_OVERHEAD); /* too short */
	chan_send_raw(chan_a, "\x01ping", 5);
	chan_send_raw(chan_a, "\x3f", 1);
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_stats().dropped_malformed, 3);

	ck_assert_uint_eq(chan_a->frames + c->frames, 0); /* nothing is answered */
	ck_assert_uint_eq(chan_b->frames, 1);
	chan_send_frame(chan_a, &ea, 8, 100); /* none of that has done harm */
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	chan_arrived(chan_b, &eb, 8, 100);
	raw_free(c);
	chan_end();
}
END_TEST

struct counts {
	size_t in, in_bytes, out, out_bytes;
};

static bool count_tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		      uint8_t *data, size_t *len)
{
	struct counts *n = ctx;

	(void)src, (void)dst;
	if (*len == 0 || (*data & 0x40))
		return true;
	if (from == chan_g.h) {
		n->out++;
		n->out_bytes += *len;
	} else {
		n->in++;
		n->in_bytes += *len;
	}
	return true;
}

/* Whatever comes, no more goes out; and a frame of no channel gets nothing at all. */
/* [P6-1] [P6-18] */
START_TEST(nothing_is_amplified)
{
	struct unit_rng rng = { .state = sim_seed() };
	struct counts n = { .in = 0 };
	struct relay_end ea, eb;

	chan_begin();
	chan_new(&ea, &eb);
	world_tap(chan_g.w, count_tap, &n);
	for (uint32_t i = 0; i < 200; i++)
		chan_send_frame(chan_a, &ea, i, 1 + i);
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_eq(n.in, 200);
	ck_assert_uint_eq(n.out, 200);
	ck_assert_uint_eq(n.out_bytes, n.in_bytes);
	n = (struct counts){ .in = 0 };
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t junk[200];
		size_t len = 1 + unit_random_below(&rng, sizeof(junk));
		struct addr src = addr_v4(IP(203, 0, 113, 7), 999), to = chan_server();

		unit_random_bytes(&rng, junk, sizeof(junk));
		junk[0] = i % 2 ? RELAY_FRAME_TYPE : (uint8_t)(junk[0] & ~0x40);
		if (i % 3 == 0)
			memcpy(junk + 1, ea.channel, RELAY_CHANNEL_LEN);
		if (i % 4 == 0)
			world_inject(chan_g.w, &src, &to, 0, junk, len);
		else
			chan_send_raw(i % 5 ? chan_a : chan_b, junk, len);
	}
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_eq(n.in, 2000);
	ck_assert_uint_eq(n.out, 0);
	world_tap(chan_g.w, NULL, NULL);
	chan_end();
}
END_TEST

/* --- who gets one ----------------------------------------------------------------------------- */

static void another_code(char out[BOOTSTRAP_CODE_TEXT_MAX])
{
	struct db *db;

	ck_assert_int_eq(db_open(chan_g.cfg.db_path, false, NULL, &db), 0);
	ck_assert_int_eq(bootstrap_code_add(chan_g.h, db, NULL, 0, out, NULL), 0);
	db_close(db);
}

/* [P6-2] */
START_TEST(only_members_with_a_session_get_a_channel)
{
	struct node_id nobody = { { 1, 2, 3 } };
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	struct relay_end e;
	struct raw *offline, *foreign;

	chan_begin();
	offline = raw_member(chan_a, "phone");
	another_code(code);
	foreign = raw_new(&chan_g);
	raw_setup(foreign, code, "elsewhere", NULL);
	raw_online(foreign);
	ck_assert_int_eq(chan_open_id(chan_a, &nobody, &e), REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(chan_open_to(chan_a, chan_a, &e), REFUSAL_NOT_ALLOWED);
	ck_assert_int_eq(chan_open_to(chan_a, offline, &e), REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(chan_open_to(chan_a, foreign, &e), REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(chan_open_to(foreign, chan_b, &e), REFUSAL_NOT_MEMBER);
	raw_online(offline);
	ck_assert_int_eq(chan_open_to(chan_a, offline, &e), REFUSAL_NONE);
	raw_hang_up(offline);
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_int_eq(chan_open_to(chan_a, offline, &e), REFUSAL_NOT_MEMBER);
	ck_assert_uint_eq(chan_stats().channels, 0);
	ck_assert_uint_eq(chan_b->relay_events, 0);
	raw_free(foreign);
	raw_free(offline);
	chan_end();
}
END_TEST

/* A session without events hears of its channels once it subscribes. */
/* [P6-4] */
START_TEST(a_channel_waits_for_the_subscription)
{
	struct relay_end ea, eb;
	struct signal_reply reply;
	struct raw *c;

	chan_begin();
	c = raw_member(chan_a, "phone");
	raw_session(c);
	ck_assert_int_eq(chan_open_to(chan_a, c, &ea), REFUSAL_NONE);
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_eq(c->relay_events, 0);
	ck_assert_int_eq(raw_subscribe(c, &reply), REFUSAL_NONE);
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_eq(c->relay_events, 1);
	eb = c->relay.relay;
	chan_send_frame(chan_a, &ea, 0, 50);
	sim_pass(chan_g.w, NS_PER_S);
	chan_arrived(c, &eb, 0, 50);
	raw_free(c);
	chan_end();
}
END_TEST

/* --- its end ---------------------------------------------------------------------------------- */

/* [P6-6] [P6-8] */
START_TEST(a_channel_ends_with_either_session)
{
	struct relay_end ea, eb, old;
	struct node_id id;

	chan_begin();
	id = identity_node_id(chan_b->id);
	chan_new(&ea, &eb);
	old = ea;
	for (unsigned i = 0; i < 2; i++) { /* hangs up; is replaced by a newer session */
		struct raw *newer = raw_clone(chan_b);

		if (i == 0)
			raw_hang_up(chan_b);
		else
			raw_online(newer);
		sim_pass(chan_g.w, NS_PER_S);
		ck_assert_uint_eq(chan_a->relay_closed_events, i + 1);
		ck_assert_mem_eq(chan_a->relay_closed.node_id, id.bytes, NODE_ID_LEN);
		ck_assert_mem_eq(chan_a->relay_closed.relay.channel, ea.channel, RELAY_CHANNEL_LEN);
		ck_assert_uint_eq(chan_stats().channels, 0);
		chan_send_frame(chan_a, &ea, 0, 100);
		sim_pass(chan_g.w, NS_PER_S);
		ck_assert_uint_eq(chan_stats().dropped_unknown, i + 1);
		raw_free(newer);
		raw_online(chan_b);
		chan_new(&ea, &eb);
		ck_assert_mem_ne(ea.channel, old.channel, RELAY_CHANNEL_LEN);
		ck_assert_mem_ne(ea.key, old.key, RELAY_KEY_LEN);
		chan_send_frame(chan_a, &ea, 0, 100);
		sim_pass(chan_g.w, NS_PER_S);
		chan_arrived(chan_b, &eb, 0, 100);
	}
	ck_assert_uint_eq(chan_b->relay_closed_events, 0);
	chan_end();
}
END_TEST

/* News for all find one session dead, which is news of its own for the other end of its channel. */
START_TEST(an_end_amid_other_news_garbles_nothing)
{
	struct relay_end ea, eb;
	struct raw *last;
	struct cluster *c;
	struct caller *second;
	unsigned before;

	chan_begin();
	last = raw_member(chan_a, "phone");
	raw_online(last);
	chan_new(&ea, &eb);
	c = registry_find(chan_g.s->registry, chan_a->cluster_id);
	second = list_entry(c->subscribers.next->next, struct caller, in_cluster);
	ck_assert_uint_eq(second->n_relay_ends, 1);
	quic_conn_close(second->quic, 0, "gone");
	before = last->log_events;
	events_log(c, 0);
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_uint_eq(last->log_events, before + 1);
	ck_assert_uint_eq(chan_a->relay_closed_events, 1);
	raw_free(last);
	chan_end();
}
END_TEST

/* [P6-16] */
START_TEST(a_channel_that_is_used_up_is_replaced)
{
	struct relay_end ea, eb, na, nb;

	chan_begin();
	chan_new(&ea, &eb);
	chan_send_frame(chan_a, &ea, RELAY_RENEW_AT - RELAY_RENEW_EARLY - 1, 100);
	sim_pass(chan_g.w, NS_PER_S);
	ck_assert_int_eq(chan_open_to(chan_b, chan_a, &nb), REFUSAL_NONE);
	ck_assert_mem_eq(&nb, &eb, sizeof(eb));
	chan_send_frame(chan_a, &ea, RELAY_RENEW_AT - 1, 100);
	sim_pass(chan_g.w, NS_PER_S);
	chan_arrived(chan_b, &eb, RELAY_RENEW_AT - 1, 100);
	chan_new(&na, &nb);
	ck_assert_mem_ne(&na, &ea, sizeof(ea));
	chan_send_frame(chan_a, &na, 0, 100);
	sim_pass(chan_g.w, NS_PER_S);
	chan_arrived(chan_b, &nb, 0, 100);
	ck_assert_uint_eq(chan_stats().channels, 1);
	chan_end();
}
END_TEST

/* Frames from a new address wait until QUIC has validated it; then those to it go there. */
/* [P6-17] [P6-18] */
START_TEST(a_node_that_moves_is_followed)
{
	struct relay_end ea, eb;
	struct signal_reply reply;
	struct signal_request rq = { .type = SIGNAL_LOG, .from = 1 };
	unsigned before;

	chan_begin();
	chan_new(&ea, &eb);
	chan_send_frame(chan_a, &ea, 0, 100);
	sim_pass(chan_g.w, NS_PER_S);
	chan_arrived(chan_b, &eb, 0, 100);

	world_host_roam(chan_b->h, IP(198, 51, 100, 200));
	chan_send_frame(chan_b, &eb, 0, 100);
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_stats().dropped_source, 1);
	ck_assert_uint_eq(chan_a->frames, 0);
	before = chan_b->frames;
	chan_send_frame(chan_a, &ea, 1, 100); /* to where it was */
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(chan_b->frames, before);

	ck_assert_int_eq(raw_ask(chan_b, &rq, &reply),
			 REFUSAL_NONE); /* QUIC sees it, and validates */
	sim_pass(chan_g.w, 2 * NS_PER_S);
	ck_assert_uint_ge(chan_b->observed_events, 1);
	chan_send_frame(chan_b, &eb, 1, 100);
	chan_send_frame(chan_a, &ea, 2, 100);
	sim_pass(chan_g.w, 100 * NS_PER_MS);
	chan_arrived(chan_a, &ea, 1, 100);
	chan_arrived(chan_b, &eb, 2, 100);
	ck_assert_uint_eq(chan_stats().channels, 1);
	chan_end();
}
END_TEST

UNIT_MAIN("signal/relay", a_channel_carries_packets_both_ways,
	  joined_runs_arrive_whole_and_in_order, frames_of_others_are_dropped, nothing_is_amplified,
	  only_members_with_a_session_get_a_channel, a_channel_waits_for_the_subscription,
	  a_channel_ends_with_either_session, an_end_amid_other_news_garbles_nothing,
	  a_channel_that_is_used_up_is_replaced, a_node_that_moves_is_followed)
