/* SPDX-License-Identifier: MIT */
/* Proof that two logs exist, told to the people of this machine. */
#include <stdio.h>

#include "tund/tunnel_internal.h"

#define LINE_MAX sizeof(((struct tunnel *)0)->fork[0])

/* `how`: what shows it, and where; "" if that is not known any more. */
static void code_line(const struct tunnel *t, const char *shown, const char *how, char *ret)
{
	const char *cluster = t->parts.cluster.cluster;

	snprintf(
		ret, LINE_MAX,
		"the recovery code of cluster %s was misused%s%s%s%s; this node keeps its own log. "
		"Somebody else has had the code: `mlsh recover %s` once more with the newest one, "
		"or found a new cluster if that is not yours alone either",
		cluster, *shown ? " (shown by " : "", shown,
		*shown ? "): "
		       : ", by proof from before "
			 "its last start",
		how, cluster);
}

static void server_line(const struct tunnel *t, const char *server, const char *shown,
			const char *how, char *ret)
{
	snprintf(ret, LINE_MAX,
		 "%s of cluster %s lies, or was restored from an old copy and written to%s%s%s%s; "
		 "this node keeps its own log",
		 server, t->parts.cluster.cluster, *shown ? " (shown by " : "", shown,
		 *shown ? "): " : ", by proof from before its last start", how);
}

void tunnel_report_fork(struct tunnel *t, const struct log_proof *proof, const char *member)
{
	const struct mlog *log = t->parts.log;
	enum proof_kind kind = proof_kind_of(proof);
	bool of_now = memcmp(mlog_order_key(log, proof->seq), mlog_server(log)->order_key,
			     KEY_LEN) == 0;
	char line[LINE_MAX];

	if (kind == PROOF_CODE)
		code_line(t, member ? member : "the signal server", proof->why, line);
	else
		server_line(t, of_now ? "the signal server" : "a former signal server",
			    member ? member : "itself", proof->why, line);
	if (strcmp(line, t->fork[kind]) == 0)
		return;
	snprintf(t->fork[kind], LINE_MAX, "%s", line);
	t->fork_generation = mlog_generation(log);
	log_limited(host_log(t->host), &t->fork_limit, clock_now(t->host), LOG_LEVEL_ERROR,
		    "FORK: %s", line);
	if (t->ops->proof)
		t->ops->proof(t->ctx, t, proof);
	tunnel_changed(t);
}

void tunnel_recall_fork(struct tunnel *t, enum proof_kind kind, uint64_t generation)
{
	if (generation < mlog_generation(t->parts.log))
		return;
	t->fork_generation = generation;
	if (kind == PROOF_CODE)
		code_line(t, "", "", t->fork[kind]);
	else
		server_line(t, "a signal server", "", "", t->fork[kind]);
}

void tunnel_fork_log_grew(struct tunnel *t)
{
	if (mlog_generation(t->parts.log) <= t->fork_generation)
		return;
	for (int kind = 0; kind < PROOF_KINDS; kind++)
		t->fork[kind][0] = '\0';
}
