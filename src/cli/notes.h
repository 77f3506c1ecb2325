/* SPDX-License-Identifier: MIT */
/* The user's list of open invites, and what the daemon has to know of it. */
#ifndef MLSH_CLI_NOTES_H
#define MLSH_CLI_NOTES_H

#include "cli/cli.h"
#include "client/invite_book.h"

/*
 * Loads the list without those that were used or cancelled by `l` (NULL if no log is at hand), or
 * have run out. The caller frees it.
 */
int notes_open(struct cli *c, const char *cluster, const struct mlog *l, struct invite_book *ret,
	       struct err *err) MUST_CHECK;
/* Is there room for `n` more? -ENOSPC with what to do. */
int notes_room(const struct invite_book *b, const char *cluster, uint64_t n, struct err *err)
	MUST_CHECK;
/* Tells the daemon of those that it does not know yet. What fails is left for the next time. */
void notes_flush(struct cli *c, const char *cluster);

#endif
