/* SPDX-License-Identifier: AGPL-3.0-only */
/* Admission of a node with an invite. */
#include "signal/caller.h"

/* An admitted node stays longer than other callers without a session, since it fetches the log. */
#define ADMITTED_LIFETIME (4 * SIGNAL_UNAUTHENTICATED_LIFETIME)

int answer_admit(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err)
{
	struct entry e;
	int r = entry_decode(rq->entry, &e, err);

	if (r < 0)
		return r;
	if (e.type != ENTRY_ADMIT)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "The entry is not an admission.");
	if (memcmp(e.admit.key, c->key, sizeof(c->key)) != 0)
		return refuse(err, -EACCES, REFUSAL_NOT_ALLOWED,
			      "The new node's key is not that of the connection.");
	r = caller_order(c, &e, rq->entry, &reply->head, err);
	if (r == 0)
		caller_token(c, reply->node_token);
	return r;
}

/* Successful requests cost a source nothing: many machines may be behind one address. */
int admit_accepted(struct caller *c, struct signal_reply *reply, struct err *err)
{
	struct signal_server *s = c->server;

	(void)reply;
	(void)err;
	ratelimit_give_back(s->sources, &c->remote, c->charged);
	c->charged = 0;
	c->known = true;
	if (c->phase == CALLER_SESSION)
		return 0; /* ordered before; the caller has a session meanwhile */
	c->phase = CALLER_ADMITTED;
	c->deadline = clock_now(s->host) + ADMITTED_LIFETIME;
	return 0;
}
