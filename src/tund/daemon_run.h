/* SPDX-License-Identifier: MIT */
/*
 * The life of a daemon's process, for mlshtund and for `mlsh connect --foreground`: it starts as
 * root or with the rights of a tunnel, gives up all others, runs, and ends at a signal.
 */
#ifndef MLSH_TUND_DAEMON_RUN_H
#define MLSH_TUND_DAEMON_RUN_H

#include "os/privs.h"
#include "tund/daemon.h"

struct daemon_run {
	struct daemon_config config;
	/*
	 * Whom the process becomes. With a state folder: what is given to that user once the daemon
	 * has its lock and its socket. NULL: the caller knows the account already.
	 */
	const struct privs_state *state;
	struct privs_account account;
	const char *folder; /* that it may go on writing to; may be NULL */
	/* With few rights left, but not confined yet; may be NULL. */
	int (*became)(void *ctx, struct err *err);
	/* With no more rights than it will have: starts the clusters. */
	int (*start)(void *ctx, struct daemon *d, struct err *err);
	/* SIGHUP. NULL: ends the process as SIGTERM and SIGINT do, unless it is ignored (nohup). */
	void (*hangup)(void *ctx);
	void *ctx; /* of these three */
};

/* Returns 0 after a signal or loop_stop, and then the tunnels are stopped; or what failed. */
int daemon_run(struct host *h, struct daemon_run *r, struct err *err) MUST_CHECK;

#endif
