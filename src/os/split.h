/* SPDX-License-Identifier: MIT */
/*
 * One process made into two, before the first byte from the network: the worker goes on without
 * root's rights, and the keeper, which keeps them, does one thing for it: what the worker asks, one
 * request at a time. The keeper treats requests as it treats the network.
 */
#ifndef MLSH_OS_SPLIT_H
#define MLSH_OS_SPLIT_H

#include "base/bytes.h"
#include "os/host.h"

struct split;

/*
 * Forks. Returns 1 in the worker, 0 in the keeper, or -errno with a message; both have *ret. No
 * watch or timer may be on the loop of `h`.
 */
int split_fork(struct host *h, struct err *err, struct split **ret) MUST_CHECK;
void split_free(struct split *s); /* NULL allowed */

/*
 * In the worker, when it has changed its user (which would undo it): the worker ends with the
 * keeper, however that ends. -ESRCH: it has ended already.
 */
int split_end_together(struct split *s) MUST_CHECK;
/*
 * In the worker: sends a request and waits for its answer. Returns what the keeper's function
 * returned, with its message; -EPIPE if the keeper is gone.
 */
int split_ask(struct split *s, struct span request, struct err *err) MUST_CHECK;
/*
 * In the keeper: answers requests of at most `max` bytes with `fn` until the worker ends, and hands
 * SIGINT, SIGTERM and SIGHUP on to it (SIGHUP unless it was ignored). After a longer request it
 * answers nothing more. Returns the worker's exit status, or 128 and the signal's number if a
 * signal ended it.
 */
int split_keep(struct split *s, size_t max, int (*fn)(void *ctx, struct span request, struct err *),
	       void *ctx);

#endif
