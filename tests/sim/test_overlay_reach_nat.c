/* SPDX-License-Identifier: MIT */
/* Reach alone: our NAT, and our own addresses. */
#include "crypto/hash.h"
#include "reach_scene.h"

/* --- our NAT --------------------------------------------------------------------------------- */

/* A check with the second port of the server, which sees us at `seen`. Returns the effects. */
static unsigned check(struct scene *s, struct addr seen, bool unasked)
{
	struct addr srv = scene_server(), echo = addr_v4(IP(198, 51, 100, 1), 4434);
	struct probe f = { .type = PROBE_PONG, .observed = seen };
	struct probe ping = { .type = PROBE_PING, .len = PROBE_PING_MIN };
	struct addr third = addr_v4(IP(198, 51, 100, 1), 999);
	uint8_t buf[PROBE_MAX];
	ptrdiff_t n;

	nat_check_begin(&s->around, &s->keys, &srv);
	nat_check_port(&s->around, &srv, echo.port);
	ck_assert_uint_eq(s->n_sent, 1);
	ck_assert(addr_equal(&s->sent[0].to, &echo));
	memcpy(f.tag, s->keys.tag, sizeof(f.tag));
	memcpy(ping.tag, s->keys.tag, sizeof(f.tag));
	if (unasked) {
		n = probe_encode(&ping, s->keys.server, hmac_sha256, buf, sizeof(buf));
		ck_assert(nat_received(&s->around, span_of(buf, (size_t)n), &third));
	}
	f.nonce = s->sent[0].f.nonce;
	n = probe_encode(&f, s->keys.server, hmac_sha256, buf, sizeof(buf));
	ck_assert(nat_received(&s->around, span_of(buf, (size_t)n), &echo));
	sim_pass(s->w, NS_PER_S);
	return nat_run(&s->around);
}

static void begin_behind_nat(struct scene *s)
{
	struct addr observed = addr_v4(IP(203, 0, 113, 1), 7000), srv = scene_server();

	scene_begin_node(s);
	random_fill(s->h, &s->keys, sizeof(s->keys));
	ck_assert(surroundings_observed(&s->around, &observed, &srv));
	ck_assert(surroundings_look(&s->around));
	ck_assert_uint_eq(nat_reset(&s->around), 0);
}

START_TEST(a_nat_that_keeps_the_port_is_found)
{
	struct scene s;

	begin_behind_nat(&s);
	ck_assert_uint_eq(check(&s, addr_v4(IP(203, 0, 113, 1), 7000), false),
			  REACH_REFRESH | REACH_TELL_NAT);
	ck_assert_int_eq(nat_told(&s.around).mapping, MAPPING_SAME);
	ck_assert_int_eq(nat_told(&s.around).filtering, FILTERING_PORT);
	ck_assert_uint_ne(nat_last_at(&s.around), 0);
	ck_assert_uint_eq(nat_run(&s.around), 0); /* it is over */
	scene_end(&s);
}
END_TEST

START_TEST(a_nat_that_lets_others_in_is_found)
{
	struct scene s;

	begin_behind_nat(&s);
	ck_assert_uint_eq(check(&s, addr_v4(IP(203, 0, 113, 1), 7000), true),
			  REACH_REFRESH | REACH_TELL_NAT);
	ck_assert_int_eq(nat_told(&s.around).filtering, FILTERING_OPEN);
	scene_end(&s);
}
END_TEST

/* [P6-43] */
START_TEST(ports_that_come_in_turn_are_learnt)
{
	struct scene s;

	begin_behind_nat(&s);
	ck_assert_uint_eq(check(&s, addr_v4(IP(203, 0, 113, 1), 7003), false),
			  REACH_REFRESH | REACH_TELL_NAT | REACH_PORT_LEARNT);
	ck_assert_int_eq(nat_told(&s.around).mapping, MAPPING_VARIES);
	ck_assert_uint_eq(s.around.nat.last_port.port, 7003);
	scene_end(&s);
}
END_TEST

START_TEST(ports_far_apart_teach_nothing)
{
	struct scene s;

	begin_behind_nat(&s);
	ck_assert_uint_eq(check(&s, addr_v4(IP(203, 0, 113, 1), 9000), false),
			  REACH_REFRESH | REACH_TELL_NAT);
	scene_end(&s);
}
END_TEST

/* Of one tunnel: what a peer outside sees is a view of our NAT, too. */
START_TEST(a_peer_outside_is_a_view_of_our_nat)
{
	struct addr to = scene_outside(7), srv = scene_server(),
		    observed = addr_v4(IP(203, 0, 113, 1), 7000);
	struct scene s;
	struct sent ping;

	scene_begin(&s, true, NULL);
	ck_assert(surroundings_observed(&s.around, &observed, &srv));
	ck_assert(surroundings_look(&s.around));
	ck_assert_uint_eq(nat_reset(&s.around), 0);
	scene_name(&s, to);
	ping = *scene_last_to(&s, &to, PROBE_PING);
	scene_forget(&s);
	scene_pongs(&s, &ping, &to, 0, observed);
	ck_assert_uint_eq(s.bits & (REACH_REFRESH | REACH_TELL_NAT),
			  REACH_REFRESH | REACH_TELL_NAT);
	ck_assert_int_eq(nat_told(&s.around).mapping, MAPPING_SAME);
	scene_end(&s);
}
END_TEST

/* The last port is told at the next round, or the NAT is checked again if that is long ago. */
START_TEST(the_last_port_is_told_at_a_round)
{
	struct scene s;

	scene_begin(&s, true, NULL);
	s.around.nat.in_turn = true;
	sim_pass(s.w, 2 * NS_PER_S);
	scene_forget(&s);
	reach_round(s.r, clock_now(s.h));
	scene_take(&s);
	ck_assert(s.bits & REACH_TELL_PORT);
	scene_forget(&s);
	reach_round(s.r, clock_now(s.h)); /* not as often as there are rounds */
	scene_take(&s);
	ck_assert(!(s.bits & (REACH_TELL_PORT | REACH_WANT_ECHO)));
	ck_assert(predict_learnt(s.r, clock_now(s.h)));
	s.around.nat.check.last_at = clock_now(s.h);
	sim_pass(s.w, 300 * NS_PER_S);
	scene_forget(&s);
	reach_round(s.r, clock_now(s.h));
	scene_take(&s);
	ck_assert(s.bits & REACH_WANT_ECHO);
	ck_assert(!(s.bits & REACH_TELL_PORT));
	scene_end(&s);
}
END_TEST

/* [P6-44] [P6-45] */
START_TEST(ports_are_guessed_around_the_one_that_is_told)
{
	struct addr named = scene_outside(7000), last = scene_outside(7001),
		    stranger = addr_v4(IP(203, 0, 113, 7), 1);
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_name(&s, named);
	ck_assert(!predict_told(s.r, &stranger)); /* nobody named it */
	scene_forget(&s);
	ck_assert(predict_told(s.r, &last));
	scene_run(&s);
	sim_pass(s.w, 10 * NS_PER_S);
	ck_assert_uint_eq(s.r->predict.tried, PREDICT_STEP - 1); /* one is named itself */
	for (size_t i = 0; i < s.n_sent; i++) {
		if (s.sent[i].relay || addr_equal(&s.sent[i].to, &named))
			continue;
		ck_assert(addr_same_ip(&s.sent[i].to, &last));
		ck_assert_int_le(abs((int)s.sent[i].to.port - (int)last.port), PREDICT_STEP / 2);
	}
	scene_end(&s);
}
END_TEST

/* --- our own addresses ----------------------------------------------------------------------- */

START_TEST(who_sees_us_elsewhere_has_one_voice_and_a_budget)
{
	struct bucket budget;
	struct scene s;
	int a = 0, b = 0;

	scene_begin_node(&s);
	bucket_init(&budget, 1, 8, clock_now(s.h));
	for (uint16_t i = 0; i < 20; i++) {
		struct addr seen = scene_outside((uint16_t)(100 + i));

		ck_assert_int_eq(surroundings_observed_by(&s.around, &a, &budget, &seen), i < 8);
	}
	ck_assert_uint_eq(s.around.observed_by_peer[0].port, 107);
	ck_assert(addr_is_unset(&s.around.observed_by_peer[1]));
	bucket_init(&budget, 1, 8, clock_now(s.h));
	ck_assert(surroundings_observed_by(&s.around, &b, &budget, &(struct addr){ .port = 0 }) ==
		  false);
	struct addr other = scene_outside(300);

	ck_assert(surroundings_observed_by(&s.around, &b, &budget, &other));
	ck_assert_uint_eq(s.around.observed_by_peer[1].port, 107);
	ck_assert(surroundings_look(&s.around));
	ck_assert(candidates_have(&s.around.own, &other));
	/* It leaves: its word goes with it, and nobody else's. */
	ck_assert(surroundings_forget(&s.around, &b));
	ck_assert(!surroundings_forget(&s.around, &b));
	ck_assert(surroundings_look(&s.around));
	ck_assert(!candidates_have(&s.around.own, &other));
	ck_assert_uint_eq(s.around.observed_by_peer[1].port, 107);
	ck_assert_uint_eq(surroundings_moved(&s.around), 0);
	ck_assert(addr_is_unset(&s.around.observed_by_peer[1]));
	scene_end(&s);
}
END_TEST

UNIT_MAIN("overlay/reach_nat", a_nat_that_keeps_the_port_is_found,
	  a_nat_that_lets_others_in_is_found, ports_that_come_in_turn_are_learnt,
	  ports_far_apart_teach_nothing, a_peer_outside_is_a_view_of_our_nat,
	  the_last_port_is_told_at_a_round, ports_are_guessed_around_the_one_that_is_told,
	  who_sees_us_elsewhere_has_one_voice_and_a_budget)
