/* SPDX-License-Identifier: MIT */
/* The session's decisions as pure functions: how to bring two logs together, how long to wait. */
#ifndef MLSH_CLIENT_SESSION_RULES_H
#define MLSH_CLIENT_SESSION_RULES_H

#include "client/rpc.h"
#include "membership/mlog.h"

#define SESSION_SLOW_RETRY (30 * NS_PER_S) /* where trying again soon is of no use */
#define SESSION_RETRY_AFTER_MAX_S 300	   /* the server may not silence us for longer */

enum session_plan {
	SESSION_LOGS_EQUAL,
	SESSION_PUSH,  /* the server lacks our last records, from *ret_from on */
	SESSION_FETCH, /* the server has more, or a later recovery (or so it says) */
	SESSION_FORKED /* we have no such head, though we are as long */
};

/* `head` NULL: the server has no log of the cluster. */
enum session_plan session_plan(const struct mlog *log, const struct wire_head *head,
			       uint64_t *ret_from);

/*
 * The server has refused a push since its branch parts from ours before what it was shown: the
 * first record from which one message reaches to the first recovery above its generation.
 */
uint64_t session_push_back(const struct mlog *log, uint64_t generation);

enum session_next {
	SESSION_NEXT_BACKOFF, /* again, soon, later each time */
	SESSION_NEXT_WAIT     /* again after *ret_wait ns */
};

/* After the connection ended. */
enum session_next session_after_end(const struct rpc_end *end, uint64_t *ret_wait);
/* After a refusal. No refusal is the end: a server may lie, and the log alone says who belongs. */
enum session_next session_after_refusal(enum refusal reason, uint32_t retry_after_s,
					uint64_t *ret_wait);

#endif
