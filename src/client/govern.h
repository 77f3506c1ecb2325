/* SPDX-License-Identifier: MIT */
/*
 * Makes the entries that govern a cluster: its members, its admins, their names.
 * From a log and an identity alone; nothing is sent. What the log would refuse is refused here, in
 * the same words.
 */
#ifndef MLSH_CLIENT_GOVERN_H
#define MLSH_CLIENT_GOVERN_H

#include "membership/mlog.h"

struct govern {
	const struct mlog *log;
	const struct identity *identity; /* of the author */
	uint64_t now_s;
};

/* The author, a current member. -EACCES: this machine is not one (any more); says how it left. */
int govern_self(const struct govern *g, const struct member **ret, struct err *err) MUST_CHECK;
/*
 * A node by its name or its overlay address. A former member or a former name is found as well, so
 * that what was done already can be said to be. -ENOENT with a message.
 */
int govern_find(const struct govern *g, const char *node, const struct member **ret,
		struct err *err) MUST_CHECK;

/*
 * Only admins may do what this node, a plain one, wants to do; the admins are named. -EACCES with
 * this reason.
 */
int govern_only_admins(const struct mlog *l, const struct member *self, const char *what,
		       enum refusal reason, struct err *err) MUST_CHECK;

/*
 * Each of the following makes one signed entry. GOVERN_DONE: the log has it so already, and nothing
 * was made. On failure err->reason tells the cause (enum refusal): -EACCES, -ESTALE, -EINVAL.
 */
#define GOVERN_DONE 1

/*
 * The base is the oldest one that will do, so that any node that knows the author and the targets
 * can judge the removal before it is ordered, and on either side of a fork.
 */
int govern_remove(const struct govern *g, const struct id_list *ids, struct entry_bytes *ret,
		  struct err *err) MUST_CHECK;
int govern_leave(const struct govern *g, struct entry_bytes *ret, struct err *err) MUST_CHECK;
int govern_promote(const struct govern *g, const struct member *m, struct entry_bytes *ret,
		   struct err *err) MUST_CHECK;
int govern_demote(const struct govern *g, const struct member *m, struct entry_bytes *ret,
		  struct err *err) MUST_CHECK;
int govern_rename(const struct govern *g, const struct member *m, const char *name,
		  struct entry_bytes *ret, struct err *err) MUST_CHECK;

/* Ends an open invite. -EACCES: it was used; the message says by whom. */
int govern_cancel_invite(const struct govern *g, const uint8_t nonce[NONCE_LEN],
			 struct entry_bytes *ret, struct err *err) MUST_CHECK;
/* The author's next key, which signs as well. */
int govern_rotate(const struct govern *g, const struct identity *next, struct entry_bytes *ret,
		  struct err *err) MUST_CHECK;
/* `to` is the cluster's server from now on. */
int govern_signal(const struct govern *g, const struct log_server *to, struct entry_bytes *ret,
		  struct err *err) MUST_CHECK;

/*
 * Adds to `ids` the current members that they let in since `since_s`, and those that these let in,
 * and so on; never `self`. -E2BIG: more than an entry may name.
 */
int govern_add_sponsored(const struct mlog *l, const struct node_id *self, uint64_t since_s,
			 struct id_list *ids, struct err *err) MUST_CHECK;

#endif
