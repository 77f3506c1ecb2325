/* SPDX-License-Identifier: MIT */
/*
 * What a server knows of records that it has signed and lacks, or of a second log that it has
 * signed: it keeps that over restarts, writes that fail and copies of the file alone, and a
 * recovery or the operator ends it for good.
 */
#include <sqlite3.h>

#include "accept_kit.h"
#include "restored_kit.h"
#include "signal/operator.h"

static sqlite3 *beside;

static void sql(const char *statement)
{
	char *message = NULL;

	if (!beside)
		ck_assert_int_eq(sqlite3_open(restored_g.cfg.db_path, &beside), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(beside, statement, NULL, NULL, &message) == SQLITE_OK, "%s: %s",
		      statement, message);
}

static void end_sql(void)
{
	sqlite3_close(beside);
	beside = NULL;
}

/* From now on a commit that stores a record fails, as with a full disk. */
static void fail_commits(void)
{
	sql("CREATE TABLE parent (x INTEGER PRIMARY KEY);"
	    "CREATE TABLE child (x REFERENCES parent (x) DEFERRABLE INITIALLY DEFERRED);"
	    "CREATE TRIGGER fails AFTER INSERT ON record BEGIN INSERT INTO child VALUES (1); END");
}

static int first_number(sqlite3 *s, const char *query)
{
	sqlite3_stmt *stmt = NULL;
	int n;

	ck_assert_int_eq(sqlite3_prepare_v2(s, query, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static int number(const char *query)
{
	sql("SELECT 1");
	return first_number(beside, query);
}

/*
 * Out of a copy of the database's file alone, as cp makes it. Only while this process has not had
 * another connection to the database since the server's start: SQLite keeps its descriptor, and
 * nothing is moved into the file then for 30 s.
 */
static int number_in_copy(const char *query)
{
	sqlite3 *s = NULL;
	char copy[600];
	int n;

	snprintf(copy, sizeof(copy), "%s.alone", restored_g.cfg.db_path);
	sig_copy(restored_g.cfg.db_path, copy);
	ck_assert_int_eq(sqlite3_open(copy, &s), SQLITE_OK);
	n = first_number(s, query);
	sqlite3_close(s);
	snprintf(copy, sizeof(copy), "%s.alone-wal", restored_g.cfg.db_path);
	unlink(copy);
	snprintf(copy, sizeof(copy), "%s.alone-shm", restored_g.cfg.db_path);
	unlink(copy);
	snprintf(copy, sizeof(copy), "%s.alone", restored_g.cfg.db_path);
	unlink(copy);
	return n;
}

static uint64_t mark_count(void)
{
	struct mark_value v;

	ck_assert_int_eq(mark_file_get(restored_g.h, restored_g.cfg.db_path, &v), 0);
	return v.count;
}

static const char *line_wanted;
static unsigned lines;

static void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	lines += strstr(line, line_wanted) != NULL;
}

static void count_lines(const char *wanted)
{
	lines = 0;
	line_wanted = wanted;
	host_log(restored_g.h)->sink = count_line;
}

/* What `mlsh-signal clusters` prints; fails if that has lines of more than 80 columns. */
static const char *clusters_shown(bool json)
{
	static char text[4096];
	struct view v = { .host = restored_g.h };
	int out = dup(STDOUT_FILENO);
	FILE *to = tmpfile();
	struct err err;
	size_t n;

	ck_assert(out >= 0 && to);
	fflush(stdout);
	ck_assert_int_ge(dup2(fileno(to), STDOUT_FILENO), 0);
	ck_assert_int_eq(view_open(restored_g.h, &restored_g.cfg, &v, &err), 0);
	ck_assert_int_eq(operator_clusters(&v, json, &err), 0);
	view_close(&v);
	fflush(stdout);
	ck_assert_int_ge(dup2(out, STDOUT_FILENO), 0);
	close(out);
	rewind(to);
	n = fread(text, 1, sizeof(text) - 1, to);
	fclose(to);
	text[n] = '\0';
	for (const char *line = text; !json && *line; line += strcspn(line, "\n") + 1)
		ck_assert_uint_le(strcspn(line, "\n"), 80);
	for (char *at = text; (at = strchr(at, '\n')) != NULL;) /* as one line, for strstr */
		*at = ' ';
	return text;
}

static bool clusters_show(bool json, const char *wanted)
{
	return strstr(clusters_shown(json), wanted) != NULL;
}

/* --- records that it lacks -------------------------------------------------------------------- */

/* It does not wait, since it could not notice: the whole machine was put back. */
START_TEST(a_beacon_makes_it_wait)
{
	struct beacon_bytes b;
	struct raw *founder, *old = restored_admin_of_then(&founder, &b);
	uint64_t mark;

	restored_put_back_whole();
	raw_session(old);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	mark = mark_count();
	ck_assert_int_eq(restored_show_beacon(old, &b), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	ck_assert_int_eq(number_in_copy("SELECT seq FROM waiting"), 2);
	ck_assert_uint_gt(mark_count(), mark);
	ck_assert(clusters_show(true, "\"waiting\":true,\"lacks\":2,\"parted\":false"));
	ck_assert(clusters_show(false, "without record 2"));

	restored_restart(); /* which forgets the beacon, and not the record */
	raw_session(old);
	restored_wait_for_beacons();
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	ck_assert_ptr_nonnull(strstr(restored_joiner_text, "lacks record 2 "));
	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	ck_assert(clusters_show(true, "\"waiting\":false,\"lacks\":null,\"parted\":false"));
	raw_free(old);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/*
 * An admin has records that nobody else has, and shows one after the other. Each of them was
 * ordered before the operator said to go on, so none counts; what comes later does.
 */
/* [P3-62] */
START_TEST(what_is_accepted_is_accepted_for_good)
{
	struct beacon_bytes one, two, later;
	struct raw *founder, *old = restored_admin_of_then(&founder, &one);

	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_NONE);
	raw_session(founder);
	restored_wait_for_beacons();
	raw_free(raw_member(founder, "lost2"));
	raw_fetch(founder);
	two = restored_beacon_of(founder);
	restored_put_back_whole();
	raw_session(old);
	ck_assert_int_eq(restored_show_beacon(old, &one), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	server_accept(restored_g.h, restored_g.cfg.db_path);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	sim_pass(restored_g.w, 15 * NS_PER_S);
	ck_assert(!restored_g.s->any_waits);
	ck_assert_int_eq(restored_show_beacon(old, &two), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	restored_restart();
	raw_session(old);
	ck_assert_int_eq(restored_show_beacon(old, &two), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);

	/* a snapshot of after that */
	restored_keep_copy();
	raw_session(old);
	raw_free(raw_member(old, "more"));
	raw_hang_up(old);
	raw_session(old);
	raw_fetch(old);
	later = restored_beacon_of(old);
	restored_put_back_whole();
	raw_session(old);
	ck_assert_int_eq(restored_show_beacon(old, &later), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	raw_free(old);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* A beacon makes the server wait, and the row that says so cannot be written. */
static void wait_unwritten(struct raw *old, const struct beacon_bytes *b)
{
	restored_put_back_whole();
	raw_session(old);
	sql("CREATE TRIGGER fails BEFORE INSERT ON waiting BEGIN SELECT RAISE (ABORT, 'no'); END");
	ck_assert_int_eq(restored_show_beacon(old, b), REFUSAL_NONE);
	sim_pass(restored_g.w, NS_PER_S);
}

/* The server waits all the same; the operator's word counts, though there is no row to delete. */
START_TEST(a_wait_that_cannot_be_written_can_be_ended)
{
	struct beacon_bytes b;
	struct raw *founder, *old = restored_admin_of_then(&founder, &b);

	wait_unwritten(old, &b);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	ck_assert_uint_eq(server_accept_any(restored_g.h, restored_g.cfg.db_path), 0);
	count_lines("the server goes on from there"); /* it would wait again, for an admin */
	sql("DROP TRIGGER fails");
	end_sql();
	sim_pass(restored_g.w, 15 * NS_PER_S);
	ck_assert_uint_eq(lines, 0);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	restored_restart();
	raw_session(old);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	raw_free(old);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* The same, and the disk has room again: the row follows by itself. */
START_TEST(a_wait_is_written_later)
{
	struct beacon_bytes b;
	struct raw *founder, *old = restored_admin_of_then(&founder, &b);

	wait_unwritten(old, &b);
	sql("DROP TRIGGER fails");
	sim_pass(restored_g.w, 15 * NS_PER_S);
	ck_assert_int_eq(number("SELECT count(*) FROM waiting"), 1);
	end_sql();
	restored_restart();
	raw_session(old);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	raw_free(old);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* The wait ends in one transaction with the join that ends it, and that one fails. */
START_TEST(a_wait_whose_end_is_undone_ends_later)
{
	struct beacon_bytes b;
	struct raw *founder, *old = restored_admin_of_then(&founder, &b);
	struct raw_invite i = raw_invite(old);
	struct raw *joiner = raw_new(&restored_g);
	struct entry_bytes e = raw_admit_entry(joiner, &i, "joiner");
	struct signal_request rq = { .type = SIGNAL_ADMIT, .entry = span_of(e.data, e.len) };
	struct signal_reply reply;

	raw_session(old);
	raw_adopt_begin(joiner, &i);
	sim_pass(restored_g.w, 4 * NS_PER_S);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	ck_assert(strstr(restored_joiner_text, "try again in 4 s") ||
		  strstr(restored_joiner_text, "again in 5 s"));
	sql("BEGIN IMMEDIATE");
	fail_commits();
	count_lines("the server goes on from there");
	sim_pass(restored_g.w, 5 * NS_PER_S);
	raw_send(joiner, &rq);
	sim_pass(restored_g.w, NS_PER_S / 4);
	sql("COMMIT");
	ck_assert_int_eq(raw_reply(joiner, SIGNAL_ADMIT, &reply), REFUSAL_INTERNAL);
	ck_assert_int_eq(number("SELECT count(*) FROM waiting"), 1);
	ck_assert_uint_eq(lines, 0);
	sql("DROP TRIGGER fails");
	sim_pass(restored_g.w, 15 * NS_PER_S);
	ck_assert_uint_eq(lines, 1);
	ck_assert_int_eq(number("SELECT count(*) FROM waiting"), 0);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	end_sql();
	raw_free(joiner);
	raw_free(old);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* --- two logs --------------------------------------------------------------------------------- */

static struct raw *founder, *member, *old;

/* `founder` has one log of the server's, `old` the other, which the server has. */
static void part(void)
{
	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	member = raw_member(founder, "member");
	raw_fetch(founder);
	restored_keep_copy();
	raw_session(founder);
	ck_assert_int_eq(restored_renames(founder, member, "ours"), REFUSAL_NONE);
	raw_fetch(founder);
	restored_put_back();
	server_accept(restored_g.h, restored_g.cfg.db_path);
	restored_restart();
	old = raw_clone(founder);
	old->log = NULL;
	raw_session(old);
	raw_fetch(old);
	ck_assert_int_eq(restored_renames(old, member, "theirs"), REFUSAL_NONE);
	raw_fetch(old);
}

static void end(void)
{
	raw_free(old);
	raw_free(member);
	raw_free(founder);
	sig_stop(&restored_g);
}

/* Of the founder's, which the server has signed, too. */
static void show_other_log(void)
{
	raw_hang_up(old);
	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_UNKNOWN_HEAD);
	raw_hang_up(founder);
	raw_session(old);
}

/* The operator let it go on too soon. It orders nothing more, and says why at each start. */
/* [P3-58] */
START_TEST(two_logs_are_remembered)
{
	uint64_t mark;

	part();
	mark = mark_count();
	show_other_log();
	ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_UNKNOWN_HEAD);
	ck_assert_int_eq(number_in_copy("SELECT count(*) FROM parted"), 1);
	ck_assert_uint_gt(mark_count(), mark);
	ck_assert(clusters_show(true, "\"waiting\":false,\"lacks\":null,\"parted\":true"));
	ck_assert(clusters_show(false, "signed two logs"));
	for (int i = 0; i < 2; i++) {
		sig_crash(&restored_g);
		restored_g.h = world_host_boot(restored_g.h);
		count_lines("signed two logs of it");
		sig_open(&restored_g);
		ck_assert_uint_eq(lines, 1);
		raw_session(old);
		ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_UNKNOWN_HEAD);
	}
	end();
}
END_TEST

/* In one transaction with a join that cannot be stored. */
START_TEST(two_logs_are_remembered_though_a_write_fails)
{
	struct signal_request push = { .type = SIGNAL_PUSH };
	struct signal_reply reply;
	struct raw *joiner;
	struct raw_invite i;
	struct entry_bytes e;
	struct signal_request admit = { .type = SIGNAL_ADMIT };

	part();
	joiner = raw_new(&restored_g);
	i = raw_invite(old);
	raw_adopt_begin(joiner, &i);
	e = raw_admit_entry(joiner, &i, "joiner");
	admit.entry = span_of(e.data, e.len);
	raw_hang_up(old);
	raw_greet(founder);
	memcpy(push.node_token, founder->token, HASH_LEN);
	mlog_page(founder->log, 0, &push.entries);
	sql("BEGIN IMMEDIATE");
	fail_commits();
	raw_send(joiner, &admit);
	sim_pass(restored_g.w, NS_PER_S / 4);
	raw_send(founder, &push);
	sim_pass(restored_g.w, NS_PER_S / 4);
	sql("COMMIT");
	ck_assert_int_eq(raw_reply(joiner, SIGNAL_ADMIT, &reply), REFUSAL_INTERNAL);
	ck_assert_int_ne(raw_reply(founder, SIGNAL_PUSH, &reply), REFUSAL_NONE);
	sql("DROP TRIGGER fails");
	raw_hang_up(founder);
	sim_pass(restored_g.w, 15 * NS_PER_S);
	ck_assert_int_eq(number("SELECT count(*) FROM parted"), 1);
	end_sql();
	restored_restart();
	raw_session(old);
	ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_UNKNOWN_HEAD);
	raw_free(joiner);
	end();
}
END_TEST

/* It could be so; to order on could not be undone. */
START_TEST(what_cannot_be_read_is_taken_for_two_logs)
{
	part();
	sql("ALTER TABLE parted RENAME TO lost");
	end_sql();
	restored_restart();
	raw_session(old);
	ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_UNKNOWN_HEAD);
	end();
}
END_TEST

static enum refusal recovers(void)
{
	struct entry_bytes e = raw_recover_entry(old, founder, mlog_head(old->log).seq, old);
	struct signal_reply reply;

	return raw_recover(old, &e, &reply);
}

/* A recovery that fails changes nothing of it; one that is stored ends it, also for a new start. */
START_TEST(a_recovery_ends_two_logs)
{
	part();
	show_other_log();
	fail_commits();
	ck_assert_int_eq(recovers(), REFUSAL_INTERNAL);
	ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_UNKNOWN_HEAD);
	ck_assert_int_eq(number("SELECT count(*) FROM parted"), 1);
	sql("DROP TRIGGER fails");
	ck_assert_int_eq(recovers(), REFUSAL_NONE);
	ck_assert_int_eq(number("SELECT count(*) FROM parted"), 0);
	end_sql();
	raw_fetch(old);
	ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_NONE);
	restored_restart();
	raw_session(old);
	raw_fetch(old);
	ck_assert_int_eq(restored_renames(old, member, "and-more"), REFUSAL_NONE);
	end();
}
END_TEST

/* The same recovery, which follows the server's last record, out of a node's log. */
START_TEST(a_recovery_that_a_node_brings_ends_two_logs)
{
	part();
	show_other_log();
	restored_keep_copy();
	raw_session(old);
	ck_assert_int_eq(recovers(), REFUSAL_NONE);
	raw_fetch(old);
	restored_put_back_whole();
	raw_session(old);
	ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_UNKNOWN_HEAD);
	ck_assert_int_eq(restored_push_all(old), REFUSAL_NONE);
	ck_assert_int_eq(restored_renames(old, member, "more"), REFUSAL_NONE);
	restored_restart();
	raw_session(old);
	raw_fetch(old);
	ck_assert_int_eq(restored_renames(old, member, "and-more"), REFUSAL_NONE);
	end();
}
END_TEST

UNIT_MAIN("signal/waits", a_beacon_makes_it_wait, what_is_accepted_is_accepted_for_good,
	  a_wait_that_cannot_be_written_can_be_ended, a_wait_is_written_later,
	  a_wait_whose_end_is_undone_ends_later, two_logs_are_remembered,
	  two_logs_are_remembered_though_a_write_fails, what_cannot_be_read_is_taken_for_two_logs,
	  a_recovery_ends_two_logs, a_recovery_that_a_node_brings_ends_two_logs)
