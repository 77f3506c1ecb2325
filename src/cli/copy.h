/* SPDX-License-Identifier: MIT */
/* A cluster of the caller's: its file, and its log as new as this machine has it. */
#ifndef MLSH_CLI_COPY_H
#define MLSH_CLI_COPY_H

#include "cli/cli.h"

struct copy {
	char cluster[LABEL_MAX + 1];
	struct cluster_file file;
	struct mlog *log;
	bool connected; /* the daemon's log was asked for, and is not older than this one */
};

/*
 * Finds the cluster (`named`, or the only one of the caller's if NULL) and loads it. What the
 * running daemon has more of the log is verified, saved and used; a server that it names is put
 * into the cluster file. -EINVAL: there are several, which
 * the message names; other errors say where the files are missing. The caller frees it.
 */
int copy_open(struct cli *c, const char *named, struct copy *ret, struct err *err) MUST_CHECK;
/* Asks the daemon for what it has more of the log; nothing without one. */
void copy_refresh(struct cli *c, struct copy *p);
void copy_free(struct copy *p); /* wipes; zeroed allowed */
/* The name alone, of a cluster that may be missing. -EINVAL as above; -ENOENT: no cluster. */
int copy_name(struct cli *c, const char *named, char ret[LABEL_MAX + 1], struct err *err)
	MUST_CHECK;

#endif
