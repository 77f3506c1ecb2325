/* SPDX-License-Identifier: MIT */
/*
 * The service manager that started this process and watches it: it learns when the service serves,
 * a line on what it does, and that it lives. Started by anybody else, a process has no manager, and
 * all of this does nothing.
 */
#ifndef MLSH_OS_MANAGER_H
#define MLSH_OS_MANAGER_H

#include "os/host.h"

#define MANAGER_STATUS_MAX 200

struct manager;

/* Writes one line for a person, without secrets and names: every user of the machine sees it. */
typedef void (*manager_status_fn)(void *ctx, char out[MANAGER_STATUS_MAX]);

/*
 * Call it before privileges are given up: afterwards the manager's socket cannot be reached.
 * The loop asks `status` from manager_ready on. Returns NULL without a service manager, or if it
 * cannot be reached, which is logged; all functions below take NULL.
 */
struct manager *manager_new(struct host *h, manager_status_fn status, void *ctx);
/*
 * It does not serve yet, and gets on: the manager gives it five minutes more for the next part of
 * its start, however long that takes altogether.
 */
void manager_starting(struct manager *m);
/*
 * The service serves, or has read its configuration again. From here on the manager hears from the
 * loop as often as it asked to: one that stays silent for too long is ended and started again.
 */
void manager_ready(struct manager *m);
/* The line may be another one now: the manager learns it within a second. */
void manager_touch(struct manager *m);
/* The configuration is being read again; manager_ready ends it. */
void manager_reloading(struct manager *m);
void manager_stopping(struct manager *m);
void manager_free(struct manager *m);

#endif
