/* SPDX-License-Identifier: MIT */
/*
 * Sessions with a hostile server: nothing of it is believed, nothing grows without bounds, and
 * trying again stays slow.
 */
#include "hostile_kit.h"
#include "proto/cbor.h"

/* How often it was tried again in ten minutes of this. */
static unsigned attempts_in_ten_minutes(struct scene *s)
{
	unsigned before = s->e.conns;

	sim_pass(s->k.w, 600 * NS_PER_S);
	return s->e.conns - before;
}

START_TEST(broken_replies_do_not_become_a_storm)
{
	static const enum signal_request_type at[] = {
		SIGNAL_HELLO,
		SIGNAL_SESSION,
		SIGNAL_LOG,
		SIGNAL_SUBSCRIBE,
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		for (int how = EVIL_SILENT; how <= EVIL_CLOSE; how++) {
			unsigned attempts;

			scene_joined(&s);
			s.e.at = at[i];
			s.e.how = (enum evil_how)how;
			kit_node_up(s.n);
			sim_pass(s.k.w, 5 * NS_PER_S);
			ck_assert(!kit_is_up(s.n));
			attempts = attempts_in_ten_minutes(&s);
			ck_assert_uint_ge(attempts, 10);
			/* The longest wait is 5 s, half of it at least: never more than this. */
			ck_assert_uint_le(attempts, 240);
			if (how == EVIL_GARBAGE || how == EVIL_CUT || how == EVIL_TWICE)
				ck_assert_uint_le(attempts, 20); /* malformed: half a minute each */
			ck_assert(!s.n->stopped);
			ck_assert_int_ne(kit_status(s.n).last_err.code, 0);
			/* It comes to its senses. */
			s.e.how = EVIL_NOT;
			KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
			scene_close(&s);
		}
	}
}
END_TEST

/* Connects, greets, and closes at once: not a useful session, so the waits must grow. */
START_TEST(sessions_that_end_at_once_are_not_useful)
{
	struct scene s;

	scene_joined(&s);
	kit_node_up(s.n);
	for (int i = 0; i < 40; i++) {
		KIT_UP_WITHIN(s.n, 30 * NS_PER_S);
		quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
		SIM_CHECK(s.k.w, world_run(s.k.w, 5 * NS_PER_S, kit_is_not_up, s.n));
	}
	for (int i = 10; i < 40; i++)
		ck_assert_uint_ge(s.e.conn_at[i] - s.e.conn_at[i - 1], 2 * NS_PER_S);
	scene_close(&s);
}
END_TEST

START_TEST(hello_refused_with_a_wait)
{
	struct scene s;

	scene_joined(&s);
	s.e.at = SIGNAL_HELLO;
	s.e.how = EVIL_REFUSE;
	s.e.reason = REFUSAL_RATE;
	s.e.retry_after_s = 60;
	kit_node_up(s.n);
	sim_pass(s.k.w, 58 * NS_PER_S);
	session_kick(s.n->session);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert_uint_eq(s.e.conns, 1);
	/* It may not ask for more than five minutes. */
	s.e.retry_after_s = UINT32_MAX;
	sim_pass(s.k.w, 60 * NS_PER_S);
	ck_assert_uint_eq(s.e.conns, 2);
	s.e.how = EVIL_NOT;
	KIT_UP_WITHIN(s.n, 400 * NS_PER_S);
	scene_close(&s);
}
END_TEST

START_TEST(shutdown_with_a_wait)
{
	struct signal_event ev = { .type = SIGNAL_EV_SHUTDOWN, .retry_after_s = 20 };
	struct scene s;
	uint64_t told;

	scene_up(&s);
	say(&s.e, &ev);
	told = world_now(s.k.w);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 30 * NS_PER_S);
	ck_assert_uint_ge(world_now(s.k.w) - told, 20 * NS_PER_S);
	ev.retry_after_s = UINT32_MAX;
	say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 400 * NS_PER_S);
	scene_close(&s);
}
END_TEST

START_TEST(removal_stops)
{
	struct scene s;

	scene_up(&s);
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_REMOVED, "");
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(s.n->stopped);
	ck_assert_int_eq(s.n->stop_err.reason, REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(kit_status(s.n).state, SESSION_STOPPED);
	session_kick(s.n->session);
	ck_assert_uint_eq(attempts_in_ten_minutes(&s), 0);
	scene_close(&s);
}
END_TEST

START_TEST(broken_events_end_the_session)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
	} events[] = {
		{ { 0, 0, 0, 0 }, 4 },		   /* empty */
		{ { 0, 0, 0, 2, 0x81, 0x09 }, 6 }, /* unknown type */
		{ { 0, 1, 0, 1, 0 }, 5 },	   /* too long */
		{ { 0xff, 0xff, 0xff, 0xff }, 4 },
		{ { 0, 0, 0, 3, 0x82, 0x03, 0x40 }, 7 }, /* observed without an address */
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		scene_up(&s);
		write_all(&s.e, s.e.events, events[i].bytes, events[i].len, false);
		SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
		ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_MALFORMED);
		KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
		scene_close(&s);
	}
}
END_TEST

START_TEST(a_second_event_stream_ends_the_session)
{
	struct scene s;
	int64_t second;

	scene_up(&s);
	say(&s.e, &(struct signal_event){ .type = SIGNAL_EV_OBSERVED,
					  .observed = addr_v4(IP(1, 2, 3, 4), 5) });
	sim_pass(s.k.w, NS_PER_S);
	ck_assert_uint_eq(addr_ip4(&s.n->observed), IP(1, 2, 3, 4));
	ck_assert_int_eq(quic_stream_open(s.e.conn, false, &second), 0);
	write_all(&s.e, second, "x", 1, false);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	scene_close(&s);
}
END_TEST

/* Nodes that are in no log: remembered within bounds, asked about, never shown. */
START_TEST(presence_of_strangers_is_bounded)
{
	static struct wire_presence items[PRESENCE_PER_EVENT_MAX];
	struct signal_event ev = { .type = SIGNAL_EV_PRESENCE, .presence = items, .cursor = 1 };
	struct scene s;

	scene_up(&s);
	ev.n_presence = 20;
	for (size_t i = 0; i < 20; i++) {
		items[i].online = true;
		items[i].node_id[0] = (uint8_t)i;
	}
	say(&s.e, &ev);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	ev.n_presence = PRESENCE_PER_EVENT_MAX;
	for (size_t i = 0; i < PRESENCE_PER_EVENT_MAX; i++)
		items[i].node_id[1] = (uint8_t)(i + 1);
	say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	scene_close(&s);
}
END_TEST

/* A log event far ahead, and a head that it cannot show. */
START_TEST(claims_without_entries_are_not_believed)
{
	struct signal_event ev = { .type = SIGNAL_EV_LOG, .first = 5000, .entries.n = 1 };
	struct scene s;

	scene_up(&s);
	ev.entries.item[0] = span_of(s.e.shown[0].data, s.e.shown[0].len);
	say(&s.e, &ev);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	s.e.claim_more = true;
	say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 20);
	scene_close(&s);
}
END_TEST

/* An entry that is not valid, at the end of the log: nothing is taken, no storm. */
START_TEST(invalid_entries_are_not_taken)
{
	struct scene s;
	struct entry_bytes cancel;
	struct head head;
	uint8_t nonce[NONCE_LEN] = { 1 };

	scene_up(&s);
	head = mlog_head(s.n->log);
	SIM_CHECK_OK(s.k.w, cancel_make(&head, mlog_last_time_s(s.n->log), s.n->id,
					s.n->cluster.cluster_id, nonce, &cancel, NULL));
	cancel.data[cancel.len - 1] ^= 1;
	s.e.shown[1] = cancel;
	s.e.n_shown = 2;
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert(!kit_is_up(s.n));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	ck_assert_uint_eq(s.n->forks, 0);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 20);
	/* The right one is. */
	s.e.shown[1].data[cancel.len - 1] ^= 1;
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	ck_assert_uint_eq(mlog_count(s.n->log), 2);
	scene_close(&s);
}
END_TEST

/* Other bytes in a place of ours: one is judged, then the connection is given up. */
START_TEST(entries_that_differ_and_are_no_fork_end_the_session)
{
	struct signal_event ev = { .type = SIGNAL_EV_LOG, .entries.n = 1 };
	struct scene s;
	struct entry_bytes other;

	scene_up(&s);
	other = s.e.shown[0];
	other.data[other.len - 1] ^= 1;
	ev.entries.item[0] = span_of(other.data, other.len);
	say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_eq(s.n->forks, 0);
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	sim_pass(s.k.w, 15 * NS_PER_S); /* not again at once */
	ck_assert(!kit_is_up(s.n));
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	scene_close(&s);
}
END_TEST

/*
 * An entry of a type that this version does not know. A server can show anything, so it is no
 * reason to stop: the node says what may be the matter and asks again, slowly.
 */
START_TEST(unknown_entry_types_are_not_passed)
{
	uint8_t payload[256], zeros[64] = { 0 };
	struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
	struct scene s;
	struct head head;
	struct span body;

	scene_joined(&s);
	kit_load(s.n);
	head = mlog_head(s.n->log);
	cbor_put_array(&w, 7);
	cbor_put_uint(&w, 1);
	cbor_put_uint(&w, 10); /* recover */
	cbor_put_uint(&w, 1);
	cbor_put_bytes(&w, head.hash, HASH_LEN);
	cbor_put_uint(&w, mlog_last_time_s(s.n->log) + 1);
	cbor_put_bytes(&w, zeros, NODE_ID_LEN);
	cbor_put_array(&w, 0);
	body = cbor_writer_span(&w);
	w = cbor_writer_of(s.e.shown[1].data, sizeof(s.e.shown[1].data));
	cbor_put_array(&w, 2);
	cbor_put_bytes(&w, body.data, body.len);
	cbor_put_array(&w, 1);
	cbor_put_bytes(&w, zeros, SIG_LEN);
	s.e.shown[1].len = cbor_writer_span(&w).len;
	s.e.n_shown = 2;
	kit_unload(s.n);
	kit_node_up(s.n);
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert(!kit_is_up(s.n));
	ck_assert(!s.n->stopped);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_VERSION);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "upgrade"));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 21);
	s.e.n_shown = 1; /* it was a lie */
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	scene_close(&s);
}
END_TEST

UNIT_MAIN("client/hostile", broken_replies_do_not_become_a_storm,
	  sessions_that_end_at_once_are_not_useful, hello_refused_with_a_wait, shutdown_with_a_wait,
	  removal_stops, broken_events_end_the_session, a_second_event_stream_ends_the_session,
	  presence_of_strangers_is_bounded, claims_without_entries_are_not_believed,
	  invalid_entries_are_not_taken, entries_that_differ_and_are_no_fork_end_the_session,
	  unknown_entry_types_are_not_passed)
