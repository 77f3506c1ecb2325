/* SPDX-License-Identifier: MIT */
/*
 * What a node keeps of a cluster: `<cluster>.toml` (0600, secrets) and beside it `<cluster>.log`,
 * its copy of the membership log (log_file.h). Text and bytes only; where they lie is store.h's
 * business. mlsh alone reads and writes the TOML; the daemon gets the fields of it
 * (proto/cluster.h).
 */
#ifndef MLSH_CLIENT_CLUSTER_FILE_H
#define MLSH_CLIENT_CLUSTER_FILE_H

#include "membership/mlog.h"
#include "proto/cluster.h"

#define CLUSTER_FILE_MAX 16384

/* All keys of the file, each needed; ends with NULL. */
extern const char *const cluster_file_keys[];

/* Writes the TOML text, NUL-terminated. -ENOSPC. */
int cluster_file_encode(const struct cluster_file *f, char *out, size_t cap, size_t *ret_len)
	MUST_CHECK;
/* The message names line and key. `name` is what to call the file in messages. */
int cluster_file_decode(struct span text, const char *name, struct cluster_file *ret,
			struct err *err) MUST_CHECK;

#endif
