/* SPDX-License-Identifier: MIT */
/*
 * Asking the server, and giving a connection up: its end comes from the loop then, as any other
 * end does.
 */
#include "client/session_internal.h"
#include "client/session_rules.h"

bool session_is_linked(const struct session *s)
{
	return s->rpc && rpc_is_open(s->rpc);
}

void session_lost(struct session *s, const struct err *err)
{
	session_lost_for(s, err, TIME_NEVER);
}

void session_lost_for(struct session *s, const struct err *err, uint64_t wait)
{
	if (s->rpc)
		rpc_give_up(s->rpc, err, wait);
}

void session_refused(struct session *s, const struct signal_reply *reply)
{
	struct err err = { 0 };
	uint64_t wait;

	rpc_refusal(s->rpc, reply, &err);
	if (session_after_refusal(reply->refusal, reply->retry_after_s, &wait) == SESSION_NEXT_WAIT)
		session_lost_for(s, &err, wait);
	else
		session_lost(s, &err);
}

bool session_request(struct session *s, const struct signal_request *m, rpc_reply_fn fn)
{
	struct err err = { 0 };
	int r = rpc_request(s->rpc, m, fn, s);

	if (r == 0)
		return true;
	err_set(&err, r, "cannot send to the signal server %s: %s", s->cluster.signal_host,
		strerror(-r));
	session_lost(s, &err);
	return false;
}
