/* SPDX-License-Identifier: MIT */
/* A node of the benchmarks that need whole overlays: identity, log and TUN in memory (path.h). */
#ifndef MLSH_BENCH_NODE_H
#define MLSH_BENCH_NODE_H

#include <inttypes.h>

#include "../tests/unit/log_kit.h"
#include "overlay/overlay.h"
#include "path.h"

struct bench_node {
	struct identity *id;
	struct mlog *log;
	const struct member *self;
	struct overlay *o;
	struct path_tun tun;
};

/* --- what is no news to a benchmark, or its end --- */

static inline void bench_log_grew(void *ctx)
{
	(void)ctx;
}

static inline void bench_fork(void *ctx, const struct log_proof *proof, const struct member *from)
{
	(void)ctx;
	(void)from;
	ck_abort_msg("fork at %" PRIu64, proof->seq);
}

/* --- life --- */

/* Node `number` of the kit's cluster, with a copy of its log. `cfg` has ops, ctx and options. */
static inline void bench_node_open(struct bench_node *n, struct host *h, unsigned number,
				   const struct mlog *log, struct overlay_config *cfg)
{
	char warning[OVERLAY_WARNING_MAX];
	struct err err = { .code = 0 };
	struct overlay *o = NULL;
	struct node_id id;

	n->id = kit_identity(number);
	n->log = kit_empty_log();
	for (uint64_t i = 0; i < mlog_count(log); i++)
		ck_assert_int_eq(mlog_reload(n->log, mlog_record(log, i), NULL), 0);
	mlog_commit(n->log);
	id = identity_node_id(n->id);
	n->self = roster_by_id(mlog_roster(n->log), &id, ROSTER_CURRENT);
	cfg->identity = n->id;
	cfg->log = n->log;
	cfg->self = n->self;
	path_tun_next(&n->tun);
	int rc = overlay_new(h, cfg, warning, &err, &o);
	ck_assert_msg(rc == 0, "%s", err.text);
	n->o = o;
}

static inline void bench_node_close(struct bench_node *n)
{
	overlay_free(n->o);
	mlog_free(n->log);
	identity_free(n->id);
}

#endif
