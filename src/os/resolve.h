/* SPDX-License-Identifier: MIT */
/*
 * Name resolution on the host's loop, the machine's own table of names included, A and AAAA.
 */
#ifndef MLSH_OS_RESOLVE_H
#define MLSH_OS_RESOLVE_H

#include "base/addr.h"
#include "os/loop.h"

#define RESOLVE_MAX 16

struct resolve;

/*
 * `err` is NULL on success, with n >= 1 addresses (port set), IPv6 and IPv4 interleaved (RFC 8305
 * section 4). Called once, never from within resolve_start.
 */
typedef void (*resolve_fn)(void *ctx, const struct err *err, const struct addr *addrs, size_t n);

/*
 * `name` may be an IP literal. Gives up after timeout_ns. The handle is freed by itself after fn
 * has returned, or by resolve_cancel before; a cancel from within fn does no harm.
 */
int resolve_start(struct host *h, const char *name, uint16_t port, uint64_t timeout_ns,
		  resolve_fn fn, void *ctx, struct err *err, struct resolve **ret) MUST_CHECK;
void resolve_cancel(struct resolve *r); /* NULL allowed */

#endif
