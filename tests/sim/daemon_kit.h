/* SPDX-License-Identifier: MIT */
/* A machine with a daemon, and users who ask it. */
#ifndef MLSH_TESTS_DAEMON_KIT_H
#define MLSH_TESTS_DAEMON_KIT_H

#include "mesh.h"

enum { ROOT = 0, ALICE = 1000, BOB = 1001, GROUP = 4242 };

extern const char user_ok[];

/* Does something as a process of that user. */
struct host *user_become(struct mesh_node *n, unsigned uid, unsigned gid);

void user_become_again(struct mesh_node *n, struct host *was);

/* A request from a process of that user; the reply is to be freed. */
char *user_ask_as(struct mesh_node *n, unsigned uid, unsigned gid, enum control_verb verb,
		  const char *cluster);

void user_expect(struct mesh_node *n, char *reply, const char *part);

/* Word for word what is said of a cluster that does not exist. */
void user_check_same_words(struct mesh_node *n, unsigned uid, unsigned gid, enum control_verb verb);

/* Whatever is asked but connect, by which members of the group learn that a name is taken. */
void user_check_hidden(struct mesh_node *n, unsigned uid, unsigned gid);

struct handover user_read_files(struct mesh_node *n);
char *user_hand_over_as(struct mesh_node *n, unsigned uid, unsigned gid, const char *cluster,
			struct handover *files);
char *user_connect_with(struct mesh_node *n, unsigned uid, unsigned gid);

/* A mesh with one node, its daemon running, nothing connected. */
struct mesh_node *user_node_ready(struct mesh **ret);

struct mesh_node *user_connected_by_alice(struct mesh **ret);

#endif
