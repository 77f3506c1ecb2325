/* SPDX-License-Identifier: MIT */
/* What many peers at once must not do to each other, and what an idle node must not do at all. */
#include "mesh.h"
#include "overlay/internal.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay_sim.h"

static struct peer *peer_of_node(struct fleet_node *n, struct fleet_node *of)
{
	return peer_of_address(&n->o->peering, of->self->address);
}

static size_t limit_to(struct fleet_node *n, struct fleet_node *of)
{
	return peer_path_mtu(peer_of_node(n, of));
}

/* The server names addresses of each that nobody answers at: pings run short. */
static void introduce(struct fleet *m, size_t i, unsigned silent)
{
	struct fleet_node *n = &m->node[i];
	struct wire_candidates c;

	overlay_candidates_get(n->o, &c);
	for (unsigned k = 0; k < silent; k++)
		c.item[c.n++] = addr_v4(IP(192, 168, i, 10 + k), 4000);
	overlay_presence(m->node[0].o,
			 roster_by_id(mlog_roster(m->node[0].log), &n->self->id, ROSTER_CURRENT),
			 true, &c);
}

START_TEST(each_tunnel_finds_its_size)
{
	static const unsigned silent[] = { 0, 2, 6 };

	for (size_t s = 0; s < ARRAY_LEN(silent); s++) {
		struct fleet m;

		fleet_init(&m, FLEET_NODES);
		for (size_t i = 1; i < FLEET_NODES; i++)
			fleet_start(&m.node[i]);
		sim_pass(m.w, 20 * NS_PER_S);
		for (size_t i = 1; i < FLEET_NODES; i++)
			world_link_both(m.w, m.node[0].h, m.node[i].h,
					(struct link_params){ .delay_ns = 5 * NS_PER_MS,
							      .mtu_bytes = 1420 });
		fleet_start(&m.node[0]);
		for (size_t i = 1; i < FLEET_NODES; i++)
			introduce(&m, i, silent[s]);
		sim_pass(m.w, 60 * NS_PER_S);
		for (size_t i = 1; i < FLEET_NODES; i++)
			SIM_CHECK(m.w, limit_to(&m.node[0], &m.node[i]) == 1392);
		fleet_free(&m);
	}
}
END_TEST

/* The last attempt ends in a way that is the other side's fault: it is not the last one ever. */
START_TEST(a_peer_that_breaks_the_rules_is_tried_again)
{
	struct fleet m;
	struct peer *p;

	fleet_init(&m, 2);
	m.server_down = true;
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	p = peer_of_node(&m.node[0], &m.node[1]);
	SIM_CHECK(m.w, p->initiator);
	world_link_cut(m.w, m.node[0].h, m.node[1].h, true);
	fleet_tell(&m.node[1], &m.node[0]);
	sim_pass(m.w, 500 * NS_PER_MS);
	SIM_CHECK(m.w, p->phase == PEERING_RACING);
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		if (p->links[i].conn)
			link_malformed(&p->links[i], "does not allow a control stream");
	}
	world_link_cut(m.w, m.node[0].h, m.node[1].h, false);
	sim_pass(m.w, 90 * NS_PER_S);
	SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
	fleet_free(&m);
}
END_TEST

/* Many more than may be under way at once: some are dropped, and none after it was too much. */
START_TEST(packets_larger_than_the_path_wait_for_nobody)
{
	struct fleet m;
	unsigned got = 0;
	uint8_t buf[2000];
	size_t len;

	fleet_init(&m, 2);
	world_link_both(m.w, m.node[0].h, m.node[1].h,
			(struct link_params){ .delay_ns = 40 * NS_PER_MS, .mtu_bytes = 1420 });
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	sim_pass(m.w, 10 * NS_PER_S);
	SIM_CHECK(m.w, limit_to(&m.node[0], &m.node[1]) == 1392);
	for (unsigned i = 0; i < 4000; i++) {
		fleet_send(&m.node[0], &m.node[1], 1400, i);
		sim_pass(m.w, NS_PER_MS / 4);
	}
	sim_pass(m.w, NS_PER_S);
	while (world_tun_take(m.node[1].h, 0, buf, sizeof(buf), &len))
		;
	for (unsigned i = 0; i < 500; i++) {
		fleet_send(&m.node[0], &m.node[1], 1400, i);
		sim_pass(m.w, 2 * NS_PER_MS);
		got += world_tun_take(m.node[1].h, 0, buf, sizeof(buf), &len);
	}
	sim_pass(m.w, NS_PER_S);
	while (world_tun_take(m.node[1].h, 0, buf, sizeof(buf), &len))
		got++;
	SIM_CHECK(m.w, got == 500);
	fleet_free(&m);
}
END_TEST

/* --- idle ------------------------------------------------------------------------------------ */

struct idle {
	struct mesh *m;
	bool cut[2];	    /* what node i sends to the other is lost */
	uint8_t seen[1500]; /* the last packet of the connection that the relay gave node 0 */
	size_t seen_len;
};

static bool tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		uint8_t *data, size_t *len)
{
	struct idle *s = ctx;

	(void)from;
	if (!addr_is_v4(src) || !addr_is_v4(dst))
		return true;
	if (*len > RELAY_OVERHEAD + 40 && data[0] == RELAY_FRAME_TYPE &&
	    (data[RELAY_OVERHEAD] & 0xc0) == 0x40 && addr_ip4(dst) == s->m->node[0].ip) {
		s->seen_len = *len - RELAY_OVERHEAD;
		memcpy(s->seen, data + RELAY_OVERHEAD, s->seen_len);
	}
	for (unsigned i = 0; i < 2; i++) {
		if (s->cut[i] && addr_ip4(src) == s->m->node[i].ip &&
		    addr_ip4(dst) == s->m->node[!i].ip)
			return false;
	}
	return true;
}

static struct peer *only_peer(struct mesh_node *n)
{
	return list_entry(tunnel_overlay(mesh_tunnel(n))->peering.peers.next, struct peer,
			  in_overlay);
}

/* How often the tunnel's timer wakes the machine in ten seconds. */
static unsigned wakes(struct mesh_node *n)
{
	uint64_t last = only_peer(n)->reach->next_at;
	unsigned times = 0;

	for (unsigned i = 0; i < 10000; i++) {
		sim_pass(n->mesh->w, MS);
		times += only_peer(n)->reach->next_at != last;
		last = only_peer(n)->reach->next_at;
	}
	return times;
}

static void idle_init(struct idle *s, bool cut_0, bool cut_1)
{
	*s = (struct idle){ .m = mesh_new(sim_seed()), .cut = { cut_0, cut_1 } };
	mesh_nodes(s->m, 2);
	world_tap(s->m->w, tap, s);
	mesh_join_all(s->m);
	mesh_reach(s->m, 2 * SECOND);
	sim_pass(s->m->w, 10 * MINUTE);
}

START_TEST(an_idle_tunnel_lets_the_machine_sleep)
{
	for (unsigned k = 0; k < 4; k++) {
		struct idle s;

		idle_init(&s, k & 1, k & 2);
		for (unsigned i = 0; i < 2; i++)
			MESH_CHECK(s.m, wakes(&s.m->node[i]) <= 20);
		mesh_free(s.m);
	}
}
END_TEST

/* It has the header of a packet that the relay has seen, and comes from anywhere. */
START_TEST(one_forged_datagram_does_not_wake_it_for_ever)
{
	struct idle s;
	struct overlay *o;
	struct addr dst, src = addr_v4(IP(198, 51, 100, 250), 9999);

	idle_init(&s, true, true);
	MESH_CHECK(s.m, s.seen_len > 40);
	o = tunnel_overlay(mesh_tunnel(&s.m->node[0]));
	dst = addr_v4(s.m->node[0].ip, quic_socket_local(overlay_socket(o)).port);
	memset(s.seen + 20, 0xee, s.seen_len - 20);
	world_inject(s.m->w, &src, &dst, 0, s.seen, s.seen_len);
	sim_pass(s.m->w, MINUTE);
	MESH_CHECK(s.m, wakes(&s.m->node[0]) <= 20);
	mesh_free(s.m);
}
END_TEST

UNIT_MAIN("overlay/many", each_tunnel_finds_its_size, a_peer_that_breaks_the_rules_is_tried_again,
	  packets_larger_than_the_path_wait_for_nobody, an_idle_tunnel_lets_the_machine_sleep,
	  one_forged_datagram_does_not_wake_it_for_ever)
