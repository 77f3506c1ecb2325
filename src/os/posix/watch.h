/* SPDX-License-Identifier: MIT */
/*
 * Descriptors in the event loop, for os/posix and the systems that use it: a system with another
 * kind of loop has another os/posix, or none.
 */
#ifndef MLSH_OS_POSIX_WATCH_H
#define MLSH_OS_POSIX_WATCH_H

#include "os/loop.h"

struct fd_watch;

/*
 * Calls fn while the descriptor can be read or written, as asked. Returns NULL without memory, or
 * if the descriptor cannot be watched.
 */
struct fd_watch *fd_watch_new(struct host *h, int fd, bool read, bool write, loop_fn fn, void *ctx);
void fd_watch_set(struct fd_watch *w, bool read, bool write);
void fd_watch_free(struct fd_watch *w); /* does not close the descriptor; NULL allowed */

/* What made the callback of a watch run; an error on the descriptor counts as both. */
bool fd_watch_is_readable(const struct fd_watch *w);
bool fd_watch_is_writable(const struct fd_watch *w);

#endif
