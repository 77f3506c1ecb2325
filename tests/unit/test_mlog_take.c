/* SPDX-License-Identifier: MIT */
/* Records that somebody shows: taken, refused, or proof of a server that lies. */
#include "log_show.h"

/* [P2-1] [P2-41] */
START_TEST(whole_log)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_empty_log();
	struct mlog_take t = log_show(l, k.log, 0, 6);

	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	ck_assert_uint_eq(t.added, 6);
	log_equal(l, k.log);
	t = log_show(l, k.log, 2, 4); /* again */
	ck_assert_int_eq(t.result, TAKEN);
	ck_assert_uint_eq(t.added, 0);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

START_TEST(gap)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 2);
	struct mlog_take t = log_show(l, k.log, 3, 6);

	ck_assert_int_eq(t.result, TAKEN_GAP);
	ck_assert_uint_eq(t.ask_from, 2);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* The last receipt counts; those before it are neither asked for nor kept. */
/* [P2-38] [P2-41] [P2-42] [P2-43] */
START_TEST(receipts)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 3);
	struct record r;
	struct record_bytes bare, last;
	struct span shown[2];
	struct mlog_take t;
	struct wire_entries page;

	ck_assert_int_eq(record_decode(mlog_record(k.log, 4), &r, NULL), 0);
	r.receipt = NULL;
	ck_assert_int_eq(record_encode(&r, &bare), 0);
	shown[0] = mlog_record(k.log, 3);
	shown[1] = kit_record_span(&bare);
	mlog_take(l, shown, 2, &t); /* no receipt at the end */
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	ck_assert_uint_eq(mlog_count(l), 3);

	/* a false one in the middle: not looked at, not passed on */
	uint8_t junk[SIG_LEN] = { 1 };

	r.receipt = junk;
	ck_assert_int_eq(record_encode(&r, &bare), 0);
	shown[0] = mlog_record(k.log, 3);
	shown[1] = kit_record_span(&bare);
	mlog_take(l, shown, 2, &t);
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	memcpy(&last, &bare, sizeof(last));
	struct span three[3] = { mlog_record(k.log, 3), kit_record_span(&last),
				 mlog_record(k.log, 5) };

	mlog_take(l, three, 3, &t);
	ck_assert_msg(t.result == TAKEN, "%s", t.why.text);
	mlog_commit(l);
	log_equal(l, k.log);
	ck_assert_int_eq(record_decode(mlog_record(l, 4), &r, NULL), 0);
	ck_assert_ptr_null(r.receipt);
	ck_assert_int_eq(record_decode(mlog_record(l, 5), &r, NULL), 0);
	ck_assert_ptr_nonnull(r.receipt);
	mlog_page(l, 4, &page);
	ck_assert_uint_eq(page.n, 2);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* Two records in one place: proof, unless the receipt is another's. */
/* [P2-47] */
START_TEST(fork)
{
	struct kit k = kit_open_with(5);
	struct kit other = k;
	struct kit_invite i;
	struct entry_bytes b;
	struct mlog_take t;

	other.log = kit_copy(k.log, 4);
	i = kit_invite(&other, 70);
	b = kit_admit(&other, &i, 7);
	kit_append(&other, &b);
	t = log_show(k.log, other.log, 0, 5);
	ck_assert_int_eq(t.result, TAKEN_LIE);
	ck_assert_uint_eq(t.seq, 4);
	ck_assert_uint_eq(mlog_count(k.log), 6);
	/* the same signed by somebody else is nothing */
	mlog_free(other.log);
	other.log = kit_copy(k.log, 4);
	struct record_bytes r = kit_record(&other, kit_span(&b), KIT_NET + 9, 77);
	struct span shown = kit_record_span(&r);

	mlog_take(k.log, &shown, 1, &t);
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	mlog_free(other.log);
	kit_close(&k);
}
END_TEST

/* A receipt over a record that breaks a rule is proof as well; what stands before it is taken. */
/* [P2-47] */
START_TEST(receipt_over_invalid)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 4);
	struct entry_bytes b = kit_remove(&k, 3, 2); /* node 3 is no admin */
	struct record_bytes r = kit_record(&k, kit_span(&b), 0, KIT_ORDER);
	struct span shown[3] = { mlog_record(k.log, 4), mlog_record(k.log, 5),
				 kit_record_span(&r) };
	struct mlog_take t;

	mlog_take(l, shown, 3, &t);
	ck_assert_int_eq(t.result, TAKEN_LIE);
	ck_assert_uint_eq(t.seq, 6);
	ck_assert_int_eq(t.why.reason, REFUSAL_NOT_ALLOWED);
	ck_assert_uint_eq(t.added, 2);
	mlog_commit(l);
	log_equal(l, k.log);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* Nobody but the server can make it look like a liar. */
START_TEST(false_accusation)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 6);
	struct entry e = kit_recover_fields(&k, 99, KIT_CODE_NEXT, 1); /* not the code */
	struct entry_bytes b;
	struct record r = { .entry = { 0 } };
	struct record_bytes bytes;
	uint8_t seed[SIGN_SEED_LEN], receipt[SIG_LEN];
	struct head head = mlog_head(k.log);
	struct mlog_take t;
	struct span shown;

	e.recover.has_server = true;
	e.recover.server = kit_server(88);
	b = kit_sign(&k, &e, 99, 0);
	r.entry = kit_span(&b);
	r.order = (struct order){ generation_of(1, 0), head.seq + 1, { 0 }, k.now_s, 0 };
	memcpy(r.order.prev, head.hash, HASH_LEN);
	sha256(r.entry, r.entry_hash);
	kit_seed(88, seed);
	ck_assert_int_eq(receipt_make(seed, mlog_cluster_id(l), &r.order, r.entry_hash, receipt),
			 0);
	r.receipt = receipt;
	ck_assert_int_eq(record_encode(&r, &bytes), 0);
	shown = kit_record_span(&bytes);
	mlog_take(l, &shown, 1, &t);
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/*
 * A member signs entries of its own and puts a false recovery with its own receipt behind them:
 * nothing is staged, or each try would leave something behind.
 */
/* [P2-47] */
START_TEST(own_key_vouches_for_nothing)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 6);
	struct kit liar = k;
	struct entry_bytes rotate = kit_rotate(&k, 3, 3, 103), b;
	struct entry e;
	struct record r = { .receipt = NULL };
	struct record_bytes first, second;
	uint8_t seed[SIGN_SEED_LEN], receipt[SIG_LEN], key[KEY_LEN], sha[HASH_LEN];
	struct span shown[2];
	struct mlog_take t;

	liar.log = kit_copy(k.log, 6);
	kit_append(&liar, &rotate);
	ck_assert_int_eq(record_decode(mlog_record(liar.log, 6), &r, NULL), 0);
	r.receipt = NULL;
	ck_assert_int_eq(record_encode(&r, &first), 0);
	e = kit_recover_fields(&liar, 99, KIT_CODE_NEXT, 3);
	e.recover.has_server = true;
	e.recover.server = kit_server(88);
	b = kit_sign(&liar, &e, 99, 0);
	r = (struct record){ .entry = kit_span(&b) };
	r.order = (struct order){ generation_of(1, 0), 7, { 0 }, k.now_s, 0 };
	memcpy(r.order.prev, mlog_head(liar.log).hash, HASH_LEN);
	sha256(r.entry, r.entry_hash);
	kit_seed(88, seed);
	ck_assert_int_eq(receipt_make(seed, mlog_cluster_id(l), &r.order, r.entry_hash, receipt),
			 0);
	r.receipt = receipt;
	ck_assert_int_eq(record_encode(&r, &second), 0);
	shown[0] = kit_record_span(&first);
	shown[1] = kit_record_span(&second);
	mlog_take(l, shown, 2, &t);
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	ck_assert_uint_eq(mlog_count(l), 6);
	kit_key(103, key);
	key_spki_sha256(key, sha);
	ck_assert_ptr_null(roster_by_key_sha256(mlog_roster(l), sha, ROSTER_ALL));
	mlog_free(liar.log);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* The linker puts the counter in (mk/variant.mk). */
static unsigned signatures;

int __real_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN]);
int __wrap_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN]);

int __wrap_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN])
{
	signatures++;
	return __real_key_verify(key, purpose, cluster_id, bytes, sig);
}

static void put_rename(struct kit *k, const char *name, unsigned order, bool is_signed)
{
	struct entry_bytes b = kit_rename(k, 0, 0, name);
	struct record_bytes r;

	b.data[b.len - 1] ^= !is_signed;
	r = kit_record(k, kit_span(&b), 0, order);
	ck_assert_int_eq(mlog_reload(k->log, kit_record_span(&r), NULL), 0);
	mlog_commit(k->log);
}

/*
 * Behind changes of the order key, whose receipts are needed, come records with false receipts, and
 * one that is not valid: all receipts are looked at once, and not again for each one left off.
 */
START_TEST(each_signature_is_verified_once)
{
	enum { CHANGES = 20, FALSE_ONES = 40 };
	struct kit k = kit_open();
	struct mlog *l = kit_empty_log();
	struct mlog_take t;
	char name[32];

	for (unsigned i = 0; i < CHANGES; i++) {
		struct entry_bytes b = kit_signal(&k, 0, KIT_ORDER + 1 + i);

		kit_append(&k, &b);
		k.order = KIT_ORDER + 1 + i;
	}
	for (unsigned i = 0; i < FALSE_ONES; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		put_rename(&k, name, KIT_ORDER, true);
	}
	put_rename(&k, "bad", KIT_ORDER, false);
	put_rename(&k, "last", k.order, true);
	signatures = 0;
	t = log_show(l, k.log, 0, mlog_count(k.log));
	ck_assert_int_eq(t.result, TAKEN_LIE);
	ck_assert_uint_eq(mlog_count(l), 1 + CHANGES);
	/* of each record the receipt, and that of the entry twice */
	ck_assert_uint_le(signatures, 3 * mlog_count(k.log));
	mlog_free(l);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/take", whole_log, gap, receipts, fork, receipt_over_invalid, false_accusation,
	  own_key_vouches_for_nothing, each_signature_is_verified_once)
