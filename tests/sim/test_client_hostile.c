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

/* [P3-11] */
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

			evil_scene_joined(&s);
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
			evil_scene_close(&s);
		}
	}
}
END_TEST

/* Connects, greets, and closes at once: not a useful session, so the waits must grow. */
START_TEST(sessions_that_end_at_once_are_not_useful)
{
	struct scene s;

	evil_scene_joined(&s);
	kit_node_up(s.n);
	for (int i = 0; i < 40; i++) {
		KIT_UP_WITHIN(s.n, 30 * NS_PER_S);
		quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
		SIM_CHECK(s.k.w, world_run(s.k.w, 5 * NS_PER_S, kit_is_not_up, s.n));
	}
	for (int i = 10; i < 40; i++)
		ck_assert_uint_ge(s.e.conn_at[i] - s.e.conn_at[i - 1], 2 * NS_PER_S);
	evil_scene_close(&s);
}
END_TEST

START_TEST(hello_refused_with_a_wait)
{
	struct scene s;

	evil_scene_joined(&s);
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
	evil_scene_close(&s);
}
END_TEST

/* Each request is refused for each reason, and nothing is said of a wait. */
START_TEST(refusals_do_not_become_a_storm)
{
	static const enum signal_request_type at[] = {
		SIGNAL_HELLO,
		SIGNAL_SESSION,
		SIGNAL_LOG,
		SIGNAL_SUBSCRIBE,
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		for (int reason = REFUSAL_MALFORMED; reason <= REFUSAL_KEY_KNOWN;
		     reason += SIM_STRIDE) {
			unsigned before;

			evil_scene_joined(&s);
			s.e.at = at[i];
			s.e.how = EVIL_REFUSE;
			s.e.reason = (enum refusal)reason;
			before = s.e.requests[at[i]];
			kit_node_up(s.n);
			ck_assert_uint_le(attempts_in_ten_minutes(&s), 240);
			ck_assert_uint_ge(s.e.requests[at[i]] - before, 5);
			ck_assert_uint_le(s.e.requests[at[i]] - before, 240);
			ck_assert(!s.n->stopped && !kit_is_up(s.n));
			s.e.how = EVIL_NOT;
			KIT_UP_WITHIN(s.n, 400 * NS_PER_S);
			evil_scene_close(&s);
		}
	}
}
END_TEST

START_TEST(shutdown_with_a_wait)
{
	struct signal_event ev = { .type = SIGNAL_EV_SHUTDOWN, .retry_after_s = 20 };
	struct scene s;
	uint64_t told;

	evil_scene_up(&s);
	evil_say(&s.e, &ev);
	told = world_now(s.k.w);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 30 * NS_PER_S);
	ck_assert_uint_ge(world_now(s.k.w) - told, 20 * NS_PER_S);
	ev.retry_after_s = UINT32_MAX;
	evil_say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 400 * NS_PER_S);
	evil_scene_close(&s);
}
END_TEST

/* The server's word for a removal is no record of it: the node goes on asking, slowly. */
/* [P3-69] */
START_TEST(removal_without_a_record_does_not_stop)
{
	struct scene s;

	evil_scene_up(&s);
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_REMOVED, "");
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(!s.n->stopped && !kit_is_up(s.n));
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_NOT_MEMBER);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "no record"));
	s.e.at = SIGNAL_SESSION;
	s.e.how = EVIL_REFUSE;
	s.e.reason = REFUSAL_NOT_MEMBER;
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 21);
	ck_assert(!s.n->stopped);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "no record"));
	s.e.how = EVIL_NOT;
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	evil_scene_close(&s);
}
END_TEST

/* The record of it does. */
START_TEST(removal_by_the_log_stops)
{
	struct signal_event ev = { .type = SIGNAL_EV_LOG, .first = 2, .entries.n = 1 };
	struct entry e = { .type = ENTRY_REMOVE, .remove.n = 1 };
	struct signer admin;
	struct entry_bytes bytes;
	struct kit_node *laptop;
	struct scene s;

	evil_scene_joined(&s);
	laptop = evil_scene_second(&s);
	kit_load(s.n);
	kit_node_up(laptop);
	KIT_UP_WITHIN(laptop, 5 * NS_PER_S);
	admin = *identity_signer(s.n->id);
	e.time_s = (uint64_t)clock_wall_s(s.n->host);
	e.author = s.n->cluster.node_id;
	e.base = mlog_head(laptop->log);
	e.remove.id[0] = laptop->cluster.node_id;
	SIM_CHECK_OK(s.k.w, entry_make(&e, s.n->cluster.cluster_id, &admin, NULL, &bytes, NULL));
	evil_order(&s.e, span_of(bytes.data, bytes.len), 0);
	ev.entries.item[0] = evil_shown(&s.e, 2);
	evil_say(&s.e, &ev);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(laptop->stopped);
	ck_assert_int_eq(laptop->stop_err.reason, REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(kit_status(laptop).state, SESSION_STOPPED);
	session_kick(laptop->session);
	ck_assert_uint_eq(attempts_in_ten_minutes(&s), 0);
	kit_node_down(laptop);
	evil_scene_close(&s);
}
END_TEST

/* [P3-21] */
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
		evil_scene_up(&s);
		evil_write_all(&s.e, s.e.events, events[i].bytes, events[i].len, false);
		SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
		ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_MALFORMED);
		KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
		evil_scene_close(&s);
	}
}
END_TEST

/* [P3-3] */
START_TEST(a_second_event_stream_ends_the_session)
{
	struct scene s;
	int64_t second;

	evil_scene_up(&s);
	evil_say(&s.e, &(struct signal_event){ .type = SIGNAL_EV_OBSERVED,
					       .observed = addr_v4(IP(1, 2, 3, 4), 5) });
	sim_pass(s.k.w, NS_PER_S);
	ck_assert_uint_eq(addr_ip4(&s.n->observed), IP(1, 2, 3, 4));
	ck_assert_int_eq(quic_stream_open(s.e.conn, false, &second), 0);
	evil_write_all(&s.e, second, "x", 1, false);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	evil_scene_close(&s);
}
END_TEST

/* Nodes that are in no log: remembered within bounds, asked about, never shown. */
START_TEST(presence_of_strangers_is_bounded)
{
	static struct wire_presence items[PRESENCE_PER_EVENT_MAX];
	struct signal_event ev = { .type = SIGNAL_EV_PRESENCE, .presence = items, .cursor = 1 };
	struct scene s;

	evil_scene_up(&s);
	ev.n_presence = 20;
	for (size_t i = 0; i < 20; i++) {
		items[i].online = true;
		items[i].node_id[0] = (uint8_t)i;
	}
	evil_say(&s.e, &ev);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	ev.n_presence = PRESENCE_PER_EVENT_MAX;
	for (size_t i = 0; i < PRESENCE_PER_EVENT_MAX; i++)
		items[i].node_id[1] = (uint8_t)(i + 1);
	evil_say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	evil_scene_close(&s);
}
END_TEST

/* The node's cancel of an invite that does not exist: valid, if it is signed by an admin. */
static struct entry_bytes make_cancel(struct scene *s)
{
	struct signer self = *identity_signer(s->n->id);
	struct entry e = { .type = ENTRY_CANCEL,
			   .time_s = (uint64_t)clock_wall_s(s->n->host),
			   .author = s->n->cluster.node_id,
			   .base = mlog_head(s->n->log),
			   .cancel.nonce = { 1 } };
	struct entry_bytes b;

	SIM_CHECK_OK(s->k.w, entry_make(&e, s->n->cluster.cluster_id, &self, NULL, &b, NULL));
	return b;
}

/* A log event far ahead, and a head that it cannot show. */
START_TEST(claims_without_entries_are_not_believed)
{
	struct signal_event ev = { .type = SIGNAL_EV_LOG, .first = 2, .entries.n = 1 };
	struct entry_bytes cancel;
	struct record_bytes ahead;
	struct scene s;

	evil_scene_up(&s);
	cancel = make_cancel(&s);
	evil_order(&s.e, span_of(cancel.data, cancel.len), 0);
	ahead = evil_record(&s.e, 2, span_of(cancel.data, cancel.len), 0);
	s.e.n_shown = 1;
	ev.entries.item[0] = span_of(ahead.data, ahead.len);
	evil_say(&s.e, &ev);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	s.e.claim_more = true;
	evil_say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 20);
	evil_scene_close(&s);
}
END_TEST

/* Records that no receipt vouches for, at the end of the log: nothing is taken, no storm. */
START_TEST(records_without_a_receipt_are_not_taken)
{
	struct scene s;
	struct entry_bytes cancel;

	evil_scene_up(&s);
	cancel = make_cancel(&s);
	evil_order(&s.e, span_of(cancel.data, cancel.len), 0);
	s.e.shown[1].data[s.e.shown[1].len - 1] ^= 1;
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert(!kit_is_up(s.n));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	ck_assert_uint_eq(s.n->forks, 0);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 20);
	/* The right one is. */
	s.e.shown[1].data[s.e.shown[1].len - 1] ^= 1;
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	ck_assert_uint_eq(mlog_count(s.n->log), 2);
	evil_scene_close(&s);
}
END_TEST

/* An entry with a false signature that the server has put in order: it lies, and that is proven. */
START_TEST(invalid_entries_with_a_receipt_prove_a_lie)
{
	struct scene s;
	struct entry_bytes cancel;

	evil_scene_up(&s);
	cancel = make_cancel(&s);
	cancel.data[cancel.len - 1] ^= 1;
	evil_order(&s.e, span_of(cancel.data, cancel.len), 0);
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
	KIT_UP_WITHIN(s.n, 10 * NS_PER_S);
	sim_pass(s.k.w, 300 * NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	ck_assert_uint_eq(s.n->forks, 1);
	ck_assert_uint_eq(s.n->fork_seq, 1);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_FORK);
	evil_scene_close(&s);
}
END_TEST

/* Other bytes in a place of ours, without proof: the connection is given up. */
START_TEST(records_that_differ_and_are_no_fork_end_the_session)
{
	struct signal_event ev = { .type = SIGNAL_EV_LOG, .entries.n = 1 };
	struct scene s;
	struct record_bytes other;

	evil_scene_up(&s);
	other = s.e.shown[0];
	other.data[other.len - 2] ^= 1;
	ev.entries.item[0] = span_of(other.data, other.len);
	evil_say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_eq(s.n->forks, 0);
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	sim_pass(s.k.w, 15 * NS_PER_S); /* not again at once */
	ck_assert(!kit_is_up(s.n));
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	evil_scene_close(&s);
}
END_TEST

/* An entry of a type that nobody knows yet. */
static size_t entry_of_type_12(const struct scene *s, uint8_t *out, size_t cap)
{
	uint8_t payload[256], zeros[64] = { 0 };
	struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
	struct head head = mlog_head(s->n->log);
	struct span body;

	cbor_put_array(&w, 7);
	cbor_put_uint(&w, 1);
	cbor_put_uint(&w, 12); /* checkpoint */
	cbor_put_uint(&w, (uint64_t)clock_wall_s(s->n->host));
	cbor_put_bytes(&w, s->n->cluster.node_id.bytes, NODE_ID_LEN);
	cbor_put_uint(&w, head.seq);
	cbor_put_bytes(&w, head.hash, HASH_LEN);
	cbor_put_bytes(&w, zeros, 1);
	body = cbor_writer_span(&w);
	w = cbor_writer_of(out, cap);
	cbor_put_array(&w, 2);
	cbor_put_bytes(&w, body.data, body.len);
	cbor_put_array(&w, 1);
	cbor_put_bytes(&w, zeros, SIG_LEN);
	return cbor_writer_span(&w).len;
}

/*
 * A record of a type that this version does not know. The node says what may be the matter and asks
 * again, slowly; without a receipt it does not even say that.
 */
/* [P2-9] */
START_TEST(unknown_entry_types_are_not_passed)
{
	uint8_t entry[512];
	struct scene s;

	evil_scene_joined(&s);
	kit_load(s.n);
	evil_order(&s.e, span_of(entry, entry_of_type_12(&s, entry, sizeof(entry))), 0);
	kit_unload(s.n);
	kit_node_up(s.n);
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert(!kit_is_up(s.n));
	ck_assert(!s.n->stopped);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_VERSION);
	ck_assert_ptr_nonnull(strstr(kit_status(s.n).last_err.text, "upgrade"));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 21);
	s.e.shown[1].data[s.e.shown[1].len - 1] ^= 1;
	sim_pass(s.k.w, 60 * NS_PER_S);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	s.e.n_shown = 1; /* it was a lie */
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	evil_scene_close(&s);
}
END_TEST

UNIT_MAIN("client/hostile", broken_replies_do_not_become_a_storm,
	  sessions_that_end_at_once_are_not_useful, hello_refused_with_a_wait,
	  refusals_do_not_become_a_storm, shutdown_with_a_wait,
	  removal_without_a_record_does_not_stop, removal_by_the_log_stops,
	  broken_events_end_the_session, a_second_event_stream_ends_the_session,
	  presence_of_strangers_is_bounded, claims_without_entries_are_not_believed,
	  records_without_a_receipt_are_not_taken, invalid_entries_with_a_receipt_prove_a_lie,
	  records_that_differ_and_are_no_fork_end_the_session, unknown_entry_types_are_not_passed)
