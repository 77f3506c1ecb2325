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

	begin();
	channel(&ea, &eb);
	ck_assert_mem_ne(ea.channel, eb.channel, RELAY_CHANNEL_LEN);
	ck_assert_mem_ne(ea.key, eb.key, RELAY_KEY_LEN);
	for (uint32_t i = 0; i < 20; i++) {
		send_frame(a, &ea, i, PACKET - i);
		send_frame(b, &eb, i, 1 + i);
		sim_pass(g.w, 50 * NS_PER_MS);
		ck_assert_uint_eq(a->frames, i + 1);
		ck_assert_uint_eq(b->frames, i + 1);
		arrived(b, &eb, i, PACKET - i);
		arrived(a, &ea, i, 1 + i);
	}
	/* the same again, from both sides */
	SIM_CHECK(g.w, open_to(a, b, &again) == REFUSAL_NONE);
	ck_assert_mem_eq(&again, &ea, sizeof(ea));
	SIM_CHECK(g.w, open_to(b, a, &again) == REFUSAL_NONE);
	ck_assert_mem_eq(&again, &eb, sizeof(eb));
	send_frame(a, &ea, 20, 100);
	sim_pass(g.w, 50 * NS_PER_MS);
	arrived(b, &eb, 20, 100);
	ck_assert_uint_eq(stats().channels, 1);
	ck_assert_uint_eq(stats().opened, 1);
	ck_assert_uint_eq(stats().forwarded, 41);
	end();
}
END_TEST

/* Runs of one size that the kernel joined are sent as such, a shorter one at their end too. */
START_TEST(joined_runs_arrive_whole_and_in_order)
{
	enum { RUN = 40 };
	static uint8_t bytes[2 * RUN][FRAME];
	struct relay_end ea, eb;
	uint32_t counter = 0;

	begin();
	channel(&ea, &eb);
	for (size_t round = 0; round < 3; round++) {
		struct udp_tx run = {
			.data = bytes[0], .len = RUN * FRAME, .segment = FRAME, .to = server()
		};

		for (size_t i = 0; i < RUN; i++) {
			fill(bytes[i], (uint8_t)counter);
			relay_wrap(&ea, RELAY_TO_SERVER, counter++, bytes[i], PACKET);
		}
		if (round == 1)
			bytes[5][14] ^= 1; /* in the middle of it: only this one is dropped */
		if (round == 2) {
			relay_wrap(&ea, RELAY_TO_SERVER, counter - 1, bytes[RUN - 1], 300);
			run.len -= PACKET - 300;
		}
		ck_assert_uint_eq(quic_socket_send_runs(a->socket, &run, 1), RUN);
		sim_pass(g.w, 100 * NS_PER_MS);
		arrived(b, &eb, counter - 1, round == 2 ? 300 : PACKET);
	}
	ck_assert_uint_eq(b->frames, 3 * RUN - 1);
	ck_assert_uint_eq(b->frame_bytes, (3 * RUN - 1) * FRAME - (PACKET - 300));
	ck_assert_uint_eq(stats().forwarded, 3 * RUN - 1);
	ck_assert_uint_eq(stats().forwarded_bytes, b->frame_bytes);
	ck_assert_uint_eq(stats().dropped_mac, 1);
	end();
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

	begin();
	channel(&ea, &eb);
	c = raw_member(a, "phone");
	raw_online(c);
	send_frame(a, &ea, 7, 100);
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(b->frames, 1);

	send_frame(a, &ea, 7, 100); /* seen before */
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(stats().dropped_replay, 1);
	send_frame(c, &ea, 8, 100); /* with a's id and key, but from elsewhere */
	send_frame(b, &ea, 8, 100); /* the other side is elsewhere, too */
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(stats().dropped_source, 2);
	bad = ea;
	bad.key[3] ^= 0x40;
	send_frame(a, &bad, 9, 100);
	fill(frame, 9);
	relay_wrap(&ea, RELAY_FROM_SERVER, 9, frame, 100); /* a frame sent back */
	send_raw(a, frame, RELAY_OVERHEAD + 100);
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(stats().dropped_mac, 2);
	bad = ea;
	bad.channel[0] ^= 1;
	send_frame(a, &bad, 10, 100);
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(stats().dropped_unknown, 1);
	send_raw(a, nothing, RELAY_OVERHEAD); /* too short */
	send_raw(a, "\x01ping", 5);
	send_raw(a, "\x3f", 1);
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(stats().dropped_malformed, 3);

	ck_assert_uint_eq(a->frames + c->frames, 0); /* nothing is answered */
	ck_assert_uint_eq(b->frames, 1);
	send_frame(a, &ea, 8, 100); /* none of that has done harm */
	sim_pass(g.w, 100 * NS_PER_MS);
	arrived(b, &eb, 8, 100);
	raw_free(c);
	end();
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
	if (from == g.h) {
		n->out++;
		n->out_bytes += *len;
	} else {
		n->in++;
		n->in_bytes += *len;
	}
	return true;
}

/* Whatever comes, no more goes out; and what is no channel's frame gets nothing at all. */
/* [P6-1] [P6-18] */
START_TEST(nothing_is_amplified)
{
	struct unit_rng rng = { .state = sim_seed() };
	struct counts n = { .in = 0 };
	struct relay_end ea, eb;

	begin();
	channel(&ea, &eb);
	world_tap(g.w, count_tap, &n);
	for (uint32_t i = 0; i < 200; i++)
		send_frame(a, &ea, i, 1 + i);
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(n.in, 200);
	ck_assert_uint_eq(n.out, 200);
	ck_assert_uint_eq(n.out_bytes, n.in_bytes);
	n = (struct counts){ .in = 0 };
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t junk[200];
		size_t len = 1 + unit_random_below(&rng, sizeof(junk));
		struct addr src = addr_v4(IP(203, 0, 113, 7), 999), to = server();

		unit_random_bytes(&rng, junk, sizeof(junk));
		junk[0] = i % 2 ? RELAY_FRAME_TYPE : (uint8_t)(junk[0] & ~0x40);
		if (i % 3 == 0)
			memcpy(junk + 1, ea.channel, RELAY_CHANNEL_LEN);
		if (i % 4 == 0)
			world_inject(g.w, &src, &to, 0, junk, len);
		else
			send_raw(i % 5 ? a : b, junk, len);
	}
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(n.in, 2000);
	ck_assert_uint_eq(n.out, 0);
	world_tap(g.w, NULL, NULL);
	end();
}
END_TEST

/* --- who gets one ----------------------------------------------------------------------------- */

static void another_code(char out[BOOTSTRAP_CODE_TEXT_MAX])
{
	struct db *db;

	ck_assert_int_eq(db_open(g.cfg.db_path, false, NULL, &db), 0);
	ck_assert_int_eq(bootstrap_code_add(g.h, db, NULL, 0, out, NULL), 0);
	db_close(db);
}

/* [P6-2] */
START_TEST(only_members_with_a_session_get_a_channel)
{
	struct node_id nobody = { { 1, 2, 3 } };
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	struct relay_end e;
	struct raw *offline, *foreign;

	begin();
	offline = raw_member(a, "phone");
	another_code(code);
	foreign = raw_new(&g);
	raw_setup(foreign, code, "elsewhere", NULL);
	raw_online(foreign);
	ck_assert_int_eq(open_id(a, &nobody, &e), REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(open_to(a, a, &e), REFUSAL_NOT_ALLOWED);
	ck_assert_int_eq(open_to(a, offline, &e), REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(open_to(a, foreign, &e), REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(open_to(foreign, b, &e), REFUSAL_NOT_MEMBER);
	raw_online(offline);
	ck_assert_int_eq(open_to(a, offline, &e), REFUSAL_NONE);
	raw_hang_up(offline);
	sim_pass(g.w, NS_PER_S);
	ck_assert_int_eq(open_to(a, offline, &e), REFUSAL_NOT_MEMBER);
	ck_assert_uint_eq(stats().channels, 0);
	ck_assert_uint_eq(b->relay_events, 0);
	raw_free(foreign);
	raw_free(offline);
	end();
}
END_TEST

/* A session without events hears of its channels once it subscribes. */
/* [P6-4] */
START_TEST(a_channel_waits_for_the_subscription)
{
	struct relay_end ea, eb;
	struct signal_reply reply;
	struct raw *c;

	begin();
	c = raw_member(a, "phone");
	raw_session(c);
	ck_assert_int_eq(open_to(a, c, &ea), REFUSAL_NONE);
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(c->relay_events, 0);
	ck_assert_int_eq(raw_subscribe(c, &reply), REFUSAL_NONE);
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(c->relay_events, 1);
	eb = c->relay.relay;
	send_frame(a, &ea, 0, 50);
	sim_pass(g.w, NS_PER_S);
	arrived(c, &eb, 0, 50);
	raw_free(c);
	end();
}
END_TEST

/* --- its end ---------------------------------------------------------------------------------- */

/* [P6-6] [P6-8] */
START_TEST(a_channel_ends_with_either_session)
{
	struct relay_end ea, eb, old;
	struct node_id id;

	begin();
	id = identity_node_id(b->id);
	channel(&ea, &eb);
	old = ea;
	for (unsigned i = 0; i < 2; i++) { /* hangs up; is replaced by a newer session */
		struct raw *newer = raw_clone(b);

		if (i == 0)
			raw_hang_up(b);
		else
			raw_online(newer);
		sim_pass(g.w, NS_PER_S);
		ck_assert_uint_eq(a->relay_closed_events, i + 1);
		ck_assert_mem_eq(a->relay_closed.node_id, id.bytes, NODE_ID_LEN);
		ck_assert_mem_eq(a->relay_closed.relay.channel, ea.channel, RELAY_CHANNEL_LEN);
		ck_assert_uint_eq(stats().channels, 0);
		send_frame(a, &ea, 0, 100);
		sim_pass(g.w, NS_PER_S);
		ck_assert_uint_eq(stats().dropped_unknown, i + 1);
		raw_free(newer);
		raw_online(b);
		channel(&ea, &eb);
		ck_assert_mem_ne(ea.channel, old.channel, RELAY_CHANNEL_LEN);
		ck_assert_mem_ne(ea.key, old.key, RELAY_KEY_LEN);
		send_frame(a, &ea, 0, 100);
		sim_pass(g.w, NS_PER_S);
		arrived(b, &eb, 0, 100);
	}
	ck_assert_uint_eq(b->relay_closed_events, 0);
	end();
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

	begin();
	last = raw_member(a, "phone");
	raw_online(last);
	channel(&ea, &eb);
	c = registry_find(g.s->registry, a->cluster_id);
	second = list_entry(c->subscribers.next->next, struct caller, in_cluster);
	ck_assert_uint_eq(second->n_relay_ends, 1);
	quic_conn_close(second->quic, 0, "gone");
	before = last->log_events;
	events_log(c, 0);
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(last->log_events, before + 1);
	ck_assert_uint_eq(a->relay_closed_events, 1);
	raw_free(last);
	end();
}
END_TEST

/* [P6-16] */
START_TEST(a_channel_that_is_used_up_is_replaced)
{
	struct relay_end ea, eb, na, nb;

	begin();
	channel(&ea, &eb);
	send_frame(a, &ea, RELAY_RENEW_AT - RELAY_RENEW_EARLY - 1, 100);
	sim_pass(g.w, NS_PER_S);
	ck_assert_int_eq(open_to(b, a, &nb), REFUSAL_NONE);
	ck_assert_mem_eq(&nb, &eb, sizeof(eb));
	send_frame(a, &ea, RELAY_RENEW_AT - 1, 100);
	sim_pass(g.w, NS_PER_S);
	arrived(b, &eb, RELAY_RENEW_AT - 1, 100);
	channel(&na, &nb);
	ck_assert_mem_ne(&na, &ea, sizeof(ea));
	send_frame(a, &na, 0, 100);
	sim_pass(g.w, NS_PER_S);
	arrived(b, &nb, 0, 100);
	ck_assert_uint_eq(stats().channels, 1);
	end();
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

	begin();
	channel(&ea, &eb);
	send_frame(a, &ea, 0, 100);
	sim_pass(g.w, NS_PER_S);
	arrived(b, &eb, 0, 100);

	world_host_roam(b->h, IP(198, 51, 100, 200));
	send_frame(b, &eb, 0, 100);
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(stats().dropped_source, 1);
	ck_assert_uint_eq(a->frames, 0);
	before = b->frames;
	send_frame(a, &ea, 1, 100); /* to where it was */
	sim_pass(g.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(b->frames, before);

	ck_assert_int_eq(raw_ask(b, &rq, &reply), REFUSAL_NONE); /* QUIC sees it, and validates */
	sim_pass(g.w, 2 * NS_PER_S);
	ck_assert_uint_ge(b->observed_events, 1);
	send_frame(b, &eb, 1, 100);
	send_frame(a, &ea, 2, 100);
	sim_pass(g.w, 100 * NS_PER_MS);
	arrived(a, &ea, 1, 100);
	arrived(b, &eb, 2, 100);
	ck_assert_uint_eq(stats().channels, 1);
	end();
}
END_TEST

UNIT_MAIN("signal/relay", a_channel_carries_packets_both_ways,
	  joined_runs_arrive_whole_and_in_order, frames_of_others_are_dropped, nothing_is_amplified,
	  only_members_with_a_session_get_a_channel, a_channel_waits_for_the_subscription,
	  a_channel_ends_with_either_session, an_end_amid_other_news_garbles_nothing,
	  a_channel_that_is_used_up_is_replaced, a_node_that_moves_is_followed)
