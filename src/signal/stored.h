/* SPDX-License-Identifier: AGPL-3.0-only */
/* Membership logs as the database keeps them. */
#ifndef MLSH_SIGNAL_STORED_H
#define MLSH_SIGNAL_STORED_H

#include "membership/mlog.h"
#include "signal/db.h"

/*
 * Reads the log of a cluster, which this server verified before it stored it. Checks the hashes and
 * the rules again, and the signatures of the last record only, whose receipt vouches for all before
 * it. -EIO: a record is missing or damaged, or it is the log of another cluster; -ENOMEM. The
 * caller frees *ret.
 */
int stored_log(struct db *db, const uint8_t cluster_id[HASH_LEN], const uint8_t map_seed[16],
	       struct err *err, struct mlog **ret) MUST_CHECK;
/* Reads the name of a cluster from its genesis, which is not verified. "" if it cannot be read. */
void stored_name(struct db *db, const uint8_t cluster_id[HASH_LEN], char ret[LABEL_MAX + 1]);

#endif
