/* SPDX-License-Identifier: MIT */
/*
 * A NAT that maps by destination and gives its ports in turn, and one that filters by port: they
 * meet by guessing (docs/protocol/06-paths.md, "Port prediction"). And what guessing must not do.
 */
#include "nat_kit.h"
#include "overlay/internal.h"
#include "overlay/peering/control.h"

#define VICTIM IP(198, 51, 100, 7)

/* Node 0 behind the one NAT, node 1 behind the other; small datagrams from there to elsewhere. */
struct scene {
	struct mesh *m;
	struct nat *nat[2];
	unsigned to_outer[2]; /* the other's pings to the outer address of node i's NAT */
	unsigned to_victim;
	bool port_seen[UINT16_MAX + 1]; /* of node 0's outer address */
	unsigned ports;
};

static bool tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		uint8_t *data, size_t *len)
{
	struct scene *s = ctx;
	bool ping = *len > 0 && data[0] == PROBE_PING && addr_is_v4(dst);

	(void)from;
	(void)src;
	if (!ping)
		return true;
	s->to_victim += addr_ip4(dst) == VICTIM;
	for (unsigned i = 0; i < 2; i++)
		s->to_outer[i] += addr_ip4(dst) == NAT_OUTER(i);
	if (addr_ip4(dst) == NAT_OUTER(0) && !s->port_seen[dst->port]) {
		s->port_seen[dst->port] = true;
		s->ports++;
	}
	return true;
}

static struct mesh *scene_init(struct scene *s, uint64_t seed, const struct nat_config *a,
			       const struct nat_config *b)
{
	const struct nat_config *cfg[] = { a, b };

	*s = (struct scene){ .m = mesh_new(seed) };
	mesh_nodes(s->m, 2);
	for (unsigned i = 0; i < 2; i++)
		s->nat[i] = nat_before(&s->m->node[i], cfg[i]);
	world_tap(s->m->w, tap, s);
	return s->m;
}

static size_t guesses(struct mesh_node *n, struct mesh_node *of)
{
	struct tunnel *t = mesh_tunnel(n);
	const struct member *m = roster_by_name(mlog_roster(tunnel_log(t)), span_str(of->name),
						ROSTER_CURRENT);

	return overlay_peer_guessed_ports(tunnel_overlay(t), m);
}

static struct peer *peer_at(struct mesh_node *n)
{
	struct overlay *o = tunnel_overlay(mesh_tunnel(n));

	return list_entry(o->peering.peers.next, struct peer, in_overlay);
}

/* Either node may be the one with the lower address, and the one that begins. */
/* [P6-43] [P6-44] */
START_TEST(ports_in_turn_are_found)
{
	const struct nat_config *cfg[2][2] = { { &nat_in_turn, &nat_by_port },
					       { &nat_by_port, &nat_in_turn } };

	for (size_t k = 0; k < 2; k++) {
		struct scene s;
		struct mesh *m = scene_init(&s, sim_seed(), cfg[k][0], cfg[k][1]);
		uint64_t begin;

		mesh_join_all(m);
		begin = world_now(m->w);
		mesh_until(m, 5 * SECOND, nat_passed, m);
		printf("direct after %llu ms, %u ports tried\n",
		       (unsigned long long)((world_now(m->w) - begin) / MS), s.ports);
		/* Idle for longer than the NATs remember: it is kept. */
		sim_pass(m->w, 2 * MINUTE);
		MESH_CHECK(m, nat_passed(m) && mesh_flow(m, SECOND, 100) == 0);
		mesh_free(m);
	}
}
END_TEST

/* Somebody else behind the first NAT who takes its ports. */
struct neighbour {
	struct sim_sink sink;
	unsigned sent;
};

static void neighbour_init(struct neighbour *n, struct scene *s)
{
	struct host *h = world_host(s->m->w, "neighbour", IP(10, 9, 9, 9));

	world_host_move(h, nat_net(s->nat[0]), IP(10, 7, 0, 3));
	n->sent = 0;
	sim_sink_open(&n->sink, h, 5000);
}

static void neighbour_take(struct neighbour *n, unsigned ports)
{
	for (unsigned i = 0; i < ports; i++, n->sent++)
		sim_sink_send(&n->sink, addr_v4(IP(198, 51, 100, 20), (uint16_t)(2000 + n->sent)),
			      "x", 1);
}

/* Node 0 is connected; node 1 comes later. */
static struct mesh *beside_neighbour(struct scene *s, struct neighbour *n)
{
	struct mesh *m = scene_init(s, sim_seed(), &nat_in_turn, &nat_by_port);

	neighbour_init(n, s);
	mesh_setup(&m->node[0]);
	mesh_connect(&m->node[0]);
	return m;
}

static void neighbour_leave(struct neighbour *n, struct mesh *m)
{
	udp_close(n->sink.udp);
	mesh_free(m);
}

/* The ports have long moved on: the last one is asked for again. */
START_TEST(hours_later_they_are_found_too)
{
	struct scene s;
	struct neighbour n;
	struct mesh *m = beside_neighbour(&s, &n);

	for (unsigned i = 0; i < 500; i++) {
		neighbour_take(&n, 5);
		sim_pass(m->w, 15 * SECOND);
	}
	mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
	mesh_connect(&m->node[1]);
	mesh_until(m, 10 * SECOND, nat_passed, m);
	neighbour_leave(&n, m);
}
END_TEST

/* Others take ten ports a second meanwhile. */
START_TEST(behind_a_busy_nat_they_are_found)
{
	struct scene s;
	struct neighbour n;
	struct mesh *m = beside_neighbour(&s, &n);

	mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
	mesh_connect(&m->node[1]);
	for (unsigned i = 0; i < 50 && !nat_passed(m); i++) {
		neighbour_take(&n, 1);
		sim_pass(m->w, 100 * MS);
	}
	MESH_CHECK(m, nat_passed(m));
	neighbour_leave(&n, m);
}
END_TEST

/* Seventy ports were taken since the last one was seen: the first guesses miss. */
START_TEST(a_port_that_is_far_is_found_in_the_end)
{
	struct scene s;
	struct neighbour n;
	struct mesh *m = beside_neighbour(&s, &n);

	sim_pass(m->w, 3 * SECOND);
	neighbour_take(&n, 70);
	mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
	mesh_connect(&m->node[1]);
	sim_pass(m->w, 10 * SECOND);
	MESH_CHECK(m, !nat_passed(m) && s.ports > PREDICT_STEP / 2);
	MESH_CHECK(m, guesses(&m->node[1], &m->node[0]) >= PREDICT_STEP - 2);
	MESH_CHECK(m, guesses(&m->node[0], &m->node[1]) == 0);
	mesh_until(m, 5 * MINUTE, nat_passed, m);
	neighbour_leave(&n, m);
}
END_TEST

/* Ports by chance, or two hard NATs: nothing is guessed, and the relay carries. */
/* [P6-45] */
START_TEST(nothing_is_guessed_in_vain)
{
	const struct nat_config *cfg[][2] = {
		{ &nat_hard, &nat_by_port },
		{ &nat_by_port, &nat_hard },
		{ &nat_in_turn, &nat_in_turn },
		{ &nat_in_turn, &nat_hard },
	};

	for (size_t k = 0; k < ARRAY_LEN(cfg); k++) {
		struct scene s;
		struct mesh *m = scene_init(&s, sim_seed(), cfg[k][0], cfg[k][1]);

		mesh_join_all(m);
		sim_pass(m->w, 5 * MINUTE);
		MESH_CHECK(m, !nat_passed(m) && mesh_flow(m, SECOND, 100) == 0);
		MESH_CHECK(m, guesses(&m->node[0], &m->node[1]) == 0);
		MESH_CHECK(m, guesses(&m->node[1], &m->node[0]) == 0);
		mesh_free(m);
	}
}
END_TEST

/* A member names ports at somebody else's address, or says it all the time. */
/* [P6-45] [P6-46] */
START_TEST(a_liar_has_nobody_flooded)
{
	struct scene s;
	struct mesh *m = scene_init(&s, sim_seed(), &nat_hard, &nat_by_port);
	struct overlay *liar;
	unsigned before;

	mesh_join_all(m);
	sim_pass(m->w, 30 * SECOND);
	MESH_CHECK(m, !nat_passed(m));
	liar = tunnel_overlay(mesh_tunnel(&m->node[0]));
	before = s.to_outer[0];
	for (unsigned i = 0; i < 1200; i++) {
		liar->peering.around.nat.last_port = addr_v4(i % 2 ? VICTIM : NAT_OUTER(0),
							     (uint16_t)(2000 + 50 * i));
		control_ports(peer_at(&m->node[0])->active);
		sim_pass(m->w, 50 * MS);
	}
	MESH_CHECK(m, s.to_victim == 0);
	MESH_CHECK(m, s.to_outer[0] > before);
	/*
	 * A minute: what had been saved up, and one a second; and two rounds, the second of which
	 * asks each address once.
	 */
	MESH_CHECK(m, s.to_outer[0] - before <=
			      REACH_PORTS_BURST + 60 + 2 * PUNCH_UNANSWERED_MAX + 2 * 2);
	MESH_CHECK(m, mesh_flow(m, SECOND, 100) == 0);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/paths_predict", ports_in_turn_are_found, hours_later_they_are_found_too,
	  behind_a_busy_nat_they_are_found, a_port_that_is_far_is_found_in_the_end,
	  nothing_is_guessed_in_vain, a_liar_has_nobody_flooded)
