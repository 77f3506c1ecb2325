/* SPDX-License-Identifier: AGPL-3.0-only */
/* Admission of a node with an invite. */
#include "signal/may_order.h"

/* An invited node has more to fetch than a stranger: the log. */
#define INVITED_LIFETIME (4 * SIGNAL_UNAUTHENTICATED_LIFETIME)

/* The member that this caller became with this very invite: the reply to it was lost. */
static const struct member *admit_done_with(const struct caller *c, const struct mlog *log,
					    struct span invite)
{
	const struct member *m;
	struct invite inv;

	if (invite_decode(invite, &inv, NULL) < 0)
		return NULL;
	m = mlog_invite_redeemer(log, inv.nonce);
	return m && memcmp(m->key, c->key, sizeof(c->key)) == 0 ? m : NULL;
}

int answer_invite_open(struct caller *c, const struct signal_request *rq,
		       struct signal_reply *reply, struct err *err)
{
	struct signal_server *s = c->server;
	uint64_t now_s = (uint64_t)clock_wall_s(s->host);
	const struct member *self;
	struct invite invite;
	struct mlog *log;
	int r;

	if ((r = registry_log(s->registry, c->cluster, &log, err)) < 0)
		return r;
	self = admit_done_with(c, log, rq->invite);
	if (self)
		reply->address = self->address;
	else if ((r = may_order(s, c->cluster, err)) < 0 ||
		 (r = mlog_check_invite(log, rq->invite, rq->invite_sig, now_s, &invite, err)) <
			 0 ||
		 (r = registry_next_address(s->registry, c->cluster->subnet, &reply->address,
					    err)) < 0)
		return r;
	reply->head = wire_head_of(log);
	if (c->phase == PHASE_GREETED) {
		c->phase = PHASE_INVITED;
		c->deadline = clock_now(s->host) + INVITED_LIFETIME;
	}
	return 0;
}

/* Is this very entry in the log already? The reply to it was lost then. */
static bool admit_is_there(const struct mlog *log, const struct entry *e, struct span bytes)
{
	return e->seq < mlog_count(log) && span_equal(mlog_entry(log, e->seq), bytes);
}

int answer_admit(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err)
{
	struct signal_server *s = c->server;
	struct invite invite;
	struct mlog *log;
	struct entry e;
	size_t added;
	int r;

	if ((r = registry_log(s->registry, c->cluster, &log, err)) < 0 ||
	    (r = entry_decode(rq->entry, &e, err)) < 0)
		return r;
	if (e.type != ENTRY_ADMIT)
		return deny(err, -EBADMSG, REFUSAL_BAD_ENTRY, "The entry is not an admission.");
	if (memcmp(e.admit.key, c->key, sizeof(c->key)) != 0)
		return deny(err, -EACCES, REFUSAL_NOT_ALLOWED,
			    "The new node's key is not that of the connection.");
	if (!admit_is_there(log, &e, rq->entry)) {
		if ((r = may_order(s, c->cluster, err)) < 0)
			return r;
		/* by our clock, and with its own reason even when the head has moved */
		r = mlog_check_invite(log, e.admit.invite, e.admit.invite_sig,
				      (uint64_t)clock_wall_s(s->host), &invite, err);
		if (r < 0)
			return r;
		r = registry_append(s->registry, c->cluster, &rq->entry, 1, false, &added, err);
		if (r < 0)
			return r;
	}
	caller_token(c, reply->node_token);
	return 0;
}
