/* SPDX-License-Identifier: MIT */
/*
 * Errors. A function that can fail returns 0 (or a count) or a negative errno value. The sentence
 * for a person travels beside it in a `struct err`, filled in where the cause is known: what
 * failed, on what, why, what to do about it.
 */
#ifndef MLSH_BASE_ERR_H
#define MLSH_BASE_ERR_H

#include <errno.h>
#include <stdarg.h>

#include "base/macros.h"

struct err {
	int code;	/* the negative errno value returned beside it */
	int reason;	/* machine-readable cause, an `enum refusal` of proto/refusal.h, or 0 */
	char text[480]; /* a sentence or two for a person, no newline; NUL-terminated */
};

/*
 * Sets the message (and reason 0) and returns `code`, so that a caller can write
 * `return err_set(err, -EINVAL, "...")`. `err` may be NULL; arguments may be part of the old
 * message. Text that does not fit is cut. What must not reach a terminal is replaced by '?', since
 * parts of the text may come from a remote machine.
 */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with a reason, for functions that take such arguments themselves. */
int err_set_va(struct err *err, int code, int reason, const char *fmt, va_list ap)
	PRINTF_LIKE(4, 0);

/*
 * Puts "context: " in front of a message that is already there. Returns the message's code; -EIO,
 * never 0, if there is none because `err` is NULL or was not set.
 */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
