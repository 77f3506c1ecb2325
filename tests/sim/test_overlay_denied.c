/* SPDX-License-Identifier: MIT */
/*
 * A removal without order denies a member: it has no tunnel, no route and no relay, and gets a
 * connection for messages of the membership log only. The same connection for the earlier key.
 */
#include "expel_kit.h"
#include "identity/identity.h"
#include "rogue_member.h"

#define LONG_TIME (60 * NS_PER_S)

static void deny(struct fleet *m, unsigned at, unsigned of, bool denied)
{
	m->node[at].denies[of] = denied;
	overlay_denials_changed(m->node[at].o);
}

static struct peer *peer_at(struct fleet *m, unsigned at, unsigned of)
{
	return peer_of_member(&m->node[at].o->peering, expel_member_at(&m->node[at], &m->node[of]));
}

static unsigned log_links(const struct peer *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		n += p->links[i].conn && p->links[i].log_only;
	return n;
}

static void check_denied(struct fleet *m, unsigned at, unsigned of)
{
	struct fleet_node *n = &m->node[at];
	const struct member *who = expel_member_at(n, &m->node[of]);
	const struct peer *p = peer_at(m, at, of);
	struct peer_status s;

	SIM_CHECK(m->w, p && p->phase == PEERING_BARRED && !p->active && !p->relay.on);
	SIM_CHECK(m->w, !overlay_peer_status(n->o, who, &s));
	SIM_CHECK(m->w, !overlay_routes_to(n->o, who) && !world_fenced(n->h, who->address));
	SIM_CHECK(m->w, !p->dest.records);
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		SIM_CHECK(m->w, !p->links[i].conn || p->links[i].log_only);
	SIM_CHECK(m->w, log_links(p) <= 1);
}

/* A record that only one of the two has. */
static void learn(struct fleet *m, unsigned at, unsigned joiner)
{
	struct kit_invite i = kit_invite(&m->kit, joiner);
	struct entry_bytes b = kit_admit(&m->kit, &i, joiner);

	kit_append(&m->kit, &b);
	fleet_learn(&m->node[at], m->kit.log, mlog_count(m->kit.log) - 1);
	overlay_log_grew(m->node[at].o);
}

/* Denied by the one that begins the tunnel, then by the other. */
/* [P4-16] [P4-17] */
START_TEST(a_denied_member_gets_the_log_and_nothing_else)
{
	for (unsigned at = 0; at < 2; at++) {
		struct fleet m;
		unsigned other = 1 - at, connections = 0, open_for = 0, longest = 0;

		fleet_new(&m, 2);
		fleet_wait_up(&m, 5 * NS_PER_S);
		fleet_send(&m.node[other], &m.node[at], 90, 1);
		sim_pass(m.w, NS_PER_MS); /* it is on its way */
		deny(&m, at, other, true);
		check_denied(&m, at, other);
		sim_pass(m.w, 100 * NS_PER_MS);
		SIM_CHECK(m.w, fleet_tun_silent(&m.node[at]));
		learn(&m, at, 10);
		for (unsigned i = 0; i < LONG_TIME / (100 * NS_PER_MS); i++) {
			fleet_send(&m.node[other], &m.node[at], 90, i);
			if (i == 300)
				learn(&m, other, 11);
			sim_pass(m.w, 100 * NS_PER_MS);
			SIM_CHECK(m.w, fleet_tun_silent(&m.node[at]));
			check_denied(&m, at, other);
			bool open = log_links(peer_at(&m, at, other)) == 1;
			connections += open && open_for == 0;
			open_for = open ? open_for + 1 : 0;
			longest = MAX(longest, open_for);
		}
		printf("%u connections, the longest %u00 ms\n", connections, longest);
		ck_assert_uint_ge(connections, 2);
		ck_assert_uint_le(connections, LONG_TIME / (15 * NS_PER_S) + 1);
		ck_assert_uint_le(longest, 101);
		ck_assert_uint_eq(mlog_count(m.node[at].log), 4);
		ck_assert_uint_eq(mlog_count(m.node[other].log), 4);
		deny(&m, at, other, false);
		for (unsigned i = 0; i < 2; i++)
			fleet_announce(&m.node[i]);
		fleet_wait_up(&m, 70 * NS_PER_S);
		SIM_CHECK(m.w, overlay_routes_to(m.node[at].o,
						 expel_member_at(&m.node[at], &m.node[other])));
		fleet_free(&m);
	}
}
END_TEST

/* Packets by stream, records, candidates: nothing of it is looked at. */
/* [P4-17] */
START_TEST(what_else_a_denied_member_sends_is_ignored)
{
	struct quic_pin pin = { .by_key = true };
	struct wire_candidates at;
	struct quic_conn *knock;
	struct fleet m;
	struct rogue r;
	uint8_t out[512];

	rogue_begin(&r, &m);
	deny(&m, 0, 1, true);
	rogue_introduce(&r); /* the server's word changes nothing */
	sim_pass(m.w, 5 * NS_PER_S);
	ck_assert_uint_eq(r.accepted, 0);
	overlay_candidates_get(m.node[0].o, &at);
	memcpy(pin.key_sha256, identity_key_sha256(m.node[0].id), HASH_LEN);
	ck_assert_int_eq(quic_connect(r.s, &peer_profile, &pin, 0, &at.item[0], &rogue_ops, &r,
				      NULL, &knock),
			 0);
	sim_pass(m.w, NS_PER_S);
	SIM_CHECK(m.w, r.accepted == 1 && r.connected && r.control >= 0 && !r.closed);
	check_denied(&m, 0, 1);

	r.inner[0] = 0;
	fleet_udp(r.inner + 1, 100, m.node[1].self->address, m.node[0].self->address, 1);
	uint64_t unknown = fleet_drops(&m.node[0], DROP_in_unknown);
	rogue_send(&r, 101);
	int64_t id;
	ck_assert_int_eq(quic_stream_open(r.c, false, &id), 0);
	ck_assert_int_eq(quic_stream_write(r.c, id, r.inner, 101, true), 0);
	struct peer_message msg = { .type = PEER_CANDIDATES, .candidates.n = 1 };
	msg.candidates.item[0] = addr_v4(IP(192, 0, 2, 77), 7777);
	ptrdiff_t n = peer_message_encode(&msg, out, sizeof(out));
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(quic_stream_write(r.c, r.control, out, (size_t)n, false), 0);
	sim_pass(m.w, NS_PER_S);
	SIM_CHECK(m.w, fleet_tun_silent(&m.node[0]) && !r.closed);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_unknown), unknown + 1);
	ck_assert_uint_eq(peer_at(&m, 0, 1)->from_peer.n, 0);
	check_denied(&m, 0, 1);
	sim_pass(m.w, 10 * NS_PER_S);
	SIM_CHECK(m.w, r.closed && r.reason == QUIC_CLOSE_REMOTE_APP);
	ck_assert_uint_eq(r.error, PEER_CLOSE_BYE);
	quic_conn_free(knock);
	rogue_end(&r);
}
END_TEST

/* --- the earlier key --- */

static void rekeyed(struct fleet_node *at, const struct fleet_node *of, const struct identity *key,
		    uint64_t time_s)
{
	ck_assert_int_eq(roster_reserve(at->log->roster, 1), 0);
	roster_rekey(at->log->roster, expel_member_at(at, of), identity_key(key), 100, time_s);
	overlay_log_grew(at->o);
}

/* The node lacks the record of its own rotation, and so shows the key that it had. */
/* [P4-16] */
START_TEST(the_key_of_before_gets_the_log_for_seven_days)
{
	for (unsigned days = 0; days < 9; days += 8) {
		for (unsigned at = 0; at < 2; at++) {
			struct identity *key = kit_identity(70);
			struct fleet m;
			unsigned other = 1 - at;

			fleet_new(&m, 2);
			fleet_wait_up(&m, 5 * NS_PER_S);
			fleet_stop(&m.node[other]);
			learn(&m, at, 10);
			rekeyed(&m.node[at], &m.node[other], key,
				(uint64_t)clock_wall_s(m.node[at].h) - days * 86400);
			fleet_start(&m.node[other]);
			for (unsigned i = 0; i < 30; i++) {
				fleet_send(&m.node[other], &m.node[at], 90, i);
				sim_pass(m.w, NS_PER_S);
				SIM_CHECK(m.w, fleet_tun_silent(&m.node[at]));
			}
			ck_assert_uint_eq(mlog_count(m.node[other].log), days ? 2 : 3);
			ck_assert_int_ne(fleet_peer(&m.node[at], &m.node[other]).state, PEER_UP);
			identity_free(key);
			fleet_free(&m);
		}
	}
}
END_TEST

/* An attacker that has a copy of it cannot disturb the tunnel. */
/* [P4-17] */
START_TEST(the_key_of_before_leaves_the_tunnel_alone)
{
	struct identity *old, *new = kit_identity(70);
	struct quic_pin pin = { .by_key = true };
	struct wire_candidates to;
	struct fleet m;
	struct rogue r = { .control = -1 };
	struct quic_socket_config cfg = { 0 };

	fleet_init(&m, 3);
	old = m.node[1].id;
	m.node[1].id = new;
	for (unsigned i = 0; i < 3; i++) {
		const struct member *of = expel_member_at(&m.node[i], &m.node[1]);

		ck_assert_int_eq(roster_reserve(m.node[i].log->roster, 1), 0);
		roster_rekey(m.node[i].log->roster, of, identity_key(new), 100,
			     (uint64_t)clock_wall_s(m.node[i].h));
		if (i < 2)
			fleet_start(&m.node[i]);
	}
	r.m = &m;
	m.n = 2;
	fleet_wait_up(&m, 10 * NS_PER_S);
	uint64_t up = fleet_peer(&m.node[0], &m.node[1]).up_since;
	cfg.identity = old;
	ck_assert_int_eq(quic_socket_open(m.node[2].h, &cfg, NULL, &r.s), 0);
	overlay_candidates_get(m.node[0].o, &to);
	memcpy(pin.key_sha256, identity_key_sha256(m.node[0].id), HASH_LEN);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(quic_connect(r.s, &peer_profile, &pin, 0, &to.item[0], &rogue_ops,
					      &r, NULL, &r.c),
				 0);
		sim_pass(m.w, 5 * NS_PER_S);
		quic_conn_free(r.c);
		r.c = NULL;
		SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
		ck_assert_uint_eq(fleet_peer(&m.node[0], &m.node[1]).up_since, up);
		fleet_send(&m.node[1], &m.node[0], 90, i);
		sim_pass(m.w, 100 * NS_PER_MS);
		SIM_CHECK(m.w, fleet_received(&m.node[1], &m.node[0], 90, i));
	}
	quic_socket_close(r.s);
	records_free(r.records);
	identity_free(old);
	m.n = 3;
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/denied", a_denied_member_gets_the_log_and_nothing_else,
	  what_else_a_denied_member_sends_is_ignored, the_key_of_before_gets_the_log_for_seven_days,
	  the_key_of_before_leaves_the_tunnel_alone)
