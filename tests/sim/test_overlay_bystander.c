/* SPDX-License-Identifier: MIT */
/*
 * A bystander whose address members and the server name: what a node sends there is bounded,
 * whoever names it how often; and a node that is really there loses nothing by it.
 */
#include "overlay/peering/path.h"
#include "overlay_sim.h"

#define SECOND NS_PER_S
#define BYSTANDER IP(198, 18, 0, 99)

struct watched {
	ip4 ip;
	uint64_t bytes, datagrams;
};

static bool count(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		  uint8_t *data, size_t *len)
{
	struct watched *v = ctx;

	(void)from, (void)src, (void)data;
	if (addr_is_v4(dst) && addr_ip4(dst) == v->ip) {
		v->bytes += *len;
		v->datagrams++;
	}
	return true;
}

/* Each second the server says that the members from `first` on are at ports of this address. */
static void named_for(struct fleet *m, unsigned seconds, size_t first, size_t n, ip4 ip)
{
	for (unsigned s = 0; s < seconds; s++) {
		for (size_t i = first; i < first + n; i++) {
			const struct member *who = roster_by_id(mlog_roster(m->node[0].log),
								&m->node[i].self->id,
								ROSTER_CURRENT);
			uint16_t port = (uint16_t)(10000 + 20 * s + 2 * i);
			struct wire_candidates named = {
				.item = { addr_v4(ip, port), addr_v4(ip, port + 1) },
				.n = 2,
			};

			overlay_presence(m->node[0].o, who, true, &named);
		}
		sim_pass(m->w, SECOND);
	}
}

static uint64_t bytes_to_bystander(size_t members, unsigned seconds)
{
	struct watched v = { .ip = BYSTANDER };
	struct fleet m;

	fleet_init(&m, FLEET_NODES);
	fleet_start(&m.node[0]);
	world_tap(m.w, count, &v);
	named_for(&m, seconds, 1, members, BYSTANDER);
	printf("named by %zu for %u s: %llu datagrams, %llu bytes\n", members, seconds,
	       (unsigned long long)v.datagrams, (unsigned long long)v.bytes);
	fflush(stdout);
	fleet_free(&m);
	return v.bytes;
}

/* [P6-30] [P6-65] */
START_TEST(one_member_has_little_sent_to_a_bystander)
{
	enum { TIME = 600 };
	uint64_t bytes = bytes_to_bystander(1, TIME);

	ck_assert_uint_gt(bytes, PEER_ATTEMPTS_BURST / 2);
	ck_assert_uint_le(bytes, PEER_ATTEMPTS_BURST + TIME * PEER_ATTEMPTS_PER_S);
}
END_TEST

/* [P6-65] */
START_TEST(many_members_have_no_more_sent_than_the_limit)
{
	enum { TIME = 600 };
	uint64_t bytes = bytes_to_bystander(FLEET_NODES - 1, TIME);

	ck_assert_uint_gt(bytes, METER_BURST_BYTES / 2);
	ck_assert_uint_le(bytes, METER_BURST_BYTES + TIME * METER_BYTES_PER_S);
}
END_TEST

static bool first_two_linked(void *ctx)
{
	struct fleet *m = ctx;

	return fleet_linked(&m->node[0], &m->node[1]);
}

static void link_within(struct fleet *m, uint64_t ns, const char *what)
{
	uint64_t begin = world_now(m->w);

	SIM_CHECK(m->w, world_run(m->w, ns, first_two_linked, m));
	printf("%s after %llu ms\n", what,
	       (unsigned long long)((world_now(m->w) - begin) / NS_PER_MS));
	fflush(stdout);
}

/* Others name a node's own address until the limit is reached; then the node comes. */
START_TEST(a_node_that_is_really_there_is_reached_all_the_same)
{
	struct fleet m;

	fleet_init(&m, FLEET_NODES);
	fleet_start(&m.node[0]);
	named_for(&m, 300, 2, FLEET_NODES - 2, IP(192, 0, 2, 11));
	fleet_start(&m.node[1]);
	link_within(&m, 3 * SECOND, "linked");
	/* It is proven now: after a restart nothing stands in its way, while the others go on. */
	named_for(&m, 30, 2, FLEET_NODES - 2, IP(192, 0, 2, 11));
	fleet_restart(&m.node[1]);
	link_within(&m, 3 * SECOND, "again");
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/bystander", one_member_has_little_sent_to_a_bystander,
	  many_members_have_no_more_sent_than_the_limit,
	  a_node_that_is_really_there_is_reached_all_the_same)
