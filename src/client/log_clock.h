/* SPDX-License-Identifier: MIT */
/*
 * The time by which a node judges the dates of records that it is shown. A record that is dated
 * years ahead would freeze the log, since nothing with an earlier date can follow it. So what is
 * dated more than CLOCK_AHEAD_MAX_S ahead is held back ("Dates" in
 * docs/protocol/02-membership-log.md).
 */
#ifndef MLSH_CLIENT_LOG_CLOCK_H
#define MLSH_CLIENT_LOG_CLOCK_H

#include "membership/mlog.h"
#include "os/host.h"

/* All zero: no server has said its time. */
struct log_clock {
	uint64_t server_s; /* what the server's last hello said */
	uint64_t at;	   /* clock_now then; 0 before that */
};

/* A server's hello says this time. */
void log_clock_hear(struct log_clock *c, struct host *h, uint64_t server_s);
/*
 * Seconds since 1970 by this machine's clock. A clock that is behind the log was never set, or is
 * wrong: then it is the server's time, and without that the date of the log's last record.
 */
uint64_t log_clock_now_s(const struct log_clock *c, struct host *h, const struct mlog *log);
/* Negative; in words for a person, what is held back. */
int log_clock_refuse(const struct mlog_held *held, uint64_t now_s, struct err *err);

#endif
