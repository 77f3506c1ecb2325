/* SPDX-License-Identifier: MIT */
/*
 * Asks a server for what it has of a cluster's log, for a node that nobody tells where the cluster
 * went, or that may have another key there. The server is pinned, and believed nothing: what its
 * records prove is taken.
 */
#ifndef MLSH_CLIENT_FETCH_H
#define MLSH_CLIENT_FETCH_H

#include "client/rpc.h"
#include "membership/mlog.h"

struct fetch;

struct fetch_params {
	const struct identity *identity; /* of the node; outlives the fetch */
	struct mlog *log;		 /* grows, and is committed */
	const char *host;
	uint16_t port;
	const uint8_t *cert;	   /* SHA-256 of the server's certificate */
	const uint8_t *key;	   /* SHA-256 of its key, which suffices, too; may be NULL */
	const uint8_t *node_token; /* HASH_LEN bytes, for the server that gave it; may be NULL */
};

/* Called once, from the loop. Success: `err` is NULL, and all that the server shows was taken. */
typedef void (*fetch_fn)(void *ctx, const struct err *err);

int fetch_start(struct host *h, const struct fetch_params *p, fetch_fn fn, void *ctx,
		struct err *err, struct fetch **ret) MUST_CHECK;
void fetch_free(struct fetch *f); /* closes the connection; NULL allowed */

#endif
