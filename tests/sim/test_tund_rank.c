/* SPDX-License-Identifier: MIT */
/*
 * Two owners on one machine, whose clusters have the same addresses: the senior one keeps them,
 * whatever comes first, starts first, grows or shrinks.
 */
#include "command_kit.h"
#include "daemon_kit.h"

#define NAS (&m->node[0])
#define DESK (&m->node[1])
#define TV (&m->node[2])
#define PHONE (&m->node[3])
#define CAM (&m->node[4])
#define ROOTS "zulu"
#define ALICES "aaaa"
#define ADDRESS(n) IP(100, 64, 0, n)


/* The server as it was under that name, in the place of the one that runs. */
static void swap_server(struct mesh *m, const char *keep, const char *take)
{
	mesh_server_stop(m);
	mesh_server_save(m, keep);
	mesh_server_restore(m, take);
	mesh_server_start(m);
}

/*
 * Of root's: nas .1, desk .2. Of Alice's: tv .1, phone .2 and cam .3, which are never on, desk .4.
 * None of them is connected on desk. The server is that of Alice's.
 */
static struct mesh *two_owners(void)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_server_stop(m);
	mesh_server_save(m, "empty");
	mesh_server_start(m);
	mesh_node(m, "nas");
	mesh_node(m, "desk");
	mesh_node(m, "tv");
	mesh_node(m, "phone");
	mesh_node(m, "cam");
	world_group_add(DESK->host, "mlsh", GROUP, 1 << 20);
	mesh_daemon_start(DESK);
	m->cluster = ROOTS;
	mesh_setup(NAS);
	mesh_connect(NAS);
	mesh_adopt(DESK, mesh_invite(NAS, 3600));
	swap_server(m, ROOTS, "empty");
	m->cluster = ALICES;
	mesh_setup(TV);
	mesh_connect(TV);
	mesh_adopt(PHONE, mesh_invite(TV, 3600));
	mesh_adopt(CAM, mesh_invite(TV, 3600));
	mesh_adopt(DESK, mesh_invite(TV, 3600));
	return m;
}

static void connect_as(struct mesh *m, unsigned uid, unsigned gid, const char *cluster)
{
	struct handover files;

	SIM_CHECK_OK(m->w, handover_read(DESK->host, &DESK->store, cluster, &files, NULL));
	user_expect(DESK, user_hand_over_as(DESK, uid, gid, cluster, &files), user_ok);
	handover_free(&files);
}

/* From which of desk's own addresses a packet to this one goes into a tunnel; 0 if it does not. */
static ip4 goes_from(struct mesh *m, ip4 to)
{
	struct world_route routes[64];
	size_t n = world_routes(DESK->host, routes, ARRAY_LEN(routes));

	ck_assert_uint_le(n, ARRAY_LEN(routes));
	for (size_t i = 0; i < n; i++)
		if (routes[i].prefix.net == to && routes[i].prefix.bits == 32 && routes[i].ifindex)
			return routes[i].source;
	return 0;
}

static void expect_roots(struct mesh *m, ip4 address)
{
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, goes_from(m, address) == ADDRESS(2));
}

static void expect_alices(struct mesh *m, ip4 address)
{
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, goes_from(m, address) == ADDRESS(4));
}

static void restart(struct mesh_node *n)
{
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
}

START_TEST(roots_comes_second_and_after_a_restart)
{
	struct mesh *m = two_owners();

	connect_as(m, ALICE, GROUP, ALICES);
	expect_alices(m, ADDRESS(1));
	connect_as(m, ROOT, ROOT, ROOTS);
	expect_roots(m, ADDRESS(1));
	restart(DESK);
	expect_roots(m, ADDRESS(1));
	user_expect(DESK, user_ask_as(DESK, ALICE, GROUP, CONTROL_STATUS, ALICES),
		    "100.64.0.1 is the cluster zulu's, too, which keeps it");
	user_expect(DESK, user_ask_as(DESK, ROOT, ROOT, CONTROL_DISCONNECT, ROOTS), user_ok);
	expect_alices(m, ADDRESS(1));
	connect_as(m, ROOT, ROOT, ROOTS);
	expect_roots(m, ADDRESS(1));
	mesh_free(m);
}
END_TEST

/* Both are users' clusters: the name does not count, and neither does who was connected last. */
START_TEST(of_two_users_the_first_one_keeps_it)
{
	struct mesh *m = two_owners();
	struct handover files;

	connect_as(m, BOB, GROUP, ROOTS);
	connect_as(m, ALICE, GROUP, ALICES);
	expect_roots(m, ADDRESS(1));
	restart(DESK);
	expect_roots(m, ADDRESS(1));
	user_expect(DESK, user_ask_as(DESK, BOB, GROUP, CONTROL_DISCONNECT, ROOTS), user_ok);
	expect_alices(m, ADDRESS(1));
	restart(DESK);
	expect_alices(m, ADDRESS(1));
	connect_as(m, BOB, GROUP, ROOTS);
	expect_roots(m, ADDRESS(1));
	/* forgotten, it is the youngest, and its own address is a member's of the other one */
	user_expect(DESK, user_ask_as(DESK, BOB, GROUP, CONTROL_FORGET, ROOTS), user_ok);
	SIM_CHECK_OK(m->w, handover_read(DESK->host, &DESK->store, ROOTS, &files, NULL));
	user_expect(DESK, user_hand_over_as(DESK, BOB, GROUP, ROOTS, &files),
		    "the overlay address 100.64.0.2 is the cluster aaaa's already");
	expect_alices(m, ADDRESS(1));
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* Root's cluster gets a member, and loses it. */
static void roots_gets(struct mesh *m, const char *name)
{
	m->cluster = ROOTS;
	mesh_adopt(mesh_node(m, name), mesh_invite(NAS, 3600));
}

static void roots_loses(struct mesh *m, const char *line)
{
	struct command_run r;

	command_run(&r, NAS, &remove_command, UINT_MAX, "", line);
	ck_assert_msg(r.code == 0, "%s%s", r.out, r.complaint);
}

static void expect_nobodys(struct mesh *m, ip4 address)
{
	sim_pass(m->w, SECOND);
	ck_assert_uint_eq(goes_from(m, address), 0);
}

/*
 * Root's gets a member with the address of one of Alice's, then one with that of Alice's own node
 * here. Both leave again: their addresses are not given out again, and not Alice's either.
 */
START_TEST(an_address_once_given_out_stays_the_seniors)
{
	struct mesh *m = two_owners();
	struct handover files;

	connect_as(m, ALICE, GROUP, ALICES);
	connect_as(m, ROOT, ROOT, ROOTS);
	expect_alices(m, ADDRESS(3));
	swap_server(m, ALICES, ROOTS);
	sim_pass(m->w, MINUTE); /* nas and desk find it again */
	roots_gets(m, "box");
	expect_roots(m, ADDRESS(3));
	roots_loses(m, "remove box.zulu --yes");
	expect_nobodys(m, ADDRESS(3));
	roots_gets(m, "lamp");
	expect_roots(m, ADDRESS(4));
	user_expect(DESK, user_ask_as(DESK, ALICE, GROUP, CONTROL_STATUS, ALICES),
		    "own address 100.64.0.4 is the cluster zulu's");
	roots_loses(m, "remove lamp.zulu --yes");
	expect_nobodys(m, ADDRESS(4));
	restart(DESK);
	expect_nobodys(m, ADDRESS(3));
	SIM_CHECK_OK(m->w, handover_read(DESK->host, &DESK->store, ALICES, &files, NULL));
	user_expect(DESK, user_hand_over_as(DESK, ALICE, GROUP, ALICES, &files),
		    "the overlay address 100.64.0.4 is the cluster zulu's already");
	handover_free(&files);
	/* only as long as root's is connected */
	user_expect(DESK, user_ask_as(DESK, ROOT, ROOT, CONTROL_DISCONNECT, ROOTS), user_ok);
	connect_as(m, ALICE, GROUP, ALICES);
	expect_alices(m, ADDRESS(3));
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/rank", roots_comes_second_and_after_a_restart, of_two_users_the_first_one_keeps_it,
	  an_address_once_given_out_stays_the_seniors)
