/* SPDX-License-Identifier: MIT */
/*
 * How fresh this node's log is (docs/protocol/02-membership-log.md, "Beacons"): holds the newest
 * beacon of each admin, shows them to peers and server, and signs this node's own if it is an
 * admin's. A node that lacks the record that a beacon names asks its peers, and says so after a
 * minute.
 */
#ifndef MLSH_TUND_FRESH_H
#define MLSH_TUND_FRESH_H

#include "client/session.h"
#include "membership/beacon.h"
#include "overlay/overlay.h"

struct fresh {
	struct host *host;
	const struct mlog *log;
	const struct identity *identity;
	struct node_id self;
	struct beacons *held;
	struct overlay *overlay; /* NULL until there is one */
	struct session *session; /* NULL if it is not up */
	struct timer *sign, *look, *show;
	uint64_t signed_at;	 /* clock; 0 before that */
	uint64_t lacking_since;	 /* clock; 0 if nothing is lacking */
	bool unseen;		 /* for a minute */
	uint64_t server_shown_s; /* date of the newest that the server has shown or was shown */
	struct log_limit limit;
	loop_fn changed;
	void *ctx;
};

/* `f` is all zero but for host, log, identity, self, changed and ctx. -ENOMEM. */
int fresh_init(struct fresh *f) MUST_CHECK;
void fresh_fini(struct fresh *f);
/* There is an overlay now. */
void fresh_begin(struct fresh *f, struct overlay *o);
/* A peer shows a beacon, or the server (NULL). */
void fresh_shown(struct fresh *f, const struct member *from, struct span beacon);
void fresh_log_grew(struct fresh *f);
/* The session is up, or it is not (NULL). */
void fresh_session(struct fresh *f, struct session *s);

struct fresh_status {
	const struct member *by; /* of the newest beacon that is known, or NULL */
	uint64_t time_s;	 /* that it was signed at */
	const struct member
		*unseen_by; /* names a record that this node lacks; NULL if nobody does */
	uint64_t unseen_seq, unseen_since; /* that record; clock */
};
/* What is unseen is shown from one minute on. */
void fresh_status_get(const struct fresh *f, struct fresh_status *ret);

#endif
