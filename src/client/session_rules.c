/* SPDX-License-Identifier: MIT */
/* The session's decisions. */
#include "client/session_rules.h"

/* Of an earlier generation: it lacks our recovery, and perhaps records before that. */
static uint64_t push_from(const struct mlog *log, const struct head *theirs, uint64_t generation)
{
	uint64_t recovery = mlog_generation_start(log, generation);

	return mlog_has_head(log, theirs) ? theirs->seq + 1 : MIN(theirs->seq + 1, recovery);
}

enum session_plan session_plan(const struct mlog *log, const struct wire_head *head,
			       uint64_t *ret_from)
{
	uint64_t count = mlog_count(log), generation = mlog_generation(log);
	struct head theirs;

	if (!head) {
		*ret_from = 0;
		return SESSION_PUSH;
	}
	theirs.seq = head->seq;
	memcpy(theirs.hash, head->hash, HASH_LEN);
	if (head->generation < generation) {
		*ret_from = push_from(log, &theirs, head->generation);
		return SESSION_PUSH;
	}
	if (head->generation > generation || head->seq >= count)
		return SESSION_FETCH;
	if (!mlog_has_head(log, &theirs))
		return SESSION_FORKED;
	if (head->seq + 1 == count)
		return SESSION_LOGS_EQUAL;
	*ret_from = head->seq + 1;
	return SESSION_PUSH;
}

uint64_t session_push_back(const struct mlog *log, uint64_t generation)
{
	return mlog_page_back(log, mlog_generation_start(log, generation));
}

static uint64_t asked_wait(uint32_t retry_after_s)
{
	return MIN(retry_after_s, SESSION_RETRY_AFTER_MAX_S) * NS_PER_S;
}

enum session_next session_after_refusal(enum refusal reason, uint32_t retry_after_s,
					uint64_t *ret_wait)
{
	bool busy = reason == REFUSAL_RATE || reason == REFUSAL_BUSY;
	bool soon = reason == REFUSAL_INTERNAL || reason == REFUSAL_STALE;

	/*
	 * For any other reason, also one that only a later server knows, an admin has to do
	 * something there; until then the node does not hammer at it. "Not a member" is the
	 * server's word only: the log would say so.
	 */
	*ret_wait = MAX(asked_wait(retry_after_s), SESSION_SLOW_RETRY);
	if (busy)
		*ret_wait = MAX(asked_wait(retry_after_s), NS_PER_S);
	else if (soon && retry_after_s == 0)
		return SESSION_NEXT_BACKOFF;
	else if (soon)
		*ret_wait = asked_wait(retry_after_s);
	return SESSION_NEXT_WAIT;
}

enum session_next session_after_end(const struct rpc_end *end, uint64_t *ret_wait)
{
	*ret_wait = end->given_up ? end->wait : SESSION_SLOW_RETRY;
	if (end->given_up)
		return end->wait == TIME_NEVER ? SESSION_NEXT_BACKOFF : SESSION_NEXT_WAIT;
	if (end->refused)
		return session_after_refusal((enum refusal)end->err.reason, end->retry_after_s,
					     ret_wait);
	if (!end->closed_by_server)
		return end->err.reason == REFUSAL_FINGERPRINT ||
				       end->err.reason == REFUSAL_MALFORMED
			       ? SESSION_NEXT_WAIT
			       : SESSION_NEXT_BACKOFF;
	switch (end->app_error) {
	case SIGNAL_CLOSE_REMOVED:  /* the log does not say so, or the session had ended */
	case SIGNAL_CLOSE_REPLACED: /* by a session that ours would only replace in turn */
	case SIGNAL_CLOSE_MALFORMED:
		return SESSION_NEXT_WAIT;
	case SIGNAL_CLOSE_SLOW:
	case SIGNAL_CLOSE_LIMIT:
		*ret_wait = 5 * NS_PER_S;
		return SESSION_NEXT_WAIT;
	default:
		return SESSION_NEXT_BACKOFF;
	}
}
