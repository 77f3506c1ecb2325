/* SPDX-License-Identifier: MIT */
/* The time by which a node judges the dates of records. */
#include "client/log_clock.h"

#include <inttypes.h>

#include "client/refuse.h"
#include "proto/limits.h"

void log_clock_hear(struct log_clock *c, struct host *h, uint64_t server_s)
{
	c->server_s = server_s;
	c->at = clock_now(h);
}

uint64_t log_clock_now_s(const struct log_clock *c, struct host *h, const struct mlog *log)
{
	uint64_t wall_s = (uint64_t)MAX(clock_wall_s(h), 0);
	uint64_t last_s = mlog_count(log) > 0 ? mlog_last_time_s(log) : 0;

	if (wall_s + CLOCK_AHEAD_MAX_S >= last_s)
		return wall_s;
	return c->at ? c->server_s + (clock_now(h) - c->at) / NS_PER_S : last_s;
}

int log_clock_refuse(const struct mlog_held *held, uint64_t now_s, struct err *err)
{
	return refuse(err, 0, REFUSAL_BAD_ENTRY,
		      "record %" PRIu64 " of the membership log is dated %" PRIu64
		      " minutes ahead of "
		      "this machine's clock, so it is not taken yet. If this clock is right, the "
		      "signal server's is or was wrong.",
		      held->seq, (held->time_s - MIN(now_s, held->time_s)) / 60);
}
