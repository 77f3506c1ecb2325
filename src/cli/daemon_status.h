/* SPDX-License-Identifier: MIT */
/* The status that the daemon gives out, read. */
#ifndef MLSH_CLI_DAEMON_STATUS_H
#define MLSH_CLI_DAEMON_STATUS_H

#include <json-c/json.h>

#include "cli/cli.h"

/*
 * The status of one cluster, or of all with NULL. Returns 0 with *ret NULL if the daemon refuses,
 * which it does for a cluster that it does not have; `err` has its words then. On failure as
 * daemon_call, or -EBADMSG. The caller calls json_object_put.
 */
int daemon_status(struct cli *c, const char *cluster, struct err *err, struct json_object **ret)
	MUST_CHECK;
/* The cluster in the status of one cluster, a view; NULL if there is none, or no status. */
struct json_object *status_cluster(struct json_object *status);
/* `cluster` is an element of the status. NULL allowed: false. */
bool status_is_stopped(struct json_object *cluster);

/* What can be proven, as `log` in a cluster's status has it. */
struct status_proof {
	const char *member; /* what is proven now, in words */
	const char *name;   /* in `proofs`, if proof is kept */
	const char *option; /* of `mlsh log`, which gives the proof out */
	const char *past;   /* a sentence, for proof of what a recovery has ended */
};

#define STATUS_PROOFS 2
extern const struct status_proof status_proofs[STATUS_PROOFS];
/* Is one kept? NULL allowed: false. */
bool status_proof_kept(struct json_object *log, const struct status_proof *p);

#endif
