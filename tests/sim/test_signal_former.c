/* SPDX-License-Identifier: MIT */
/*
 * Entries that an admin signed while it was one, kept by somebody who brings them later: to the
 * server, and to nodes as records and as removals without order. None of them counts, whether the
 * admin was removed, demoted, demoted and promoted again, or has changed its key. What a member
 * signs that never was an admin does not count either.
 */
#include "identity/identity.h"
#include "membership/deny.h"
#include "signal_steps.h"

#define ENTRIES_MAX 12

static struct sig g;
static struct raw *nas, *laptop, *phone; /* nas is the admin that stays */
static struct entry_bytes kept[ENTRIES_MAX];
static const char *kept_name[ENTRIES_MAX];
static size_t n_kept;

static void append(struct raw *by, const struct entry_bytes *e)
{
	struct signal_reply reply;

	ck_assert_int_eq(raw_append(by, e, &reply), REFUSAL_NONE);
	sim_pass(g.w, NS_PER_S);
}

static struct entry about(struct raw *by, enum entry_type type, const struct raw *whom)
{
	struct entry e = raw_entry(by, type);
	struct node_id id = identity_node_id(whom->id);

	if (type == ENTRY_REMOVE)
		e.remove.id[e.remove.n++] = id;
	if (type == ENTRY_PROMOTE) {
		e.promote.id = id;
		memcpy(e.promote.key_sha256, identity_key_sha256(whom->id), HASH_LEN);
	}
	if (type == ENTRY_DEMOTE)
		e.demote.id = id;
	if (type == ENTRY_RENAME) {
		e.rename.id = id;
		strcpy(e.rename.name, "stolen");
	}
	return e;
}

static void do_to_laptop(enum entry_type type)
{
	struct entry e = about(nas, type, laptop);
	struct entry_bytes b = raw_sign(nas, &e);

	append(nas, &b);
}

static void begin(void)
{
	sig_start(&g);
	nas = raw_founder(&g);
	laptop = raw_member(nas, "laptop");
	phone = raw_member(nas, "phone");
	raw_online(laptop);
	raw_online(phone);
	n_kept = 0;
}

static void end(void)
{
	raw_free(phone);
	raw_free(laptop);
	raw_free(nas);
	sig_stop(&g);
}

/* --- what it keeps ---------------------------------------------------------------------------- */

static void keep(const char *name, struct entry_bytes b)
{
	ck_assert_uint_lt(n_kept, ENTRIES_MAX);
	kept_name[n_kept] = name;
	kept[n_kept++] = b;
}

/* All of them are good while the author has the right. */
static void expect_good(void)
{
	for (size_t i = 0; i < n_kept; i++) {
		struct err err = { 0 };
		struct entry e;

		ck_assert_int_eq(entry_decode(span_of(kept[i].data, kept[i].len), &e, &err), 0);
		if (e.type != ENTRY_ADMIT) /* the server's address is a part of that */
			ck_assert_msg(mlog_would_order(nas->log, &e, raw_now_s(nas), &err) == 0,
				      "%s: %s", kept_name[i], err.text);
	}
}

static struct entry_bytes server_entry(struct raw *by)
{
	struct entry e = raw_entry(by, ENTRY_SIGNAL);

	e.signal = mlog_genesis(by->log)->server;
	strcpy(e.signal.host, "signal.evil.example");
	memset(e.signal.cert, 6, HASH_LEN);
	return raw_sign(by, &e);
}

static struct entry_bytes cancel_entry(struct raw *by, const struct raw_invite *i)
{
	struct entry e = raw_entry(by, ENTRY_CANCEL);

	memcpy(e.cancel.nonce, i->inv.nonce, NONCE_LEN);
	return raw_sign(by, &e);
}

/* One entry of each type for which it takes an admin, and an admission by its invite. */
static void keep_all(struct raw *by, struct raw *friend)
{
	static const enum entry_type types[] = { ENTRY_REMOVE, ENTRY_PROMOTE, ENTRY_DEMOTE,
						 ENTRY_RENAME };
	static const char *const names[] = { "remove", "promote", "demote", "rename" };
	struct raw_invite of_nas = raw_invite(nas), own = raw_invite(by);

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct raw *whom = types[i] == ENTRY_DEMOTE ? nas : phone;
		struct entry e = about(by, types[i], whom);

		keep(names[i], raw_sign(by, &e));
	}
	keep("signal", server_entry(by));
	keep("cancel", cancel_entry(by, &of_nas));
	keep("admit", raw_admit_entry(friend, &own, "friend"));
}

/* --- what becomes of it ----------------------------------------------------------------------- */

static enum refusal bring(size_t i, struct raw *friend)
{
	struct signal_reply reply;

	if (strcmp(kept_name[i], "admit") != 0)
		return raw_append(phone, &kept[i], &reply);
	raw_greet(friend);
	return raw_admit(friend, &kept[i], &reply);
}

/* A record of it behind nas' log, with a receipt of whoever made it. */
static void show_to_nas(size_t i)
{
	static const uint8_t own_key[SIGN_SEED_LEN] = { 8 };
	struct head head = mlog_head(nas->log);
	uint8_t receipt[SIG_LEN];
	struct record r = { .entry = span_of(kept[i].data, kept[i].len), .receipt = receipt };
	struct record_bytes b;
	struct mlog_take take;
	struct span span;

	r.order = (struct order){ mlog_generation(nas->log),
				  head.seq + 1,
				  { 0 },
				  raw_now_s(nas),
				  strcmp(kept_name[i], "admit") == 0 ? IP(100, 64, 0, 9) : 0 };
	memcpy(r.order.prev, head.hash, HASH_LEN);
	sha256(r.entry, r.entry_hash);
	ck_assert_int_eq(receipt_make(own_key, nas->cluster_id, &r.order, r.entry_hash, receipt),
			 0);
	ck_assert_int_eq(record_encode(&r, &b), 0);
	span = span_of(b.data, b.len);
	mlog_take(nas->log, &span, 1, &take);
	ck_assert_int_eq(take.result, TAKEN_UNPROVEN);
	ck_assert_uint_eq(take.added, 0);
}

static void all_worthless(const char *why, struct raw *friend)
{
	size_t before;

	raw_fetch(nas);
	before = mlog_count(nas->log);
	for (size_t i = 0; i < n_kept; i++) {
		struct denials *d = denials_new();
		enum refusal refused = bring(i, friend);

		if (refused == REFUSAL_NONE || refused == REFUSAL_RATE ||
		    refused == REFUSAL_INTERNAL || refused == REFUSAL_TOO_OLD)
			ck_abort_msg("%s, %s: %s", why, kept_name[i], refusal_name(refused));
		show_to_nas(i);
		ck_assert_int_lt(denials_add(d, nas->log, span_of(kept[i].data, kept[i].len), NULL),
				 0);
		denials_free(d);
		sim_pass(g.w, NS_PER_S);
	}
	raw_fetch(nas);
	ck_assert_uint_eq(mlog_count(nas->log), before);
}

/* --- a former admin --------------------------------------------------------------------------- */

/* Laptop is an admin and keeps one of each. */
static struct raw *admin_for_a_while(void)
{
	struct raw *friend;

	begin();
	do_to_laptop(ENTRY_PROMOTE);
	friend = raw_new(&g);
	memcpy(friend->cluster_id, nas->cluster_id, HASH_LEN);
	keep_all(laptop, friend);
	expect_good();
	return friend;
}

/* [P2-66] */
START_TEST(of_a_removed_admin)
{
	struct raw *friend = admin_for_a_while();

	do_to_laptop(ENTRY_REMOVE);
	all_worthless("removed", friend);
	raw_free(friend);
	end();
}
END_TEST

START_TEST(of_a_demoted_admin)
{
	struct raw *friend = admin_for_a_while();

	do_to_laptop(ENTRY_DEMOTE);
	all_worthless("demoted", friend);
	/* a second right does not revive what was signed under the first */
	do_to_laptop(ENTRY_PROMOTE);
	all_worthless("promoted again", friend);
	raw_free(friend);
	end();
}
END_TEST

/* Somebody has a copy of the key that was changed. */
START_TEST(of_a_key_of_before)
{
	struct raw *friend = admin_for_a_while();
	struct entry e = raw_entry(laptop, ENTRY_ROTATE);
	struct identity *next = NULL;
	struct signer old = *identity_signer(laptop->id), new;
	struct entry_bytes b;

	ck_assert_int_eq(identity_new(laptop->h, NULL, &next), 0);
	new = *identity_signer(next);
	memcpy(e.rotate.key, identity_key(next), KEY_LEN);
	ck_assert_int_eq(entry_make(&e, laptop->cluster_id, &old, &new, &b, NULL), 0);
	append(laptop, &b);
	all_worthless("rotated", friend);
	/* nor what the old key signs on the log of today */
	n_kept = 0;
	mlog_free(laptop->log);
	raw_fetch(phone);
	laptop->log = phone->log;
	keep_all(laptop, friend);
	laptop->log = NULL;
	all_worthless("the old key on the new log", friend);
	identity_free(next);
	raw_free(friend);
	end();
}
END_TEST

/* --- a hostile member ------------------------------------------------------------------------- */

/* It never was an admin: in its own name, and in that of one. */
START_TEST(of_a_plain_member)
{
	struct raw *friend;

	begin();
	friend = raw_new(&g);
	memcpy(friend->cluster_id, nas->cluster_id, HASH_LEN);
	keep_all(laptop, friend);
	all_worthless("a plain member's own", friend);
	n_kept = 0;
	for (size_t i = 0; i < 4; i++) {
		static const enum entry_type types[] = { ENTRY_REMOVE, ENTRY_PROMOTE, ENTRY_RENAME,
							 ENTRY_CANCEL };
		struct entry e = about(laptop, types[i], phone);

		e.author = identity_node_id(nas->id);
		keep("in the admin's name", raw_sign(laptop, &e));
	}
	all_worthless("in the admin's name", friend);
	raw_free(friend);
	end();
}
END_TEST

/* What is in order already gets no second place, whoever brings it. */
/* [P3-44] */
START_TEST(what_was_ordered_is_not_ordered_again)
{
	struct entry e;
	struct entry_bytes b, second;
	struct signal_reply reply;
	size_t before;

	begin();
	e = about(nas, ENTRY_RENAME, laptop);
	b = raw_sign(nas, &e);
	append(nas, &b);
	e = about(nas, ENTRY_RENAME, laptop);
	strcpy(e.rename.name, "desk");
	second = raw_sign(nas, &e);
	append(nas, &second);
	raw_fetch(nas);
	before = mlog_count(nas->log);
	ck_assert_int_eq(raw_append(phone, &b, &reply), REFUSAL_NONE);
	ck_assert_uint_gt(reply.record.len, 0);
	ck_assert(span_equal(reply.record, mlog_record(nas->log, before - 2)));
	raw_fetch(nas);
	ck_assert_uint_eq(mlog_count(nas->log), before);
	ck_assert_ptr_null(roster_by_name(mlog_roster(nas->log), span_str("stolen"),
					  ROSTER_CURRENT));
	end();
}
END_TEST

UNIT_MAIN("signal/former", of_a_removed_admin, of_a_demoted_admin, of_a_key_of_before,
	  of_a_plain_member, what_was_ordered_is_not_ordered_again)
