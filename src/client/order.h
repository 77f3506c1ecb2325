/* SPDX-License-Identifier: MIT */
/*
 * Has the server order one entry over a session of its own: for a command on a machine where no
 * daemon has the cluster connected. What the server has to show is taken into the log first.
 */
#ifndef MLSH_CLIENT_ORDER_H
#define MLSH_CLIENT_ORDER_H

#include "client/session.h"

#define ORDER_WAIT (10 * NS_PER_S)

struct ordered;

struct order_params {
	const struct cluster_file *cluster; /* copied */
	const struct identity *identity;
	struct mlog *log; /* grows, also if the entry is refused */
	/* Makes the entry once the log is as new as the server's; its error is the result. */
	session_make_fn make;
	/*
	 * Called once, from the loop: `err` is NULL when the record is in the log. The order is not
	 * to be freed within it.
	 */
	void (*done)(void *ctx, const struct err *err);
	void *ctx;
};

/* Identity and log outlive the order. -ENOMEM; as quic_socket_open. */
int order_start(struct host *h, const struct order_params *p, struct err *err, struct ordered **ret)
	MUST_CHECK;
void order_free(struct ordered *o); /* NULL allowed */

#endif
