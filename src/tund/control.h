/* SPDX-License-Identifier: MIT */
/* The daemon's side of the local socket: who may ask what, and the answers
 * (docs/protocol/05-local.md). */
#ifndef MLSH_TUND_CONTROL_H
#define MLSH_TUND_CONTROL_H

#include "tund/daemon.h"

struct control;

int control_new(struct daemon *d, const char *socket_path, struct err *err, struct control **ret)
	MUST_CHECK;
void control_free(struct control *c); /* NULL allowed */
/* Uploads that waited for the daemon's own clusters may begin. NULL allowed. */
void control_restored(struct control *c);
/* Tells those who watch the cluster. `c` NULL is allowed: nobody is told. */
void control_changed(struct control *c, struct daemon_cluster *cluster);

#endif
