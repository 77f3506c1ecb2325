/* SPDX-License-Identifier: MIT */
/* Tests of client/recovery.h: whom a recovery makes admins or removes, and its entry. */
#include "log_kit.h"

#include "client/recovery.h"

static struct host *host;

/* An admin (node 0) and plain nodes 1 to 3: records 0 to 3. */
static struct kit four(void)
{
	struct kit k = kit_open_with(3);

	if (!host)
		ck_assert_int_eq(host_new(NULL, &host), 0);
	return k;
}

static struct recovery_wish wish(const struct kit *k, unsigned self)
{
	return (struct recovery_wish){ .log = k->log,
				       .self = kit_id(self),
				       .at = mlog_count(k->log) - 1 };
}

static bool has(const struct id_list *l, unsigned n)
{
	struct node_id id = kit_id(n);

	return id_list_has(l, &id);
}

static int make(const struct kit *k, const struct recovery_plan *p, unsigned code, unsigned next,
		struct span earlier, struct entry_bytes *ret, struct err *err)
{
	uint8_t seed[SIGN_SEED_LEN], key[KEY_LEN];

	kit_seed(code, seed);
	kit_key(next, key);
	return recovery_make(p, seed, key, NULL, earlier, k->now_s, ret, err);
}

/* From the newest record: the server orders it, and it does what the plan says. */
START_TEST(from_the_head)
{
	struct kit k = four();
	struct recovery_wish w = wish(&k, 1);
	struct recovery_plan p;
	struct entry_bytes b, again;
	struct node_id id1 = kit_id(1), id3 = kit_id(3);
	struct err err = { 0 };

	w.remove = "node3";
	ck_assert_msg(recovery_plan(host, &w, &p, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(p.admins.n, 1);
	ck_assert(has(&p.admins, 1) && has(&p.removed, 3));
	ck_assert_uint_eq(p.removed.n, 1);
	ck_assert_uint_eq(p.dropped + p.n_reserved, 0);
	ck_assert_int_eq(make(&k, &p, 77, KIT_CODE_NEXT, (struct span){ 0 }, &b, &err), -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_RECOVERY_CODE);
	ck_assert_int_eq(make(&k, &p, KIT_CODE, KIT_CODE_NEXT, (struct span){ 0 }, &b, &err), 0);
	/* another attempt in its place, by the code that the first one names and no other */
	ck_assert_int_lt(make(&k, &p, 78, 79, kit_span(&b), &again, &err), 0);
	ck_assert_int_eq(make(&k, &p, KIT_CODE_NEXT, 79, kit_span(&b), &again, &err), 0);
	kit_append(&k, &b);
	kit_append(&k, &again);
	ck_assert_uint_eq(mlog_generation(k.log), generation_of(1, 1));
	ck_assert_int_eq(roster_by_id(mlog_roster(k.log), &id1, ROSTER_CURRENT)->role, ROLE_ADMIN);
	ck_assert_ptr_null(roster_by_id(mlog_roster(k.log), &id3, ROSTER_CURRENT));
	recovery_plan_free(&p);
	kit_close(&k);
}
END_TEST

/* From an earlier record: removals after it stay, names and addresses after it stay reserved. */
START_TEST(goes_back)
{
	struct kit k = four();
	struct recovery_plan p;
	struct recovery_wish w;
	struct entry_bytes b = kit_remove(&k, 0, 3);
	struct err err = { 0 };

	kit_append(&k, &b); /* 4 */
	kit_join(&k, 4);    /* 5 */
	b = kit_rename(&k, 0, 2, "desk");
	kit_append(&k, &b); /* 6 */
	w = wish(&k, 1);
	w.at = 3;
	w.keep_admins = true;
	w.waiting.id[w.waiting.n++] = kit_id(2); /* and one that the server has not ordered */
	ck_assert_msg(recovery_plan(host, &w, &p, &err) == 0, "%s", err.text);
	ck_assert(has(&p.admins, 0) && has(&p.admins, 1));
	ck_assert(has(&p.removed, 2) && has(&p.removed, 3));
	ck_assert_uint_eq(p.removed.n, 2);
	ck_assert_uint_eq(p.dropped, 3);
	ck_assert_uint_eq(p.n_reserved, 2);
	ck_assert_str_eq(p.reserved[0].name, "desk");
	ck_assert_uint_eq(p.reserved[0].address, 0);
	ck_assert_str_eq(p.reserved[1].name, "node4");
	ck_assert_uint_ne(p.reserved[1].address, 0);
	ck_assert_int_eq(make(&k, &p, KIT_CODE, KIT_CODE_NEXT, (struct span){ 0 }, &b, &err), 0);
	kit_append(&k, &b);
	ck_assert(mlog_name_taken(k.log, "node4") && mlog_name_taken(k.log, "desk"));
	recovery_plan_free(&p);
	kit_close(&k);
}
END_TEST

/* A machine that was removed is the admin all the same: the code says so by name. */
START_TEST(by_a_removed_machine)
{
	struct kit k = four();
	struct recovery_plan p;
	struct recovery_wish w;
	struct entry_bytes b = kit_remove(&k, 0, 3);
	struct err err = { 0 };

	kit_append(&k, &b);
	for (uint64_t at = 3; at <= 4; at++) { /* before its removal, and behind it */
		w = wish(&k, 3);
		w.at = at;
		ck_assert_msg(recovery_plan(host, &w, &p, &err) == 0, "%s", err.text);
		ck_assert(has(&p.admins, 3) && !has(&p.removed, 3));
		ck_assert_int_eq(make(&k, &p, KIT_CODE, KIT_CODE_NEXT, (struct span){ 0 }, &b,
				      &err),
				 0);
		recovery_plan_free(&p);
	}
	kit_close(&k);
}
END_TEST

/* What cannot be: too much to reserve, a machine that joined later, unknown names. */
START_TEST(refused_with_advice)
{
	struct kit k = four();
	struct recovery_plan p;
	struct recovery_wish w = wish(&k, 3);
	struct err err = { 0 };

	w.at = 2;
	ck_assert_int_eq(recovery_plan(host, &w, &p, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "joined after"));
	w = wish(&k, 1);
	w.at = 4;
	ck_assert_int_eq(recovery_plan(host, &w, &p, &err), -EINVAL);
	w = wish(&k, 1);
	w.remove = "node2,nobody";
	ck_assert_int_eq(recovery_plan(host, &w, &p, &err), -ENOENT);
	w.remove = "node1";
	ck_assert_int_eq(recovery_plan(host, &w, &p, &err), -EINVAL);
	for (unsigned n = 0; n < RECOVER_RESERVED_MAX + 1; n++)
		kit_join(&k, 10 + n);
	w = wish(&k, 1);
	w.at = 3;
	ck_assert_int_eq(recovery_plan(host, &w, &p, &err), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "later record"));
	w.at = 4;
	ck_assert_int_eq(recovery_plan(host, &w, &p, &err), 0);
	recovery_plan_free(&p);
	kit_close(&k);
	host_free(host);
	host = NULL;
}
END_TEST

UNIT_MAIN("client/recovery", from_the_head, goes_back, by_a_removed_machine, refused_with_advice)
