/* SPDX-License-Identifier: MIT */
/*
 * What a recovery of a cluster would do, and its signed entry (docs/protocol/02-membership-log.md,
 * "recover"). No server is asked; recovery_send.h hands it over. The entry is kept in
 * `<cluster>.recovery` from before it is sent until it is in the log: an array of the version 1 and
 * the entry. The code is never written to a disk.
 */
#ifndef MLSH_CLIENT_RECOVERY_H
#define MLSH_CLIENT_RECOVERY_H

#include "client/store.h"

struct recovery_wish {
	const struct mlog *log; /* the newest that is known here */
	struct node_id self;	/* becomes an admin */
	uint64_t at;		/* seq of the record to build on */
	bool keep_admins;
	const char *remove;	/* names joined by commas, or NULL */
	struct id_list waiting; /* whom removals without order remove */
};

/* Member ids are those of `log`, whose roster has the names. */
struct recovery_plan {
	struct mlog *log; /* up to the base */
	uint64_t dropped; /* records behind the base */
	struct id_list admins, removed;
	struct reserved reserved[RECOVER_RESERVED_MAX];
	size_t n_reserved;
};

/*
 * Works it out. Removals behind the base, and those that wait, are kept: their targets are in
 * `removed`. -EINVAL, -ENOSPC with advice; -ENOMEM.
 */
int recovery_plan(struct host *h, const struct recovery_wish *w, struct recovery_plan *ret,
		  struct err *err) MUST_CHECK;
void recovery_plan_free(struct recovery_plan *p); /* zeroed allowed */

/*
 * Signs it with the private key of a recovery code, naming the public key of the next one. The
 * cluster moves to `server`; NULL if it stays. `earlier` is the attempt that this one supersedes;
 * empty if this is the first. Refuses what the log's rules refuse: -EACCES, with
 * REFUSAL_RECOVERY_CODE for a code that is not in force.
 */
int recovery_make(const struct recovery_plan *p, const uint8_t seed[SIGN_SEED_LEN],
		  const uint8_t next[KEY_LEN], const struct log_server *server, struct span earlier,
		  uint64_t now_s, struct entry_bytes *ret, struct err *err) MUST_CHECK;

/* Returns -ENOENT, without a message, if there is no such file. */
int recovery_load(struct host *h, const struct store *s, const char *cluster,
		  struct entry_bytes *ret, struct err *err) MUST_CHECK;
int recovery_save(struct host *h, const struct store *s, const char *cluster,
		  const struct entry_bytes *e, struct err *err) MUST_CHECK;
int recovery_drop(struct host *h, const struct store *s, const char *cluster) MUST_CHECK;

#endif
