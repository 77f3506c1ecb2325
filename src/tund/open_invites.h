/* SPDX-License-Identifier: MIT */
/*
 * The invites that were made on this machine and are still open: says who used one, and makes that
 * node an admin if the sponsor has said so in advance. One that runs out leaves no trace.
 */
#ifndef MLSH_TUND_OPEN_INVITES_H
#define MLSH_TUND_OPEN_INVITES_H

#include "client/invites.h"
#include "client/session.h"

struct open_invites;

/* All of it belongs to the caller and outlives the object. */
struct open_invites_config {
	struct mlog *log;
	const struct identity *identity;
	const struct cluster_file *cluster;
	const struct invite_list *list; /* of the last run, copied; or NULL */
	void (*changed)(void *ctx);	/* the list: to be saved */
	void *ctx;
};

/* -ENOMEM */
int open_invites_new(struct host *h, const struct open_invites_config *cfg,
		     struct open_invites **ret) MUST_CHECK;
void open_invites_free(struct open_invites *v); /* NULL allowed */
/* The session with the server, or NULL. The caller says so again when the session is up. */
void open_invites_session(struct open_invites *v, struct session *s);
/* One more. -ENOSPC when there are too many. */
int open_invites_add(struct open_invites *v, const struct invite_note *n) MUST_CHECK;
/* The log grew: some may have been used. */
void open_invites_log_grew(struct open_invites *v);
const struct invite_list *open_invites_list(const struct open_invites *v);

#endif
