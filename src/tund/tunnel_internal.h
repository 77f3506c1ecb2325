/* SPDX-License-Identifier: MIT */
/* A tunnel's fields, for the files that it is made of. */
#ifndef MLSH_TUND_TUNNEL_INTERNAL_H
#define MLSH_TUND_TUNNEL_INTERNAL_H

#include "base/list.h"
#include "tund/dated.h"
#include "tund/fresh.h"
#include "tund/let_back.h"
#include "tund/open_invites.h"
#include "tund/tunnel.h"
#include "tund/waiting.h"

struct tunnel {
	struct host *host;
	struct tunnel_parts parts;
	const struct member *self;
	struct overlay *overlay;
	struct session *session;
	struct timer *ask_again;
	struct zone zone;
	struct open_invites *invites;
	struct roster_cursor roster; /* what this file has seen of it */
	struct waiting waiting;	     /* removals without order */
	struct fresh fresh;	     /* beacons */
	struct dated dated;	     /* records with dates that do not fit */
	bool failed, session_up, server_known;
	bool left; /* this node is not a member any more */
	struct list pings, submits;
	uint64_t started;
	struct log_limit fork_limit, relay_limit;
	char fork[PROOF_KINDS][800], failure[480];
	uint64_t fork_generation; /* of the log, when what `fork` says was seen */
	struct let_back let_back;
	const struct tunnel_ops *ops;
	void *ctx;
};

/* What people are shown of the tunnel has changed. */
void tunnel_changed(struct tunnel *t);
/* The log has more than before: all that follows from it does. */
void tunnel_log_grew(struct tunnel *t);
/* The tunnel has stopped; people are shown why. The first reason stays. */
void tunnel_fail(struct tunnel *t, const struct err *err);

/* --- tunnel_session.c --- */

int tunnel_session_start(struct tunnel *t, struct err *err) MUST_CHECK;
/* Exchanges a session that has ended for a new one; a loop_fn of a struct tunnel. */
void tunnel_session_again(void *tunnel);

/* --- tunnel_fork.c --- */

/*
 * Shouted once for each record, and visible until a recovery ends it. `member` showed it, or the
 * server (NULL): the signatures in it prove it, whoever shows it.
 */
void tunnel_report_fork(struct tunnel *t, const struct log_proof *proof, const char *member);
/* A recovery in the log ends what was proven before. */
void tunnel_fork_log_grew(struct tunnel *t);

#endif
