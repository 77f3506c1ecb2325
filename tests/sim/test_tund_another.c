/* SPDX-License-Identifier: MIT */
/* Another cluster takes the name of one that was connected here: nothing of that one is its. */
#include "daemon_kit.h"

#define STATE(suffix) DAEMON_STATE_DIR "/" MESH_CLUSTER suffix

/* Files of a second cluster with the same name, made on another machine. */
static struct handover other_files(struct mesh *m)
{
	struct mesh_node *tv = mesh_node(m, "tv");

	mesh_server_token(m);
	mesh_setup(tv);
	return user_read_files(tv);
}

/* [P5-3] */
START_TEST(it_is_of_who_connects_it)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);
	struct handover files = other_files(m);

	user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &files),
		    "another cluster named homelab is connected on this host, "
		    "by the user with id 1000");
	MESH_CHECK(m, mesh_connected(n));
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	for (int restarted = 0; restarted < 2; restarted++) {
		user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &files), user_ok);
		mesh_all_connected(m, 5 * SECOND);
		user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_STATUS, ""), "\"owner_uid\":0");
		user_check_hidden(n, ALICE, ALICE);
		mesh_daemon_stop(n);
		mesh_daemon_start(n);
	}
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* Root connects the very cluster of a user, with a node of its own: the user may still end that. */
START_TEST(the_same_one_stays_its_owners)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m), *tv = mesh_node(m, "tv");
	struct handover files;

	mesh_adopt(tv, mesh_invite(n, 3600));
	files = user_read_files(tv);
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &files), user_ok);
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_STATUS, ""), "\"owner_uid\":1000");
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* What cannot be read may be any cluster's. */
START_TEST(one_that_cannot_be_read_counts_as_another)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);
	struct handover files = other_files(m);

	mesh_daemon_stop(n);
	SIM_CHECK_OK(m->w, file_write(n->host, STATE(".node"), "rubbish", 7, 0600, NULL));
	mesh_daemon_start(n);
	user_expect(n, user_connect_with(n, ALICE, ALICE), user_ok); /* who owns it mends it */
	mesh_daemon_stop(n);
	SIM_CHECK_OK(m->w, file_write(n->host, STATE(".node"), "rubbish", 7, 0600, NULL));
	mesh_daemon_start(n);
	user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &files), user_ok);
	user_check_hidden(n, ALICE, ALICE);
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* [P5-3] */
START_TEST(it_has_no_invites_or_proofs_of_the_other)
{
	static const char *const kept[] = { STATE(".proof"), STATE(".code-proof"),
					    STATE(".removals") };
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);
	struct handover files = other_files(m);

	(void)mesh_invite(n, 3600);
	ck_assert_uint_eq(tunnel_invites(mesh_tunnel(n))->n, 1);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		SIM_CHECK_OK(m->w, file_write(n->host, kept[i], "rubbish", 7, 0600, NULL));
	user_expect(n, user_hand_over_as(n, ALICE, GROUP, MESH_CLUSTER, &files), user_ok);
	ck_assert_uint_eq(tunnel_invites(mesh_tunnel(n))->n, 0);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		MESH_CHECK(m, !file_exists(n->host, kept[i]));
	mesh_all_connected(m, 5 * SECOND);
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* The permission to connect it the first time is needed again; without it nothing is lost. */
START_TEST(it_takes_the_group_again)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);
	struct handover files = other_files(m);

	user_expect(n, user_hand_over_as(n, ALICE, ALICE, MESH_CLUSTER, &files),
		    "this is another cluster");
	MESH_CHECK(m, mesh_connected(n));
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_STATUS, ""), "\"node\":\"nas\"");
	handover_free(&files);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/another", it_is_of_who_connects_it, the_same_one_stays_its_owners,
	  one_that_cannot_be_read_counts_as_another, it_has_no_invites_or_proofs_of_the_other,
	  it_takes_the_group_again)
