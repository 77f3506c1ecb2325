/* SPDX-License-Identifier: MIT */
/* A machine with a daemon, and users who ask it. */
#ifndef MLSH_TESTS_DAEMON_KIT_H
#define MLSH_TESTS_DAEMON_KIT_H

#include "mesh.h"

enum { ROOT = 0, ALICE = 1000, BOB = 1001, GROUP = 4242 };

static const char ok[] = "{\"ok\":true}";

/* Does something as a process of that user. */
static inline struct host *become(struct mesh_node *n, unsigned uid, unsigned gid)
{
	struct host *was = n->host;

	n->host = world_host_boot(was);
	world_host_user(n->host, uid, gid);
	return was;
}

static inline void become_again(struct mesh_node *n, struct host *was)
{
	world_host_crash(n->host);
	n->host = was;
}

/* A request from a process of that user; the reply is to be freed. */
static inline char *ask_as(struct mesh_node *n, unsigned uid, unsigned gid, enum control_verb verb,
			   const char *cluster)
{
	static const uint8_t entry[] = { 0x80 };
	struct control_request r = { .verb = verb, .nonce = { 1 }, .expiry_s = 1, .count = 1 };
	struct host *was = become(n, uid, gid);
	char *reply;

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	if (verb == CONTROL_PING || verb == CONTROL_WHY)
		snprintf(r.node, sizeof(r.node), "tv");
	if (verb == CONTROL_SUBMIT)
		r.entry = span_of(entry, sizeof(entry));
	reply = mesh_control_request(n, &r);
	become_again(n, was);
	return reply;
}

static inline void expect(struct mesh_node *n, char *reply, const char *part)
{
	if (!strstr(reply, part)) {
		world_dump(n->mesh->w);
		ck_abort_msg("not in it: %s\n%s", part, reply);
	}
	free(reply);
}

/* Word for word what is said of a cluster that does not exist. */
static inline void check_same_words(struct mesh_node *n, unsigned uid, unsigned gid,
				    enum control_verb verb)
{
	char *there = ask_as(n, uid, gid, verb, MESH_CLUSTER);
	char *absent = ask_as(n, uid, gid, verb, "nowhere"), *at;

	MESH_CHECK(n->mesh, strstr(there, "\"ok\":false"));
	MESH_CHECK(n->mesh, strstr(there, MESH_CLUSTER));
	while ((at = strstr(there, MESH_CLUSTER)))
		memcpy(at, "nowhere", strlen(MESH_CLUSTER));
	ck_assert_str_eq(there, absent);
	free(there);
	free(absent);
}

/* Whatever is asked but connect, by which members of the group learn that a name is taken. */
static inline void check_hidden(struct mesh_node *n, unsigned uid, unsigned gid)
{
	for (int verb = CONTROL_DISCONNECT; verb < CONTROL_VERBS; verb++)
		check_same_words(n, uid, gid, (enum control_verb)verb);
	expect(n, ask_as(n, uid, gid, CONTROL_STATUS, ""), "\"clusters\":[]");
	expect(n, ask_as(n, uid, gid, CONTROL_NAMES, ""), "{\"clusters\":[]}");
	expect(n, ask_as(n, uid, gid, CONTROL_CLUSTERS, ""), "{\"clusters\":[]}");
}

static inline struct handover read_files(struct mesh_node *n)
{
	struct handover files;

	SIM_CHECK_OK(n->mesh->w, handover_read(n->host, &n->store, MESH_CLUSTER, &files, NULL));
	return files;
}

static inline char *hand_over_as(struct mesh_node *n, unsigned uid, unsigned gid,
				 const char *cluster, struct handover *files)
{
	struct host *was = become(n, uid, gid);
	char *reply = mesh_hand_over(n, cluster, files);

	become_again(n, was);
	return reply;
}

static inline char *connect_with(struct mesh_node *n, unsigned uid, unsigned gid)
{
	struct handover files = read_files(n);
	char *reply = hand_over_as(n, uid, gid, MESH_CLUSTER, &files);

	handover_free(&files);
	return reply;
}

/* A mesh with one node, its daemon running, nothing connected. */
static inline struct mesh_node *node_ready(struct mesh **ret)
{
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");

	mesh_setup(n);
	mesh_daemon_start(n);
	*ret = m;
	return n;
}

static inline struct mesh_node *connected_by_alice(struct mesh **ret)
{
	struct mesh_node *n = node_ready(ret);

	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	expect(n, connect_with(n, ALICE, GROUP), ok);
	mesh_all_connected(*ret, 5 * SECOND);
	return n;
}

#endif
