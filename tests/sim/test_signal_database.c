/* SPDX-License-Identifier: MIT */
/*
 * The server and its database: many joins share a transaction, another program's lock stops
 * nothing but what writes, and nobody hears of what was not committed.
 */
#include <sqlite3.h>

#include "signal/caller.h"
#include "signal/token.h"
#include "signal_steps.h"

#define JOINERS 12

static struct sig g;

static sqlite3 *open_beside(void)
{
	sqlite3 *s = NULL;

	ck_assert_int_eq(sqlite3_open(g.cfg.db_path, &s), SQLITE_OK);
	return s;
}

static void sql(sqlite3 *s, const char *statement)
{
	char *message = NULL;
	int r = sqlite3_exec(s, statement, NULL, NULL, &message);

	ck_assert_msg(r == SQLITE_OK, "%s: %s", statement, message);
}

static struct raw *member(struct raw *sponsor, const char *name)
{
	struct raw_invite i = raw_invite(sponsor);
	struct raw *r = raw_new(&g);

	raw_adopt(r, &i, name);
	return r;
}

static void send_admit(struct raw *r, const struct entry_bytes *b)
{
	struct signal_request rq = { .type = SIGNAL_ADMIT, .entry = span_of(b->data, b->len) };

	raw_send(r, &rq);
}

/* The write lock is another program's for five seconds: joiners wait, the others do not. */
START_TEST(a_locked_database_delays_what_writes_and_nothing_else)
{
	struct signal_request candidates = { .type = SIGNAL_CANDIDATES };
	struct raw *founder, *other, *joiner, *late;
	struct raw_invite invite, invite_late;
	struct signal_reply reply;
	struct entry_bytes entry;
	sqlite3 *beside;
	unsigned told;
	uint64_t begin;

	sig_start(&g);
	founder = raw_founder(&g);
	other = member(founder, "other");
	invite = raw_invite(founder);
	invite_late = raw_invite(founder);
	joiner = raw_new(&g);
	raw_adopt_begin(joiner, &invite);
	raw_session(other);
	ck_assert_int_eq(raw_subscribe(other, &reply), REFUSAL_NONE);
	raw_fetch(other);
	told = other->log_entries;

	beside = open_beside();
	sql(beside, "BEGIN IMMEDIATE");
	entry = raw_admit_entry(joiner, &invite, "joiner");
	send_admit(joiner, &entry);
	begin = clock_now(g.h);
	for (int i = 0; i < 20; i++) {
		sim_pass(g.w, 200 * NS_PER_MS);
		ck_assert_int_eq(raw_ask(other, &candidates, &reply), REFUSAL_NONE);
	}
	ck_assert(!joiner->answered);
	ck_assert_uint_lt(clock_now(g.h) - begin, 6 * NS_PER_S);
	ck_assert_uint_eq(other->log_entries, told); /* nobody hears of it */
	late = raw_new(&g);
	raw_adopt_begin(late, &invite_late); /* what only reads is answered */
	sql(beside, "ROLLBACK");
	ck_assert_int_eq(raw_reply(joiner, SIGNAL_ADMIT, &reply), REFUSAL_NONE);
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(other->log_entries, told + 1);

	/* held for too long: said in words, and the same request is good later */
	sql(beside, "BEGIN IMMEDIATE");
	entry = raw_admit_entry(late, &invite_late, "late");
	ck_assert_int_eq(raw_admit(late, &entry, &reply), REFUSAL_INTERNAL);
	ck_assert_ptr_nonnull(memmem(reply.text.data, reply.text.len, "locked", 6));
	sql(beside, "ROLLBACK");
	ck_assert_int_eq(raw_admit(late, &entry, &reply), REFUSAL_NONE);
	sqlite3_close(beside);
	raw_free(late);
	raw_free(joiner);
	raw_free(other);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

/* A connection that ends while its request waits takes it along. */
START_TEST(a_waiting_request_ends_with_its_connection)
{
	struct raw *founder, *joiner, *again;
	struct raw_invite invite;
	struct entry_bytes entry;
	sqlite3 *beside;

	sig_start(&g);
	founder = raw_founder(&g);
	invite = raw_invite(founder);
	joiner = raw_new(&g);
	raw_adopt_begin(joiner, &invite);
	beside = open_beside();
	sql(beside, "BEGIN IMMEDIATE");
	entry = raw_admit_entry(joiner, &invite, "joiner");
	send_admit(joiner, &entry);
	sim_pass(g.w, NS_PER_S);
	raw_hang_up(joiner);
	sim_pass(g.w, NS_PER_S);
	sql(beside, "ROLLBACK");
	sqlite3_close(beside);
	sim_pass(g.w, NS_PER_S);
	again = raw_clone(founder);
	raw_session(again);
	raw_fetch(again);
	ck_assert_uint_eq(mlog_count(again->log), 1);
	raw_free(again);
	raw_free(joiner);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

/* In clusters of their own: all in one transaction. */
START_TEST(requests_that_come_together_are_stored_together)
{
	struct raw *founder[JOINERS], *joiner[JOINERS];
	struct raw_invite invite[JOINERS];
	struct entry_bytes entry[JOINERS];
	char code[BOOTSTRAP_CODE_TEXT_MAX], name[24], subnet[24], token[SETUP_TOKEN_TEXT_MAX];
	struct signal_reply reply;
	uint8_t cert[HASH_LEN];
	sqlite3 *beside;

	sig_start(&g);
	for (unsigned i = 0; i < JOINERS; i++) {
		ck_assert_int_eq(token_make(g.h, &g.cfg, 0, token, NULL), 0);
		ck_assert_int_eq(setup_token_parse(token, code, cert, NULL), 0);
		snprintf(name, sizeof(name), "cluster%u", i);
		snprintf(subnet, sizeof(subnet), "10.%u.0.0/16", i);
		founder[i] = raw_new(&g);
		raw_setup(founder[i], code, name, subnet);
		joiner[i] = raw_new(&g);
		invite[i] = raw_invite(founder[i]);
		raw_adopt_begin(joiner[i], &invite[i]);
	}
	beside = open_beside();
	sql(beside, "BEGIN IMMEDIATE");
	for (unsigned i = 0; i < JOINERS; i++) {
		entry[i] = raw_admit_entry(joiner[i], &invite[i], "joiner");
		if (i % 3 == 2) /* some are wrong: refused alone */
			entry[i].data[entry[i].len - 1] ^= 1;
		send_admit(joiner[i], &entry[i]);
	}
	sim_pass(g.w, NS_PER_S);
	sql(beside, "ROLLBACK");
	for (unsigned i = 0; i < JOINERS; i++)
		ck_assert_int_eq(raw_reply(joiner[i], SIGNAL_ADMIT, &reply) == REFUSAL_NONE,
				 i % 3 != 2);
	sqlite3_close(beside);
	sig_crash(&g);
	sig_boot(&g);
	for (unsigned i = 0; i < JOINERS; i++) {
		raw_hang_up(founder[i]);
		raw_session(founder[i]);
		raw_fetch(founder[i]);
		ck_assert_uint_eq(mlog_count(founder[i]->log), i % 3 == 2 ? 1 : 2);
		raw_free(joiner[i]);
		raw_free(founder[i]);
	}
	sig_stop(&g);
}
END_TEST

static const struct mlog *servers_log(const struct raw *member)
{
	return registry_find(g.s->registry, member->cluster_id)->log;
}

/*
 * The disk is full at the commit: all are refused, nothing is kept or told, nothing that was there
 * before is thrown away, and later the same request is good.
 */
/* [P3-45] [P3-46] */
START_TEST(a_commit_that_fails_is_undone_in_memory_too)
{
	const struct mlog *before;
	struct node_id id;
	struct raw *founder, *other, *joiner;
	struct raw_invite invite;
	struct signal_reply reply;
	struct entry_bytes entry;
	unsigned told;
	sqlite3 *beside;

	sig_start(&g);
	founder = raw_founder(&g);
	other = member(founder, "other");
	raw_session(other);
	ck_assert_int_eq(raw_subscribe(other, &reply), REFUSAL_NONE);
	raw_fetch(other);
	told = other->log_entries;
	invite = raw_invite(founder);
	joiner = raw_new(&g);
	raw_adopt_begin(joiner, &invite);
	entry = raw_admit_entry(joiner, &invite, "joiner");
	/* a row of another cluster's that is missing makes the commit fail, as a full disk does */
	beside = open_beside();
	sql(beside, "CREATE TABLE parent (x INTEGER PRIMARY KEY);"
		    "CREATE TABLE child (x REFERENCES parent (x) DEFERRABLE INITIALLY DEFERRED);"
		    "CREATE TRIGGER fails AFTER INSERT ON record BEGIN "
		    "INSERT INTO child VALUES (1); END");
	before = servers_log(other);
	for (int i = 0; i < 3; i++) {
		if (i == 2) /* at the write already */
			sql(beside, "DROP TRIGGER fails; CREATE TRIGGER fails BEFORE INSERT ON "
				    "address BEGIN SELECT RAISE (ABORT, 'no'); END");
		ck_assert_int_eq(raw_admit(joiner, &entry, &reply), REFUSAL_INTERNAL);
		ck_assert_ptr_eq(servers_log(other), before);
		ck_assert_uint_eq(mlog_count(before), 2);
	}
	id = identity_node_id(joiner->id);
	ck_assert_ptr_null(roster_by_id(mlog_roster(before), &id, ROSTER_ALL));
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(other->log_entries, told);
	raw_fetch(other);
	ck_assert_uint_eq(mlog_count(other->log), 2);
	sql(beside, "DROP TRIGGER fails");
	ck_assert_int_eq(raw_admit(joiner, &entry, &reply), REFUSAL_NONE);
	ck_assert_ptr_eq(servers_log(other), before);
	raw_admitted(joiner, &reply);
	ck_assert_uint_eq(joiner->address, IP(100, 64, 0, 3)); /* none was used up */
	sim_pass(g.w, NS_PER_S);
	ck_assert_uint_eq(other->log_entries, told + 1);
	sqlite3_close(beside);
	raw_free(joiner);
	raw_free(other);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

static unsigned copy_lines;

static void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	copy_lines += strstr(line, "a copy of the database's file alone") != NULL;
}

/* A database browser that was forgotten with an old state in use. */
START_TEST(a_reader_that_stays_costs_two_seconds_once_and_one_line)
{
	struct raw *founder, *joiner;
	struct raw_invite invite;
	struct signal_reply reply;
	struct entry_bytes entry;
	sqlite3 *beside;
	uint64_t begin;

	sig_start(&g);
	founder = raw_founder(&g);
	host_log(g.h)->sink = count_line;
	beside = open_beside();
	sql(beside, "BEGIN; SELECT count(*) FROM record");
	for (unsigned i = 0; i < 2; i++) {
		invite = raw_invite(founder);
		joiner = raw_new(&g);
		raw_adopt_begin(joiner, &invite);
		entry = raw_admit_entry(joiner, &invite, i ? "b" : "a");
		begin = clock_now(g.h);
		ck_assert_int_eq(raw_admit(joiner, &entry, &reply), REFUSAL_NONE);
		ck_assert_int_eq(clock_now(g.h) - begin > NS_PER_S, i == 0);
		ck_assert_uint_lt(clock_now(g.h) - begin, 3 * NS_PER_S);
		raw_free(joiner);
		raw_hang_up(founder);
		raw_session(founder);
		raw_fetch(founder);
		sim_pass(g.w, 5 * NS_PER_S);
	}
	ck_assert_uint_eq(copy_lines, 0);
	sim_pass(g.w, 300 * NS_PER_S);
	ck_assert_uint_eq(copy_lines, 1);
	sql(beside, "ROLLBACK");
	sim_pass(g.w, 2 * NS_PER_S);
	sqlite3_close(beside);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

UNIT_MAIN("signal/database", a_locked_database_delays_what_writes_and_nothing_else,
	  a_waiting_request_ends_with_its_connection,
	  requests_that_come_together_are_stored_together,
	  a_commit_that_fails_is_undone_in_memory_too,
	  a_reader_that_stays_costs_two_seconds_once_and_one_line)
