/* SPDX-License-Identifier: MIT */
/*
 * Log lines with a level, written by a sink that the owner of the `struct log` chose. No globals: a
 * log is passed along like a host. Anything that a stranger can cause is logged through
 * log_limited.
 */
#ifndef MLSH_BASE_LOG_H
#define MLSH_BASE_LOG_H

#include <stdarg.h>

#include "base/bytes.h"

/* Trace has a line for each message that a node, a peer and the server exchange. */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE
};
#define LOG_LEVELS "error, warn, info, debug or trace" /* for people */


struct log {
	enum log_level level; /* what is written: this level and those before it */
	void (*sink)(void *ctx, enum log_level level, const char *line);
	void *ctx;
};

/*
 * A place in the code (or a peer) whose lines are bounded: `burst` lines, then one a `period_ns`
 * with a count of those left out.
 */
struct log_limit {
	uint64_t period_ns; /* 0: a second */
	uint32_t burst;	    /* 0: one line */
	uint32_t tokens_used;
	uint64_t window_start; /* ns: when the last token came back */
	uint32_t suppressed;   /* since the last line written */
};

/* "error", "warn", "info", "debug", "trace"; -EINVAL. */
int log_level_parse(const char *text, enum log_level *ret) MUST_CHECK;
const char *log_level_name(enum log_level level);
/*
 * `log` may be NULL (nothing is written). Control characters are replaced: parts may be remote
 * input.
 */
void log_write(const struct log *log, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A zeroed limit is one line a second. Lines below the log's level cost nothing. */
void log_limited(const struct log *log, struct log_limit *limit, uint64_t now, enum log_level level,
		 const char *fmt, ...) PRINTF_LIKE(5, 6);

#define log_error(log, ...) log_write((log), LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(log, ...) log_write((log), LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write((log), LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_trace(log, ...) log_write((log), LOG_LEVEL_TRACE, __VA_ARGS__)

#endif
