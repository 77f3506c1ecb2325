/* SPDX-License-Identifier: MIT */
/* What a member or a gateway that lies must not do to the path between two others. */
#include "crypto/hash.h"
#include "nat_kit.h"
#include "os/sim/portmapd.h"
#include "overlay/internal.h"

#define GATEWAY IP(10, 7, 0, 1)

struct scene {
	struct mesh *m;
	struct nat *nat[2];
	bool lies;
	unsigned lied;
};

static struct peer *peer_at(struct mesh_node *n, struct mesh_node *of)
{
	struct tunnel *t = mesh_tunnel(n);
	const struct member *m = t ? roster_by_name(mlog_roster(tunnel_log(t)), span_str(of->name),
						    ROSTER_CURRENT)
				   : NULL;

	return m ? peer_of_address(&tunnel_overlay(t)->peering, m->address) : NULL;
}

/* Node 2 says in its pongs to node 1 that it sees it at another port. */
static bool tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		uint8_t *data, size_t *len)
{
	struct scene *s = ctx;
	struct mesh_node *liar = &s->m->node[2];
	struct peer *p;
	struct probe f;
	ptrdiff_t n;

	(void)src;
	(void)dst;
	if (!s->lies || from != liar->daemon_host || *len == 0 || data[0] != PROBE_PONG)
		return true;
	p = peer_at(liar, &s->m->node[1]);
	if (!p || !p->reach || probe_decode(span_of(data, *len), &f) < 0 ||
	    memcmp(f.tag, p->reach->tag, sizeof(f.tag)) != 0)
		return true;
	f.observed.port ^= 0x1234;
	n = probe_encode(&f, p->reach->key_out, hmac_sha256, data, *len);
	ck_assert_int_eq(n, (ptrdiff_t)*len);
	s->lied++;
	return true;
}

static struct mesh *scene_init(struct scene *s, const struct nat_config *a,
			       const struct nat_config *b)
{
	const struct nat_config *cfg[] = { a, b };

	*s = (struct scene){ .m = mesh_new(sim_seed()) };
	mesh_nodes(s->m, 3);
	for (unsigned i = 0; i < 2; i++)
		s->nat[i] = nat_before(&s->m->node[i], cfg[i]);
	world_tap(s->m->w, tap, s);
	return s->m;
}

/* It says that our NAT is a hard one, too: ports would not be guessed any more. */
/* [P6-47] */
START_TEST(a_liar_does_not_keep_others_on_the_relay)
{
	for (int lies = 0; lies < 2; lies++) {
		struct scene s;
		struct mesh *m = scene_init(&s, &nat_in_turn, &nat_by_port);

		s.lies = lies;
		mesh_setup(&m->node[1]);
		mesh_connect(&m->node[1]);
		mesh_adopt(&m->node[2], mesh_invite(&m->node[1], 3600));
		mesh_connect(&m->node[2]);
		sim_pass(m->w, 10 * SECOND);
		mesh_adopt(&m->node[0], mesh_invite(&m->node[1], 3600));
		mesh_connect(&m->node[0]);
		mesh_until(m, 10 * SECOND, nat_passed, m);
		MESH_CHECK(m, !lies == (s.lied == 0));
		mesh_free(m);
	}
}
END_TEST

/* It says, or somebody on the LAN in its name, that it maps the port; nothing comes by it. */
/* [P6-47] */
START_TEST(a_mapping_that_does_not_work_keeps_nobody_on_the_relay)
{
	static const struct portmapd_config by_pcp = { .pcp = true };

	for (int lies = 0; lies < 2; lies++) {
		struct scene s;
		struct mesh *m = scene_init(&s, &nat_in_turn, &nat_by_port);
		struct portmapd *g = NULL;

		if (lies)
			g = portmapd_new(s.nat[0], "gateway", GATEWAY, &by_pcp);
		m->n_nodes = 2; /* no liar among the members */
		mesh_setup(&m->node[0]);
		mesh_connect(&m->node[0]);
		sim_pass(m->w, 3 * SECOND);
		if (g) {
			struct mapper_status st;

			overlay_mapping_status(tunnel_overlay(mesh_tunnel(&m->node[0])), &st);
			MESH_CHECK(m, st.state == MAPPER_MAPPED);
			ck_assert_int_eq(nat_unforward(s.nat[0], st.external.port), 0);
		}
		mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
		mesh_connect(&m->node[1]);
		mesh_reach(m, 5 * SECOND);
		mesh_until(m, 10 * SECOND, nat_passed, m);
		portmapd_free(g);
		mesh_free(m);
	}
}
END_TEST

UNIT_MAIN("sim/paths_liars", a_liar_does_not_keep_others_on_the_relay,
	  a_mapping_that_does_not_work_keeps_nobody_on_the_relay)
