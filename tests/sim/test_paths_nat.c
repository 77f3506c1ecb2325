/* SPDX-License-Identifier: MIT */
/*
 * Two nodes behind NATs of every kind, each with each: who talks directly and who over the relay,
 * as theory says, and how soon.
 */
#include "mesh.h"
#include "os/sim/nat.h"

#define STEP (5 * MS)

static const struct kind {
	const char *name;
	bool nat, blocked;
	enum nat_depends mapping, filtering;
} kinds[] = {
	{ "open", .nat = false },
	{ "full cone", true, false, NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT },
	{ "address", true, false, NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_DEPENDENT },
	{ "port", true, false, NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT },
	{ "symmetric", true, false, NAT_ADDRESS_AND_PORT_DEPENDENT,
	  NAT_ADDRESS_AND_PORT_DEPENDENT },
	{ "blocked", true, true, NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT },
};

#define KINDS ARRAY_LEN(kinds)

/* A filter that looks at the port, and a port that cannot be known: nothing gets through. */
static bool theory_direct(const struct kind *a, const struct kind *b)
{
	bool a_sym = a->mapping == NAT_ADDRESS_AND_PORT_DEPENDENT;
	bool b_sym = b->mapping == NAT_ADDRESS_AND_PORT_DEPENDENT;
	bool a_port = a->filtering == NAT_ADDRESS_AND_PORT_DEPENDENT;
	bool b_port = b->filtering == NAT_ADDRESS_AND_PORT_DEPENDENT;

	return !a->blocked && !b->blocked && !(a_sym && b_port) && !(b_sym && a_port);
}

static void place(struct mesh_node *n, const struct kind *k)
{
	struct nat_config cfg = { .mapping = k->mapping,
				  .filtering = k->filtering,
				  .timeout_ns = 30 * SECOND };
	struct nat *nat;

	if (!k->nat)
		return;
	nat = nat_new(n->mesh->w, NULL, &cfg, IP(203, 0, 113, 10 + n->index));
	world_host_move(n->host, nat_net(nat), IP(10, 7, n->index, 2));
	if (k->blocked)
		nat_only(nat, IP(192, 0, 2, 1));
}

struct outcome {
	bool direct;
	uint64_t first_packet, to_direct;
};

static bool is_direct(struct mesh *m)
{
	return mesh_peer(&m->node[0], &m->node[1]).path == PEER_PATH_DIRECT &&
	       mesh_peer(&m->node[1], &m->node[0]).path == PEER_PATH_DIRECT;
}

static struct outcome try(uint64_t seed, const struct kind *a, const struct kind *b)
{
	struct mesh *m = mesh_new(seed);
	struct outcome out = { .direct = false };
	uint64_t begin;

	mesh_nodes(m, 2);
	place(&m->node[0], a);
	place(&m->node[1], b);
	mesh_setup(&m->node[0]);
	mesh_connect(&m->node[0]);
	mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
	mesh_connect(&m->node[1]);
	begin = world_now(m->w);
	while (world_now(m->w) - begin < 40 * SECOND) {
		mesh_ping_pairs(m);
		sim_pass(m->w, STEP);
		mesh_take(m);
		if (!out.first_packet && m->pings_got[0][1] && m->pings_got[1][0])
			out.first_packet = world_now(m->w) - begin;
		if (!out.to_direct && is_direct(m))
			out.to_direct = world_now(m->w) - begin;
		if (out.first_packet && (out.to_direct || !theory_direct(a, b)) &&
		    world_now(m->w) - begin > 3 * SECOND)
			break;
	}
	MESH_CHECK(m, out.first_packet);
	/* Longer than NATs remember, idle: it is still there. */
	sim_pass(m->w, 2 * MINUTE);
	MESH_CHECK(m, mesh_flow(m, SECOND, 100) == 0 && m->doubled == 0);
	out.direct = is_direct(m);
	mesh_free(m);
	return out;
}

static void print_cell(const struct outcome *o)
{
	char text[64];

	if (o->direct)
		snprintf(text, sizeof(text), "direct %llu/%llu",
			 (unsigned long long)(o->first_packet / MS),
			 (unsigned long long)(o->to_direct / MS));
	else
		snprintf(text, sizeof(text), "relay %llu",
			 (unsigned long long)(o->first_packet / MS));
	printf(" | %-14s", text);
}

START_TEST(every_kind_with_every_kind)
{
	struct outcome row[KINDS];
	uint64_t worst_first = 0, worst_direct = 0;

	printf("ms to the first packet / to the direct path\n%-10s", "");
	for (size_t b = 0; b < KINDS; b++)
		printf(" | %-14s", kinds[b].name);
	printf("\n");
	for (size_t a = 0; a < KINDS; a++) {
		printf("%-10s", kinds[a].name);
		for (size_t b = 0; b < KINDS; b++) {
			row[b] = try(sim_seed(), &kinds[a], &kinds[b]);
			print_cell(&row[b]);
			worst_first = MAX(worst_first, row[b].first_packet);
			worst_direct = MAX(worst_direct, row[b].to_direct);
		}
		printf("\n");
		fflush(stdout);
		for (size_t b = 0; b < KINDS; b++)
			ck_assert_msg(row[b].direct == theory_direct(&kinds[a], &kinds[b]),
				      "%s with %s", kinds[a].name, kinds[b].name);
	}
	ck_assert_uint_le(worst_first, SECOND);
	ck_assert_uint_le(worst_direct, 3 * SECOND);
}
END_TEST

/* Both behind one NAT that does not hairpin. */
START_TEST(one_lan_behind_one_nat_talks_over_the_lan)
{
	struct nat_config cfg = { .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
	struct mesh *m = mesh_new(sim_seed());
	struct nat *nat = nat_new(m->w, NULL, &cfg, IP(203, 0, 113, 10));
	struct addr endpoint;

	mesh_nodes(m, 2);
	world_host_move(m->node[0].host, nat_net(nat), IP(10, 7, 0, 2));
	world_host_move(m->node[1].host, nat_net(nat), IP(10, 7, 0, 3));
	mesh_join_all(m);
	mesh_reach(m, 2 * SECOND);
	sim_pass(m->w, 3 * SECOND);
	ck_assert(is_direct(m));
	endpoint = mesh_peer(&m->node[0], &m->node[1]).endpoint;
	ck_assert_uint_eq(addr_ip4(&endpoint), IP(10, 7, 0, 3));
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/paths_nat", every_kind_with_every_kind, one_lan_behind_one_nat_talks_over_the_lan)
