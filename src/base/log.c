/* SPDX-License-Identifier: MIT */
/* Formats log lines, makes them printable, and bounds the ones that strangers can cause. */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

#define LINE_MAX_BYTES 1024
#define SUFFIX_MAX_BYTES 48	      /* room kept for the count of lines left out */
#define LIMIT_PERIOD_DEFAULT NS_PER_S /* of a limit that was only zeroed */

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",	  [LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_TRACE] = "trace",
};

int log_level_parse(const char *text, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return (size_t)level < ARRAY_LEN(level_names) ? level_names[level] : "unknown";
}

static bool log_wants(const struct log *log, enum log_level level)
{
	return log && log->sink && level <= log->level;
}

/* Writes a line; `left_out` similar ones before it were suppressed. */
static void log_emit(const struct log *log, enum log_level level, uint32_t left_out,
		     const char *fmt, va_list ap) PRINTF_LIKE(4, 0);

static void log_emit(const struct log *log, enum log_level level, uint32_t left_out,
		     const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];

	if (vsnprintf(line, sizeof(line) - SUFFIX_MAX_BYTES, fmt, ap) < 0)
		strcpy(line, "a log line that cannot be shown");
	text_make_printable(line);
	if (left_out > 0) {
		size_t len = strlen(line);

		snprintf(line + len, sizeof(line) - len, " (%u like it left out)", left_out);
	}
	log->sink(log->ctx, level, line);
}

void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(log, level))
		return;
	va_start(ap, fmt);
	log_emit(log, level, 0, fmt, ap);
	va_end(ap);
}

/*
 * A bucket of `burst` tokens that gets one back each period. Returns false, and counts the line, if
 * it is empty.
 */
static bool log_limit_take(struct log_limit *limit, uint64_t now)
{
	uint64_t period_ns = limit->period_ns > 0 ? limit->period_ns : LIMIT_PERIOD_DEFAULT;
	uint64_t periods;

	if (now < limit->window_start)
		limit->window_start = now;
	periods = (now - limit->window_start) / period_ns;
	limit->window_start += periods * period_ns;
	limit->tokens_used -= (uint32_t)MIN(periods, limit->tokens_used);
	if (limit->tokens_used == 0)
		limit->window_start = now;
	if (limit->tokens_used >= MAX(limit->burst, 1)) {
		if (limit->suppressed < UINT32_MAX)
			limit->suppressed++;
		return false;
	}
	limit->tokens_used++;
	return true;
}

void log_limited(const struct log *log, struct log_limit *limit, uint64_t now, enum log_level level,
		 const char *fmt, ...)
{
	uint32_t left_out;
	va_list ap;

	if (!log_wants(log, level) || !log_limit_take(limit, now))
		return;
	left_out = limit->suppressed;
	limit->suppressed = 0;
	va_start(ap, fmt);
	log_emit(log, level, left_out, fmt, ap);
	va_end(ap);
}
