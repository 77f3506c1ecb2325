/* SPDX-License-Identifier: MIT */
/* Asks a server for the log of a cluster of the caller's, as this node under each of its keys. */
#ifndef MLSH_CLI_ASK_LOG_H
#define MLSH_CLI_ASK_LOG_H

#include "cli/copy.h"

struct ask_log {
	struct cli *cli;
	struct copy *copy; /* whose log grows; it is not saved */
	const struct identity *identity;
	const char *host;
	uint16_t port;
	const uint8_t *cert;	   /* SHA-256 of the server's certificate */
	const uint8_t *key;	   /* SHA-256 of its key, which suffices, too; may be NULL */
	const uint8_t *node_token; /* that this server gave; NULL if it gave none */
};

/* To ask the server of the cluster file `f`, which outlives the result, as do the others. */
struct ask_log ask_log_of(struct cli *c, struct copy *copy, const struct identity *identity,
			  const struct cluster_file *f);
/*
 * A recovery may have dropped this node's last rotations, or its log may lack one that was ordered:
 * a server that does not accept the key in use is asked again under the others. The error is that
 * of the key in use; as fetch_start and fetch_fn.
 */
int ask_log(const struct ask_log *a, struct err *err) MUST_CHECK;

#endif
