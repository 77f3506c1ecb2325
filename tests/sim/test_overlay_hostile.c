/* SPDX-License-Identifier: MIT */
/*
 * A member that does not play by the rules: node 1 of the fleet is a bare QUIC end with a member's
 * key, speaking whatever it likes. The honest node keeps its TUN clean and its other tunnels up.
 */
#include "overlay_sim.h"
#include "proto/probe.h"

/* Node 1: it has the higher address, so it waits for node 0 and then takes part as a server. */
struct rogue {
	struct fleet *m;
	struct host *h;
	struct quic_socket *s;
	struct quic_conn *c;
	int64_t control;
	bool connected, closed, mute, no_hello;
	unsigned accepted;
	enum quic_close_reason reason;
	uint64_t error;
	uint8_t hello[256];
	struct records *records;
	uint8_t inner[1500];	/* flags and a packet */
	struct probe_keys probe;
	bool own_proven;	/* what it says in its probes */
	unsigned pings, pongs;	/* of node 0 */
};

static size_t rogue_hello(struct rogue *r, uint8_t *out, size_t cap)
{
	struct peer_message m = { .type = PEER_HELLO };
	struct head head = mlog_head(r->m->kit.log);
	const uint8_t *id = mlog_cluster_id(r->m->kit.log);

	memcpy(m.cluster_id, id, HASH_LEN);
	m.head.seq = head.seq;
	memcpy(m.head.hash, head.hash, HASH_LEN);
	ck_assert_int_eq(quic_conn_export(r->c, PEER_EXPORTER, span_of(id, HASH_LEN), m.binding,
					  32), 0);
	ptrdiff_t n = peer_message_encode(&m, out, cap);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static void rogue_keys(struct rogue *r)
{
	uint8_t exported[RECORD_EXPORT_LEN];
	struct span id = span_of(mlog_cluster_id(r->m->kit.log), HASH_LEN);

	ck_assert_int_eq(quic_conn_export(r->c, RECORD_EXPORTER, id, exported, sizeof(exported)),
			 0);
	records_free(r->records);
	ck_assert_int_eq(records_new(AEAD_AES128_GCM, false, exported, &r->records), 0);
	ck_assert_int_eq(quic_conn_export(r->c, PROBE_EXPORTER, id, exported, 2 * PROBE_KEY_LEN),
			 0);
	memcpy(r->probe.client, exported, PROBE_KEY_LEN);
	memcpy(r->probe.server, exported + PROBE_KEY_LEN, PROBE_KEY_LEN);
	ck_assert_int_eq(quic_conn_export(r->c, PROBE_TAG_EXPORTER, id, r->probe.tag,
					  PROBE_TAG_LEN), 0);
}

static void rogue_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct rogue *r = ctx;

	if (c != r->c)
		return;
	switch (ev->type) {
	case QUIC_CONNECTED:
		r->connected = true;
		rogue_keys(r);
		break;
	case QUIC_STREAM_READABLE:
		if (quic_stream_is_bidi(ev->stream) && r->control < 0) {
			size_t n = rogue_hello(r, r->hello, sizeof(r->hello));

			r->control = ev->stream;
			if (!r->no_hello)
				ck_assert_int_eq(quic_stream_write(c, ev->stream, r->hello, n,
								   false), 0);
		}
		break;
	case QUIC_CLOSED:
		r->closed = true;
		r->reason = ev->reason;
		r->error = ev->error;
		break;
	default:
		break;
	}
}

/* Seals the first `len` bytes of r->inner and sends the record, which is left in `record`. */
static size_t rogue_seal(struct rogue *r, size_t len, uint8_t record[1600])
{
	memcpy(record + RECORD_HEADER, r->inner, len);
	return record_seal(r->records, record, len);
}

static void rogue_raw(struct rogue *r, const uint8_t *record, size_t len)
{
	struct addr to;

	ck_assert(quic_conn_remote_addr(r->c, &to));
	quic_socket_send_other(r->s, &to, record, len);
}

static void rogue_send(struct rogue *r, size_t len)
{
	uint8_t record[1600];

	rogue_raw(r, record, rogue_seal(r, len, record));
}

static void rogue_probe(struct rogue *r, enum probe_type type, uint64_t nonce, uint8_t flags,
			const struct addr *seen)
{
	struct probe f = { .type = type, .nonce = nonce, .len = PROBE_PING_MIN, .observed = *seen,
			   .flags = flags | (r->own_proven ? PROBE_PROVEN : 0) };
	uint8_t frame[PROBE_MAX];

	memcpy(f.tag, r->probe.tag, PROBE_TAG_LEN);
	ptrdiff_t n = probe_encode(&f, r->probe.server, hmac_sha256, frame, sizeof(frame));

	ck_assert_int_gt(n, 0);
	rogue_raw(r, frame, (size_t)n);
}

/* It answers pings, so that its path stays proven. */
static void rogue_others(void *ctx, struct udp_rx *runs, size_t n)
{
	struct rogue *r = ctx;

	for (size_t i = 0; i < n && r->connected; i++) {
		for (size_t at = 0; at < runs[i].len; at += runs[i].segment) {
			size_t len = MIN(runs[i].segment, runs[i].len - at);
			struct probe f;

			if (probe_decode(span_of(runs[i].data + at, len), &f) < 0)
				continue;
			r->pings += f.type == PROBE_PING;
			r->pongs += f.type == PROBE_PONG;
			if (f.type == PROBE_PING)
				rogue_probe(r, PROBE_PONG, f.nonce, 0, &runs[i].from);
		}
	}
}

static const struct quic_conn_ops rogue_ops = {
	.event = rogue_event,
};

static bool rogue_accept(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			 const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct rogue *r = ctx;

	(void)profile;
	quic_conn_free(r->c);
	r->c = c;
	r->control = -1;
	r->connected = r->closed = false;
	r->accepted++;
	*ret_ops = &rogue_ops;
	*ret_ctx = r;
	return true;
}

static bool rogue_any(void *ctx, const struct quic_profile *profile, const uint8_t key[32])
{
	(void)ctx;
	(void)profile;
	(void)key;
	return true;
}

#define ROGUE_PORT 9999

/* A fleet of three of which node 1 is played by a rogue; 0 and 2 are honest and connected. */
static void rogue_start(struct rogue *r, struct fleet *m)
{
	static const struct quic_profile *const serve[] = { &peer_profile, NULL };
	struct quic_socket_config cfg = {
		.udp = { .bind = { .port = ROGUE_PORT } },
		.serve = serve,
		.key_allowed = rogue_any,
		.accepted = rogue_accept,
		.others = rogue_others,
		.ctx = r,
	};

	fleet_init(m, 3);
	*r = (struct rogue){ .m = m, .h = m->node[1].h, .control = -1, .own_proven = true };
	cfg.identity = m->node[1].id;
	ck_assert_int_eq(quic_socket_open(r->h, &cfg, NULL, &r->s), 0);
	fleet_start(&m->node[0]);
	fleet_start(&m->node[2]);
}

static void rogue_introduce(struct rogue *r)
{
	struct wire_candidates c = { .n = 1 };
	struct fleet_node *to = &r->m->node[0];

	c.item[0] = addr_v4(IP(192, 0, 2, 11), ROGUE_PORT);
	overlay_presence(to->o, mlog_member_by_id(to->log, &r->m->node[1].self->id), true, &c);
}

static bool rogue_up(void *ctx)
{
	struct rogue *r = ctx;

	return r->connected && r->control >= 0 &&
	       fleet_peer(&r->m->node[0], &r->m->node[1]).state == PEER_UP;
}

static bool rogue_closed(void *ctx)
{
	return ((struct rogue *)ctx)->closed;
}

static void rogue_connect(struct rogue *r, struct fleet *m)
{
	rogue_start(r, m);
	rogue_introduce(r);
	SIM_CHECK(m->w, world_run(m->w, 2 * NS_PER_S, rogue_up, r));
	sim_pass(m->w, 2 * NS_PER_S); /* path MTU */
}

/* The honest pair has not noticed. */
static void rogue_stop(struct rogue *r)
{
	struct fleet *m = r->m;

	SIM_CHECK(m->w, fleet_linked(&m->node[0], &m->node[2]));
	fleet_send(&m->node[2], &m->node[0], 90, 9);
	sim_pass(m->w, 100 * NS_PER_MS);
	SIM_CHECK(m->w, fleet_received(&m->node[2], &m->node[0], 90, 9));
	SIM_CHECK(m->w, fleet_tun_silent(&m->node[0]));
	quic_conn_free(r->c);
	records_free(r->records);
	quic_socket_close(r->s);
	fleet_free(m);
}

/* Sends flags and the packet in r->inner + 1; it must be dropped for this reason alone. */
static void rogue_packet(struct rogue *r, size_t len, uint8_t flags, enum overlay_drop d)
{
	struct fleet_node *n = &r->m->node[0];
	uint64_t before = fleet_drops(n, d), all = fleet_all_drops(n);

	r->inner[0] = flags;
	rogue_send(r, len);
	sim_pass(r->m->w, 100 * NS_PER_MS);
	SIM_CHECK(r->m->w, fleet_tun_silent(n));
	ck_assert_msg(fleet_drops(n, d) == before + 1 && fleet_all_drops(n) == all + 1,
		      "not counted as %s", overlay_drop_name(d));
}

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
	rogue_packet(&r, 60, 0, DROP_in_header); /* truncated */
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
	rogue_stop(&r);
}
END_TEST

/* What is not authentic, or came before, is counted and leaves the window as it was. */
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
	rogue_stop(&r);
}
END_TEST

static void rogue_stream(struct rogue *r, const void *data, size_t len, bool fin)
{
	int64_t id;

	ck_assert_int_eq(quic_stream_open(r->c, false, &id), 0);
	ck_assert_int_eq(quic_stream_write(r->c, id, data, len, fin), 0);
}

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
	rogue_stop(&r);
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
	rogue_stop(&r);
}

START_TEST(garbage_on_the_control_stream_ends_the_connection)
{
	control_is_malformed("\0\0\0\5hello", 9, false);
}
END_TEST

START_TEST(an_oversized_message_ends_the_connection)
{
	control_is_malformed("\0\1\0\1", 4, false);
}
END_TEST

START_TEST(the_end_of_the_control_stream_ends_the_connection)
{
	control_is_malformed("", 0, true);
}
END_TEST

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
	rogue_stop(&r);
}
END_TEST

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

		for (int i = 0; i < 100 && quic_stream_write(r.c, r.control, buf, (size_t)n,
							     false) == 0; i++)
			sent++;
		sim_pass(m.w, 10 * NS_PER_MS);
	}
	ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
	ck_assert_uint_lt(sent, 4000);
	struct wire_candidates c;
	overlay_candidates_get(m.node[0].o, &c);
	ck_assert_uint_le(c.n, 3); /* its own and two of hearsay */
	rogue_stop(&r);
}
END_TEST

static void honest_path(struct fleet *m, struct peer_path_status *ret)
{
	struct peer_path_status all[16];
	const struct member *to = mlog_member_by_id(m->node[2].log, &m->node[0].self->id);
	size_t n = overlay_peer_paths(m->node[2].o, to, all, ARRAY_LEN(all));

	for (size_t i = 0; i < n; i++) {
		if (all[i].in_use)
			*ret = all[i];
	}
}

/* The pongs that node 0 has for all are not eaten up by one, nor has that one's word any weight. */
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
	rogue_stop(&r);
}
END_TEST

/* Rounds without end for one leave pings for the rounds of the others. */
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
	rogue_stop(&r);
}
END_TEST

START_TEST(a_hello_for_another_cluster_or_connection_is_refused)
{
	struct fleet m;
	struct rogue r;
	static const struct {
		size_t at; /* in the message: a byte of the cluster id, one of the binding */
		uint64_t error;
	} cases[] = { { 12, PEER_CLOSE_WRONG_CLUSTER }, { 0, PEER_CLOSE_MALFORMED } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rogue_start(&r, &m);
		r.no_hello = true;
		rogue_introduce(&r);
		while (r.control < 0)
			sim_pass(m.w, 10 * NS_PER_MS);
		size_t n = rogue_hello(&r, r.hello, sizeof(r.hello));
		r.hello[cases[i].at ? cases[i].at : n - 1] ^= 1;
		ck_assert_int_eq(quic_stream_write(r.c, r.control, r.hello, n, false), 0);
		SIM_CHECK(m.w, world_run(m.w, NS_PER_S, rogue_closed, &r));
		ck_assert_uint_eq(r.error, cases[i].error);
		rogue_stop(&r);
	}
}
END_TEST

START_TEST(without_a_hello_nothing_passes_and_the_connection_ends)
{
	struct fleet m;
	struct rogue r;

	rogue_start(&r, &m);
	r.no_hello = true;
	rogue_introduce(&r);
	while (r.control < 0)
		sim_pass(m.w, 10 * NS_PER_MS);
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
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_early), 41 - PEER_WAITING_PACKETS);
	ck_assert_int_eq(fleet_peer(&m.node[0], &m.node[1]).state, PEER_CONNECTING);
	SIM_CHECK(m.w, world_run(m.w, 5 * NS_PER_S, rogue_closed, &r));
	ck_assert_uint_eq(r.error, PEER_CLOSE_NO_CONTROL);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_early), 41);
	rogue_stop(&r);
}
END_TEST

UNIT_MAIN("overlay/hostile", forged_packets_never_reach_the_device,
	  forged_and_replayed_records_are_dropped,
	  streams_are_checked_like_records_and_bounded,
	  garbage_on_the_control_stream_ends_the_connection,
	  an_oversized_message_ends_the_connection,
	  the_end_of_the_control_stream_ends_the_connection, a_second_hello_ends_the_connection,
	  a_flood_of_messages_ends_the_connection, a_flood_of_pings_takes_no_pong_from_others,
	  candidates_that_change_all_the_time_do_not_use_up_the_pings,
	  a_hello_for_another_cluster_or_connection_is_refused,
	  without_a_hello_nothing_passes_and_the_connection_ends)
