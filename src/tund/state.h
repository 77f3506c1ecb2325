/* SPDX-License-Identifier: MIT */
/*
 * What the daemon keeps of a cluster, all in its own forms: `<cluster>.node` with the cluster's
 * fields and this node's key (node_file.h), `<cluster>/clusters/<cluster>.log` with the membership
 * log, and `<cluster>.state` with its owner, whether it is to come up at start, the open invites,
 * who a recovery let back in, its rank among the clusters here, and the number of its interface.
 */
#ifndef MLSH_TUND_STATE_H
#define MLSH_TUND_STATE_H

#include "client/store.h"
#include "os/user.h"
#include "proto/control.h"
#include "tund/tunnel.h"

#define STATE_LOCK "lock" /* the file that a running daemon holds */

/* Of all files in the state folder: what this list lacks, the daemon's user does not get. */
extern const char *const state_suffixes[];

struct cluster_state {
	char cluster[LABEL_MAX + 1];
	struct user owner;
	bool enabled;
	struct invite_list invites;
	struct let_back_list let_back;
	uint64_t rank;	 /* counts up from cluster to cluster as they come; 0: from before ranks */
	unsigned device; /* 1 + the number of its interface; 0 if there is none yet */
};

#define STATE_DEVICE_MAX 1000000

/*
 * Does `a` come before `b` on this host? Root's clusters come before all others, then the one that
 * was connected here first. Of two different clusters just one is senior.
 */
bool state_is_senior(const struct cluster_state *a, const struct cluster_state *b);

/*
 * -ENOENT if the cluster was never connected here; -EPROTONOSUPPORT if a newer version wrote the
 * file, -EBADMSG if it is damaged.
 */
int state_load(struct host *h, const char *state_dir, const char *cluster,
	       struct cluster_state *ret, struct err *err) MUST_CHECK;
/* "homelab.state" is of the cluster homelab; false for other files. */
bool state_file_cluster(const char *file, char ret_cluster[LABEL_MAX + 1]);
int state_save(struct host *h, const char *state_dir, const struct cluster_state *s,
	       struct err *err) MUST_CHECK;
/*
 * All that a tunnel is made from. Loading is left to parts_reading.h: this opens the files, and
 * the log is yet to be read. -ENOENT, -EBADMSG (damaged), -EPROTONOSUPPORT (a newer version's).
 */
int state_open_parts(struct host *h, const char *state_dir, const char *cluster, struct err *err,
		     struct tunnel_parts *ret, struct stored_log **ret_log) MUST_CHECK;
/* Of the log only what its file lacks by p->saved, which is updated. */
int state_save_parts(struct host *h, const char *state_dir, struct tunnel_parts *p, struct err *err)
	MUST_CHECK;
/* Adds what its file lacks: *saved says how much that has, and is updated. */
int state_save_log(struct host *h, const char *state_dir, const struct cluster_file *f,
		   const struct mlog *l, struct log_place *saved, struct err *err) MUST_CHECK;
/* Notes that the log was verified up to its head, for the next start. */
int state_mark_verified(struct host *h, const char *state_dir, const struct cluster_file *f,
			const struct mlog *l, struct err *err) MUST_CHECK;
/*
 * Removes all that is kept of the cluster, the state file last: until then a daemon that starts
 * again knows of it, and the same can be asked again.
 */
int state_remove(struct host *h, const char *state_dir, const char *cluster, struct err *err)
	MUST_CHECK;
/*
 * From what a user hands over, in the order of enum control_file: all but the log. Copies what it
 * keeps.
 */
int parts_decode(const struct buf file[CONTROL_FILES], struct tunnel_parts *ret, struct err *err)
	MUST_CHECK;
/*
 * Two copies of a cluster's log, one of them perhaps older: keeps the newer one in *into, frees
 * the other. -EEXIST when neither contains the other (a fork).
 */
int parts_merge_log(struct tunnel_parts *into, struct mlog **other, struct err *err) MUST_CHECK;

/* The bytes of the `state` file; for the fuzzer and the tests. */
ptrdiff_t cluster_state_encode(const struct cluster_state *s, void *buf, size_t cap) MUST_CHECK;
int cluster_state_decode(struct span in, struct cluster_state *ret) MUST_CHECK;

#endif
