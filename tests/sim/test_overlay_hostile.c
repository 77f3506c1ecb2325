/* SPDX-License-Identifier: MIT */
/*
 * A member that does not play by the rules: node 1 of the fleet is a bare QUIC end with a member's
 * key, speaking whatever it likes. The honest node keeps its TUN clean and its other tunnels up.
 */
#include "overlay/peering/effects.h"

#include "rogue_member.h"

/* [P4-37] [P4-40] */
START_TEST(forged_packets_never_reach_the_device)
{
	struct fleet m;
	struct rogue r;
	uint8_t *p = r.inner + 1;
	uint8_t got[200];
	size_t len;

	rogue_connect(&r, &m);
	ip4 self = m.node[1].self->address, honest = m.node[0].self->address;
	ip4 third = m.node[2].self->address;

	fleet_udp(p, 100, third, honest, 1);
	rogue_packet(&r, 101, 0, DROP_in_source);
	fleet_udp(p, 100, honest, honest, 1);
	rogue_packet(&r, 101, 0, DROP_in_source);
	fleet_udp(p, 100, self, third, 1);
	rogue_packet(&r, 101, 0, DROP_in_destination);
	fleet_udp(p, 100, self, IP(192, 0, 2, 10), 1);
	rogue_packet(&r, 101, 0, DROP_in_destination);
	fleet_udp(p, 100, self, honest, 1);
	rogue_packet(&r, 1, 0, DROP_in_short);
	rogue_packet(&r, 10, 0, DROP_in_short);
	rogue_packet(&r, 20, 0, DROP_in_short);
	rogue_packet(&r, 60, 0, DROP_in_header);  /* truncated */
	rogue_packet(&r, 102, 0, DROP_in_header); /* too much */
	p[0] = 0x44;
	rogue_packet(&r, 101, 0, DROP_in_header);
	p[0] = 0x65;
	rogue_packet(&r, 101, 0, DROP_in_not_ip4);
	fleet_udp(p, 100, self, honest, 1);
	rogue_packet(&r, 101, 0x02, DROP_in_flags);
	rogue_packet(&r, 101, 0x80, DROP_in_flags);
	p[9] = IPPROTO_ICMP4;
	rogue_packet(&r, 101, 1, DROP_in_flags);
	fleet_udp(p, 100, self, honest, 1);
	store_be16(p + 6, 0x1fff);
	rogue_packet(&r, 101, 0, DROP_in_fragment);
	store_be16(p + 6, 0x2000);
	rogue_packet(&r, 101, 1, DROP_in_flags);

	/* The same way a good one passes. */
	fleet_udp(p, 100, self, honest, 1);
	r.inner[0] = 0;
	rogue_send(&r, 101);
	sim_pass(m.w, 100 * NS_PER_MS);
	ck_assert_int_eq(world_tun_take(m.node[0].h, 0, got, sizeof(got), &len), 1);
	ck_assert_uint_eq(len, 100);
	ck_assert_mem_eq(got, p, 100);
	rogue_end(&r);
}
END_TEST

/* What is not authentic, or came before, is counted and leaves the window as it was. */
/* [P7-7] [P7-11] */
START_TEST(forged_and_replayed_records_are_dropped)
{
	struct fleet m;
	struct rogue r;
	uint8_t record[1600], bad[1600], got[200];
	size_t len, n;

	rogue_connect(&r, &m);
	r.inner[0] = 0;
	fleet_udp(r.inner + 1, 100, m.node[1].self->address, m.node[0].self->address, 1);
	n = rogue_seal(&r, 101, record);
	for (size_t i = 0; i < n; i++) {
		bool tag = i >= 8 && i < 16;
		uint64_t forged = fleet_drops(&m.node[0], DROP_in_forged);
		uint64_t unknown = fleet_drops(&m.node[0], DROP_in_unknown);

		memcpy(bad, record, n);
		bad[i] ^= 0x10;
		rogue_raw(&r, bad, n);
		sim_pass(m.w, 10 * NS_PER_MS);
		SIM_CHECK(m.w, fleet_tun_silent(&m.node[0]));
		ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_forged),
				  forged + (i > 0 && !tag));
		ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_unknown), unknown + tag);
	}
	for (size_t cut = 1; cut < n; cut++) {
		rogue_raw(&r, record, n - cut);
		sim_pass(m.w, 10 * NS_PER_MS);
		SIM_CHECK(m.w, fleet_tun_silent(&m.node[0]));
	}
	for (unsigned i = 0; i < 3; i++) {
		rogue_raw(&r, record, n);
		sim_pass(m.w, 10 * NS_PER_MS);
		ck_assert_int_eq(world_tun_take(m.node[0].h, 0, got, sizeof(got), &len), i == 0);
	}
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_replay), 2);
	rogue_end(&r);
}
END_TEST

static void rogue_stream(struct rogue *r, const void *data, size_t len, bool fin)
{
	int64_t id;

	ck_assert_int_eq(quic_stream_open(r->c, false, &id), 0);
	ck_assert_int_eq(quic_stream_write(r->c, id, data, len, fin), 0);
}

/* [P4-38] [P4-39] */
START_TEST(streams_are_checked_like_records_and_bounded)
{
	struct fleet m;
	struct rogue r;
	uint8_t *big = calloc(1, 80000);
	uint8_t p[200] = { 0 };

	rogue_connect(&r, &m);
	fleet_udp(p + 1, 100, m.node[2].self->address, m.node[0].self->address, 1);
	rogue_stream(&r, p, 101, true);
	rogue_stream(&r, p, 0, true);
	rogue_stream(&r, big, 80000, false);
	sim_pass(m.w, NS_PER_S);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_source), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_short), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_too_big), 1);
	/* Streams that never end hold a bounded number of bytes. */
	int64_t id;
	unsigned n = 0;
	while (n < 1000 && quic_stream_open(r.c, false, &id) == 0) {
		(void)!quic_stream_write(r.c, id, p, 50, false);
		n++;
	}
	ck_assert_uint_le(n, 2 * peer_profile.max_remote_uni);
	sim_pass(m.w, NS_PER_S);
	free(big);
	rogue_end(&r);
}
END_TEST

/* What is written on the control stream after the hello closes the connection as malformed. */
static void control_is_malformed(const void *data, size_t len, bool fin)
{
	struct fleet m;
	struct rogue r;

	rogue_connect(&r, &m);
	ck_assert_int_eq(quic_stream_write(r.c, r.control, data, len, fin), 0);
	SIM_CHECK(m.w, world_run(m.w, NS_PER_S, rogue_closed, &r));
	ck_assert_int_eq(r.reason, QUIC_CLOSE_REMOTE_APP);
	ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
	unsigned accepted = r.accepted;
	ck_assert_int_ne(fleet_peer(&m.node[0], &m.node[1]).state, PEER_UP);
	sim_pass(m.w, 400 * NS_PER_MS);
	ck_assert_uint_eq(r.accepted, accepted); /* not tried again at once */
	rogue_end(&r);
}

/* [P4-20] */
START_TEST(garbage_on_the_control_stream_ends_the_connection)
{
	control_is_malformed("\0\0\0\5hello", 9, false);
}
END_TEST

/* [P4-20] */
START_TEST(an_oversized_message_ends_the_connection)
{
	control_is_malformed("\0\1\0\1", 4, false);
}
END_TEST

/* [P4-20] */
START_TEST(the_end_of_the_control_stream_ends_the_connection)
{
	control_is_malformed("", 0, true);
}
END_TEST

/* [P4-20] */
START_TEST(a_second_hello_ends_the_connection)
{
	struct fleet m;
	struct rogue r;
	uint8_t again[256];

	rogue_connect(&r, &m);
	size_t n = rogue_hello(&r, again, sizeof(again));
	ck_assert_int_eq(quic_stream_write(r.c, r.control, again, n, false), 0);
	SIM_CHECK(m.w, world_run(m.w, NS_PER_S, rogue_closed, &r));
	ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
	rogue_end(&r);
}
END_TEST

/* [P4-20] */
START_TEST(a_flood_of_messages_ends_the_connection)
{
	struct fleet m;
	struct rogue r;
	struct peer_message msg = { .type = PEER_OBSERVED };
	uint8_t buf[64];
	unsigned sent = 0;

	rogue_connect(&r, &m);
	while (!r.closed && sent < 20000) {
		msg.observed = addr_v4(IP(203, 0, 113, 1) + sent % 250, 1000);
		ptrdiff_t n = peer_message_encode(&msg, buf, sizeof(buf));

		for (int i = 0;
		     i < 100 && quic_stream_write(r.c, r.control, buf, (size_t)n, false) == 0; i++)
			sent++;
		sim_pass(m.w, 10 * NS_PER_MS);
	}
	ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
	ck_assert_uint_lt(sent, 4000);
	struct wire_candidates c;
	overlay_candidates_get(m.node[0].o, &c);
	ck_assert_uint_le(c.n, 3); /* its own and two that peers reported */
	rogue_end(&r);
}
END_TEST

/* A removal of so many bytes, which nobody has looked at yet. */
static size_t removal_message(uint8_t *out, size_t cap)
{
	static const uint8_t entry[300] = { 0x82 };
	struct peer_message msg = { .type = PEER_REMOVAL };
	ptrdiff_t n;

	msg.removal = span_of(entry, sizeof(entry));
	n = peer_message_encode(&msg, out, cap);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static void send_removals(struct rogue *r, unsigned count, uint64_t gap)
{
	uint8_t buf[400];
	size_t n = removal_message(buf, sizeof(buf));

	for (unsigned i = 0; i < count && !r->closed; i++) {
		(void)!quic_stream_write(r->c, r->control, buf, n, false);
		sim_pass(r->m->w, gap);
	}
}

/* Each may cost a signature: few that are refused are looked at, and the tunnel stays. */
/* [P4-35] */
START_TEST(refused_removals_cost_little)
{
	static const enum removal_shown judged[] = { REMOVAL_REFUSED, REMOVAL_LACKING };

	for (size_t i = 0; i < ARRAY_LEN(judged); i++) {
		struct fleet m;
		struct rogue r;

		rogue_connect(&r, &m);
		m.node[0].judges = judged[i];
		send_removals(&r, 2000, 11 * NS_PER_MS); /* 22 s */
		ck_assert(!r.closed);
		ck_assert_uint_ge(m.node[0].shown, DENIALS_MAX);
		ck_assert_uint_le(m.node[0].shown, DENIALS_MAX + 23);
		unsigned before = m.node[0].shown;
		send_removals(&r, 60, 5 * NS_PER_S);
		ck_assert_uint_ge(m.node[0].shown, before + 59); /* one a second is */
		/* Too many messages end it, of this kind as of others. */
		send_removals(&r, 4000, NS_PER_MS);
		SIM_CHECK(m.w, world_run(m.w, NS_PER_S, rogue_closed, &r));
		ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
		rogue_end(&r);
	}
}
END_TEST

/* Those that count are all looked at, up to the number of messages. */
/* [P4-35] */
START_TEST(good_removals_are_all_looked_at)
{
	struct fleet m;
	struct rogue r;

	rogue_connect(&r, &m);
	m.node[0].judges = REMOVAL_TAKEN;
	send_removals(&r, 1000, 11 * NS_PER_MS);
	sim_pass(m.w, NS_PER_S);
	ck_assert(!r.closed);
	ck_assert_uint_eq(m.node[0].shown, 1000);
	rogue_end(&r);
}
END_TEST

static void honest_path(struct fleet *m, struct peer_path_status *ret)
{
	struct peer_path_status all[16];
	const struct member *to = roster_by_id(mlog_roster(m->node[2].log), &m->node[0].self->id,
					       ROSTER_CURRENT);
	size_t n = overlay_peer_paths(m->node[2].o, to, all, ARRAY_LEN(all));

	for (size_t i = 0; i < n; i++) {
		if (all[i].in_use)
			*ret = all[i];
	}
}

/*
 * A record that contradicts node 0's log, with a receipt, and one behind it that does not follow
 * and claims that recoveries came in between.
 */
static size_t lie_with_junk(struct fleet *m, uint8_t *out, size_t cap)
{
	struct kit k = m->kit;
	uint64_t last = mlog_count(k.log) - 1;
	struct peer_message msg = { .type = PEER_LOG, .first = last, .entries.n = 2 };
	struct record_bytes lie, junk;
	struct entry_bytes other;
	struct record r;
	ptrdiff_t n;

	k.log = kit_copy(m->kit.log, last);
	other = kit_rename(&k, 0, 0, "other");
	lie = kit_record(&k, kit_span(&other), 0, KIT_ORDER);
	ck_assert_int_eq(record_decode(kit_record_span(&lie), &r, NULL), 0);
	r.order.generation = GENERATION_MAX;
	r.order.seq++;
	ck_assert_int_eq(record_encode(&r, &junk), 0);
	msg.entries.item[0] = kit_record_span(&lie);
	msg.entries.item[1] = kit_record_span(&junk);
	n = peer_message_encode(&msg, out, cap);
	ck_assert_int_gt(n, 0);
	mlog_free(k.log);
	return (size_t)n;
}

/* Each look costs the proof of it: a claim that nothing vouches for buys one look a minute. */
START_TEST(a_claimed_recovery_opens_a_stopped_log_seldom)
{
	struct fleet m;
	struct rogue r;
	uint8_t buf[2048];
	size_t n;

	rogue_connect(&r, &m);
	n = lie_with_junk(&m, buf, sizeof(buf));
	for (unsigned i = 0; i < 130; i++) {
		ck_assert_int_eq(quic_stream_write(r.c, r.control, buf, n, false), 0);
		sim_pass(m.w, NS_PER_S);
	}
	ck_assert(!r.closed);
	ck_assert_uint_ge(m.node[0].forks, 2); /* the first one, and one a minute */
	ck_assert_uint_le(m.node[0].forks, 4);
	rogue_end(&r);
}
END_TEST

/* The pongs that node 0 has for all are not eaten up by one, nor has that one's word any weight. */
/* [P6-28] */
START_TEST(a_flood_of_pings_takes_no_pong_from_others)
{
	struct fleet m;
	struct rogue r;
	struct peer_path_status before = { 0 }, after = { 0 };
	struct addr none = { 0 };

	rogue_connect(&r, &m);
	sim_pass(m.w, 20 * NS_PER_S);
	honest_path(&m, &before);
	m.node[2].changes = 0;
	r.pongs = 0;
	for (unsigned ms = 0; ms < 60000; ms++) {
		for (unsigned i = 0; i < 5; i++)
			rogue_probe(&r, PROBE_PING, ms * 5 + i, i ? 0 : PROBE_URGENT, &none);
		sim_pass(m.w, NS_PER_MS);
	}
	honest_path(&m, &after);
	ck_assert_uint_ge(after.pings - before.pings, 3);
	ck_assert_uint_eq(after.pings - before.pings, after.pongs - before.pongs);
	ck_assert_uint_eq(m.node[2].changes, 0);
	ck_assert_uint_le(r.pongs, 60 * 100 + 200);
	rogue_end(&r);
}
END_TEST

/* Rounds without end for one leave pings for the rounds of the others. */
/* One member has one word about where this node is, however often it changes it. */
/* [P4-32] */
START_TEST(who_lies_about_our_address_takes_nobody_elses_word)
{
	struct fleet m;
	struct rogue r;
	struct addr honest = addr_v4(IP(203, 0, 113, 77), 7777);
	uint8_t buf[64];

	rogue_connect(&r, &m);
	const struct member *of = roster_by_id(mlog_roster(m.node[0].log), &m.node[2].self->id,
					       ROSTER_CURRENT);
	effects_observed_by(peer_of_address(&m.node[0].o->peering, of->address), &honest);
	for (unsigned i = 0; i < 30; i++) {
		struct peer_message msg = { .type = PEER_OBSERVED };
		struct wire_candidates c;
		bool there = false;

		msg.observed = addr_v4(IP(198, 51, 100, 1), (uint16_t)(1000 + i));
		ptrdiff_t n = peer_message_encode(&msg, buf, sizeof(buf));
		ck_assert_int_eq(quic_stream_write(r.c, r.control, buf, (size_t)n, false), 0);
		sim_pass(m.w, 2 * NS_PER_S);
		overlay_candidates_get(m.node[0].o, &c);
		for (size_t k = 0; k < c.n; k++)
			there |= addr_equal(&c.item[k], &honest);
		ck_assert(there);
		ck_assert_uint_eq(m.node[0].o->peering.around.observed_by_peer[0].port, 1000 + i);
	}
	rogue_end(&r);
}
END_TEST

/* [P6-63] */
START_TEST(candidates_that_change_all_the_time_do_not_use_up_the_pings)
{
	struct fleet m;
	struct rogue r;
	uint8_t buf[256];

	rogue_connect(&r, &m);
	r.own_proven = false; /* so its path is never settled */
	r.pings = 0;
	for (unsigned i = 0; i < 4000 && !r.closed; i++) {
		struct peer_message msg = { .type = PEER_CANDIDATES, .candidates.n = 2 };

		msg.candidates.item[0] = addr_v4(IP(192, 0, 2, 11), ROGUE_PORT);
		msg.candidates.item[1] = addr_v4(IP(203, 0, 113, 1), (uint16_t)(1000 + i));
		ptrdiff_t n = peer_message_encode(&msg, buf, sizeof(buf));

		ck_assert_int_eq(quic_stream_write(r.c, r.control, buf, (size_t)n, false), 0);
		rogue_probe(&r, PROBE_PING, i, 0, &msg.candidates.item[0]);
		sim_pass(m.w, 11 * NS_PER_MS); /* just under what a member may say */
	}
	ck_assert(!r.closed);
	SIM_CHECK(m.w, r.pings > 20);
	ck_assert_uint_le(r.pings, 44 * 25 + 150 + 60);
	rogue_end(&r);
}
END_TEST

/* [P4-23] [P4-24] */
START_TEST(a_hello_for_another_cluster_or_connection_is_refused)
{
	struct fleet m;
	struct rogue r;
	static const struct {
		size_t at; /* the version, a byte of the cluster id; 0: the last of the binding */
		uint64_t error;
	} cases[] = { { 6, PEER_CLOSE_VERSION },
		      { 12, PEER_CLOSE_WRONG_CLUSTER },
		      { 0, PEER_CLOSE_MALFORMED } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rogue_silent(&r, &m);
		size_t n = rogue_hello(&r, r.hello, sizeof(r.hello));
		r.hello[cases[i].at ? cases[i].at : n - 2] ^= 1;
		ck_assert_int_eq(quic_stream_write(r.c, r.control, r.hello, n, false), 0);
		SIM_CHECK(m.w, world_run(m.w, NS_PER_S, rogue_closed, &r));
		ck_assert_uint_eq(r.error, cases[i].error);
		const char *why = fleet_peer(&m.node[0], &m.node[1]).detail;
		ck_assert_msg(!strstr(why, "another version") == (i != 0), "%s", why);
		rogue_end(&r);
	}
}
END_TEST

/* A member of a later version: what this one does not know of it changes nothing. */
/* [P4-22] */
START_TEST(unknown_messages_and_feature_bits_are_passed_over)
{
	static const uint8_t messages[] = {
		0, 0, 0, 3, 0x81, 0x18, 0x40,				    /* [64] */
		0, 0, 0, 9, 0x83, 0x19, 0xff, 0xff, 0xa1, 1, 0x20, 0xf9, 0, /* of any form */
	};
	struct fleet m;
	struct rogue r;

	rogue_begin(&r, &m);
	ck_assert(!fleet_peer(&m.node[0], &m.node[1]).greeted);
	r.features = 1ull << 63 | 9;
	rogue_introduce(&r);
	SIM_CHECK(m.w, world_run(m.w, 2 * NS_PER_S, rogue_up, &r));
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(quic_stream_write(r.c, r.control, messages, sizeof(messages),
						   false),
				 0);
		sim_pass(m.w, 2 * NS_PER_MS);
	}
	sim_pass(m.w, NS_PER_S);
	ck_assert(!r.closed);
	ck_assert_int_eq(fleet_peer(&m.node[0], &m.node[1]).state, PEER_UP);
	ck_assert(fleet_peer(&m.node[0], &m.node[1]).greeted);
	ck_assert(fleet_peer(&m.node[0], &m.node[1]).features == (1ull << 63 | 9));
	ck_assert(fleet_peer(&m.node[0], &m.node[2]).greeted);
	ck_assert(fleet_peer(&m.node[0], &m.node[2]).features == PEER_FEATURES);
	/* They count as messages: a flood of them is one. */
	for (int i = 0; i < 4000 && !r.closed; i++) {
		(void)!quic_stream_write(r.c, r.control, messages, sizeof(messages), false);
		if (i % 100 == 0)
			sim_pass(m.w, 10 * NS_PER_MS);
	}
	SIM_CHECK(m.w, world_run(m.w, NS_PER_S, rogue_closed, &r));
	ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
	rogue_end(&r);
}
END_TEST

/* [P4-20] */
START_TEST(unknown_messages_below_64_end_the_connection)
{
	control_is_malformed("\0\0\0\3\x81\x18\x3f", 7, false);
}
END_TEST

/* [P4-20] */
START_TEST(an_unknown_message_is_no_hello)
{
	struct fleet m;
	struct rogue r;

	rogue_silent(&r, &m);
	ck_assert_int_eq(quic_stream_write(r.c, r.control, "\0\0\0\3\x81\x18\x40", 7, false), 0);
	SIM_CHECK(m.w, world_run(m.w, NS_PER_S, rogue_closed, &r));
	ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
	rogue_end(&r);
}
END_TEST

/* [P4-4] [P4-19] [P7-13] */
START_TEST(without_a_hello_nothing_passes_and_the_connection_ends)
{
	struct fleet m;
	struct rogue r;

	rogue_silent(&r, &m);
	sim_pass(m.w, NS_PER_S);
	fleet_udp(r.inner + 1, 100, m.node[1].self->address, m.node[0].self->address, 1);
	r.inner[0] = 0;
	rogue_send(&r, 101);
	sim_pass(m.w, 100 * NS_PER_MS);
	ck_assert(fleet_tun_silent(&m.node[0]));
	ck_assert_uint_eq(fleet_all_drops(&m.node[0]), 0); /* a few wait for the hello */
	for (int i = 0; i < 40; i++) {
		rogue_send(&r, 101);
		sim_pass(m.w, 10 * NS_PER_MS);
	}
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_early), 41 - DEST_WAITING_PACKETS);
	ck_assert_int_eq(fleet_peer(&m.node[0], &m.node[1]).state, PEER_CONNECTING);
	SIM_CHECK(m.w, world_run(m.w, 5 * NS_PER_S, rogue_closed, &r));
	ck_assert_uint_eq(r.error, PEER_CLOSE_NO_CONTROL);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_early), 41);
	rogue_end(&r);
}
END_TEST

UNIT_MAIN("overlay/hostile", forged_packets_never_reach_the_device,
	  forged_and_replayed_records_are_dropped, streams_are_checked_like_records_and_bounded,
	  garbage_on_the_control_stream_ends_the_connection,
	  an_oversized_message_ends_the_connection,
	  the_end_of_the_control_stream_ends_the_connection, a_second_hello_ends_the_connection,
	  a_flood_of_messages_ends_the_connection, refused_removals_cost_little,
	  good_removals_are_all_looked_at, a_claimed_recovery_opens_a_stopped_log_seldom,
	  a_flood_of_pings_takes_no_pong_from_others,
	  who_lies_about_our_address_takes_nobody_elses_word,
	  candidates_that_change_all_the_time_do_not_use_up_the_pings,
	  a_hello_for_another_cluster_or_connection_is_refused,
	  unknown_messages_and_feature_bits_are_passed_over,
	  unknown_messages_below_64_end_the_connection, an_unknown_message_is_no_hello,
	  without_a_hello_nothing_passes_and_the_connection_ends)
