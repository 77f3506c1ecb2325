/* SPDX-License-Identifier: MIT */
/* Tests of base/log.h: what is written, and that strangers cannot fill the log. */
#include "base/log.h"

#include <errno.h>

#include "unit.h"

struct lines {
	int count;
	enum log_level level;
	char last[2048];
};

static void lines_add(void *ctx, enum log_level level, const char *line)
{
	struct lines *l = ctx;

	l->count++;
	l->level = level;
	snprintf(l->last, sizeof(l->last), "%s", line);
}

static struct log log_to(struct lines *l, enum log_level level)
{
	*l = (struct lines){ .count = 0 };
	return (struct log){ .level = level, .sink = lines_add, .ctx = l };
}

START_TEST(levels_have_names)
{
	static const char *const bad[] = { "", "Error", "errors", "warning", "2", " info" };
	enum log_level level = LOG_LEVEL_DEBUG;

	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_TRACE; i++) {
		ck_assert_int_eq(log_level_parse(log_level_name((enum log_level)i), &level), 0);
		ck_assert_int_eq((int)level, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_int_eq(log_level_parse(bad[i], &level), -EINVAL);
		ck_assert_int_eq(level, LOG_LEVEL_TRACE);
	}
	ck_assert_str_eq(log_level_name((enum log_level)99), "unknown");
}
END_TEST

START_TEST(only_wanted_levels_are_written)
{
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_WARN);

	log_error(&log, "no %s", "route");
	ck_assert_str_eq(l.last, "no route");
	ck_assert_int_eq(l.level, LOG_LEVEL_ERROR);
	log_warn(&log, "slow");
	ck_assert_int_eq(l.count, 2);
	ck_assert_int_eq(l.level, LOG_LEVEL_WARN);
	log_info(&log, "quiet");
	log_debug(&log, "quiet");
	log_trace(&log, "quiet");
	ck_assert_int_eq(l.count, 2);
	log.level = LOG_LEVEL_TRACE;
	log_trace(&log, "each message");
	ck_assert_str_eq(l.last, "each message");
}
END_TEST

START_TEST(a_log_that_is_not_there_takes_everything)
{
	struct log_limit limit = { 0 };
	struct log log = { .level = LOG_LEVEL_DEBUG };

	log_error(NULL, "nobody reads %d", 1);
	log_limited(NULL, &limit, 0, LOG_LEVEL_ERROR, "nobody reads %d", 1);
	log_error(&log, "nobody reads %d", 1);
	ck_assert_uint_eq(limit.tokens_used, 0);
}
END_TEST

START_TEST(lines_are_printable_and_bounded)
{
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_INFO);
	char text[4000];

	log_info(&log, "peer \"%s\"", "x\n<0>forged\x1b[1m");
	ck_assert_str_eq(l.last, "peer \"x?<0>forged?[1m\"");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info(&log, "%s", text);
	ck_assert_uint_gt(strlen(l.last), 500);
	ck_assert_uint_lt(strlen(l.last), 1024);
}
END_TEST

START_TEST(limit_lets_a_burst_pass_and_counts_the_rest)
{
	struct log_limit limit = { .period_ns = NS_PER_S, .burst = 3 };
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_INFO);

	for (int i = 0; i < 10; i++)
		log_limited(&log, &limit, 5, LOG_LEVEL_WARN, "bad packet %d", i);
	ck_assert_int_eq(l.count, 3);
	ck_assert_str_eq(l.last, "bad packet 2");
	log_limited(&log, &limit, 5 + NS_PER_S - 1, LOG_LEVEL_WARN, "bad packet");
	ck_assert_int_eq(l.count, 3);
	log_limited(&log, &limit, 5 + NS_PER_S, LOG_LEVEL_WARN, "bad packet");
	ck_assert_int_eq(l.count, 4);
	ck_assert_str_eq(l.last, "bad packet (8 like it left out)");
	log_limited(&log, &limit, 5 + NS_PER_S, LOG_LEVEL_WARN, "bad packet");
	ck_assert_int_eq(l.count, 4);
	log_limited(&log, &limit, 5 + 2 * NS_PER_S, LOG_LEVEL_WARN, "bad packet");
	ck_assert_str_eq(l.last, "bad packet (1 like it left out)");
}
END_TEST

START_TEST(limit_recovers_after_a_pause_and_not_beyond_the_burst)
{
	struct log_limit limit = { .period_ns = NS_PER_S, .burst = 2 };
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_INFO);

	for (int i = 0; i < 5; i++)
		log_limited(&log, &limit, 0, LOG_LEVEL_WARN, "x");
	for (int i = 0; i < 5; i++)
		log_limited(&log, &limit, 3600 * NS_PER_S, LOG_LEVEL_WARN, "x");
	ck_assert_int_eq(l.count, 4);
	ck_assert_str_eq(l.last, "x");
}
END_TEST

START_TEST(a_zeroed_limit_is_a_line_a_second)
{
	struct log_limit limit = { 0 };
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_INFO);

	for (uint64_t now = 0; now < 10 * NS_PER_S; now += NS_PER_S / 10)
		log_limited(&log, &limit, now, LOG_LEVEL_WARN, "x");
	ck_assert_int_eq(l.count, 10);
}
END_TEST

START_TEST(limit_survives_odd_clocks)
{
	struct log_limit limit = { .period_ns = 1, .burst = 1 };
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_INFO);

	log_limited(&log, &limit, TIME_NEVER, LOG_LEVEL_WARN, "x");
	log_limited(&log, &limit, 0, LOG_LEVEL_WARN, "x");
	ck_assert_int_eq(l.count, 1);
	log_limited(&log, &limit, TIME_NEVER, LOG_LEVEL_WARN, "x");
	ck_assert_int_eq(l.count, 2);
}
END_TEST

START_TEST(unwanted_lines_use_up_no_limit)
{
	struct log_limit limit = { .period_ns = NS_PER_S, .burst = 1 };
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_WARN);

	log_limited(&log, &limit, 0, LOG_LEVEL_DEBUG, "x");
	log_limited(&log, &limit, 0, LOG_LEVEL_WARN, "y");
	ck_assert_int_eq(l.count, 1);
	ck_assert_str_eq(l.last, "y");
}
END_TEST

START_TEST(count_is_shown_behind_the_longest_line)
{
	struct log_limit limit = {
		.period_ns = 1,
		.burst = 1,
		.tokens_used = 1,
		.suppressed = UINT32_MAX,
	};
	struct lines l;
	struct log log = log_to(&l, LOG_LEVEL_WARN);
	char text[4000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_limited(&log, &limit, 0, LOG_LEVEL_WARN, "%s", text);
	ck_assert_int_eq(l.count, 0);
	log_limited(&log, &limit, 10, LOG_LEVEL_WARN, "%s", text);
	ck_assert_ptr_nonnull(strstr(l.last, "xx (4294967295 like it left out)"));
}
END_TEST

UNIT_MAIN("base/log", levels_have_names, only_wanted_levels_are_written,
	  a_log_that_is_not_there_takes_everything, lines_are_printable_and_bounded,
	  limit_lets_a_burst_pass_and_counts_the_rest,
	  limit_recovers_after_a_pause_and_not_beyond_the_burst, a_zeroed_limit_is_a_line_a_second,
	  limit_survives_odd_clocks, unwanted_lines_use_up_no_limit,
	  count_is_shown_behind_the_longest_line)
