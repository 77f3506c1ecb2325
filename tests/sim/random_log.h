/* SPDX-License-Identifier: MIT */
/*
 * Machines of one cluster for random schedules: each holds a log and brings it together with a real
 * server's or another machine's; requests get lost when the server is killed in the middle.
 */
#ifndef MLSH_TESTS_RANDOM_LOG_H
#define MLSH_TESTS_RANDOM_LOG_H

#include "client/session_rules.h"
#include "log_oracle.h"
#include "signal/caller.h"
#include "signal/mark.h"
#include "signal_steps.h"

#define MACHINES 14
#define PAGES_MAX 40
#define KEYS_MAX 17 /* as in the file of earlier keys, docs/protocol/01-identity.md */

struct machine {
	struct raw *r; /* with its log, or NULL */
	struct node_id id;
	char name[16];
	struct raw *next; /* with the key that it is to have: a rotation was signed */
	/*
	 * With the keys that it had, newest last: a recovery may drop rotations, and a
	 * server that was restored may not know them.
	 */
	struct raw *before[KEYS_MAX];
	size_t n_before;
	struct entry_bytes admit;	   /* len 0 if it was admitted, or has given up */
	bool proof;			   /* that the server lies, or was restored */
	struct node_id gone[MACHINES * 8]; /* those that it saw leave */
	size_t n_gone;
};

struct random_log {
	struct sig g;
	struct unit_rng rng;
	struct machine m[MACHINES];
	unsigned step, lose_percent;
	/* of all machines together */
	struct node_id left[MACHINES * 8];
	unsigned left_step[MACHINES * 8], recover_step;
	size_t n_left;
	/* what happened */
	unsigned kills, restores, snapshots, accepted, refused[256];
};

uint64_t random_pick(struct random_log *s, uint64_t below);
bool random_chance(struct random_log *s, unsigned percent);

/* --- the server ------------------------------------------------------------------------------- */

void random_server_restart(struct random_log *s);
struct cluster *random_server_cluster(struct random_log *s);

/* --- what a machine believes ------------------------------------------------------------------ */

/* Takes what somebody shows. */
enum mlog_taken random_learn(struct random_log *s, struct machine *x, const struct wire_entries *e);

/* `from` shows `to` its log. */
void random_gossip(struct random_log *s, struct machine *from, struct machine *to);

/* --- requests --------------------------------------------------------------------------------- */

/*
 * Returns false if no reply came: the server may have been killed before or after it did what was
 * asked.
 */
bool random_ask(struct random_log *s, struct raw *r, const struct signal_request *rq,
		struct signal_reply *reply);

bool random_greet(struct random_log *s, struct machine *x, struct signal_reply *reply);

/* Fetches what it lacks. *ret: the server's head. */
bool random_fetch(struct random_log *s, struct machine *x, struct wire_head *ret);

/* The same; while the server does not know its key, with each one before. */
bool random_sync_with_server(struct random_log *s, struct machine *x);

/* It shows the key that its log says it has. */
void random_follow_key(struct machine *x);

void random_machine_free(struct machine *x);

#endif
