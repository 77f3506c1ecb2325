/* SPDX-License-Identifier: MIT */
/*
 * A signal server of a later version: it says what this version does not know, has moved, or is
 * busy. The node does what it can, and no more than the rules let it.
 */
#include "hostile_kit.h"

#define SECOND_NAME "second.example.net"

static void open_second(struct scene *s, struct evil *second, const struct identity *key_of)
{
	evil_open_at(second, s->k.w, "second", SECOND_NAME, IP(192, 0, 2, 67), key_of);
	memcpy(second->shown, s->e.shown, sizeof(second->shown));
	second->n_shown = s->e.n_shown;
}

/* The first server sends its nodes to the second. */
static void move_to(struct evil *e, const char *host)
{
	e->how = EVIL_MOVED;
	e->moved_host = host;
	e->moved_port = KIT_PORT;
}

static unsigned hellos_in(struct scene *s, struct evil *e, uint64_t ns)
{
	unsigned before = e->requests[SIGNAL_HELLO];

	sim_pass(s->k.w, ns);
	return e->requests[SIGNAL_HELLO] - before;
}

/* [P3-20] */
START_TEST(unknown_events_are_passed_over)
{
	static const uint8_t events[] = {
		0, 0, 0, 3, 0x81, 0x18, 0x40,				 /* [64] */
		0, 0, 0, 8, 0x82, 0x19, 0xff, 0xff, 0xa1, 1, 0x20, 0xf6, /* [65535, {1: -1}, ...] */
	};
	struct signal_event ev = { .type = SIGNAL_EV_OBSERVED,
				   .observed = addr_v4(IP(1, 2, 3, 4), 5) };
	struct scene s;

	evil_scene_up(&s);
	for (int i = 0; i < 200; i++)
		evil_write_all(&s.e, s.e.events, events, sizeof(events), false);
	evil_say(&s.e, &ev);
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(s.e.conns, 1);
	ck_assert_uint_eq(addr_ip4(&s.n->observed), IP(1, 2, 3, 4));
	evil_scene_close(&s);
}
END_TEST

/* [P3-22] */
START_TEST(unknown_feature_bits_are_kept_to_be_shown)
{
	struct scene s;

	evil_scene_joined(&s);
	s.e.features = 1ull << 63 | 5;
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	ck_assert(kit_status(s.n).features == (1ull << 63 | 5));
	evil_scene_close(&s);
}
END_TEST

/* [P3-24] */
START_TEST(a_server_that_has_moved_is_followed)
{
	struct evil second;
	struct scene s;

	evil_scene_joined(&s);
	open_second(&s, &second, s.e.id);
	move_to(&s.e, SECOND_NAME);
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	ck_assert_str_eq(kit_status(s.n).moved.host, SECOND_NAME);
	ck_assert_uint_eq(kit_status(s.n).moved.port, KIT_PORT);
	ck_assert_uint_eq(s.e.requests[SIGNAL_HELLO], 1);
	ck_assert_uint_eq(s.e.requests[SIGNAL_SESSION], 0);
	/* It goes back there, without asking again where. */
	sim_pass(s.k.w, 30 * NS_PER_S);
	quic_conn_close(second.conn, SIGNAL_CLOSE_BYE, "");
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	ck_assert_uint_eq(second.requests[SIGNAL_HELLO], 2);
	ck_assert_uint_eq(s.e.requests[SIGNAL_HELLO], 1);
	/* With nobody there, where it was set up is asked again. */
	s.e.how = EVIL_NOT;
	evil_close(&second);
	SIM_CHECK(s.k.w, world_run(s.k.w, 60 * NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	ck_assert_str_eq(kit_status(s.n).moved.host, "");
	ck_assert_uint_eq(s.e.requests[SIGNAL_SESSION], 1);
	evil_scene_close(&s);
}
END_TEST

/* Only memory knows of it: another process begins where the cluster was set up. */
/* [P3-29] */
START_TEST(a_move_is_on_no_disk)
{
	struct evil second;
	struct scene s;

	evil_scene_joined(&s);
	open_second(&s, &second, s.e.id);
	move_to(&s.e, SECOND_NAME);
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	sim_pass(s.k.w, NS_PER_S);
	kit_node_down(s.n);
	sim_pass(s.k.w, NS_PER_S);
	s.e.how = EVIL_NOT;
	kit_node_up(s.n);
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	ck_assert_str_eq(kit_status(s.n).moved.host, "");
	ck_assert_uint_eq(s.e.requests[SIGNAL_SESSION], 1);
	evil_close(&second);
	evil_scene_close(&s);
}
END_TEST

/* [P3-25] */
START_TEST(a_move_to_a_server_with_another_key_is_refused)
{
	struct evil second;
	struct scene s;

	evil_scene_joined(&s);
	open_second(&s, &second, NULL);
	move_to(&s.e, SECOND_NAME);
	kit_node_up(s.n);
	sim_pass(s.k.w, 10 * NS_PER_S);
	ck_assert(!kit_is_up(s.n));
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_FINGERPRINT);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "has sent this node on"));
	/* Nothing was said there, and it is not tried all the time. */
	ck_assert_uint_eq(second.requests[SIGNAL_HELLO], 0);
	ck_assert_uint_le(hellos_in(&s, &s.e, 600 * NS_PER_S), 20);
	ck_assert_uint_eq(second.requests[SIGNAL_HELLO], 0);
	s.e.how = EVIL_NOT;
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	evil_close(&second);
	evil_scene_close(&s);
}
END_TEST

/* [P3-28] */
START_TEST(servers_that_send_a_node_in_circles)
{
	struct evil second;
	struct scene s;
	unsigned hellos;

	evil_scene_joined(&s);
	open_second(&s, &second, s.e.id);
	move_to(&s.e, SECOND_NAME);
	move_to(&second, "evil.example.net");
	kit_node_up(s.n);
	sim_pass(s.k.w, 10 * NS_PER_S);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_MOVED);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "in a circle"));
	ck_assert_uint_eq(s.e.requests[SIGNAL_HELLO], 1);
	ck_assert_uint_eq(second.requests[SIGNAL_HELLO], 1);
	/* So many hops for this day, and slow attempts that then ask the first server only. */
	hellos = hellos_in(&s, &second, HOPS_PER_DAY_MAX * 38 * NS_PER_S);
	ck_assert_uint_eq(hellos, HOPS_PER_DAY_MAX - 1);
	ck_assert_uint_eq(hellos_in(&s, &second, 300 * NS_PER_S), 0);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "for one day"));
	ck_assert_uint_le(hellos_in(&s, &s.e, 300 * NS_PER_S), 10);
	s.e.how = EVIL_NOT;
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	evil_close(&second);
	evil_scene_close(&s);
}
END_TEST

/* [P3-27] */
START_TEST(moves_to_places_of_nobody_are_not_followed)
{
	static const char *const places[] = { "127.0.0.1", "169.254.169.254", "EVIL.example.net",
					      "nas.homelab", "loop.example.net" };
	struct addr loop = addr_v4(IP(127, 0, 0, 1), KIT_PORT);
	struct scene s;

	evil_scene_joined(&s);
	SIM_CHECK_OK(s.k.w, world_dns_set(s.k.w, "loop.example.net", &loop));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		move_to(&s.e, places[i]);
		kit_node_up(s.n);
		sim_pass(s.k.w, 10 * NS_PER_S);
		ck_assert(!kit_is_up(s.n));
		ck_assert_int_eq(kit_status(s.n).last_err.reason,
				 i < 4 ? REFUSAL_MOVED : REFUSAL_UNREACHABLE);
		kit_node_down(s.n);
	}
	evil_scene_close(&s);
}
END_TEST

/* [P3-30] */
START_TEST(a_busy_server_is_waited_for)
{
	struct scene s;

	evil_scene_joined(&s);
	s.e.how = EVIL_BUSY;
	s.e.retry_after_s = 60;
	kit_node_up(s.n);
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert_uint_eq(s.e.conns, 1);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BUSY);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "busy"));
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "60 s"));
	/* Changes of the network do not shorten it, and a person only now and then. */
	for (int i = 0; i < 40; i++) {
		session_kick(s.n->session);
		sim_pass(s.k.w, NS_PER_S);
	}
	ck_assert_uint_eq(s.e.conns, 1);
	for (int i = 0; i < 100; i++) {
		session_ask(s.n->session);
		sim_pass(s.k.w, 100 * NS_PER_MS);
	}
	ck_assert_uint_ge(s.e.conns, 2);
	ck_assert_uint_le(s.e.conns, 4);
	/* At most five minutes, whatever it asks for, and at least a second. */
	s.e.retry_after_s = UINT32_MAX;
	session_ask(s.n->session);
	sim_pass(s.k.w, 10 * NS_PER_S);
	ck_assert_uint_le(hellos_in(&s, &s.e, 1200 * NS_PER_S), 4);
	s.e.retry_after_s = 0;
	sim_pass(s.k.w, 400 * NS_PER_S);
	ck_assert_uint_le(hellos_in(&s, &s.e, 60 * NS_PER_S), 60);
	s.e.how = EVIL_NOT;
	KIT_UP_WITHIN(s.n, 5 * NS_PER_S);
	ck_assert_int_eq(kit_status(s.n).last_err.code, 0);
	evil_scene_close(&s);
}
END_TEST

START_TEST(nodes_that_were_asked_to_wait_do_not_come_together)
{
	struct scene s;
	uint64_t first, wait[8], least = UINT64_MAX, most = 0;

	evil_scene_joined(&s);
	s.e.how = EVIL_BUSY;
	s.e.retry_after_s = 40;
	for (size_t i = 0; i < ARRAY_LEN(wait); i++) {
		kit_node_up(s.n);
		sim_pass(s.k.w, NS_PER_S);
		first = s.e.conn_at[s.e.conns - 1];
		sim_pass(s.k.w, 60 * NS_PER_S);
		ck_assert_uint_eq(s.e.conns, 2 * i + 2);
		wait[i] = s.e.conn_at[s.e.conns - 1] - first;
		ck_assert_uint_ge(wait[i], 40 * NS_PER_S);
		ck_assert_uint_le(wait[i], 51 * NS_PER_S);
		least = MIN(least, wait[i]);
		most = MAX(most, wait[i]);
		kit_node_down(s.n);
	}
	ck_assert_uint_ge(most - least, NS_PER_S);
	evil_scene_close(&s);
}
END_TEST

/* --- joining ---------------------------------------------------------------------------------- */

static void on_its_senses(void *ctx)
{
	((struct evil *)ctx)->how = EVIL_NOT;
}

START_TEST(setup_waits_for_a_busy_server)
{
	struct setup_params p;
	struct scene s;
	struct timer *t;

	evil_scene_open(&s);
	p = evil_params(&s);
	s.e.how = EVIL_BUSY;
	s.e.retry_after_s = 20;
	t = timer_new(s.e.host, on_its_senses, &s.e);
	timer_set_in(t, 10 * NS_PER_S);
	kit_setup_with(s.n, &p);
	KIT_JOINED(s.n);
	ck_assert_uint_eq(s.e.conns, 2);
	timer_free(t);
	evil_scene_close(&s);
}
END_TEST

START_TEST(setup_ends_when_it_would_have_to_wait_too_long)
{
	struct setup_params p;
	struct scene s;

	evil_scene_open(&s);
	p = evil_params(&s);
	s.e.how = EVIL_BUSY;
	s.e.retry_after_s = UINT32_MAX;
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_BUSY);
	ck_assert_uint_eq(s.e.conns, 1);
	s.e.retry_after_s = 0;
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_BUSY);
	ck_assert_uint_le(s.e.conns, 122);
	ck_assert(kit_has_nothing(s.n));
	evil_scene_close(&s);
}
END_TEST

START_TEST(setup_follows_a_server_that_has_moved)
{
	struct evil second;
	struct setup_params p;
	struct scene s;

	evil_scene_open(&s);
	open_second(&s, &second, s.e.id);
	move_to(&s.e, SECOND_NAME);
	p = evil_params(&s);
	kit_setup_with(s.n, &p);
	KIT_JOINED(s.n);
	ck_assert_uint_eq(second.requests[SIGNAL_SETUP], 1);
	ck_assert_uint_eq(s.e.requests[SIGNAL_SETUP], 0);
	/* The cluster is set up with the server that the person named. */
	ck_assert_str_eq(s.n->result.cluster.signal_host, "evil.example.net");
	evil_close(&second);
	evil_scene_close(&s);
}
END_TEST

UNIT_MAIN("client/future", unknown_events_are_passed_over,
	  unknown_feature_bits_are_kept_to_be_shown, a_server_that_has_moved_is_followed,
	  a_move_is_on_no_disk, a_move_to_a_server_with_another_key_is_refused,
	  servers_that_send_a_node_in_circles, moves_to_places_of_nobody_are_not_followed,
	  a_busy_server_is_waited_for, nodes_that_were_asked_to_wait_do_not_come_together,
	  setup_waits_for_a_busy_server, setup_ends_when_it_would_have_to_wait_too_long,
	  setup_follows_a_server_that_has_moved)
