/* SPDX-License-Identifier: MIT */
/* Proof that two logs exist, told to the people of this machine. */
#include <stdio.h>

#include "tund/tunnel_internal.h"

void tunnel_report_fork(struct tunnel *t, const struct log_proof *proof, const char *member)
{
	const char *cluster = t->parts.cluster.cluster;
	const struct mlog *log = t->parts.log;
	bool of_now = memcmp(mlog_order_key(log, proof->seq), mlog_server(log)->order_key,
			     KEY_LEN) == 0;
	char line[sizeof(t->fork)];

	if (proof->code_misused)
		snprintf(
			line, sizeof(line),
			"the recovery code of cluster %s was misused (shown by %s): %s; this node "
			"keeps its own log. Somebody else has had the code: `mlsh recover %s` once "
			"more with the newest one, or found a new cluster if that is not yours "
			"alone either",
			cluster, member ? member : "the signal server", proof->why, cluster);
	else
		snprintf(line, sizeof(line),
			 "%s of cluster %s lies, or was restored from an old copy "
			 "and written to (shown by %s): %s; this node keeps its own log",
			 of_now ? "the signal server" : "a former signal server", cluster,
			 member ? member : "itself", proof->why);
	if (strcmp(line, t->fork) == 0)
		return;
	snprintf(t->fork, sizeof(t->fork), "%s", line);
	log_limited(host_log(t->host), &t->fork_limit, clock_now(t->host), LOG_LEVEL_ERROR,
		    "FORK: %s", line);
	if (t->ops->proof)
		t->ops->proof(t->ctx, t, proof);
	tunnel_changed(t);
}
