/* SPDX-License-Identifier: MIT */
/* Records between nodes: where they go, and when their keys are used up. */
#include "overlay/peering/peer.h"
#include "overlay_sim.h"
#include "proto/probe.h"

#define BYSTANDER IP(198, 18, 0, 99)

struct watched {
	uint64_t records, pings; /* to the bystander */
	uint64_t records_peer;	 /* to the peer's machine */
	bool cut;		 /* nothing arrives there */
};

static bool watch(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		  uint8_t *data, size_t *len)
{
	struct watched *v = ctx;
	bool is_record = *len > 0 && data[0] == RECORD_TYPE;
	bool is_ping = *len > 0 && data[0] == PROBE_PING;

	(void)from, (void)src;
	if (addr_ip4(dst) == BYSTANDER) {
		v->records += is_record;
		v->pings += is_ping;
	}
	if (addr_ip4(dst) == IP(192, 0, 2, 11)) {
		v->records_peer += is_record;
		return !v->cut;
	}
	return true;
}

static struct peer *peer_of(struct fleet_node *a, struct fleet_node *b)
{
	return peer_of_member(&a->o->peering,
			      roster_by_id(mlog_roster(a->log), &b->self->id, ROSTER_CURRENT));
}

/* Packets go on, and the server says that the peer is at the bystander's address. */
static void named(struct fleet *m, unsigned seconds)
{
	for (unsigned i = 0; i < 10 * seconds; i++) {
		struct wire_candidates at = { .n = 1, .item = { addr_v4(BYSTANDER, 1000) } };

		if (i % 10 == 0)
			overlay_presence(m->node[0].o, peer_of(&m->node[0], &m->node[1])->member,
					 true, &at);
		fleet_send(&m->node[0], &m->node[1], 100, i);
		sim_pass(m->w, 100 * NS_PER_MS);
	}
}

/* [P7-14] Neither while the peer answers nor when it does not any more. */
START_TEST(an_address_that_proved_nothing_gets_no_record)
{
	struct watched v = { 0 };
	struct fleet m;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	world_tap(m.w, watch, &v);
	named(&m, 10);
	ck_assert_uint_gt(v.pings, 0);
	ck_assert_uint_ge(v.records_peer, 100);
	v.cut = true;
	named(&m, 60);
	ck_assert_uint_eq(v.records, 0);
	world_tap(m.w, NULL, NULL);
	fleet_free(&m);
}
END_TEST

/* [P7-12] The number itself takes years to reach: it is set. */
START_TEST(too_many_forged_records_end_the_connection)
{
	struct quic_conn *before;
	struct fleet m;
	struct peer *p;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	p = peer_of(&m.node[0], &m.node[1]);
	before = p->dest.conn;
	p->dest.records->forged = RECORD_FORGED_MAX;
	sim_pass(m.w, 5 * NS_PER_S);
	SIM_CHECK(m.w, p->dest.conn == before && peer_is_up(p));
	p->dest.records->forged++;
	sim_pass(m.w, 5 * NS_PER_S);
	SIM_CHECK(m.w, !p->dest.records || p->dest.records->forged == 0);
	fleet_wait_up(&m, 10 * NS_PER_S);
	SIM_CHECK(m.w, p->dest.records->forged == 0);
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/records", an_address_that_proved_nothing_gets_no_record,
	  too_many_forged_records_end_the_connection)
