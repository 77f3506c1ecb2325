/* SPDX-License-Identifier: MIT */
/*
 * The invites that a user has made on this machine and that are still open, in
 * `clusters/<cluster>.invites`: what `mlsh invites` shows. The secrets of an invite are in its URL
 * only, never here.
 */
#ifndef MLSH_CLIENT_INVITE_BOOK_H
#define MLSH_CLIENT_INVITE_BOOK_H

#include "client/invites.h"
#include "client/store.h"
#include "membership/mlog.h"

struct invite_made {
	struct invite_note note;
	bool told;		  /* the daemon knows of it */
	bool replaces;		  /* `name` is that of the node whose place the new one takes */
	enum member_role role;	  /* what the new node is meant to become */
	struct node_id sponsor;	  /* the member that made it: this machine's */
	struct head head;	  /* of the log that the sponsor knew */
	char name[LABEL_MAX + 1]; /* the only one that it admits; "": any */
};

struct invite_book {
	struct invite_made *item; /* in the order in which they were made */
	size_t n;
};

/* First 8 hexadecimal digits of the nonce: what people name an invite by. */
#define INVITE_ID_LEN 8
void invite_id(const uint8_t nonce[NONCE_LEN], char ret[INVITE_ID_LEN + 1]);

/* An empty book if there is no file. -EBADMSG with a message if it is damaged. */
int invite_book_load(struct host *h, const struct store *s, const char *cluster,
		     struct invite_book *ret, struct err *err) MUST_CHECK;
/* An empty one is removed. */
int invite_book_save(struct host *h, const struct store *s, const char *cluster,
		     const struct invite_book *b, struct err *err) MUST_CHECK;
void invite_book_free(struct invite_book *b); /* zeroed allowed */

/* -ENOSPC: INVITES_MAX are open; -ENOMEM. */
int invite_book_add(struct invite_book *b, const struct invite_made *m) MUST_CHECK;
/*
 * Strikes out the invites that have run out, and those that the log (NULL if not known) takes no
 * longer: used, cancelled, or void since the cluster moved, was recovered, or the sponsor changed.
 * Returns true if there were any.
 */
bool invite_book_clear(struct invite_book *b, const struct mlog *l, uint64_t now_s);

/* The bytes of the file; for the fuzzer and the tests. `ret` is freed by the caller. */
int invite_book_encode(const struct invite_book *b, struct buf *ret) MUST_CHECK;
/* -EBADMSG, -EPROTONOSUPPORT (a later version), -ENOMEM. */
int invite_book_decode(struct span in, struct invite_book *ret) MUST_CHECK;

#endif
