/* SPDX-License-Identifier: MIT */
/* Whose files: what `sudo`, HOME and other users' folders mean for a command, and the words for it.
 */
#ifndef MLSH_CLI_WHOSE_H
#define MLSH_CLI_WHOSE_H

#include "cli/cli.h"

/*
 * Finds the caller's folder. Services and timers have no HOME: then the table of users says where
 * it is; a command that needs no files works without either. With sudo, HOME may still be the
 * user's, in whose folder root's files would lock the user out: then it is root's own folder.
 */
int whose_store(struct cli *c, struct err *err) MUST_CHECK;
/* Says that files go to root's own folder although HOME is another user's. Nothing otherwise. */
void whose_note(const struct cli *c);
/*
 * The error of a command that needs the files of `cluster`: if there is no such cluster here, or
 * its files are another user's, the reason and what to type are said. `joining`: the command does
 * not need the cluster, but makes it.
 */
void whose_explain(struct cli *c, const char *cluster, bool joining, struct err *err);
/*
 * What there is in place of a cluster of the caller's: that it is another user's, if this is known
 * or likely, in one sentence that begins with a blank, or "". NULL means any cluster.
 */
void whose_other(struct cli *c, const char *cluster, char *out, size_t cap);

/*
 * `what` ("there is no cluster here"), and how to come by one. A user is told of sudo first, lest a
 * second cluster is made beside root's. Returns `code`.
 */
int whose_none(struct cli *c, const char *what, int code, struct err *err) MUST_CHECK;

/* "sudo " where the caller typed it: what was made so is root's, who has to go on. Else "". */
const char *whose_sudo(void);
/* Does the caller have to join the group before a cluster of theirs can be connected? */
bool whose_needs_group(struct cli *c);

#endif
