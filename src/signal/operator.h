/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the commands of mlsh-signal print: for people, or as JSON (docs/json.md). */
#ifndef MLSH_SIGNAL_OPERATOR_H
#define MLSH_SIGNAL_OPERATOR_H

#include "signal/restore.h"

/*
 * Each prints to standard output. -errno with a message if something cannot be read;
 * operator_clusters prints the rest then.
 */
int operator_clusters(const struct view *v, bool json, struct err *err) MUST_CHECK;
/* `all`: former members, too. */
int operator_nodes(const struct view *v, const char *cluster, bool all, bool json, struct err *err)
	MUST_CHECK;
int operator_log(const struct view *v, const char *cluster, bool json, struct err *err) MUST_CHECK;
/* Prints what a backup holds. `done`: it was put in place now; NULL if it was only verified. */
void operator_restore(const struct view *v, const char *file, const struct restored *done,
		      bool accept, bool json);
/*
 * Tells people on standard error about a backup of that many bytes. `file` is NULL if it was not
 * written.
 */
void operator_backup(const char *file, size_t bytes, const struct signal_config *cfg, bool json);

#endif
