/* SPDX-License-Identifier: MIT */
/*
 * The server says that this node is not a member, or that the cluster has moved. Its word counts
 * for nothing: the log that it shows then proves it, or does not.
 */
#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"

static bool is_member(const struct session *s)
{
	return roster_by_id(mlog_roster(s->log), &s->cluster.node_id, ROSTER_CURRENT) != NULL;
}

/* Its word counts for nothing; it shows what proves it, and recoveries after that. */
void former_begin(struct session *s, const struct signal_reply *reply)
{
	rpc_refusal(s->rpc, reply, &s->former_err);
	s->former = true;
	s->was_out = !is_member(s);
	s->phase = PHASE_FETCH;
	s->fetch_wanted = true;
	sync_pump(s);
}

/* All that it shows to a former member is read. */
void former_end(struct session *s)
{
	struct err err = s->former_err;

	if (!is_member(s)) {
		session_left(s);
	} else if (s->was_out) {
		err_set(&err, -EAGAIN, "a recovery made this node a member again");
		session_lost(s, &err);
	} else {
		err_prefix(&err, "the log does not prove what the signal server says");
		session_lost_for(s, &err, SESSION_SLOW_RETRY);
	}
}
