/* SPDX-License-Identifier: MIT */
/* A machine with a daemon, and users who ask it. */
#include "daemon_kit.h"

const char user_ok[] = "{\"ok\":true}";

struct host *user_become(struct mesh_node *n, unsigned uid, unsigned gid)
{
	struct host *was = n->host;

	n->host = world_host_boot(was);
	world_host_user(n->host, uid, gid);
	return was;
}

void user_become_again(struct mesh_node *n, struct host *was)
{
	world_host_crash(n->host);
	n->host = was;
}

char *user_ask_as(struct mesh_node *n, unsigned uid, unsigned gid, enum control_verb verb,
		  const char *cluster)
{
	static const uint8_t entry[] = { 0x80 };
	struct control_request r = { .verb = verb, .nonce = { 1 }, .expiry_s = 1, .count = 1 };
	struct host *was = user_become(n, uid, gid);
	char *reply;

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	if (verb == CONTROL_PING || verb == CONTROL_WHY)
		snprintf(r.node, sizeof(r.node), "tv");
	if (verb == CONTROL_SUBMIT)
		r.entry = span_of(entry, sizeof(entry));
	reply = mesh_control_request(n, &r);
	user_become_again(n, was);
	return reply;
}

void user_expect(struct mesh_node *n, char *reply, const char *part)
{
	if (!strstr(reply, part)) {
		world_dump(n->mesh->w);
		ck_abort_msg("not in it: %s\n%s", part, reply);
	}
	free(reply);
}

void user_check_same_words(struct mesh_node *n, unsigned uid, unsigned gid, enum control_verb verb)
{
	char *there = user_ask_as(n, uid, gid, verb, MESH_CLUSTER);
	char *absent = user_ask_as(n, uid, gid, verb, "nowhere"), *at;

	MESH_CHECK(n->mesh, strstr(there, "\"ok\":false"));
	MESH_CHECK(n->mesh, strstr(there, MESH_CLUSTER));
	while ((at = strstr(there, MESH_CLUSTER)))
		memcpy(at, "nowhere", strlen(MESH_CLUSTER));
	ck_assert_str_eq(there, absent);
	free(there);
	free(absent);
}

void user_check_hidden(struct mesh_node *n, unsigned uid, unsigned gid)
{
	for (int verb = CONTROL_DISCONNECT; verb < CONTROL_VERBS; verb++)
		user_check_same_words(n, uid, gid, (enum control_verb)verb);
	user_expect(n, user_ask_as(n, uid, gid, CONTROL_STATUS, ""), "\"clusters\":[]");
	user_expect(n, user_ask_as(n, uid, gid, CONTROL_NAMES, ""), "{\"clusters\":[]}");
	user_expect(n, user_ask_as(n, uid, gid, CONTROL_CLUSTERS, ""), "{\"clusters\":[]}");
}

struct handover user_read_files(struct mesh_node *n)
{
	struct handover files;

	SIM_CHECK_OK(n->mesh->w, handover_read(n->host, &n->store, MESH_CLUSTER, &files, NULL));
	return files;
}

char *user_hand_over_as(struct mesh_node *n, unsigned uid, unsigned gid, const char *cluster,
			struct handover *files)
{
	struct host *was = user_become(n, uid, gid);
	char *reply = mesh_hand_over(n, cluster, files);

	user_become_again(n, was);
	return reply;
}

char *user_connect_with(struct mesh_node *n, unsigned uid, unsigned gid)
{
	struct handover files = user_read_files(n);
	char *reply = user_hand_over_as(n, uid, gid, MESH_CLUSTER, &files);

	handover_free(&files);
	return reply;
}

struct mesh_node *user_node_ready(struct mesh **ret)
{
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");

	mesh_setup(n);
	mesh_daemon_start(n);
	*ret = m;
	return n;
}

struct mesh_node *user_connected_by_alice(struct mesh **ret)
{
	struct mesh_node *n = user_node_ready(ret);

	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	user_expect(n, user_connect_with(n, ALICE, GROUP), user_ok);
	mesh_all_connected(*ret, 5 * SECOND);
	return n;
}
