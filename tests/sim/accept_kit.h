/* SPDX-License-Identifier: MIT */
/* The operator of a restored server says to go on without an admin, for all of its clusters. */
#ifndef MLSH_TESTS_ACCEPT_KIT_H
#define MLSH_TESTS_ACCEPT_KIT_H

#include <check.h>
#include <stdio.h>

#include "signal/accept.h"

struct accepting {
	struct signal_config cfg;
	unsigned waited;
};

static int accept_one(void *ctx, const struct db_cluster *c)
{
	struct accepting *a = ctx;
	struct view_cluster v = { .name = "" };
	bool waited;

	memcpy(v.id, c->id, sizeof(v.id));
	ck_assert_int_eq(accept_cluster(&a->cfg, &v, &waited, NULL), 0);
	a->waited += waited;
	return 0;
}

/* Fails unless one waited. */
static inline void server_accept(const char *db_path)
{
	struct accepting a = { .waited = 0 };
	struct db *db = NULL;

	snprintf(a.cfg.db_path, sizeof(a.cfg.db_path), "%s", db_path);
	ck_assert_int_eq(db_open(db_path, false, NULL, &db), 0);
	ck_assert_int_eq(db_clusters(db, accept_one, &a, NULL), 0);
	db_close(db);
	ck_assert_uint_gt(a.waited, 0);
}

#endif
