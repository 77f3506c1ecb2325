/* SPDX-License-Identifier: MIT */
/*
 * Hands the log of a cluster to a server that is to take the cluster over: reaches it, shows it all
 * records, page by page, with a setup token of it. The log is not changed by that: it names the
 * server only when a record (signal, recover) does. After it the connection is open and greeted for
 * the cluster, for what is to follow: rpc_request with recover, push or session.
 */
#ifndef MLSH_CLIENT_IMPORT_H
#define MLSH_CLIENT_IMPORT_H

#include "client/rpc.h"
#include "membership/mlog.h"

struct import;

struct import_params {
	const struct identity *identity; /* of the node; outlives the import */
	const struct mlog *log;		 /* all of it is shown; not changed until fn is called */
	const char *host;
	uint16_t port;
	const uint8_t *cert; /* SHA-256 of the server's certificate, from the token */
	const char *code;    /* of the token */
};

/*
 * Called once, from the loop. Success: `err` is NULL, and `server` is what a signal or recover
 * entry has to name; `head` is that of the server's log, which has more than ours if the server had
 * the cluster before. Failure: the reason is in err->reason. The import may be freed in the call.
 */
typedef void (*import_fn)(void *ctx, const struct err *err, const struct log_server *server,
			  const struct wire_head *head);
/* One line about what is being waited for. */
typedef void (*import_progress_fn)(void *ctx, const char *line);

/*
 * `progress` may be NULL. The same token may be given again after a failure, whatever it was: the
 * server goes on with the cluster that it was used for.
 */
int import_start(struct host *h, const struct import_params *p, import_fn fn,
		 import_progress_fn progress, void *ctx, struct err *err, struct import **ret)
	MUST_CHECK;
/*
 * After success: the connection, until it ends or import_free is called. If it ends before, `lost`
 * is called, which may be NULL.
 */
struct rpc *import_rpc(struct import *im, void (*lost)(void *ctx, const struct err *err));
void import_free(struct import *im); /* closes the connection; NULL allowed */

#endif
