/* SPDX-License-Identifier: MIT */
/* What the daemon says of itself, as JSON (docs/json.md has the schema). */
#ifndef MLSH_TUND_REPORT_H
#define MLSH_TUND_REPORT_H

#include "os/user.h"
#include "tund/ping.h"
#include "tund/proofs.h"
#include "tund/tunnel.h"

/* A cluster that the daemon knows: with a tunnel, or stopped with a reason. */
struct report_cluster {
	const char *name;
	const struct tunnel *tunnel; /* NULL: stopped */
	const struct proofs *proofs; /* what is kept of it */
	struct user owner;
	const char *error; /* why it is stopped; "" if it was asked to */
};

/* Heap strings, NUL-terminated, to be freed with free(); NULL without memory. */
char *report_status(struct host *h, const struct report_cluster *c, size_t n,
		    uint64_t daemon_started);
char *report_nodes(const struct tunnel *t);
/* Of the clusters, and of the members of each one that has a tunnel if `members`. */
char *report_names(const struct report_cluster *c, size_t n, bool members);
char *report_why(struct host *h, const struct tunnel *t, const struct member *m);
char *report_netcheck(struct host *h, const struct tunnel *t);
char *report_ping(const struct ping_event *ev);
char *report_submit(const struct submit_outcome *o);
char *report_ok(void);
char *report_error(const struct err *err);

#endif
