/* SPDX-License-Identifier: MIT */
/* setup and adopt with a hostile server: nothing is believed, and nothing is left behind. */
#include "hostile_kit.h"

/* --- setup ------------------------------------------------------------------------------------ */

START_TEST(broken_offers_leave_nothing)
{
	struct scene s;

	for (int how = EVIL_SILENT; how <= EVIL_CLOSE; how++) {
		for (int at = SIGNAL_HELLO; at <= SIGNAL_SETUP_OFFER; at++) {
			struct setup_params p;
			uint64_t began;

			evil_scene_open(&s);
			s.e.how = (enum evil_how)how;
			s.e.at = (enum signal_request_type)at;
			p = evil_params(&s);
			began = world_now(s.k.w);
			kit_setup_with(s.n, &p);
			ck_assert(!s.n->joined);
			ck_assert_int_ne(s.n->join_err.reason, 0);
			ck_assert_ptr_nonnull(strstr(s.n->join_err.text, "evil.example.net"));
			ck_assert(kit_has_nothing(s.n));
			ck_assert_uint_lt(world_now(s.k.w) - began, 12 * NS_PER_S);
			evil_scene_close(&s);
		}
	}
}
END_TEST

/* Whatever it does after it was sent: it may have taken it, so it stays pending. */
START_TEST(broken_setup_replies_keep_the_request)
{
	struct scene s;

	for (int how = EVIL_SILENT; how <= EVIL_CLOSE; how++) {
		struct setup_params p;

		evil_scene_open(&s);
		s.e.how = (enum evil_how)how;
		s.e.at = SIGNAL_SETUP;
		p = evil_params(&s);
		kit_setup_with(s.n, &p);
		ck_assert(!s.n->joined);
		ck_assert(kit_has_file(s.n, STORE_PENDING));
		ck_assert(!kit_has_file(s.n, STORE_CLUSTER));
		ck_assert_ptr_nonnull(strstr(s.n->join_err.text, "same command again"));
		s.e.how = EVIL_NOT;
		kit_setup_with(s.n, &p);
		KIT_JOINED(s.n);
		ck_assert(s.n->result.completed_pending);
		evil_scene_close(&s);
	}
}
END_TEST

START_TEST(refusals_of_a_setup_follow_the_table)
{
	static const struct {
		enum refusal reason;
		bool stays;
	} cases[] = {
		{ REFUSAL_USED_CODE, false }, { REFUSAL_FULL, false },
		{ REFUSAL_VERSION, false },   { REFUSAL_INTERNAL, true },
		{ (enum refusal)77, true },
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct setup_params p;

		evil_scene_open(&s);
		s.e.how = EVIL_REFUSE;
		s.e.at = SIGNAL_SETUP;
		s.e.reason = cases[i].reason;
		p = evil_params(&s);
		kit_setup_with(s.n, &p);
		KIT_REFUSED(s.n, (int)cases[i].reason);
		/* The server's own words are shown where ours do not say it all. */
		ck_assert(!strstr(s.n->join_err.text, "because") ==
			  (cases[i].reason == REFUSAL_USED_CODE));
		ck_assert(kit_has_file(s.n, STORE_PENDING) == cases[i].stays);
		ck_assert(!kit_has_identity(s.n));
		/* What an earlier run sent is not forgotten for what says nothing about it. */
		if (cases[i].stays) {
			s.e.reason = REFUSAL_NOT_ALLOWED;
			kit_setup_with(s.n, &p);
			KIT_REFUSED(s.n, REFUSAL_NOT_ALLOWED);
			ck_assert(kit_has_file(s.n, STORE_PENDING));
			s.e.reason = REFUSAL_USED_CODE;
			kit_setup_with(s.n, &p);
			KIT_REFUSED(s.n, REFUSAL_USED_CODE);
			ck_assert(kit_has_nothing(s.n));
		}
		evil_scene_close(&s);
	}
}
END_TEST

/* "Stale" is the end of it, like any other refusal: nothing of it depends on a log. */
START_TEST(stale_setup_ends)
{
	struct setup_params p;
	struct scene s;

	evil_scene_open(&s);
	s.e.how = EVIL_REFUSE;
	s.e.at = SIGNAL_SETUP;
	s.e.reason = REFUSAL_STALE;
	p = evil_params(&s);
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_STALE);
	ck_assert_uint_eq(s.e.requests[SIGNAL_SETUP], 1);
	ck_assert(kit_has_nothing(s.n));
	evil_scene_close(&s);
}
END_TEST

/* A limit on requests is waited for, in hello and behind it, and not forever. */
START_TEST(rate_limits_are_waited_for)
{
	static const enum signal_request_type at[] = { SIGNAL_HELLO, SIGNAL_SETUP_OFFER,
						       SIGNAL_SETUP };

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct setup_params p;
		struct scene s;
		uint64_t began;

		evil_scene_open(&s);
		s.e.how = EVIL_REFUSE;
		s.e.at = at[i];
		s.e.reason = REFUSAL_RATE;
		s.e.retry_after_s = 7;
		p = evil_params(&s);
		kit_join_begin(s.n);
		SIM_CHECK_OK(s.k.w,
			     setup_start(s.n->host, &s.n->store, &p, kit_on_code, kit_on_join,
					 kit_on_progress, s.n, &s.n->join_err, &s.n->join));
		sim_pass(s.k.w, 20 * NS_PER_S);
		ck_assert(!s.n->join_ended);
		ck_assert_uint_ge(s.e.requests[at[i]], 2);
		ck_assert_uint_le(s.e.requests[at[i]], 4);
		s.e.how = EVIL_NOT;
		kit_join_run(s.n, 0);
		KIT_JOINED(s.n);
		evil_scene_close(&s);

		/* It never says anything else. */
		evil_scene_open(&s);
		s.e.how = EVIL_REFUSE;
		s.e.at = at[i];
		s.e.reason = REFUSAL_RATE;
		p = evil_params(&s);
		began = world_now(s.k.w);
		kit_setup_with(s.n, &p);
		ck_assert(!s.n->joined);
		ck_assert_uint_le(world_now(s.k.w) - began, 125 * NS_PER_S);
		ck_assert_uint_le(s.e.requests[at[i]], 125);
		evil_scene_close(&s);
	}
}
END_TEST

START_TEST(offers_outside_of_the_permitted_are_refused)
{
	static const struct {
		struct prefix4 subnet;
		ip4 address;
	} offers[] = {
		{ { IP(8, 0, 0, 0), 8 }, IP(8, 0, 0, 1) }, /* the Internet */
		{ { IP(0, 0, 0, 0), 0 }, IP(8, 0, 0, 1) },
		{ { IP(127, 0, 0, 0), 8 }, IP(127, 0, 0, 1) },
		{ { IP(100, 64, 0, 0), 10 }, IP(100, 64, 0, 0) },
		{ { IP(100, 64, 0, 0), 10 }, IP(100, 127, 255, 255) },
		{ { IP(100, 64, 0, 0), 10 }, IP(192, 168, 1, 1) },
		{ { IP(100, 64, 0, 0), 10 }, 0 },
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		struct setup_params p;

		evil_scene_open(&s);
		s.e.offer = offers[i].subnet;
		s.e.offer_address = offers[i].address;
		p = evil_params(&s);
		kit_setup_with(s.n, &p);
		ck_assert(!s.n->joined);
		ck_assert_uint_gt(strlen(s.n->join_err.text), 20);
		ck_assert_uint_eq(s.e.requests[SIGNAL_SETUP], 0);
		ck_assert(kit_has_nothing(s.n));
		evil_scene_close(&s);
	}
}
END_TEST

/* Another subnet than the one that was asked for is not taken either. */
START_TEST(another_subnet_than_asked_is_refused)
{
	struct setup_params p;
	struct scene s;

	evil_scene_open(&s);
	p = evil_params(&s);
	p.has_subnet = true;
	p.subnet = (struct prefix4){ IP(10, 9, 0, 0), 16 };
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_SUBNET);
	ck_assert(kit_has_nothing(s.n));
	evil_scene_close(&s);
}
END_TEST

/* --- adopt ------------------------------------------------------------------------------------ */

/* An invite into the node's cluster, and a second machine to use it. */
static struct kit_node *joiner(struct scene *s, struct invite_url *ret_url)
{
	struct kit_node *laptop = kit_node(&s->k, "laptop");

	*ret_url = kit_invite_url(s->n);
	s->e.offer_address = IP(100, 64, 0, 2);
	return laptop;
}

/* Another cluster's genesis, valid in itself. */
static void show_another_genesis(struct scene *s)
{
	struct entry_bytes entry;
	struct genesis g;

	kit_load(s->n);
	g = *mlog_genesis(s->n->log);
	g.random[0] ^= 1;
	SIM_CHECK_OK(s->k.w, genesis_make(&g, 1000, identity_signer(s->n->id), &entry, NULL));
	evil_found(&s->e, span_of(entry.data, entry.len));
	kit_unload(s->n);
}

/* Not joined; the request may have been carried out, so the next run asks for it again. */
static void expect_pending(struct kit_node *n)
{
	ck_assert(!n->joined);
	ck_assert(!kit_has_file(n, STORE_CLUSTER) && !kit_has_file(n, STORE_LOG));
	ck_assert(kit_has_file(n, STORE_PENDING));
	ck_assert_ptr_nonnull(strstr(n->join_err.text, "same command again"));
}

/* [P3-50] */
START_TEST(lying_logs_are_not_joined)
{
	struct scene s;
	struct kit_node *laptop;
	struct invite_url url;
	struct record_bytes genesis;

	/* A byte of genesis changed. */
	evil_scene_joined(&s);
	genesis = s.e.shown[0];
	laptop = joiner(&s, &url);
	s.e.deaf_to_admits = true;
	s.e.shown[0].data[60] ^= 1;
	kit_adopt(laptop, &url);
	expect_pending(laptop);
	s.e.shown[0].data[60] ^= 1;

	/* "Yes", and the log does not have it. */
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_BAD_ENTRY);
	expect_pending(laptop);
	s.e.deaf_to_admits = false;

	/* Genesis again and again. */
	s.e.endless = true;
	s.e.requests[SIGNAL_LOG] = 0;
	kit_adopt(laptop, &url);
	expect_pending(laptop);
	ck_assert_uint_lt(s.e.requests[SIGNAL_LOG], 8);
	s.e.endless = false;

	/* A false receipt. */
	s.e.shown[1].data[s.e.shown[1].len - 1] ^= 1;
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_TAMPERED);
	expect_pending(laptop);
	s.e.shown[1].data[s.e.shown[1].len - 1] ^= 1;

	s.e.deaf_to_admits = true;
	show_another_genesis(&s);
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_WRONG_CLUSTER);
	expect_pending(laptop);

	/* It comes to its senses. */
	s.e.shown[0] = genesis;
	s.e.deaf_to_admits = false;
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	ck_assert(laptop->result.completed_pending);
	evil_scene_close(&s);
}
END_TEST

/* [P3-50] */
START_TEST(addresses_outside_of_the_subnet_are_not_taken)
{
	static const ip4 addresses[] = {
		IP(100, 64, 0, 1), IP(100, 64, 0, 0), IP(192, 168, 0, 1), IP(100, 127, 255, 255), 0,
	};
	struct scene s;
	struct kit_node *laptop;
	struct invite_url url;

	evil_scene_joined(&s);
	laptop = joiner(&s, &url);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		s.e.n_shown = 1;
		s.e.offer_address = addresses[i];
		kit_adopt(laptop, &url);
		KIT_REFUSED(laptop, REFUSAL_BAD_ENTRY);
		expect_pending(laptop);
	}
	evil_scene_close(&s);
}
END_TEST

UNIT_MAIN("client/hostile join", broken_offers_leave_nothing, broken_setup_replies_keep_the_request,
	  refusals_of_a_setup_follow_the_table, stale_setup_ends, rate_limits_are_waited_for,
	  offers_outside_of_the_permitted_are_refused, another_subnet_than_asked_is_refused,
	  lying_logs_are_not_joined, addresses_outside_of_the_subnet_are_not_taken)
