/* SPDX-License-Identifier: MIT */
/* Which nodes of which cluster a command that governs is about: "nas", "nas.homelab", or an
 * overlay address. Needs no daemon. */
#ifndef MLSH_CLI_WHOM_H
#define MLSH_CLI_WHOM_H

#include "cli/governing.h"
#include "cli/target.h"

/*
 * Opens the cluster that the nodes are of. Those without a cluster's name are of the one that
 * another one names, of the only one, or of the only one that has such a node. governing_close in
 * any case.
 */
int whom_open(struct cli *c, const char *const *typed, size_t n, struct governing *ret,
	      struct err *err) MUST_CHECK;
/* The node that was typed, present or former. -ENOENT with a message. */
int whom_find(const struct governing *g, const char *typed, const struct member **ret,
	      struct err *err) MUST_CHECK;

/*
 * A change of one node. The node is looked up each time that the entry is made, since the log may
 * be another one than before. `make` is as in client/govern.h.
 */
struct whom_change {
	const char *typed;
	int (*make)(const struct whom_change *w, const struct govern *g, const struct member *m,
		    struct entry_bytes *ret, struct err *err);
	const char *wish;	  /* for `make`: a word of the command, or NULL */
	char name[LABEL_MAX + 1]; /* of the node, before the change */
};

/* As governing_submit. */
int whom_submit(struct governing *g, struct whom_change *w, struct governed *ret, struct err *err)
	MUST_CHECK;

#endif
