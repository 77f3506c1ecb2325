/* SPDX-License-Identifier: MIT */
/*
 * Removals that no server has ordered, over a restart: in <state dir>/<cluster>.removals
 * (docs/protocol/05-local.md). The file proves nothing; each entry is verified when it is taken.
 */
#ifndef MLSH_TUND_REMOVALS_H
#define MLSH_TUND_REMOVALS_H

#include "membership/deny.h"
#include "tund/tunnel.h"

#define REMOVALS_SUFFIX ".removals"
#define REMOVALS_FILE_MAX (DENIALS_MAX * (ENTRY_MAX_BYTES + 3) + 64)

/* Reads the entries of a file, as views; for the fuzzer, too. -EBADMSG, -EPROTONOSUPPORT. */
int removals_decode(struct span in, struct span entry[DENIALS_MAX], size_t *ret_n) MUST_CHECK;

/* Writes what the tunnel holds; removes the file if that is nothing. */
int removals_save(struct host *h, const char *state_dir, const struct tunnel *t, struct err *err)
	MUST_CHECK;
/* The tunnel takes what the file has. -ENOENT if there is no file; -EBADMSG if it is damaged. */
int removals_load(struct host *h, const char *state_dir, struct tunnel *t, struct err *err)
	MUST_CHECK;
/* -EPROTONOSUPPORT: a newer version wrote the file, which is not to be replaced. */
int removals_check(struct host *h, const char *state_dir, const char *cluster, struct err *err)
	MUST_CHECK;
int removals_remove(struct host *h, const char *state_dir, const char *cluster) MUST_CHECK;

#endif
