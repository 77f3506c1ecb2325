/* SPDX-License-Identifier: MIT */
/*
 * When a session tries again, and where: one test for each effect of its table that only shows in
 * how long it takes until a session is up.
 */
#include "client/session_internal.h"
#include "client_session_kit.h"

static struct kit k;
static struct kit_node *nas;

static void begin(void)
{
	kit_mesh(&k, 1);
	kit_all_up(&k);
	nas = &k.node[0];
}

static void crash_for(uint64_t ns)
{
	kit_server_crash(&k);
	sim_pass(k.w, ns);
	kit_server_boot(&k);
	SIM_CHECK(k.w, !kit_is_up(nas) || world_run(k.w, 10 * NS_PER_S, kit_is_not_up, nas));
}

/* Many failures, then a session of four seconds with a server that comes back at once. */
START_TEST(a_short_session_is_useful_if_the_server_restarts)
{
	begin();
	crash_for(120 * NS_PER_S);
	ck_assert_uint_gt(nas->session->failures, 5);
	KIT_UP_WITHIN(nas, 15 * NS_PER_S);
	sim_pass(k.w, 4 * NS_PER_S);
	ck_assert_uint_gt(nas->session->failures, 5);
	crash_for(0);
	ck_assert_uint_eq(nas->session->failures, 1);
	KIT_UP_WITHIN(nas, NS_PER_S);
	kit_world_close(&k);
}
END_TEST

START_TEST(a_new_network_makes_the_waits_short)
{
	begin();
	kit_server_crash(&k);
	sim_pass(k.w, 120 * NS_PER_S);
	ck_assert_uint_gt(nas->session->failures, 5);
	session_kick(nas->session);
	ck_assert_uint_eq(nas->session->failures, 0);
	kit_world_close(&k);
}
END_TEST

static bool is_dialing(void *ctx)
{
	return ((struct kit_node *)ctx)->session->phase == PHASE_DIALING;
}

static bool begins_to_dial(void *ctx)
{
	return is_dialing(ctx) && ((struct kit_node *)ctx)->session->dial_began == world_now(k.w);
}

/* QUIC repeats its first packets ever more rarely: another attempt is there at once. */
START_TEST(a_new_network_begins_an_old_attempt_again)
{
	uint64_t began;

	begin();
	world_link_cut(k.w, nas->host, k.server_host, true);
	sim_pass(k.w, 60 * NS_PER_S);
	SIM_CHECK(k.w, world_run(k.w, 20 * NS_PER_S, begins_to_dial, nas));
	began = nas->session->dial_began;
	sim_pass(k.w, 3200 * NS_PER_MS);
	ck_assert(is_dialing(nas));
	ck_assert_uint_eq(nas->session->dial_began, began);
	world_link_cut(k.w, nas->host, k.server_host, false);
	session_kick(nas->session);
	ck_assert_uint_eq(nas->session->dial_began, world_now(k.w));
	began = nas->session->dial_began;
	session_kick(nas->session); /* that one is young */
	sim_pass(k.w, NS_PER_MS);
	session_kick(nas->session);
	ck_assert_uint_eq(nas->session->dial_began, began);
	KIT_UP_WITHIN(nas, 300 * NS_PER_MS);
	kit_world_close(&k);
}
END_TEST

/* The way home is tried once; if it is dead, the session is soon on its spare port again. */
START_TEST(the_way_home_is_tried_once)
{
	struct member nobody = { .joined_seq = 0 };
	struct addr dead;
	uint64_t left;

	begin();
	dead = quic_socket_local(nas->socket);
	world_tap(k.w, kit_port_is_dead, &dead);
	SIM_CHECK(k.w, world_run(k.w, 10 * NS_PER_S, kit_is_not_up, nas));
	KIT_UP_WITHIN(nas, 60 * NS_PER_S);
	sim_pass(k.w, 15 * NS_PER_S); /* a useful session */
	ck_assert(kit_status(nas).spare);
	ck_assert_int_eq(session_relay_open(nas->session, &nobody), -ENOTCONN);
	SIM_CHECK(k.w, world_run(k.w, NS_PER_S, kit_is_not_up, nas));
	left = world_now(k.w);
	KIT_UP_WITHIN(nas, 12 * NS_PER_S);
	ck_assert(kit_status(nas).spare);
	ck_assert_uint_ge(world_now(k.w) - left, 3 * NS_PER_S); /* it was tried */
	kit_world_close(&k);
}
END_TEST

/* The server sent the node on; then the log names another server, and that one counts. */
START_TEST(another_server_is_dialled_where_the_log_says)
{
	struct err err = { .code = -EREMCHG };

	begin();
	nas->session->moved = place_of("elsewhere.example.org", 1);
	nas->session->cursor = 7;
	session_happens(nas->session, SESSION_EV_MOVED, &(struct occasion){ .err = &err });
	ck_assert_int_eq(nas->session->phase, PHASE_WAITING);
	ck_assert_str_eq(place_to_dial(nas->session).host, KIT_SERVER_NAME);
	ck_assert_uint_eq(nas->session->cursor, 0);
	KIT_UP_WITHIN(nas, 2 * NS_PER_S);
	kit_world_close(&k);
}
END_TEST

static void count_reply(void *ctx, const struct signal_reply *reply)
{
	(void)reply;
	(*(unsigned *)ctx)++;
}

/* [P3-2] Eight requests wait for their replies at most; the next one may go when they are there. */
START_TEST(eight_requests_are_open_at_most)
{
	struct signal_request m = { .type = SIGNAL_LOG, .generation = 0, .from = 1 };
	unsigned replies = 0;
	struct rpc *r;

	begin();
	r = nas->session->rpc;
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(rpc_request(r, &m, count_reply, &replies), 0);
	ck_assert_int_eq(rpc_request(r, &m, count_reply, &replies), -EAGAIN);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(replies, 8);
	ck_assert_int_eq(rpc_request(r, &m, count_reply, &replies), 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(replies, 9);
	ck_assert(kit_is_up(nas));
	kit_world_close(&k);
}
END_TEST

UNIT_MAIN("client/waits", a_short_session_is_useful_if_the_server_restarts,
	  a_new_network_makes_the_waits_short, a_new_network_begins_an_old_attempt_again,
	  the_way_home_is_tried_once, another_server_is_dialled_where_the_log_says,
	  eight_requests_are_open_at_most)
