/* SPDX-License-Identifier: MIT */
/* Relay channels as a session asks for them and tells of them, with the real server. */
#include "client/session_internal.h"
#include "client_session_kit.h"
#include "membership/internal.h"

static struct kit k;
static struct kit_node *nas, *laptop;

static void begin(void)
{
	kit_mesh(&k, 2);
	nas = &k.node[0];
	laptop = &k.node[1];
	kit_all_up(&k);
}

static const struct member *member_of(struct kit_node *n, const struct kit_node *other)
{
	const struct member *m = roster_by_id(mlog_roster(n->log), &other->cluster.node_id,
					      ROSTER_CURRENT);

	ck_assert_ptr_nonnull(m);
	return m;
}

static int ask(struct kit_node *n, const struct kit_node *other)
{
	return session_relay_open(n->session, member_of(n, other));
}

static struct relay_stats stats(void)
{
	return signal_server_stats_get(k.server).relay;
}

/* A frame on this node's channel is one that the server forwards. */
static void send_one(struct kit_node *n, uint32_t counter)
{
	struct addr to = addr_v4(KIT_SERVER_IP, KIT_PORT);
	uint8_t frame[RELAY_OVERHEAD + 100] = { 0 };
	uint64_t before = stats().forwarded;

	relay_wrap(&n->relay, RELAY_TO_SERVER, counter, frame, 100);
	quic_socket_send_other(n->socket, &to, frame, sizeof(frame));
	sim_pass(k.w, NS_PER_S);
	SIM_CHECK(k.w, stats().forwarded == before + 1);
}

/* [P6-5] */
START_TEST(both_sides_hear_of_a_channel)
{
	struct relay_end first;

	begin();
	ck_assert_int_eq(ask(nas, laptop), 0);
	ck_assert_int_eq(ask(nas, laptop), 0); /* once is enough */
	ck_assert_uint_eq(nas->relays, 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays, 1);
	ck_assert_uint_eq(laptop->relays, 1);
	ck_assert(node_id_equal(&nas->relay_to, &laptop->cluster.node_id));
	ck_assert(node_id_equal(&laptop->relay_to, &nas->cluster.node_id));
	send_one(nas, 0);
	send_one(laptop, 0);
	/* both at once: the same channel */
	first = nas->relay;
	ck_assert_int_eq(ask(nas, laptop), 0);
	ck_assert_int_eq(ask(laptop, nas), 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_mem_eq(&nas->relay, &first, sizeof(first));
	send_one(nas, 1);
	send_one(laptop, 1);
	ck_assert_uint_eq(stats().opened, 1);
	ck_assert_uint_eq(nas->relays_gone + nas->relays_lost, 0);
	kit_world_close(&k);
}
END_TEST

/* Whatever the server says or answers later; the earlier channel is forgotten. */
START_TEST(there_is_none_to_a_former_member)
{
	struct roster_leave how = { LEFT_REMOVED, 100, 1, { { 0 } } };

	for (unsigned asked = 0; asked < 2; asked++) { /* before the answer, after it */
		begin();
		const struct member *m = member_of(nas, laptop);

		ck_assert_int_eq(ask(nas, laptop), 0);
		sim_pass(k.w, asked ? NS_PER_S : NS_PER_MS);
		ck_assert_uint_eq(nas->relays, asked);
		ck_assert_int_eq(roster_reserve(nas->log->roster, 1), 0);
		roster_leave(nas->log->roster, m, &how);
		session_log_grew(nas->session);
		ck_assert_int_eq(session_relay_open(nas->session, m), -ENOTCONN);
		sim_pass(k.w, 2 * NS_PER_S);
		ck_assert_int_eq(ask(laptop, nas), 0); /* the other side has not heard of it */
		sim_pass(k.w, 2 * NS_PER_S);
		ck_assert_uint_eq(nas->relays, asked);
		ck_assert_uint_eq(map_count(nas->session->relays), 0);
		kit_world_close(&k);
	}
}
END_TEST

START_TEST(there_is_none_to_who_is_not_there)
{
	begin();
	kit_node_down(laptop);
	sim_pass(k.w, NS_PER_S);
	ck_assert_int_eq(ask(nas, laptop), 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays, 0);
	ck_assert_uint_eq(nas->relays_gone, 1);
	ck_assert_int_eq(nas->relay_why.reason, REFUSAL_NOT_MEMBER);
	ck_assert_str_eq(nas->relay_why.text, "it has no session with the server now");
	ck_assert(kit_is_up(nas));
	kit_world_close(&k);
}
END_TEST

/* [P6-6] */
START_TEST(the_end_of_the_other_session_is_told)
{
	begin();
	ck_assert_int_eq(ask(laptop, nas), 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays, 1);
	kit_node_down(laptop);
	kit_node_up(laptop); /* so soon that presence may never have said "offline" */
	KIT_UP_WITHIN(laptop, 5 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays_gone, 1);
	ck_assert(node_id_equal(&nas->relay_to, &laptop->cluster.node_id));
	ck_assert_int_eq(ask(nas, laptop), 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays, 2);
	send_one(nas, 0);
	send_one(laptop, 0);
	kit_world_close(&k);
}
END_TEST

/* [P6-7] What the server says late of an earlier channel ends no later one. */
START_TEST(the_end_of_an_earlier_channel_is_ignored)
{
	struct signal_event ev = { .type = SIGNAL_EV_RELAY_CLOSED };

	begin();
	ck_assert_int_eq(ask(nas, laptop), 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays, 1);
	memcpy(ev.node_id, laptop->cluster.node_id.bytes, NODE_ID_LEN);
	memcpy(ev.relay.channel, nas->relay.channel, RELAY_CHANNEL_LEN);
	ev.relay.channel[RELAY_CHANNEL_LEN - 1] ^= 1;
	relays_closed_event(nas->session, &ev);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays_gone, 0);
	send_one(nas, 0);
	ev.relay.channel[RELAY_CHANNEL_LEN - 1] ^= 1;
	relays_closed_event(nas->session, &ev);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays_gone, 1);
	kit_world_close(&k);
}
END_TEST

START_TEST(all_are_lost_with_the_session)
{
	begin();
	ck_assert_int_eq(ask(nas, laptop), 0);
	sim_pass(k.w, NS_PER_S);
	kit_server_crash(&k);
	SIM_CHECK(k.w, world_run(k.w, 60 * NS_PER_S, kit_is_not_up, nas));
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays_lost, 1);
	ck_assert_uint_eq(nas->relays_gone, 0);
	ck_assert_int_ne(nas->relay_why.code, 0);
	ck_assert_int_eq(ask(nas, laptop), -ENOTCONN);
	kit_server_boot(&k);
	KIT_UP_WITHIN(nas, 30 * NS_PER_S);
	KIT_UP_WITHIN(laptop, 30 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays_lost, 1); /* there was none to lose meanwhile */
	kit_world_close(&k);
}
END_TEST

static bool port_is_dead(void *ctx, struct host *from, const struct addr *src,
			 const struct addr *dst, uint8_t *data, size_t *len)
{
	const struct addr *dead = ctx;

	(void)from, (void)data, (void)len;
	return !addr_equal(src, dead) && !addr_equal(dst, dead);
}

/* The relay knows a node by its own port: a session on another one comes back to it. */
START_TEST(a_session_on_a_spare_socket_comes_back)
{
	struct addr dead;

	begin();
	dead = addr_v4(IP(198, 51, 100, 11), quic_socket_local(nas->socket).port);
	world_tap(k.w, port_is_dead, &dead);
	SIM_CHECK(k.w, world_run(k.w, 10 * NS_PER_S, kit_is_not_up, nas));
	KIT_UP_WITHIN(nas, 60 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert_int_eq(ask(nas, laptop), -ENOTCONN);
	KIT_UP_WITHIN(nas, 60 * NS_PER_S); /* it was in vain, and is not tried again soon */
	sim_pass(k.w, 20 * NS_PER_S);
	KIT_UP_WITHIN(nas, 60 * NS_PER_S);
	ck_assert_int_eq(ask(nas, laptop), -ENOTCONN);
	world_tap(k.w, NULL, NULL);
	sim_pass(k.w, 580 * NS_PER_S);
	ck_assert(kit_is_up(nas));
	ck_assert_int_eq(ask(nas, laptop), -ENOTCONN);
	SIM_CHECK(k.w, world_run(k.w, NS_PER_S, kit_is_not_up, nas));
	KIT_UP_WITHIN(nas, 2 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert_int_eq(ask(nas, laptop), 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->relays, 1);
	send_one(nas, 0);
	kit_world_close(&k);
}
END_TEST

UNIT_MAIN("client/relay", there_is_none_to_a_former_member, both_sides_hear_of_a_channel,
	  there_is_none_to_who_is_not_there, the_end_of_the_other_session_is_told,
	  the_end_of_an_earlier_channel_is_ignored, all_are_lost_with_the_session,
	  a_session_on_a_spare_socket_comes_back)
