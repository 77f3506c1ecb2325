/* SPDX-License-Identifier: MIT */
/*
 * A member leaves: nothing that it holds is good for anything at the others. Node 1 is an honest
 * node that has not heard of it, or a rogue.
 */
#include "crypto/hash.h"
#include "expel_kit.h"
#include "identity/identity.h"
#include "rogue_member.h"

/* --- an open tunnel --- */

/* [P4-18] */
START_TEST(an_open_tunnel_ends_at_once)
{
	for (unsigned gone = 0; gone < 3; gone += 2) { /* the one that begins, the one that waits */
		struct fleet m;

		fleet_new(&m, 3);
		fleet_wait_up(&m, 5 * NS_PER_S);
		struct fleet_node *at = &m.node[1], *out = &m.node[gone];
		uint64_t drops = fleet_drops(at, DROP_out_no_member);

		fleet_send(out, at, 100, 1);
		sim_pass(m.w, NS_PER_MS); /* it is on its way */
		expel_removed(at, out);
		sim_pass(m.w, 0);
		expel_check_gone(at, out);
		fleet_send(at, out, 100, 2);
		sim_pass(m.w, NS_PER_MS);
		SIM_CHECK(m.w, expel_took_unreachable(at));
		ck_assert_uint_eq(fleet_drops(at, DROP_out_no_member), drops + 1);
		sim_pass(m.w, 100 * NS_PER_MS);
		SIM_CHECK(m.w, fleet_tun_silent(at));
		ck_assert_str_eq(fleet_peer(out, at).detail,
				 "it does not know this node as a member");
		expel_check_silence(&m, at, out);
		/* Nobody else notices. */
		SIM_CHECK(m.w, fleet_linked(at, &m.node[2 - gone]));
		SIM_CHECK(m.w, fleet_linked(out, &m.node[2 - gone]));
		fleet_free(&m);
	}
}
END_TEST

/* --- old keys --- */

/* [P7-7] */
START_TEST(records_and_streams_under_old_keys_are_dropped)
{
	struct fleet m;
	struct rogue r;
	uint8_t early[1600];
	size_t n;

	rogue_connect(&r, &m);
	r.inner[0] = 0;
	fleet_udp(r.inner + 1, 100, m.node[1].self->address, m.node[0].self->address, 1);
	n = rogue_seal(&r, 101, early);
	struct addr to;
	ck_assert(quic_conn_remote_addr(r.c, &to));
	expel_removed(&m.node[0], &m.node[1]);
	uint64_t unknown = fleet_drops(&m.node[0], DROP_in_unknown);
	quic_socket_send_other(r.s, &to, early, n);
	n = rogue_seal(&r, 101, early);
	quic_socket_send_other(r.s, &to, early, n);
	sim_pass(m.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_unknown), unknown + 2);
	SIM_CHECK(m.w, r.closed && r.reason == QUIC_CLOSE_REMOTE_APP);
	ck_assert_uint_eq(r.error, PEER_CLOSE_NOT_MEMBER);
	expel_check_silence(&m, &m.node[0], &m.node[1]);
	rogue_end(&r);
}
END_TEST

/* [P6-25] */
START_TEST(probes_under_old_keys_are_not_answered)
{
	struct fleet m;
	struct rogue r;
	uint8_t frame[PROBE_MAX];

	rogue_connect(&r, &m);
	struct addr to;
	ck_assert(quic_conn_remote_addr(r.c, &to));
	expel_removed(&m.node[0], &m.node[1]);
	sim_pass(m.w, 100 * NS_PER_MS);
	unsigned pings = r.pings, pongs = r.pongs;
	for (unsigned i = 0; i < 50; i++) {
		struct probe f = { .type = i % 2 ? PROBE_PING : PROBE_PONG,
				   .nonce = i,
				   .len = PROBE_PING_MIN,
				   .counter = r.counter++,
				   .flags = PROBE_PROVEN };

		memcpy(f.tag, r.probe.tag, PROBE_TAG_LEN);
		ptrdiff_t n = probe_encode(&f, r.probe.server, hmac_sha256, frame, sizeof(frame));
		ck_assert_int_gt(n, 0);
		quic_socket_send_other(r.s, &to, frame, (size_t)n);
		sim_pass(m.w, 20 * NS_PER_MS);
	}
	ck_assert_uint_eq(r.pings, pings);
	ck_assert_uint_eq(r.pongs, pongs);
	expel_check_gone(&m.node[0], &m.node[1]);
	rogue_end(&r);
}
END_TEST

/* --- handshakes --- */

/* Removed at every moment of two nodes' first second, by either: no tunnel, then or later. */
/* [P4-18] */
START_TEST(a_handshake_ends_whenever_the_removal_comes)
{
	unsigned before_up = 0, after_up = 0;

	for (unsigned at = 0; at < 2; at++) {
		for (uint64_t ms = 0; ms <= 120; ms += 4) {
			struct fleet m;

			fleet_init(&m, 2);
			fleet_start(&m.node[0]);
			fleet_start(&m.node[1]);
			for (unsigned i = 0; i < 4; i++)
				fleet_send(&m.node[i % 2], &m.node[1 - i % 2], 84, i);
			sim_pass(m.w, ms * NS_PER_MS);
			if (fleet_peer(&m.node[at], &m.node[1 - at]).state == PEER_UP)
				after_up++;
			else
				before_up++;
			while (!fleet_tun_silent(&m.node[at]))
				continue;
			expel_removed(&m.node[at], &m.node[1 - at]);
			sim_pass(m.w, 0);
			expel_check_gone(&m.node[at], &m.node[1 - at]);
			sim_pass(m.w, 5 * NS_PER_S);
			while (expel_took_unreachable(&m.node[at]))
				continue;
			SIM_CHECK(m.w, fleet_tun_silent(&m.node[at]));
			expel_check_gone(&m.node[at], &m.node[1 - at]);
			ck_assert_int_ne(fleet_peer(&m.node[1 - at], &m.node[at]).state, PEER_UP);
			fleet_free(&m);
		}
	}
	printf("%u times before the tunnel was up, %u times after\n", before_up, after_up);
	ck_assert_uint_gt(before_up, 10);
	ck_assert_uint_gt(after_up, 10);
}
END_TEST

/* The removed node begins: its key is refused in the handshake, whatever it pins. */
/* [P4-2] */
START_TEST(a_new_handshake_is_refused)
{
	struct quic_pin pin = { .by_key = true };
	struct quic_conn *c;
	struct wire_candidates at;
	struct fleet m;
	struct rogue r;

	rogue_connect(&r, &m);
	overlay_candidates_get(m.node[0].o, &at);
	expel_removed(&m.node[0], &m.node[1]);
	sim_pass(m.w, 100 * NS_PER_MS);
	uint64_t accepted = quic_socket_stats_get(m.node[0].o->peering.socket).accepted;
	quic_conn_free(r.c);
	r.c = NULL;
	r.closed = r.connected = false;
	memcpy(pin.key_sha256, identity_key_sha256(m.node[0].id), HASH_LEN);
	ck_assert_int_eq(quic_connect(r.s, &peer_profile, &pin, 0, &at.item[0], &rogue_ops, &r,
				      NULL, &c),
			 0);
	r.c = c;
	SIM_CHECK(m.w, world_run(m.w, 5 * NS_PER_S, rogue_closed, &r));
	ck_assert_int_eq(r.reason, QUIC_CLOSE_TLS);
	ck_assert_uint_eq(quic_socket_stats_get(m.node[0].o->peering.socket).accepted, accepted);
	expel_check_gone(&m.node[0], &m.node[1]);
	rogue_end(&r);
}
END_TEST

/* --- knocks, addresses, channels --- */

/* The part of the removed node is to wait and to knock. */
START_TEST(a_knock_is_not_heard)
{
	struct fleet m;

	fleet_init(&m, 3);
	fleet_start(&m.node[0]);
	fleet_start(&m.node[2]);
	SIM_CHECK(m.w, world_run(m.w, 5 * NS_PER_S, NULL, NULL));
	expel_removed(&m.node[0], &m.node[1]);
	m.server_down = true;
	fleet_start(&m.node[1]);
	fleet_tell(&m.node[0], &m.node[1]);
	fleet_send(&m.node[1], &m.node[0], 84, 1);
	expel_check_silence(&m, &m.node[0], &m.node[1]);
	ck_assert_int_ne(fleet_peer(&m.node[1], &m.node[0]).state, PEER_UP);
	fleet_free(&m);
}
END_TEST

struct watch {
	struct addr forbidden;
	uint64_t sent;
};

static bool count_sent_to(void *ctx, struct host *from, const struct addr *src,
			  const struct addr *dst, uint8_t *data, size_t *len)
{
	struct watch *v = ctx;

	(void)from, (void)src, (void)data, (void)len;
	v->sent += addr_same_ip(dst, &v->forbidden);
	return true;
}

START_TEST(an_address_that_was_kept_or_told_is_not_used)
{
	struct watch v = { .forbidden = addr_v4(IP(192, 0, 2, 200), 9999) };
	struct peer_hint hint = { .at = { .n = 1 } };
	struct fleet m;

	fleet_init(&m, 3);
	m.server_down = true;
	fleet_start(&m.node[0]);
	hint.id = m.node[1].self->id;
	hint.at.item[0] = v.forbidden;
	expel_removed(&m.node[0], &m.node[1]);
	world_tap(m.w, count_sent_to, &v);
	overlay_hints_set(m.node[0].o, &hint, 1);
	overlay_presence(m.node[0].o, expel_member_at(&m.node[0], &m.node[1]), true, &hint.at);
	fleet_send(&m.node[0], &m.node[1], 84, 1);
	sim_pass(m.w, WITHOUT_END);
	ck_assert_uint_eq(v.sent, 0);
	expel_check_gone(&m.node[0], &m.node[1]);
	/* The same of a member is: this test can fail. */
	hint.id = m.node[2].self->id;
	overlay_hints_set(m.node[0].o, &hint, 1);
	sim_pass(m.w, WITHOUT_END);
	ck_assert_uint_gt(v.sent, 0);
	fleet_free(&m);
}
END_TEST

START_TEST(the_relay_channel_ends)
{
	struct relay_end end = { .channel = "channel", .key = "key" };
	struct addr server = FLEET_SERVER, to;
	struct fleet m;
	uint8_t f[100];

	fleet_new(&m, 3);
	fleet_wait_up(&m, 5 * NS_PER_S);
	struct fleet_node *at = &m.node[0];
	to = addr_v4(IP(192, 0, 2, 10), quic_socket_local(at->o->peering.socket).port);
	overlay_relay(at->o, expel_member_at(at, &m.node[1]), &end, &server);
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert_uint_eq(map_count(at->o->peering.channels), 1);
	expel_removed(at, &m.node[1]);
	ck_assert_uint_eq(map_count(at->o->peering.channels), 0);
	/* The server does not bring it back either. */
	overlay_relay(at->o, expel_member_at(at, &m.node[1]), &end, &server);
	ck_assert_uint_eq(map_count(at->o->peering.channels), 0);
	uint64_t unknown = fleet_drops(at, DROP_in_relay_unknown);
	for (unsigned i = 0; i < EARLY_FRAMES + 5; i++) {
		memset(f, 0x40, sizeof(f));
		relay_wrap(&end, RELAY_FROM_SERVER, i, f, sizeof(f) - RELAY_OVERHEAD);
		world_inject(m.w, &server, &to, 0, f, sizeof(f));
	}
	sim_pass(m.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(fleet_drops(at, DROP_in_relay_unknown), unknown + 5);
	expel_check_silence(&m, at, &m.node[1]);
	fleet_free(&m);
}
END_TEST

/* --- packets that wait --- */

START_TEST(packets_that_wait_are_given_back)
{
	struct fleet m;

	fleet_init(&m, 2);
	m.server_down = true;
	fleet_start(&m.node[0]);
	for (unsigned i = 0; i < 3; i++)
		fleet_send(&m.node[0], &m.node[1], 84, i);
	sim_pass(m.w, 10 * NS_PER_MS);
	SIM_CHECK(m.w, fleet_tun_silent(&m.node[0]));
	expel_removed(&m.node[0], &m.node[1]);
	sim_pass(m.w, 0);
	for (unsigned i = 0; i < 3; i++)
		SIM_CHECK(m.w, expel_took_unreachable(&m.node[0]));
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_no_tunnel), 3);
	expel_check_gone(&m.node[0], &m.node[1]);
	fleet_free(&m);
}
END_TEST

/* A record overtakes the hello and waits for it; the hello of a removed node never comes. */
/* [P7-13] */
START_TEST(records_that_came_early_are_dropped)
{
	struct fleet m;
	struct rogue r;

	rogue_silent(&r, &m);
	r.inner[0] = 0;
	fleet_udp(r.inner + 1, 100, m.node[1].self->address, m.node[0].self->address, 1);
	rogue_send(&r, 101);
	sim_pass(m.w, 20 * NS_PER_MS);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_early), 0);
	expel_removed(&m.node[0], &m.node[1]);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_early), 1);
	expel_check_silence(&m, &m.node[0], &m.node[1]);
	rogue_end(&r);
}
END_TEST

/* --- the host --- */

static bool is_unreachable(struct fleet_node *n, ip4 to)
{
	struct world_route routes[64];
	size_t count = world_routes(n->h, routes, 64);

	for (size_t i = 0; i < count; i++)
		if (routes[i].ifindex == 0 && prefix4_contains(routes[i].prefix, to))
			return true;
	return false;
}

/* What is still sent there does not leave in the clear. */
START_TEST(the_hosts_route_goes_and_the_backstop_stays)
{
	struct fleet m;

	fleet_new(&m, 3);
	fleet_wait_up(&m, 5 * NS_PER_S);
	struct fleet_node *at = &m.node[0], *out = &m.node[2];
	struct prefix4 route = { out->self->address, 32 };

	SIM_CHECK(m.w, world_has_route(at->h, route, overlay_ifindex(at->o)));
	expel_removed(at, out);
	SIM_CHECK(m.w, !world_has_route(at->h, route, overlay_ifindex(at->o)));
	SIM_CHECK(m.w, is_unreachable(at, route.net));
	SIM_CHECK(m.w, overlay_routes_to(at->o, expel_member_at(at, &m.node[1])));
	sim_pass(m.w, WITHOUT_END); /* nor does the repair bring it back */
	SIM_CHECK(m.w, !world_has_route(at->h, route, overlay_ifindex(at->o)));
	fleet_free(&m);
}
END_TEST

/* The only member in its part of the subnet. */
START_TEST(the_backstop_covers_the_address_of_a_former_member)
{
	struct roster_leave how = { LEFT_REMOVED, 100, KIT_TIME, { { 0 } } };
	struct member far = { .id = { { 7 } }, .name = "far", .address = KIT_NET + 0x2345 };
	struct fleet m;

	fleet_new(&m, 2);
	struct fleet_node *at = &m.node[0];
	struct roster *r = at->log->roster;

	ck_assert_int_eq(roster_reserve(r, 2), 0);
	const struct member *joined = roster_join(r, &far);
	overlay_log_grew(at->o);
	SIM_CHECK(m.w, overlay_routes_to(at->o, joined) && is_unreachable(at, far.address + 1));
	roster_leave(r, joined, &how);
	overlay_log_grew(at->o);
	SIM_CHECK(m.w, !overlay_routes_to(at->o, joined) && is_unreachable(at, far.address));
	fleet_free(&m);
}
END_TEST

START_TEST(an_heir_takes_the_address_over)
{
	struct fleet m;

	fleet_new(&m, 3);
	fleet_wait_up(&m, 5 * NS_PER_S);
	struct fleet_node *at = &m.node[0];
	struct roster *r = at->log->roster;
	const struct member *old = expel_member_at(at, &m.node[2]);
	struct identity *id = kit_identity(50);
	struct member heir = { .id = identity_node_id(id), .address = old->address };
	struct roster_leave how = { LEFT_REPLACED, 100, KIT_TIME, old->sponsor };

	strcpy(heir.name, old->name);
	memcpy(heir.key, identity_key(id), KEY_LEN);
	ck_assert_int_eq(roster_reserve(r, 2), 0);
	roster_leave(r, old, &how);
	const struct member *new = roster_join(r, &heir);
	overlay_log_grew(at->o);
	SIM_CHECK(m.w, overlay_routes_to(at->o, new) && !overlay_routes_to(at->o, old));
	SIM_CHECK(m.w, world_has_route(at->h, (struct prefix4){ old->address, 32 },
				       overlay_ifindex(at->o)));
	ck_assert_ptr_eq(peer_of_address(&at->o->peering, old->address)->member, new);
	struct peer_status s;
	ck_assert(!overlay_peer_status(at->o, old, &s));
	ck_assert(overlay_peer_status(at->o, new, &s));
	sim_pass(m.w, WITHOUT_END);
	ck_assert(overlay_peer_status(at->o, new, &s));
	ck_assert_int_ne(s.state, PEER_UP); /* the old one's key is not the heir's */
	identity_free(id);
	fleet_free(&m);
}
END_TEST

/* Not a removal, but the same: the earlier key makes no tunnel any more. */
START_TEST(a_handshake_under_the_key_of_before_ends)
{
	struct identity *key = kit_identity(70);
	struct fleet m;
	struct rogue r;

	rogue_silent(&r, &m);
	ck_assert_int_eq(roster_reserve(m.node[0].log->roster, 1), 0);
	roster_rekey(m.node[0].log->roster, expel_member_at(&m.node[0], &m.node[1]),
		     identity_key(key), 100, KIT_TIME + 100);
	overlay_log_grew(m.node[0].o);
	sim_pass(m.w, 50 * NS_PER_MS);
	SIM_CHECK(m.w, r.closed && r.error == PEER_CLOSE_REPLACED);
	sim_pass(m.w, WITHOUT_END);
	ck_assert_int_ne(fleet_peer(&m.node[0], &m.node[1]).state, PEER_UP);
	identity_free(key);
	rogue_end(&r);
}
END_TEST

UNIT_MAIN("overlay/expel", an_open_tunnel_ends_at_once,
	  records_and_streams_under_old_keys_are_dropped, probes_under_old_keys_are_not_answered,
	  a_handshake_ends_whenever_the_removal_comes, a_new_handshake_is_refused,
	  a_knock_is_not_heard, an_address_that_was_kept_or_told_is_not_used,
	  the_relay_channel_ends, packets_that_wait_are_given_back,
	  records_that_came_early_are_dropped, the_hosts_route_goes_and_the_backstop_stays,
	  the_backstop_covers_the_address_of_a_former_member, an_heir_takes_the_address_over,
	  a_handshake_under_the_key_of_before_ends)
