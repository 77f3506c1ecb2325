/* SPDX-License-Identifier: MIT */
/*
 * Long logs that callers hand over, and counts of what the daemon verifies and reads in one turn of
 * its loop.
 */
#ifndef MLSH_TESTS_SLICES_KIT_H
#define MLSH_TESTS_SLICES_KIT_H

#include "../unit/log_kit.h"
#include "daemon_kit.h"
#include "identity/identity.h"

#define AT_ONCE 64	 /* signatures that may be verified in one turn of the loop */
#define READ_AT_ONCE 600 /* entries that may be read in one */
#define NODES 40
#define RENAMES 1200

/* In one moment of the simulated time, of all that came; one turn is one moment. */
struct counts {
	uint64_t at;
	unsigned now, most;
};
extern struct counts slices_verified, slices_decoded;
extern struct world *slices_counted; /* NULL if nothing is counted */

/* The signatures of what follows are good: they are counted, and not verified. */
extern bool slices_is_short_of_time;

void slices_count(struct counts *c);
void slices_count_in(struct world *w);
void slices_check(void);

/* A log of `renames` records and some, by a server that is nowhere. */
struct kit slices_long_log(unsigned renames);

/* What node `n` of it hands over, with the key of node `key`. */
struct handover slices_files_of(const struct kit *k, unsigned n, unsigned key);

/* A caller that hands them over and lets the test go on meanwhile. */
struct caller {
	struct host *host;
	struct local_conn *conn;
	struct handover *files;
	unsigned acks, replies;
	char reply[CONTROL_PIECE_MAX + 2];
};

void slices_call(struct mesh_node *n, struct caller *c, unsigned uid, struct handover *files);
void slices_hang_up(struct caller *c);
bool slices_has_reply(void *ctx);

/* It was asked for all of its files, and they are being verified. */
void slices_until_verifying(struct mesh_node *n, struct caller *c);

struct mesh_node *slices_daemon_ready(struct mesh **ret);
void slices_mesh_end(struct mesh *m);

/* Most tests: a long log, what node 1 hands over of it, a daemon, and a caller. */
struct scene {
	struct kit k;
	struct handover files;
	struct mesh *m;
	struct mesh_node *n;
	struct caller c;
};

/* The files name node 1, and have the key of node `key`. */
void slices_begin(struct scene *s, unsigned key);

void slices_finish(struct scene *s);
void slices_hand_over(struct scene *s, unsigned uid);
void slices_until_reply(struct scene *s);

/* It is served to its end, and answered with these words. */
void slices_hand_over_whole(struct scene *s, unsigned uid, const char *words);

size_t slices_log_count(struct mesh_node *n);

#endif
