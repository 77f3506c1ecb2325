/* SPDX-License-Identifier: MIT */
/*
 * Records that a restored server has signed and lacks, when clocks are wrong or an admin is
 * hostile: it orders nothing in their places, and what it waits for comes to an end.
 */
#include "accept_kit.h"
#include "identity/identity.h"
#include "restored_kit.h"

#define HOUR_S 3600

static struct raw *founder, *member, *lost, *old;

/* `founder` and `member` know the log as the copy has it, and some time passes. */
static void begin(uint64_t pass_s)
{
	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	member = raw_member(founder, "member");
	raw_fetch(founder);
	restored_keep_copy();
	raw_hang_up(founder);
	raw_hang_up(member);
	sim_pass(restored_g.w, pass_s * NS_PER_S);
	raw_session(founder);
}

/* A record that the copy lacks: only `lost` has it, and `founder` if it fetches. */
static void lose_a_record(void)
{
	lost = raw_member(founder, "lost");
	raw_hang_up(lost);
}

/* The founder, whose log ends where the server's does. */
static void old_admin(void)
{
	old = raw_clone(founder);
	raw_session(old);
	raw_fetch(old);
	raw_hang_up(old);
	raw_session(old);
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
	sig_stop(&restored_g);
}

/* --- clocks ----------------------------------------------------------------------------------- */

/*
 * One lost record has a good date, the next one is of years ahead, from when the server's clock was
 * wrong. The beacon that names the second proves that the place of the first was given, too.
 */
START_TEST(a_date_from_ahead_hides_no_lost_record)
{
	struct beacon_bytes b;
	struct raw *more;

	begin(1);
	lose_a_record();
	world_host_wall_skew(restored_g.h, 1800);
	more = raw_member(founder, "more");
	world_host_wall_skew(restored_g.h, 0);
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 4);
	b = restored_beacon_of(founder);
	raw_hang_up(founder);
	restored_put_back_whole();
	old_admin();
	ck_assert_uint_eq(mlog_count(old->log), 2);
	ck_assert_int_eq(restored_show_beacon(old, &b), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	ck_assert_ptr_nonnull(strstr(restored_joiner_text, "lacks record 3 "));
	restored_wait_for_beacons();
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);

	server_accept(restored_g.h, restored_g.cfg.db_path);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	sim_pass(restored_g.w, 15 * NS_PER_S);
	b = restored_beacon_of(founder);
	ck_assert_int_eq(restored_show_beacon(old, &b), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	raw_free(more);
	end();
}
END_TEST

/* Its clock stands an hour back when the admin comes, and is set right later. */
START_TEST(a_wait_ends_when_the_log_has_grown)
{
	struct signal_reply reply;

	begin(1);
	lose_a_record();
	raw_fetch(founder);
	restored_put_back();
	world_host_wall_skew(restored_g.h, -HOUR_S);
	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_AHEAD);
	ck_assert_int_eq(raw_session_ask(founder, &reply), REFUSAL_NONE);
	restored_wait_for_beacons();
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);
	world_host_wall_skew(restored_g.h, 0);
	restored_wait_for_beacons();
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);
	/* anybody brings it; the admin's session is the same */
	raw_greet(lost);
	ck_assert_int_eq(restored_push_all(lost), REFUSAL_NONE);
	restored_wait_for_beacons();
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_NONE);
	end();
}
END_TEST

/* The admin shows a log that is whole; the clock is behind it, so others cannot bring theirs. */
START_TEST(no_wait_ends_while_the_clock_is_behind_the_log)
{
	begin(1);
	lose_a_record();
	restored_put_back();
	world_host_wall_skew(restored_g.h, -HOUR_S);
	old_admin();
	restored_wait_for_beacons();
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	ck_assert_ptr_nonnull(strstr(restored_joiner_text, "minutes behind the log"));
	world_host_wall_skew(restored_g.h, 0);
	sim_pass(restored_g.w, 2 * NS_PER_S);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	end();
}
END_TEST

/*
 * The copy is older than the server's clock is behind. A node brings the lost record, or a beacon
 * that names it: both are dated ahead, and both prove that its place was given.
 */
START_TEST(what_comes_too_early_is_waited_for)
{
	for (int beacon = 0; beacon < 2; beacon++) {
		struct beacon_bytes b;

		begin(2 * HOUR_S);
		lose_a_record();
		if (beacon)
			raw_fetch(founder);
		b = restored_beacon_of(founder);
		raw_hang_up(founder);
		restored_put_back();
		world_host_wall_skew(restored_g.h, -HOUR_S);
		old_admin();
		raw_greet(lost);
		if (beacon)
			ck_assert_int_eq(restored_show_beacon(old, &b), REFUSAL_AHEAD);
		else
			ck_assert_int_eq(restored_push_all(lost), REFUSAL_AHEAD);
		restored_wait_for_beacons();
		world_host_wall_skew(restored_g.h, 0);
		sim_pass(restored_g.w, 2 * NS_PER_S);
		ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
		ck_assert_ptr_nonnull(strstr(restored_joiner_text, "lacks record 2 "));
		raw_greet(lost);
		ck_assert_int_eq(restored_push_all(lost), REFUSAL_NONE);
		ck_assert_msg(restored_asks_to_join(old) == REFUSAL_NONE, "%s",
			      restored_joiner_text);
		end();
	}
}
END_TEST

/* --- hostile admins --------------------------------------------------------------------------- */

static void promote_member(void)
{
	struct entry e = raw_entry(founder, ENTRY_PROMOTE);
	struct signal_reply reply;
	struct entry_bytes b;

	e.promote.id = identity_node_id(member->id);
	memcpy(e.promote.key_sha256, identity_key_sha256(member->id), HASH_LEN);
	b = raw_sign(founder, &e);
	ck_assert_int_eq(raw_append(founder, &b, &reply), REFUSAL_NONE);
}

/* Its removal waits, and it cannot make it wait longer by what it alone knows. */
/* [P3-63] */
START_TEST(a_denied_admin_shows_no_beacons)
{
	struct beacon_bytes known, hidden;
	struct signal_reply reply;
	struct entry_bytes removal;
	struct cluster *c;

	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	member = raw_member(founder, "member");
	promote_member();
	raw_fetch(founder);
	restored_keep_copy();
	raw_session(founder);
	removal = raw_remove_entry(founder, member);
	lose_a_record();
	raw_session(member);
	known = restored_beacon_of(member);
	raw_fetch(member);
	sim_pass(restored_g.w, 15 * NS_PER_S);
	hidden = restored_beacon_of(member);
	restored_put_back();

	c = registry_find(restored_g.s->registry, founder->cluster_id);
	raw_session(member);
	ck_assert_int_eq(restored_show_beacon(member, &known), REFUSAL_NONE);
	ck_assert_uint_gt(beacons_next(c->beacons, &(uint64_t){ 0 }).len, 0);
	raw_greet(founder);
	ck_assert_int_eq(raw_session_ask(founder, &reply), REFUSAL_NONE);
	ck_assert_int_eq(raw_append(founder, &removal, &reply), REFUSAL_RESTORED);
	ck_assert_uint_eq(beacons_next(c->beacons, &(uint64_t){ 0 }).len, 0);
	ck_assert_int_eq(restored_show_beacon(member, &hidden), REFUSAL_NOT_ALLOWED);
	restored_wait_for_beacons();
	ck_assert_int_eq(raw_append(founder, &removal, &reply), REFUSAL_NONE);
	end();
}
END_TEST

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
	restored_put_back();
	lines = 0;
	host_log(restored_g.h)->sink = count_line;
	for (int i = 0; i < 20; i++)
		raw_session(founder);
	ck_assert_uint_ge(lines, 1);
	ck_assert_uint_le(lines, 5);
	end();
}
END_TEST

UNIT_MAIN("signal/lost", a_date_from_ahead_hides_no_lost_record, a_wait_ends_when_the_log_has_grown,
	  no_wait_ends_while_the_clock_is_behind_the_log, what_comes_too_early_is_waited_for,
	  a_denied_admin_shows_no_beacons, the_log_is_not_flooded_by_admins)
