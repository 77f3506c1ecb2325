/* SPDX-License-Identifier: MIT */
/* What a node says about its addresses on the control stream, and which answers count. */
#include "overlay/peering/effects.h"
#include "overlay/peering/peer.h"
#include "rogue_member.h"

/* The `candidates` messages that have come on the control stream; the last one in `ret`. */
static unsigned candidates_had(struct rogue *r, struct wire_candidates *ret)
{
	static struct peer_message m;
	struct span in, message;
	unsigned n = 0;
	size_t used;
	bool fin;

	in = quic_stream_peek(r->c, r->control, &fin);
	while (frame_next(in, PEER_MESSAGE_MAX, &message, &used) > 0) {
		ck_assert_int_eq(peer_message_decode(message, &m), 0);
		if (m.type == PEER_CANDIDATES) {
			*ret = m.candidates;
			n++;
		}
		in = span_of(in.data + used, in.len - used);
	}
	return n;
}

static bool has_address(const struct wire_candidates *c, ip4 ip)
{
	for (size_t i = 0; i < c->n; i++) {
		if (addr_is_v4(&c->item[i]) && addr_ip4(&c->item[i]) == ip)
			return true;
	}
	return false;
}

/* [P6-48] */
START_TEST(candidates_are_told_again_when_they_change)
{
	struct addr private = addr_v4(IP(10, 9, 8, 7), 0);
	struct wire_candidates last = { 0 };
	struct fleet m;
	struct rogue r;
	unsigned before;

	rogue_connect(&r, &m);
	sim_pass(m.w, 5 * NS_PER_S);
	before = candidates_had(&r, &last);
	ck_assert_uint_ge(before, 1);
	ck_assert(has_address(&last, IP(192, 0, 2, 10)));
	ck_assert(!has_address(&last, IP(10, 9, 8, 7)));

	ck_assert_int_eq(world_host_addr(m.node[0].h, &private, "eth0"), 0);
	sim_pass(m.w, 5 * NS_PER_S);
	ck_assert_uint_gt(candidates_had(&r, &last), before);
	ck_assert(has_address(&last, IP(10, 9, 8, 7))); /* end to end private ones are told, too */
	rogue_end(&r);
}
END_TEST

static void say_opened(struct rogue *r, uint32_t heard)
{
	struct peer_message msg = { .type = PEER_OPENED, .heard = heard };
	uint8_t buf[64];
	ptrdiff_t n = peer_message_encode(&msg, buf, sizeof(buf));

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(quic_stream_write(r->c, r->control, buf, (size_t)n, false), 0);
	sim_pass(r->m->w, 200 * NS_PER_MS);
}

/* [P6-61] */
START_TEST(an_opened_from_before_our_last_candidates_does_not_count)
{
	struct wire_candidates last = { 0 };
	struct fleet m;
	struct rogue r;
	uint32_t told;

	rogue_connect(&r, &m);
	sim_pass(m.w, NS_PER_S);
	told = candidates_had(&r, &last);
	const struct peer *p = peer_of_address(&m.node[0].o->peering, m.node[1].self->address);
	uint64_t word = p->reach->word_at;

	say_opened(&r, told - 1);
	ck_assert_uint_eq(p->reach->word_at, word);
	say_opened(&r, told + 1);
	ck_assert_uint_eq(p->reach->word_at, word);
	say_opened(&r, told);
	ck_assert_uint_gt(p->reach->word_at, word);
	rogue_end(&r);
}
END_TEST

/*
 * A member says that it sees this node at the address of another member. This node may believe it,
 * and goes on calling the other member there.
 */
/* [P4-41] */
START_TEST(a_lie_about_our_address_keeps_us_from_no_peer)
{
	struct peer_message msg = { .type = PEER_OBSERVED };
	struct wire_candidates own;
	struct fleet m;
	struct rogue r;
	uint8_t buf[64];

	rogue_connect(&r, &m);
	sim_pass(m.w, 5 * NS_PER_S);
	SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[2]));
	/* The port that it will have. */
	msg.observed = addr_v4(IP(192, 0, 2, 12),
			       quic_socket_local(m.node[2].o->peering.socket).port + 1);
	ptrdiff_t n = peer_message_encode(&msg, buf, sizeof(buf));
	ck_assert_int_eq(quic_stream_write(r.c, r.control, buf, (size_t)n, false), 0);
	sim_pass(m.w, NS_PER_S);
	overlay_candidates_get(m.node[0].o, &own);
	ck_assert(candidates_have(&own, &msg.observed)); /* it is believed */

	m.server_down = true; /* all that is known of node 2 is where it was */
	fleet_restart(&m.node[2]);
	ck_assert_uint_eq(quic_socket_local(m.node[2].o->peering.socket).port, msg.observed.port);
	fleet_tell(&m.node[2], &m.node[0]);
	sim_pass(m.w, 10 * NS_PER_S);
	SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[2]));
	rogue_end(&r);
}
END_TEST

/* The addresses 192.0.2.60 and up that something was sent to, a bit each. */
static bool note_tried(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		       uint8_t *data, size_t *len)
{
	unsigned *tried = ctx;
	uint32_t i = addr_ip4(dst) - IP(192, 0, 2, 60);

	(void)from, (void)src, (void)data, (void)len;
	if (i < 32)
		*tried |= 1u << i;
	return true;
}

/* [P4-3] Of the connections to four of its addresses, one comes up and has the control stream. */
START_TEST(one_of_the_connections_gets_the_control_stream)
{
	static const struct link_params far = { .delay_ns = 150 * NS_PER_MS, .mtu_bytes = 1500 };
	struct wire_candidates there = { 0 };
	unsigned tried = 0;
	struct fleet m;
	struct rogue r;

	rogue_begin(&r, &m);
	world_link_both(m.w, m.node[0].h, r.h, far);
	world_tap(m.w, note_tried, &tried);
	for (unsigned i = 0; i < 4; i++) {
		struct addr at = addr_v4(IP(192, 0, 2, 60) + i, 0);

		ck_assert_int_eq(world_host_addr(r.h, &at, "eth0"), 0);
		at.port = ROGUE_PORT;
		there.item[there.n++] = at;
	}
	overlay_presence(m.node[0].o,
			 roster_by_id(mlog_roster(m.node[0].log), &m.node[1].self->id,
				      ROSTER_CURRENT),
			 true, &there);
	sim_pass(m.w, 2 * NS_PER_S);
	world_tap(m.w, NULL, NULL);
	ck_assert(tried & (tried - 1)); /* more than one */
	ck_assert_uint_eq(r.accepted, 1);
	ck_assert(rogue_up(&r) && !r.closed);
	rogue_end(&r);
}
END_TEST

UNIT_MAIN("overlay/candidates", candidates_are_told_again_when_they_change,
	  an_opened_from_before_our_last_candidates_does_not_count,
	  a_lie_about_our_address_keeps_us_from_no_peer,
	  one_of_the_connections_gets_the_control_stream)
