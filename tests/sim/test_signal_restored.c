/* SPDX-License-Identifier: MIT */
/*
 * A server whose database was put back to an older copy notices it, and orders nothing in a cluster
 * until an admin of it has shown its log, or the operator says so. Ordinary restarts wait for
 * nothing.
 */
#include "accept_kit.h"
#include "restored_kit.h"

static void mark_path(char out[620])
{
	snprintf(out, 620, "%s" MARK_SUFFIX, restored_g.cfg.db_path);
}

/* [P3-59] */
START_TEST(an_older_copy_waits_for_an_admin)
{
	struct raw *founder, *member, *late;
	struct raw_invite begun;
	struct signal_reply reply;
	struct entry_bytes admit;

	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	member = raw_member(founder, "member");
	raw_fetch(founder);
	restored_keep_copy();
	raw_session(founder);
	raw_free(raw_member(founder, "lost"));
	raw_fetch(founder);
	restored_put_back();

	/* one that lacks what was lost is no help, nor is a plain node that has it */
	raw_session(member);
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);
	raw_hang_up(member);
	raw_greet(member);
	mlog_free(member->log);
	member->log = NULL;
	raw_session(member);
	raw_fetch(member);
	ck_assert_uint_eq(mlog_count(member->log), 2);
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);

	/* the admin pushes what it has, and only its session ends the wait */
	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);
	ck_assert_int_eq(raw_session_ask(founder, &reply), REFUSAL_NONE);
	restored_wait_for_beacons();
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 3);
	late = raw_new(&restored_g);
	begun = raw_invite(founder);
	raw_adopt_begin(late, &begun);
	admit = raw_admit_entry(late, &begun, "late");
	ck_assert_int_eq(raw_admit(late, &admit, &reply), REFUSAL_NONE);
	raw_admitted(late, &reply);
	ck_assert_uint_eq(late->address & 0xff, 4);
	restored_restart();
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_NONE);
	raw_free(late);
	raw_free(member);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* An admin shows a log that the server has whole, and a node that there was more. */
/* [P3-59] */
START_TEST(it_waits_for_what_a_beacon_names)
{
	struct beacon_bytes b;
	struct raw *founder, *old = restored_admin_of_then(&founder, &b);

	raw_hang_up(old);
	raw_session(old);
	sim_pass(restored_g.w, 4 * NS_PER_S);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	ck_assert_int_eq(restored_show_beacon(old, &b), REFUSAL_NONE);
	restored_wait_for_beacons();
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_RESTORED);
	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_NONE);
	ck_assert_int_eq(restored_asks_to_join(old), REFUSAL_NONE);
	raw_free(old);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* What was ordered while the clock was ahead comes back when its time has come, and no sooner. */
/* [P3-56] */
START_TEST(records_from_ahead_are_not_taken)
{
	struct signal_reply reply;
	struct raw *founder;
	size_t before;

	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	before = mlog_count(founder->log);
	restored_keep_copy();
	raw_session(founder);
	world_host_wall_skew(restored_g.h, 1800);
	raw_free(raw_member(founder, "lost"));
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), before + 1);
	world_host_wall_skew(restored_g.h, 0);
	restored_put_back();
	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_AHEAD);
	ck_assert_int_eq(raw_session_ask(founder, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.seq + 1, before);
	world_host_wall_skew(restored_g.h, 1800 - 600);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_NONE);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

static enum refusal hand_over(struct raw *r, const struct entry_bytes *b)
{
	struct signal_reply reply;
	enum refusal why = raw_append(r, b, &reply);

	sim_pass(restored_g.w, NS_PER_S);
	return why;
}

/* A removal denies without order: all sessions hear of it, later ones too, from whoever has it. */
/* [P3-79] */
START_TEST(a_removal_that_waits_is_passed_on)
{
	struct raw *founder, *member, *target, *late;
	struct entry_bytes b, forged;
	struct cluster *c;

	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	member = raw_member(founder, "member");
	target = raw_member(founder, "target");
	raw_fetch(founder);
	restored_keep_copy();
	raw_session(founder);
	b = raw_remove_entry(founder, target);
	raw_free(raw_member(founder, "lost"));
	restored_put_back();

	c = registry_find(restored_g.s->registry, founder->cluster_id);
	raw_online(member);
	raw_online(target);
	forged = b;
	forged.data[forged.len - 1] ^= 1;
	ck_assert_int_ne(hand_over(member, &forged), REFUSAL_NONE);
	ck_assert_ptr_null(c->removals);
	ck_assert_uint_eq(target->removal_events, 0);
	for (unsigned i = 0; i < 3; i++) /* told once, though all that hold it ask for its order */
		ck_assert_int_eq(hand_over(member, &b), REFUSAL_RESTORED);
	ck_assert_uint_eq(denials_count(c->removals), 1);
	ck_assert_uint_eq(restored_g.s->n_removals, 1);
	ck_assert_uint_eq(member->removal_events, 1);
	ck_assert_uint_eq(target->removal_events, 1);
	late = raw_clone(target);
	late->log = NULL;
	raw_online(late);
	ck_assert_uint_eq(late->removal_events, 1);

	/* an admin's session ends the wait; what was put in order is kept no longer */
	raw_greet(founder);
	ck_assert_int_eq(restored_push_all(founder), REFUSAL_NONE);
	raw_session(founder);
	restored_wait_for_beacons();
	ck_assert_int_eq(hand_over(member, &b), REFUSAL_NONE);
	ck_assert_ptr_null(c->removals);
	ck_assert_uint_eq(restored_g.s->n_removals, 0);
	raw_free(late);
	raw_free(target);
	raw_free(member);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* It is in the database, so that restarts do not end it. What an admin does waits, too. */
/* [P3-60] */
START_TEST(the_wait_is_kept_until_the_operator_says_so)
{
	struct signal_request rq = { .type = SIGNAL_APPEND };
	struct raw *founder, *other;
	struct raw_invite invite;
	struct signal_reply reply;
	struct entry_bytes cancel;
	struct ordering by;
	struct entry e;

	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	invite = raw_invite(founder);
	restored_keep_copy();
	raw_session(founder);
	raw_free(raw_member(founder, "lost"));
	restored_put_back();
	restored_restart();
	restored_restart();
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);

	/* an admin's head that the server cannot have: the wait goes on, for this admin, too */
	ck_assert_uint_eq(mlog_count(founder->log), 1);
	e = raw_entry(founder, ENTRY_CANCEL);
	memcpy(e.cancel.nonce, invite.inv.nonce, NONCE_LEN);
	cancel = raw_sign(founder, &e);
	ck_assert_int_eq(entry_decode(span_of(cancel.data, cancel.len), &e, NULL), 0);
	by = (struct ordering){ .now_s = raw_now_s(founder) + 5,
				.order_seed = restored_g.s->keys.order_seed,
				.order_key = restored_g.s->keys.order_key };
	ck_assert_int_eq(mlog_order(founder->log, &e, span_of(cancel.data, cancel.len), &by, NULL),
			 0);
	raw_session(founder);
	ck_assert_int_eq(mlog_rollback(founder->log), 0);
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);
	rq.entry = span_of(cancel.data, cancel.len);
	ck_assert_int_eq(raw_ask(founder, &rq, &reply), REFUSAL_RESTORED);

	/* the operator decides, while the server runs */
	server_accept(restored_g.h, restored_g.cfg.db_path);
	ck_assert_int_eq(raw_ask(founder, &rq, &reply), REFUSAL_NONE);
	other = raw_new(&restored_g);
	invite = raw_invite(founder);
	raw_adopt(other, &invite, "other");
	raw_free(other);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* [P3-61] */
START_TEST(ordinary_restarts_wait_for_nothing)
{
	struct mark_value v;
	struct raw *founder;

	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	for (int i = 0; i < 3; i++) {
		restored_restart();
		ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_NONE);
		raw_session(founder);
		raw_free(raw_member(founder, i == 0 ? "a" : i == 1 ? "b" : "c"));
		raw_fetch(founder);
	}
	/* a copy of this very state is the database itself */
	sig_crash(&restored_g);
	sig_backup(&restored_g, false);
	sig_backup(&restored_g, true);
	sig_boot(&restored_g);
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_NONE);
	/* after a power cut the file may lag behind the database */
	sig_crash(&restored_g);
	restored_g.h = world_host_boot(restored_g.h);
	ck_assert_int_eq(mark_file_get(restored_g.h, restored_g.cfg.db_path, &v), 0);
	v.count -= 2;
	ck_assert_int_eq(mark_file_put(restored_g.h, restored_g.cfg.db_path, &v, NULL), 0);
	sig_open(&restored_g);
	ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_NONE);
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

/* An earlier copy, or another machine: its file is missing, damaged, or another database's. */
START_TEST(a_database_without_its_mark_waits)
{
	static const char rubbish[] = "mlsh-signal mark 0";
	struct mark_value v;
	struct raw *founder;
	char path[620];

	sig_start(&restored_g);
	mark_path(path);
	founder = raw_founder(&restored_g);
	for (int i = 0; i < 3; i++) {
		sig_crash(&restored_g);
		restored_g.h = world_host_boot(restored_g.h);
		ck_assert_int_eq(mark_file_get(restored_g.h, restored_g.cfg.db_path, &v), 0);
		v.id[3] ^= 1;
		if (i == 0)
			ck_assert_int_eq(file_remove(restored_g.h, path), 0);
		else if (i == 1)
			ck_assert_int_eq(file_write(restored_g.h, path, rubbish,
						    sizeof(rubbish) - 1, 0600, NULL),
					 0);
		else
			ck_assert_int_eq(mark_file_put(restored_g.h, restored_g.cfg.db_path, &v,
						       NULL),
					 0);
		sig_open(&restored_g);
		ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_RESTORED);
		raw_session(founder);
		restored_wait_for_beacons();
		ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_NONE);
		restored_restart();
		ck_assert_int_eq(restored_asks_to_join(founder), REFUSAL_NONE);
	}
	raw_free(founder);
	sig_stop(&restored_g);
}
END_TEST

START_TEST(a_mark_has_one_form)
{
	struct mark_value v = { .id = { 0xab, 1 }, .count = UINT64_MAX }, back;
	char text[MARK_TEXT_LEN + 1];
	struct span bytes = span_of(text, MARK_TEXT_LEN);

	mark_format(&v, text);
	ck_assert_int_eq(mark_parse(bytes, &back), 0);
	ck_assert_mem_eq(&back, &v, sizeof(v));
	ck_assert_int_eq(mark_parse(span_of(text, MARK_TEXT_LEN - 1), &back), -EBADMSG);
	for (size_t i = 0; i < MARK_TEXT_LEN; i++) {
		char was = text[i];

		text[i] = 'x';
		ck_assert_int_eq(mark_parse(bytes, &back), -EBADMSG);
		text[i] = was;
	}
	bytes = span_str("mlsh-signal mark v2 of any form\n");
	ck_assert_int_eq(mark_parse(bytes, &back), -EPROTONOSUPPORT);
	bytes = span_of(text, MARK_TEXT_LEN);
	memset(text + MARK_TEXT_LEN - 21, '9', 20); /* past 64 bits */
	ck_assert_int_eq(mark_parse(bytes, &back), -EBADMSG);
}
END_TEST

UNIT_MAIN("signal/restored", an_older_copy_waits_for_an_admin, it_waits_for_what_a_beacon_names,
	  records_from_ahead_are_not_taken, a_removal_that_waits_is_passed_on,
	  the_wait_is_kept_until_the_operator_says_so, ordinary_restarts_wait_for_nothing,
	  a_database_without_its_mark_waits, a_mark_has_one_form)
