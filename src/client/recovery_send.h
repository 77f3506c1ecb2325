/* SPDX-License-Identifier: MIT */
/*
 * Hands a recovery over to the signal server in force. It uses a connection of its own, before any
 * session, so a node that was removed can do it, and one whose daemon has a session keeps that. The
 * log that follows from it is fetched over another connection (fetch.h): a recovery may go back
 * behind this node's own rotation, and another of its keys is in force then.
 */
#ifndef MLSH_CLIENT_RECOVERY_SEND_H
#define MLSH_CLIENT_RECOVERY_SEND_H

#include "client/cluster_file.h"
#include "client/rpc.h"
#include "membership/mlog.h"

struct recovery_send;

struct recovery_send_params {
	const struct cluster_file *cluster;
	const struct identity *identity;
	const struct mlog *log; /* nobody changes it meanwhile */
	struct span entry;	/* the recovery */
};

/*
 * Called once, from the loop; `err` NULL: the server has ordered it. Else err->reason says why; the
 * server may have ordered it all the same.
 */
typedef void (*recovery_send_fn)(void *ctx, const struct err *err);
typedef void (*recovery_progress_fn)(void *ctx, const char *line);

int recovery_send_start(struct host *h, const struct recovery_send_params *p, recovery_send_fn fn,
			recovery_progress_fn progress, void *ctx, struct err *err,
			struct recovery_send **ret) MUST_CHECK;
void recovery_send_free(struct recovery_send *s); /* NULL allowed */

#endif
