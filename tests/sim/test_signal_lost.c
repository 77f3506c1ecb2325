/* SPDX-License-Identifier: MIT */
/*
 * Records that a restored server has signed and lacks, when clocks are wrong or an admin is hostile:
 * it orders nothing in their places, and what it waits for comes to an end.
 */
#include "restored_kit.h"

static struct raw *founder, *member, *lost, *old;

/* `founder` and `member` know the log as the copy has it, and some time passes. */
static void begin(uint64_t pass_s)
{
	sig_start(&g);
	founder = raw_founder(&g);
	member = raw_member(founder, "member");
	raw_fetch(founder);
	keep_copy();
	raw_hang_up(founder);
	raw_hang_up(member);
	sim_pass(g.w, pass_s * NS_PER_S);
	raw_session(founder);
}

/* A record that the copy lacks: only `lost` has it, and `founder` if it fetches. */
static void lose_a_record(void)
{
	lost = raw_member(founder, "lost");
	raw_hang_up(lost);
}

static void end(void)
{
	if (old)
		raw_free(old);
	if (lost)
		raw_free(lost);
	raw_free(member);
	raw_free(founder);
	old = lost = NULL;
	sig_stop(&g);
}

/* --- hostile admins --------------------------------------------------------------------------- */

static unsigned lines;

static void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	lines += level <= LOG_LEVEL_WARN && strstr(line, "still waits") != NULL;
}

/* An admin whose head the server cannot have begins session after session. */
START_TEST(the_log_is_not_flooded_by_admins)
{
	begin(1);
	lose_a_record();
	raw_fetch(founder);
	put_back();
	lines = 0;
	host_log(g.h)->sink = count_line;
	for (int i = 0; i < 20; i++)
		raw_session(founder);
	ck_assert_uint_ge(lines, 1);
	ck_assert_uint_le(lines, 5);
	end();
}
END_TEST

UNIT_MAIN("signal/lost", the_log_is_not_flooded_by_admins)
