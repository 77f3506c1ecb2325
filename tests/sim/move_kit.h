/* SPDX-License-Identifier: MIT */
/*
 * A second signal server beside that of a mesh, and the move of the cluster to it in its steps: the
 * log is handed over, the first server orders the record, all follow.
 */
#ifndef MLSH_TESTS_MOVE_KIT_H
#define MLSH_TESTS_MOVE_KIT_H

#include "client/import.h"
#include "hostile_mesh.h"
#include "signal/caller.h"

#define NEW_NAME "signal2.example"
#define NEW_IP IP(192, 0, 2, 2)

/* --- the new server --- */

struct second {
	struct mesh *m;
	struct host *host;
	struct signal_server *server;
	char token[SETUP_TOKEN_TEXT_MAX];
	char code[BOOTSTRAP_CODE_TEXT_MAX]; /* the two parts of the first token */
	uint8_t cert[HASH_LEN];
};

void second_db(const struct second *s, char out[96]);
void second_open(struct second *s);
/* The machine with its name; a server that may fail to start, and its `mlsh-signal token`. */
void second_place(struct second *s, struct mesh *m);
int second_try_open(struct second *s, struct err *err) MUST_CHECK;
int second_try_token(struct second *s, struct err *err) MUST_CHECK;
void second_start(struct second *s, struct mesh *m);
void second_crash(struct second *s);
void move_end(struct mesh *m, struct second *s);
size_t second_log(const struct second *s);

/* --- handing the log over --- */

struct handing {
	bool done;
	struct err err;
	struct log_server server;
};

struct handing move_try_import(struct mesh_node *n, struct second *s);
struct log_server move_import_log(struct mesh_node *n, struct second *s);

/* --- the record --- */

struct ordering_of {
	struct entry_bytes entry;
	bool done;
	struct err err;
};

struct entry_bytes move_signal_entry(struct mesh_node *n, const struct log_server *to);

/* The admin's node has the old server order it. */
void move_ask_to_order(struct mesh_node *n, const struct log_server *to, struct ordering_of *o);

bool move_is_ordered(void *ctx);
bool move_is_at(struct mesh_node *n, ip4 ip);
bool move_all_moved(void *ctx);
void move_all(struct mesh_node *admin, struct second *s);
struct mesh *move_begin(struct second *s, size_t n);

#endif
