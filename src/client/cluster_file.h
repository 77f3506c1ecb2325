/* SPDX-License-Identifier: MIT */
/*
 * What a node keeps of a cluster: `<cluster>.toml` (0600, secrets) and beside it `<cluster>.log`,
 * its copy of the membership log (entries one after another, each behind a 32-bit length). Text and
 * bytes only; where they lie is store.h's business. mlsh alone reads and writes the TOML; the
 * daemon gets the fields of it (proto/cluster.h).
 */
#ifndef MLSH_CLIENT_CLUSTER_FILE_H
#define MLSH_CLIENT_CLUSTER_FILE_H

#include "membership/mlog.h"
#include "proto/cluster.h"

#define CLUSTER_FILE_MAX 16384
#define LOG_FILE_MAX (64u << 20)

/* Writes the TOML text, NUL-terminated. -ENOSPC. */
int cluster_file_encode(const struct cluster_file *f, char *out, size_t cap, size_t *ret_len)
	MUST_CHECK;
/* The message names line and key. `name` is what to call the file in messages. */
int cluster_file_decode(struct span text, const char *name, struct cluster_file *ret,
			struct err *err) MUST_CHECK;
/* All entries of the log in the file's form; the caller frees. */
int log_file_encode(const struct mlog *l, struct buf *ret) MUST_CHECK;
/* Verifies every entry. The cluster id must be `cluster_id`. */
int log_file_decode(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    struct mlog **ret, struct err *err) MUST_CHECK;

#endif
