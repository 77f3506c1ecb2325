/* SPDX-License-Identifier: MIT */
/*
 * A renewal by two admins leads to a recovery without their old code: members and former admins
 * renew nothing, whatever they sign and wherever they put it, and cost no replay of the log.
 */
#include "log_show.h"

#define FORGED_MAX 8
#define YEAR (365 * 86400u)
enum { THEIR_CODE = 77, THEIR_NEXT = 78, THEIR_ORDER = 99 };

/* Records that somebody puts behind a log without asking its server. */
struct forged {
	struct record_bytes record[FORGED_MAX];
	struct span shown[FORGED_MAX];
	size_t n;
	struct head head;
	uint64_t generation;
};

static void forge(struct forged *f, const struct kit *k, const struct entry_bytes *entry,
		  unsigned order)
{
	struct record r = { .entry = kit_span(entry) };
	uint8_t seed[SIGN_SEED_LEN], receipt[SIG_LEN];
	size_t i = f->n++;

	ck_assert_uint_lt(i, FORGED_MAX);
	r.order = (struct order){ f->generation, f->head.seq + 1, { 0 }, k->now_s, 0 };
	memcpy(r.order.prev, f->head.hash, HASH_LEN);
	sha256(r.entry, r.entry_hash);
	kit_seed(order, seed);
	ck_assert_int_eq(receipt_make(seed, mlog_cluster_id(k->log), &r.order, r.entry_hash,
				      receipt),
			 0);
	r.receipt = receipt;
	ck_assert_int_eq(record_encode(&r, &f->record[i]), 0);
	f->shown[i] = kit_record_span(&f->record[i]);
	ck_assert_int_eq(record_decode(f->shown[i], &r, NULL), 0);
	f->head.seq = r.order.seq;
	memcpy(f->head.hash, r.hash, HASH_LEN);
}

/* Behind the first `n` records of the log. */
static struct forged forged_behind(const struct mlog *l, uint64_t n)
{
	struct forged f = { .generation = mlog_generation(l) };
	struct record r;

	ck_assert_int_eq(record_decode(mlog_record(l, n - 1), &r, NULL), 0);
	f.head.seq = n - 1;
	memcpy(f.head.hash, r.genesis ? r.entry_hash : r.hash, HASH_LEN);
	return f;
}

/* Both sign a renewal, and the new code a recovery that names an order key of theirs. */
static void renew_and_recover(struct forged *f, const struct kit *k, unsigned a, unsigned b,
			      unsigned order)
{
	struct entry renew = kit_entry(k, ENTRY_RENEW, a), recover;
	struct entry_bytes bytes;

	renew.base = f->head;
	kit_code_hash(THEIR_CODE, renew.renew.next);
	renew.renew.second = kit_id(b);
	bytes = kit_sign(k, &renew, a, b);
	forge(f, k, &bytes, order);
	recover = kit_recover_fields(k, THEIR_CODE, THEIR_NEXT, a);
	recover.base = f->head;
	recover.recover.has_server = true;
	recover.recover.server = kit_server(THEIR_ORDER);
	bytes = kit_sign(k, &recover, THEIR_CODE, 0);
	f->generation = generation_of(2, 0);
	forge(f, k, &bytes, THEIR_ORDER);
}

static struct mlog_take show_forged(struct mlog *l, const struct forged *f, uint64_t latest_s)
{
	struct head before = mlog_head(l), after;
	struct mlog_take t;

	mlog_take_until(l, f->shown, f->n, latest_s, &t);
	mlog_commit(l);
	after = mlog_head(l);
	ck_assert_msg(memcmp(&before, &after, sizeof(before)) == 0, "%d: %s", t.result, t.why.text);
	ck_assert(!t.reorganised && t.added == 0);
	return t;
}

/* Nodes 0, 1 and 2 are admins; record 7 is the last. */
static struct kit three_admins(void)
{
	struct kit k = kit_open_with(5);

	for (unsigned n = 1; n <= 2; n++) {
		struct entry_bytes b = kit_promote(&k, 0, n);

		kit_append(&k, &b);
	}
	return k;
}

/* Dated ahead, they would be held back, and what they say would count as a warning. */
/* [P2-45] */
START_TEST(members_renew_nothing)
{
	struct kit k = kit_open_with(5), liar;
	struct forged f = forged_behind(k.log, 6);
	struct entry_bytes b = kit_remove(&k, 3, 4);
	struct mlog_take t;

	liar = k;
	liar.now_s += YEAR;
	forge(&f, &liar, &b, THEIR_ORDER);
	renew_and_recover(&f, &liar, 3, 4, THEIR_ORDER);
	t = show_forged(k.log, &f, k.now_s + 600);
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	ck_assert_uint_eq(t.held.seq, 0);
	kit_close(&k);
}
END_TEST

/* They renew where they were admins, and the log says since that they have left. */
static enum mlog_taken former_admins_renew(unsigned receipt_by)
{
	struct kit k = three_admins(), then = k;
	struct forged f = forged_behind(k.log, 8);
	struct entry_bytes b;
	enum mlog_taken result;

	k.now_s += 10;
	b = kit_remove(&k, 0, 1);
	kit_append(&k, &b);
	b = kit_demote(&k, 0, 2);
	kit_append(&k, &b);
	renew_and_recover(&f, &then, 1, 2, receipt_by);
	result = show_forged(k.log, &f, k.now_s + 600).result;
	kit_close(&k);
	return result;
}

/* [P2-45] */
START_TEST(former_admins_renew_nothing)
{
	ck_assert_int_eq(former_admins_renew(THEIR_ORDER), TAKEN_UNPROVEN);
}
END_TEST

/* The server helps them: its receipt stands for the renewal. */
/* [P2-45] */
START_TEST(former_admins_renew_nothing_with_the_server)
{
	ck_assert_int_eq(former_admins_renew(KIT_ORDER), TAKEN_LIE);
}
END_TEST

/* Two admins are believed without the server, wherever the recovery leads. */
START_TEST(two_admins_renew)
{
	struct kit k = three_admins();
	struct forged f = forged_behind(k.log, 8);
	struct entry_bytes b = kit_rename(&k, 0, 3, "other");
	struct mlog_take t;

	renew_and_recover(&f, &k, 1, 2, THEIR_ORDER);
	kit_append(&k, &b);
	mlog_take(k.log, f.shown, f.n, &t);
	mlog_commit(k.log);
	ck_assert_msg(t.result == TAKEN && t.reorganised && !t.in_vain, "%s", t.why.text);
	kit_close(&k);
}
END_TEST

/* Without the old code a node follows an admin that it does not know yet by the receipt only. */
/* [P2-45] */
START_TEST(an_unknown_admin_renews_with_a_receipt)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 6), *other = kit_copy(k.log, 6);
	struct entry_bytes b = kit_promote(&k, 0, 1);
	struct entry e;
	struct mlog_take t;

	kit_append(&k, &b);
	b = kit_renew(&k, 0, 1, KIT_CODE_NEXT);
	kit_append(&k, &b);
	e = kit_recover_fields(&k, KIT_CODE_NEXT, 70, 1);
	e.recover.has_server = true;
	e.recover.server = kit_server(88);
	b = kit_sign(&k, &e, KIT_CODE_NEXT, 0);
	k.order = 88;
	kit_append(&k, &b);
	t = log_show(l, k.log, 6, 9);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	/* from a node that has seen them together only */
	t = log_show(other, l, 6, 9);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(other, k.log);
	mlog_free(other);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* Behind a true recovery, too, a false one brings dates that nobody vouches for. */
START_TEST(a_false_recovery_behind_a_true_one_warns_of_nothing)
{
	struct kit k = kit_open_with(5);
	struct forged f = forged_behind(k.log, 6);
	struct entry e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	struct entry_bytes b;
	uint64_t now_s = k.now_s;
	struct mlog_take t;

	e.recover.has_server = true;
	e.recover.server = kit_server(88);
	b = kit_sign(&k, &e, KIT_CODE, 0);
	f.generation = generation_of(1, 0);
	forge(&f, &k, &b, 88);
	k.now_s += YEAR;
	b = kit_remove(&k, 3, 4);
	forge(&f, &k, &b, THEIR_ORDER);
	renew_and_recover(&f, &k, 3, 4, THEIR_ORDER);
	mlog_take_until(k.log, f.shown, f.n, now_s + 600, &t);
	mlog_commit(k.log);
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	ck_assert_uint_eq(t.added, 1);
	ck_assert_uint_eq(t.held.seq, 0);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("mlog/renewed", members_renew_nothing, former_admins_renew_nothing,
	  former_admins_renew_nothing_with_the_server, two_admins_renew,
	  an_unknown_admin_renews_with_a_receipt,
	  a_false_recovery_behind_a_true_one_warns_of_nothing)
