/* SPDX-License-Identifier: MIT */
/* Beacons: what is believed of them, and the newest of each admin. */
#include "membership/beacon.h"

#include "log_kit.h"

static struct beacon_bytes make(const struct kit *k, unsigned author, uint64_t now_s)
{
	struct identity *id = kit_identity(author);
	struct node_id node = kit_id(author);
	struct beacon_bytes b;

	ck_assert_int_eq(beacon_make(k->log, &node, identity_signer(id), now_s, &b), 0);
	identity_free(id);
	return b;
}

static struct span span(const struct beacon_bytes *b)
{
	return span_of(b->data, b->len);
}

/* A node that has the first n records. */
static struct mlog *older(const struct kit *k, uint64_t n)
{
	struct mlog *l = mlog_cut(k->log, n);

	ck_assert_ptr_nonnull(l);
	return l;
}

static int check(const struct mlog *l, const struct beacon_bytes *bytes, uint64_t now_s)
{
	struct err err = { 0 };
	struct beacon b;
	int rc = beacon_decode(span(bytes), &b, &err);

	if (rc == 0)
		rc = beacon_check(l, &b, now_s, &err);
	ck_assert(rc == 0 || (err.code == rc && strlen(err.text) > 10));
	return rc;
}

START_TEST(names_the_head_with_proof)
{
	struct kit k = kit_open();
	struct identity *admin = kit_identity(0);
	struct node_id id = kit_id(0);
	struct beacon_bytes bytes;
	struct beacon b;
	struct mlog *l;
	struct head head;

	ck_assert_int_eq(beacon_make(k.log, &id, identity_signer(admin), k.now_s, &bytes),
			 -ENODATA);
	for (unsigned n = 1; n < 4; n++)
		kit_join(&k, n);
	bytes = make(&k, 0, k.now_s + 5);
	head = mlog_head(k.log);
	ck_assert_int_eq(beacon_decode(span(&bytes), &b, NULL), 0);
	ck_assert_mem_eq(&b.head, &head, sizeof(head));
	ck_assert_uint_eq(b.time_s, k.now_s + 5);
	ck_assert_int_eq(check(k.log, &bytes, k.now_s), 0);
	l = older(&k, 2); /* who lacks the record checks the receipt */
	ck_assert_int_eq(check(l, &bytes, k.now_s), 0);
	mlog_free(l);
	identity_free(admin);
	kit_close(&k);
}
END_TEST

/* Dates ahead, members that are not admins, former admins, other clusters. */
/* [P2-62] */
START_TEST(forged_ones_count_for_nothing)
{
	struct kit k = kit_open();
	struct beacon_bytes b, of_admin, of_other;
	struct entry_bytes e;
	struct mlog *l;

	kit_join(&k, 1);
	kit_join(&k, 2);
	b = make(&k, 0, k.now_s + BEACON_AHEAD_MAX_S);
	ck_assert_int_eq(check(k.log, &b, k.now_s), 0);
	ck_assert_int_eq(check(k.log, &b, k.now_s - 1), -EAGAIN);
	of_other = make(&k, 1, k.now_s); /* a plain member */
	ck_assert_int_eq(check(k.log, &of_other, k.now_s), -EACCES);
	e = kit_promote(&k, 0, 1);
	kit_append(&k, &e);
	of_admin = make(&k, 1, k.now_s);
	ck_assert_int_eq(check(k.log, &of_admin, k.now_s), 0);
	e = kit_demote(&k, 0, 1);
	kit_append(&k, &e);
	ck_assert_int_eq(check(k.log, &of_admin, k.now_s), -EACCES);

	/* Any bit: form, signature, receipt. */
	b = make(&k, 0, k.now_s);
	l = older(&k, 2);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_ne(check(l, &b, k.now_s), 0);
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < b.len; len++) {
		struct beacon_bytes cut = b;

		cut.len = len;
		ck_assert_int_eq(check(l, &cut, k.now_s), -EBADMSG);
	}
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* An admin alone cannot invent a head: the server's receipt is of another order key. */
/* [P2-62] */
START_TEST(an_invented_head_convinces_nobody)
{
	struct kit k = kit_open();
	struct beacon_bytes b;
	struct mlog *l;

	kit_join(&k, 1);
	l = older(&k, 2);
	k.order = KIT_ORDER_NEXT; /* of the admin's own making */
	{
		struct kit_invite i = kit_invite(&k, 2);
		struct entry_bytes admit = kit_admit(&k, &i, 2);
		struct record_bytes forged = kit_record(&k, kit_span(&admit),
							kit_next_address(k.log), KIT_ORDER_NEXT);

		ck_assert_int_eq(mlog_reload(k.log, kit_record_span(&forged), NULL), 0);
		mlog_commit(k.log);
	}
	b = make(&k, 0, k.now_s);
	ck_assert_int_eq(check(l, &b, k.now_s), -EKEYREJECTED);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* [P2-64] */
START_TEST(the_newest_of_each_admin_is_held)
{
	struct kit k = kit_open();
	struct beacons *s = beacons_new();
	struct beacon_bytes first, later, other;
	struct entry_bytes e;
	struct beacon b;
	struct mlog *l;
	uint64_t serial = 0;

	kit_join(&k, 1);
	e = kit_promote(&k, 0, 1);
	kit_append(&k, &e);
	first = make(&k, 0, k.now_s);
	other = make(&k, 1, k.now_s + 20);
	ck_assert(!beacons_newest(s, &b));
	ck_assert_int_eq(beacons_add(s, k.log, span(&first), k.now_s, NULL), 1);
	ck_assert_int_eq(beacons_add(s, k.log, span(&first), k.now_s, NULL), 0);
	ck_assert_int_eq(beacons_add(s, k.log, span(&other), k.now_s, NULL), 1);
	ck_assert(beacons_newest(s, &b) && b.time_s == k.now_s + 20);
	ck_assert(!beacons_lacking(s, k.log, &b));
	l = older(&k, 3);
	kit_join(&k, 2);
	later = make(&k, 0, k.now_s + 30);
	ck_assert_int_eq(beacons_add(s, l, span(&later), k.now_s, NULL), 1);
	ck_assert(span_equal(beacons_next(s, &serial), span(&other)));
	ck_assert(span_equal(beacons_next(s, &serial), span(&later)));
	ck_assert_uint_eq(beacons_next(s, &serial).len, 0);
	ck_assert(beacons_lacking(s, l, &b) && b.order.seq == 3);
	ck_assert(!beacons_lacking(s, k.log, &b));
	ck_assert_int_eq(beacons_add(s, l, span(&first), k.now_s, NULL), 0); /* an old one */
	e = kit_demote(&k, 0, 1);
	kit_append(&k, &e);
	beacons_update(s, k.log);
	serial = 0;
	ck_assert(span_equal(beacons_next(s, &serial), span(&later)));
	ck_assert_uint_eq(beacons_next(s, &serial).len, 0);
	mlog_free(l);
	beacons_free(s);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/beacon", names_the_head_with_proof, forged_ones_count_for_nothing,
	  an_invented_head_convinces_nobody, the_newest_of_each_admin_is_held)
