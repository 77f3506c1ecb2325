/* SPDX-License-Identifier: MIT */
/*
 * One question and its answer over TCP: connects, sends, reads until the other side closes. For
 * small things on the local network, as the control point of a router.
 */
#ifndef MLSH_OS_EXCHANGE_H
#define MLSH_OS_EXCHANGE_H

#include "base/addr.h"
#include "os/loop.h"

#define EXCHANGE_REQUEST_MAX 4096
#define EXCHANGE_ANSWER_MAX 65536

struct exchange;

/*
 * The answer as far as it came: until the other side closed, EXCHANGE_ANSWER_MAX was reached or the
 * time was over; empty when nothing came. Called once, never from within exchange_start; the
 * exchange is freed after it.
 */
typedef void (*exchange_fn)(void *ctx, struct span answer);

/* -EINVAL: the request is too long. Others: no connection can be begun. */
int exchange_start(struct host *h, const struct addr *to, struct span request, uint64_t timeout_ns,
		   exchange_fn fn, void *ctx, struct exchange **ret) MUST_CHECK;
void exchange_cancel(struct exchange *x); /* NULL allowed; not from within fn */
/*
 * The last word to somebody at the end of a program: waits for the answer, which is not looked at,
 * for `timeout_ns` at most.
 */
void exchange_say(struct host *h, const struct addr *to, struct span request, uint64_t timeout_ns);

#endif
