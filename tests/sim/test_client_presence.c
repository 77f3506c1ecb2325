/* SPDX-License-Identifier: MIT */
/* Presence as a server may tell it: before the entry, with strange addresses, in pieces. */
#include "hostile_kit.h"
#include "membership/internal.h"

static struct wire_presence presence_of(const struct kit_node *n, bool online)
{
	struct wire_presence p = { .online = online };

	memcpy(p.node_id, n->cluster.node_id.bytes, NODE_ID_LEN);
	return p;
}

static void tell(struct scene *s, struct wire_presence *p, size_t n, bool reset, uint64_t cursor)
{
	struct signal_event ev = {
		.type = SIGNAL_EV_PRESENCE,
		.presence = p,
		.n_presence = n,
		.reset = reset,
		.cursor = cursor,
	};

	evil_say(&s->e, &ev);
	sim_pass(s->k.w, 100 * NS_PER_MS);
}

START_TEST(only_sensible_candidates_are_passed_on)
{
	struct wire_presence p;
	struct kit_node *laptop;
	struct scene s;

	evil_scene_joined(&s);
	laptop = evil_scene_second(&s);
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	p = presence_of(laptop, true);
	p.candidates.n = 6;
	p.candidates.item[0] = addr_v4(IP(127, 0, 0, 1), 53);
	p.candidates.item[1] = addr_v4(IP(169, 254, 169, 254), 80); /* metadata of clouds */
	p.candidates.item[2] = addr_v4(IP(192, 168, 1, 5), 5000);
	p.candidates.item[3] = addr_v4(IP(224, 0, 0, 1), 5000);
	p.candidates.item[4] = addr_v4(IP(255, 255, 255, 255), 5000);
	p.candidates.item[5] = addr_v4(IP(8, 8, 8, 8), 0);
	tell(&s, &p, 1, false, 1);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(s.n->n_seen, 1);
	ck_assert_uint_eq(s.n->seen[0].candidates.n, 1);
	ck_assert(addr_equal(&s.n->seen[0].candidates.item[0], &p.candidates.item[2]));
	evil_scene_close(&s);
}
END_TEST

static void removed(struct kit_node *at, const struct kit_node *gone)
{
	struct roster_leave how = { LEFT_REMOVED, 100, 1, at->cluster.node_id };
	struct roster *r = at->log->roster;

	ck_assert_int_eq(roster_reserve(r, 1), 0);
	roster_leave(r, roster_by_id(r, &gone->cluster.node_id, ROSTER_CURRENT), &how);
	session_log_grew(at->session);
}

/* Nor is it taken for one that the log does not know yet. */
START_TEST(the_presence_of_a_former_member_is_ignored)
{
	struct wire_presence p;
	struct kit_node *laptop;
	struct scene s;
	unsigned fetched;

	evil_scene_joined(&s);
	laptop = evil_scene_second(&s);
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	removed(s.n, laptop);
	sim_pass(s.k.w, NS_PER_S);
	fetched = s.e.requests[SIGNAL_LOG];
	p = presence_of(laptop, true);
	for (unsigned i = 1; i < 50; i++)
		tell(&s, &p, 1, i % 7 == 0, i);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	ck_assert_uint_eq(s.e.requests[SIGNAL_LOG], fetched);
	evil_scene_close(&s);
}
END_TEST

/* The event of the entry got lost, or comes later: the presence is not. */
START_TEST(presence_before_the_entry_is_kept)
{
	struct wire_presence p;
	struct kit_node *laptop;
	struct scene s;

	evil_scene_joined(&s);
	laptop = evil_scene_second(&s);
	s.e.n_shown = 1;
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	p = presence_of(laptop, false);
	tell(&s, &p, 1, false, 1);
	p.online = true; /* the last word counts */
	tell(&s, &p, 1, false, 2);
	ck_assert_uint_eq(s.n->n_seen, 0);
	ck_assert_uint_ge(s.e.requests[SIGNAL_LOG], 2);
	s.e.n_shown = 2;
	tell(&s, &p, 0, false, 3);
	sim_pass(s.k.w, 70 * NS_PER_S); /* the heartbeat, at the latest */
	ck_assert_uint_eq(mlog_count(s.n->log), 2);
	ck_assert(kit_sees(s.n, laptop));
	ck_assert_uint_eq(s.n->seen[0].told, 1);
	evil_scene_close(&s);
}
END_TEST

/* An unknown node makes us ask for the log at once, not with the next heartbeat. */
START_TEST(presence_of_a_stranger_fetches_the_log)
{
	struct wire_presence p;
	struct kit_node *laptop;
	struct scene s;

	evil_scene_joined(&s);
	laptop = evil_scene_second(&s);
	s.e.n_shown = 1;
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	sim_pass(s.k.w, NS_PER_S);
	s.e.n_shown = 2;
	p = presence_of(laptop, true);
	tell(&s, &p, 1, false, 1);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert_uint_eq(mlog_count(s.n->log), 2);
	ck_assert(kit_sees(s.n, laptop));
	evil_scene_close(&s);
}
END_TEST

START_TEST(our_own_presence_is_ignored)
{
	struct wire_presence p;
	struct scene s;

	evil_scene_up(&s);
	p = presence_of(s.n, false);
	tell(&s, &p, 1, false, 1);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	evil_scene_close(&s);
}
END_TEST

START_TEST(cursor_and_epoch_are_resumed)
{
	static const uint8_t none[EPOCH_LEN], seven[EPOCH_LEN] = { 7, 7, 7, 7, 7, 7, 7, 7 };
	struct wire_presence p;
	struct kit_node *laptop;
	struct scene s;

	evil_scene_joined(&s);
	laptop = evil_scene_second(&s);
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	ck_assert_mem_eq(s.e.epoch, none, EPOCH_LEN);
	ck_assert_uint_eq(s.e.cursor, 0);
	p = presence_of(laptop, true);
	tell(&s, &p, 1, true, 41);
	tell(&s, &p, 1, false, 42);
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	ck_assert_mem_eq(s.e.epoch, seven, EPOCH_LEN);
	ck_assert_uint_eq(s.e.cursor, 42);
	ck_assert_uint_eq(s.n->resets, 1);
	ck_assert(kit_sees(s.n, laptop));
	evil_scene_close(&s);
}
END_TEST

/* The server takes the invite, but shows a log from before it. */
/* [P3-50] */
START_TEST(stale_log_is_not_joined)
{
	struct invite_url url;
	struct kit_node *third;
	struct scene s;

	evil_scene_joined(&s);
	evil_scene_second(&s);
	kit_load(s.n);
	kit_show(s.n, evil_shown(&s.e, 1));
	url = kit_invite_url(s.n);
	kit_unload(s.n);
	third = kit_node(&s.k, "third");
	s.e.n_shown = 1;
	s.e.deaf_to_admits = true;
	s.e.offer_address = IP(100, 64, 0, 3);
	kit_adopt(third, &url);
	KIT_REFUSED(third, REFUSAL_UNKNOWN_HEAD);
	ck_assert_ptr_nonnull(strstr(third->join_err.text, "stale or forked"));
	ck_assert(!kit_has_file(third, STORE_CLUSTER));
	s.e.n_shown = 2;
	s.e.deaf_to_admits = false;
	kit_adopt(third, &url);
	KIT_JOINED(third);
	evil_scene_close(&s);
}
END_TEST

UNIT_MAIN("client/presence", the_presence_of_a_former_member_is_ignored,
	  only_sensible_candidates_are_passed_on, presence_before_the_entry_is_kept,
	  presence_of_a_stranger_fetches_the_log, our_own_presence_is_ignored,
	  cursor_and_epoch_are_resumed, stale_log_is_not_joined)
