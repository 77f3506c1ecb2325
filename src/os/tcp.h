/* SPDX-License-Identifier: MIT */
/*
 * TCP connections that others open to us, over IPv4. Nothing waits: the owner is called when there
 * is something to do, and keeps buffers and limits itself.
 */
#ifndef MLSH_OS_TCP_H
#define MLSH_OS_TCP_H

#include "base/addr.h"
#include "os/loop.h"

struct tcp; /* a listener, or a connection */

/*
 * Listens at `bind`; port 0: chosen by the system. `ready` while connections wait to be accepted.
 * -EADDRINUSE, -EACCES, ... with a message.
 */
int tcp_listen(struct host *h, const struct addr *bind, loop_fn ready, void *ctx, struct err *err,
	       struct tcp **ret) MUST_CHECK;
/*
 * Takes the next connection. `ready` while it can be read or written, as tcp_watch says: read at
 * first. -EAGAIN if none waits; others: no descriptor or no memory is left.
 */
int tcp_accept(struct tcp *listener, loop_fn ready, void *ctx, struct addr *ret_from,
	       struct tcp **ret) MUST_CHECK;
/* The address that is listened at, with its port. */
struct addr tcp_local(const struct tcp *t);
/* What `ready` is called for. A listener is ready when read. */
void tcp_watch(struct tcp *t, bool read, bool write);
/* Bytes (> 0), 0: the other side sends no more; -EAGAIN: nothing waits; others: it is gone. */
int tcp_read(struct tcp *t, void *out, size_t cap) MUST_CHECK;
/* Bytes taken (> 0), at most INT_MAX; -EAGAIN: no room; others: it is gone. */
int tcp_write(struct tcp *t, const void *data, size_t len) MUST_CHECK;
void tcp_close(struct tcp *t); /* NULL allowed; from within its callbacks, too */

#endif
