/* SPDX-License-Identifier: MIT */
/*
 * What commands that change the membership log share: the user's files of the cluster, the newest
 * log that this machine has, and the way of a signed entry to the server, through the daemon or,
 * where it does not have the cluster connected, without it.
 */
#ifndef MLSH_CLI_GOVERNING_H
#define MLSH_CLI_GOVERNING_H

#include "cli/copy.h"
#include "client/govern.h"

struct json_object;

struct governing {
	struct cli *cli;
	struct copy copy;
	struct identity *identity;
};

/* As copy_open. governing_close in any case. */
int governing_open(struct cli *c, const char *cluster, struct governing *ret, struct err *err)
	MUST_CHECK;
void governing_close(struct governing *g);
struct govern governing_author(const struct governing *g);

/*
 * Makes an entry on the log of `g`, as the functions of client/govern.h do. It is called again
 * with a newer log if the server says that the entry is out of date.
 */
typedef int (*governing_make)(void *ctx, const struct govern *g, struct entry_bytes *ret,
			      struct err *err);

struct governed {
	bool changed;				   /* false: it was so already */
	bool ordered;				   /* false: a removal that waits for the server */
	uint64_t seq;				   /* of the record, if changed and ordered */
	char why[sizeof(((struct err *)0)->text)]; /* it is not ordered; else "" */
};

/* Has an entry made and ordered. err->reason says why it was refused. */
int governing_submit(struct governing *g, governing_make make, void *ctx, struct governed *ret,
		     struct err *err) MUST_CHECK;

/* It failed with `err`: may the server have put the entry in order all the same? */
bool governed_may_be_ordered(const struct err *err);

/*
 * Brings this machine's log up to date: from the server where no daemon has done so. Where the
 * server cannot be reached, the log stays as it is.
 */
void governing_update(struct governing *g);

/*
 * What all of these commands print with --json. The caller adds to it; json_print (cli/table.h)
 * frees it.
 */
struct json_object *governed_json(const struct governing *g, const struct governed *r);
/*
 * Says which removals by these members wait for the server: they end with their author's right.
 * Nothing without a daemon.
 */
void governed_note_waiting(const struct governing *g, const struct id_list *authors);

#endif
