/* SPDX-License-Identifier: MIT */
/*
 * The server says that this node is not a member, or that the cluster has moved. Its word counts
 * for nothing: the log that it shows then proves it, or does not.
 */
#include "client/session_internal.h"

bool former_is_member(const struct session *s)
{
	return roster_by_id(mlog_roster(s->log), &s->cluster.node_id, ROSTER_CURRENT) != NULL;
}

void former_explain(const struct session *s, struct err *err)
{
	*err = s->former_err;
	if (s->phase == PHASE_RETURNING)
		err_set(err, -EAGAIN, "a recovery made this node a member again");
	else
		err_prefix(err, "the log does not prove what the signal server says");
}
