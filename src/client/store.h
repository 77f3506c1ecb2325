/* SPDX-License-Identifier: MIT */
/*
 * A user's files: $XDG_CONFIG_HOME/mlsh or ~/.config/mlsh, with identity/<cluster>/ and clusters/.
 * Used by the command line; the daemon keeps the membership log in a folder with the same layout.
 */
#ifndef MLSH_CLIENT_STORE_H
#define MLSH_CLIENT_STORE_H

#include "client/cluster_file.h"
#include "client/log_file.h"
#include "client/pending.h"

struct identity;

#define STORE_PATH_MAX 512

#define STORE_CLUSTER ".toml"
#define STORE_LOG ".log"
#define STORE_VERIFIED ".verified" /* how far the log was verified: a mark */
#define STORE_PENDING ".pending"
#define STORE_RECOVERY ".recovery" /* that was sent, and may not be in the log yet */
#define STORE_INVITES ".invites"   /* open ones: invite_book.h */
#define STORE_LOCK ".lock"	   /* held while the cluster runs in the foreground */
#define STORE_KEY "key.pem"	   /* of an identity */
#define STORE_CERT "cert.pem"
#define STORE_NEXT "next.seed"	    /* of an identity: rotation.h */
#define STORE_BEFORE "before.seeds" /* the same */

struct store {
	char dir[STORE_PATH_MAX];
};

/*
 * From the environment ($XDG_CONFIG_HOME when absolute, else $HOME). -EINVAL if neither says it. A
 * zeroed store is one in which everything fails with the same message.
 */
int store_open(const char *xdg_config_home, const char *home, struct err *err, struct store *ret)
	MUST_CHECK;
/* "<dir>/clusters/<cluster><suffix>"; the name is checked to be a label first. */
int store_cluster_path(const struct store *s, const char *cluster, const char *suffix,
		       char out[STORE_PATH_MAX], struct err *err) MUST_CHECK;

/*
 * "<dir>/identity/<cluster>/<file>", or the folder with "". Each cluster has an identity of its
 * own, so that nobody can tell that two clusters have a machine in common.
 */
int store_identity_path(const struct store *s, const char *cluster, const char *file,
			char out[STORE_PATH_MAX], struct err *err) MUST_CHECK;
/* Loads the cluster's identity. -ENOENT with advice. */
int store_identity(struct host *h, const struct store *s, const char *cluster,
		   struct identity **ret, struct err *err) MUST_CHECK;
/* Writes it, in place of what is left of an earlier membership. */
int store_save_identity(struct host *h, const struct store *s, const char *cluster,
			const struct identity *id, struct err *err) MUST_CHECK;

/* Calls fn with the name of each cluster that was joined, sorted. Nothing when they cannot be
 * listed. */
void store_each_cluster(struct host *h, const struct store *s,
			void (*fn)(void *ctx, const char *cluster), void *ctx);
bool store_has_cluster(struct host *h, const struct store *s, const char *cluster);
bool store_has_pending(struct host *h, const struct store *s, const char *cluster);
int store_load_cluster(struct host *h, const struct store *s, const char *cluster,
		       struct cluster_file *ret, struct err *err) MUST_CHECK;
/* The membership log as it is in its file, which the caller frees. -ENOENT with advice. */
int store_read_log(struct host *h, const struct store *s, const char *cluster, struct buf *ret,
		   struct err *err) MUST_CHECK;
/*
 * Loads and verifies it, except what a mark says was verified before. `ret_place` (NULL if not
 * wanted) gets how far the file has it. What a crash left half written is passed over, with a
 * warning. -ENOENT, or as log_file_decode.
 */
int store_load_log(struct host *h, const struct store *s, const struct cluster_file *f,
		   struct mlog **ret, struct log_place *ret_place, struct err *err) MUST_CHECK;
/* The same in steps, as log_reading_step has them. */
struct stored_log;
int stored_log_open(struct host *h, const struct store *s, const struct cluster_file *f,
		    struct err *err, struct stored_log **ret) MUST_CHECK;
int stored_log_step(struct stored_log *l, struct log_read *ret, struct err *err) MUST_CHECK;
void stored_log_free(struct stored_log *l); /* NULL allowed */
/* Log first, then the cluster file: a program that finds the file finds the log. */
int store_save_cluster(struct host *h, const struct store *s, const struct cluster_file *f,
		       const struct mlog *l, struct err *err) MUST_CHECK;
/* As a whole. */
int store_save_log(struct host *h, const struct store *s, const struct cluster_file *f,
		   const struct mlog *l, struct err *err) MUST_CHECK;
/*
 * The same, but only what the file lacks is written if it has the log up to *place, which is
 * updated. Only for a file that nobody else writes.
 */
int store_add_log(struct host *h, const struct store *s, const struct cluster_file *f,
		  const struct mlog *l, struct log_place *place, struct err *err) MUST_CHECK;
/* Notes that the log was verified up to its head: the next load trusts that much of the file. */
int store_mark_verified(struct host *h, const struct store *s, const struct cluster_file *f,
			const struct mlog *l, struct err *err) MUST_CHECK;

/* Is anything of the cluster here, joined, begun, or left by a crash? */
bool store_has_any(struct host *h, const struct store *s, const char *cluster);
/*
 * Removes all files of the cluster, the cluster file first: it is here whole, or not at all. 0 also
 * when nothing is there.
 */
int store_forget(struct host *h, const struct store *s, const char *cluster, struct err *err)
	MUST_CHECK;

/* -ENOENT, without a message, when there is none. */
int store_load_pending(struct host *h, const struct store *s, const char *cluster,
		       struct pending *ret, struct err *err) MUST_CHECK;
/* -EEXIST when there is one already: another run is at work. */
int store_save_pending(struct host *h, const struct store *s, const struct pending *p,
		       struct err *err) MUST_CHECK;
/* 0 also when there is none. */
int store_remove_pending(struct host *h, const struct store *s, const char *cluster) MUST_CHECK;

#endif
