/* SPDX-License-Identifier: MIT */
/* The membership log: what it holds, and the answers that follow from it. */
#include "membership/mlog.h"

#include "identity/identity.h"
#include "log_kit.h"
#include "proto/signal.h"

START_TEST(empty_log_knows_nothing)
{
	struct mlog *l = kit_empty_log();
	struct head h = mlog_head(l);
	struct node_id id = { { 0 } };
	uint8_t nonce[NONCE_LEN] = { 0 };

	ck_assert_uint_eq(mlog_count(l), 0);
	ck_assert_uint_eq(h.seq, 0);
	ck_assert(!mlog_has_head(l, &h));
	ck_assert_ptr_null(mlog_cluster_id(l));
	ck_assert_ptr_null(mlog_genesis(l));
	ck_assert_uint_eq(mlog_last_time_s(l), 0);
	ck_assert_uint_eq(mlog_record(l, 0).len, 0);
	ck_assert_uint_eq(roster_count(mlog_roster(l), ROSTER_CURRENT), 0);
	ck_assert_ptr_null(roster_at(mlog_roster(l), 0));
	ck_assert_ptr_null(roster_by_id(mlog_roster(l), &id, ROSTER_CURRENT));
	ck_assert_ptr_null(roster_by_name(mlog_roster(l), span_str("nas"), ROSTER_CURRENT));
	ck_assert(!mlog_invite_used(l, nonce));
	mlog_free(l);
	mlog_free(NULL);
}
END_TEST

START_TEST(genesis_founds_the_cluster)
{
	struct kit k = kit_open();
	struct node_id id = identity_node_id(k.admin);
	const struct member *m = roster_at(mlog_roster(k.log), 0);
	struct record r;
	struct entry e;
	uint8_t hash[HASH_LEN];

	ck_assert_int_eq(mlog_get(k.log, 0, &r, &e), 0);
	sha256(r.entry, hash);
	ck_assert_mem_eq(mlog_cluster_id(k.log), hash, HASH_LEN);
	ck_assert_str_eq(mlog_genesis(k.log)->name, "homelab");
	ck_assert_uint_eq(roster_count(mlog_roster(k.log), ROSTER_CURRENT), 1);
	ck_assert_str_eq(m->name, "nas");
	ck_assert(node_id_equal(&m->id, &id));
	ck_assert(node_id_equal(&m->sponsor, &id));
	ck_assert_mem_eq(m->key, identity_key(k.admin), KEY_LEN);
	ck_assert_mem_eq(m->key_sha256, identity_key_sha256(k.admin), HASH_LEN);
	ck_assert_int_eq(m->role, ROLE_ADMIN);
	ck_assert_uint_eq(m->address, KIT_NET + 1);
	ck_assert_uint_eq(m->joined_s, KIT_TIME);
	ck_assert_uint_eq(m->joined_seq, 0);
	kit_close(&k);
}
END_TEST

/* [P4-26] */
START_TEST(pages_are_bounded_and_end)
{
	static struct wire_entries page;
	struct kit k = kit_open();
	size_t bytes = 0, next;

	for (unsigned i = 1; i < 100; i++)
		kit_join(&k, i);
	mlog_page(k.log, 0, &page);
	ck_assert_uint_gt(page.n, 1);
	ck_assert_uint_lt(page.n, mlog_count(k.log));
	for (size_t i = 0; i < page.n; i++) {
		ck_assert(span_equal(page.item[i], mlog_record(k.log, i)));
		bytes += page.item[i].len;
	}
	ck_assert_uint_le(bytes, LOG_PAGE_BYTES);
	ck_assert_uint_gt(bytes + mlog_record(k.log, page.n).len, LOG_PAGE_BYTES);
	next = page.n;
	mlog_page(k.log, next, &page);
	ck_assert(span_equal(page.item[0], mlog_record(k.log, next)));
	mlog_page(k.log, 99, &page);
	ck_assert_uint_eq(page.n, 1);
	mlog_page(k.log, 100, &page);
	ck_assert_uint_eq(page.n, 0);
	mlog_page(k.log, UINT64_MAX, &page);
	ck_assert_uint_eq(page.n, 0);
	kit_close(&k);
}
END_TEST

static bool page_has(const struct mlog *l, uint64_t from, uint64_t seq)
{
	static struct wire_entries page;

	mlog_page(l, from, &page);
	return seq >= from && seq - from < page.n;
}

/* As by trying each beginning. */
static void expect_longest_pages(const struct mlog *l)
{
	for (uint64_t seq = 0; seq < mlog_count(l) + 2; seq++) {
		uint64_t from = seq;

		while (from > 0 && page_has(l, from - 1, seq))
			from--;
		ck_assert_uint_eq(mlog_page_back(l, seq), from);
	}
}

/* [P4-27] */
START_TEST(a_page_that_has_a_record_begins_as_early_as_it_can)
{
	static struct wire_entries page;
	struct kit k = kit_open();
	struct mlog *l = kit_copy(k.log, 1);
	struct mlog_take t;

	for (unsigned i = 1; i < 250; i++)
		kit_join(&k, i);
	expect_longest_pages(k.log);
	/* one receipt in each message: the pages end there */
	while (mlog_count(l) < mlog_count(k.log)) {
		mlog_page(k.log, mlog_count(l), &page);
		mlog_take(l, page.item, MIN(page.n, 40u), &t);
		mlog_commit(l);
	}
	expect_longest_pages(l);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

START_TEST(members_are_found_every_way)
{
	struct kit k = kit_open();
	const struct member *held;

	kit_join(&k, 1);
	held = roster_at(mlog_roster(k.log), 1);
	for (unsigned n = 2; n <= 40; n++) {
		k.now_s += 10;
		kit_join(&k, n);
	}
	ck_assert_ptr_eq(roster_at(mlog_roster(k.log), 1), held); /* pointers stay */
	ck_assert_uint_eq(roster_count(mlog_roster(k.log), ROSTER_CURRENT), 41);
	ck_assert_uint_eq(mlog_count(k.log), 41);
	ck_assert_ptr_null(roster_at(mlog_roster(k.log), 41));
	for (unsigned n = 1; n <= 40; n++) {
		struct identity *id = kit_identity(n);
		struct node_id node = identity_node_id(id);
		const struct member *m = roster_at(mlog_roster(k.log), n);
		char name[32];

		snprintf(name, sizeof(name), "node%u", n);
		ck_assert_str_eq(m->name, name);
		ck_assert_int_eq(m->role, ROLE_NODE);
		ck_assert_uint_eq(m->joined_seq, n);
		ck_assert_ptr_eq(roster_by_id(mlog_roster(k.log), &node, ROSTER_CURRENT), m);
		ck_assert_ptr_eq(roster_by_name(mlog_roster(k.log), span_str(name), ROSTER_CURRENT),
				 m);
		ck_assert_ptr_eq(roster_by_address(mlog_roster(k.log), KIT_NET + 1 + n,
						   ROSTER_CURRENT),
				 m);
		ck_assert_ptr_eq(roster_by_key_sha256(mlog_roster(k.log), identity_key_sha256(id),
						      ROSTER_CURRENT),
				 m);
		ck_assert(roster_by_name(mlog_roster(k.log), span_str(name), ROSTER_ALL));
		identity_free(id);
	}
	ck_assert_ptr_null(roster_by_name(mlog_roster(k.log), span_str("node41"), ROSTER_CURRENT));
	ck_assert_ptr_null(roster_by_name(mlog_roster(k.log), span_str("node4x"), ROSTER_CURRENT));
	ck_assert_ptr_null(roster_by_name(mlog_roster(k.log), span_of("node40", 0),
					  ROSTER_CURRENT));
	ck_assert_ptr_null(roster_by_address(mlog_roster(k.log), KIT_NET + 42, ROSTER_CURRENT));
	ck_assert_ptr_null(roster_by_address(mlog_roster(k.log), 0, ROSTER_CURRENT));
	kit_close(&k);
}
END_TEST

START_TEST(records_stay_where_they_are)
{
	struct kit k = kit_open();
	struct span first = mlog_record(k.log, 0), third;
	uint8_t copy[RECORD_MAX_BYTES];

	memcpy(copy, first.data, first.len);
	for (unsigned n = 1; n <= 200; n++) /* more than one block of the arena */
		kit_join(&k, n);
	ck_assert_ptr_eq(mlog_record(k.log, 0).data, first.data);
	ck_assert_mem_eq(first.data, copy, first.len);
	third = mlog_record(k.log, 3);
	ck_assert_uint_gt(third.len, 0);
	ck_assert_ptr_null(mlog_record(k.log, 201).data);
	ck_assert_ptr_null(mlog_record(k.log, UINT64_MAX).data);
	kit_close(&k);
}
END_TEST

START_TEST(log_is_read_back_from_its_bytes)
{
	struct kit k = kit_open();
	struct mlog *again = kit_empty_log();
	struct kit_invite i;
	struct entry_bytes c;
	struct head a, b;

	kit_join(&k, 1);
	i = kit_invite(&k, 99);
	c = kit_cancel(&k, i.inv.nonce);
	kit_append(&k, &c);
	kit_join(&k, 2);
	for (uint64_t seq = 0; seq < mlog_count(k.log); seq++)
		ck_assert_int_eq(mlog_reload(again, mlog_record(k.log, seq), NULL), 0);
	a = mlog_head(k.log);
	b = mlog_head(again);
	ck_assert_uint_eq(a.seq, 3);
	ck_assert_uint_eq(a.seq, b.seq);
	ck_assert_mem_eq(a.hash, b.hash, HASH_LEN);
	ck_assert_uint_eq(roster_count(mlog_roster(again), ROSTER_CURRENT), 3);
	ck_assert(mlog_invite_used(again, i.inv.nonce));
	mlog_free(again);
	kit_close(&k);
}
END_TEST

/* [P2-50] */
START_TEST(heads_are_known)
{
	struct kit k = kit_open();
	struct head first = mlog_head(k.log), second, wrong;

	kit_join(&k, 1);
	second = mlog_head(k.log);
	ck_assert(mlog_has_head(k.log, &first));
	ck_assert(mlog_has_head(k.log, &second));
	wrong = second;
	wrong.seq = 0;
	ck_assert(!mlog_has_head(k.log, &wrong));
	wrong.seq = 2;
	ck_assert(!mlog_has_head(k.log, &wrong));
	wrong = second;
	wrong.hash[31] ^= 1;
	ck_assert(!mlog_has_head(k.log, &wrong));
	kit_close(&k);
}
END_TEST

START_TEST(invites_are_followed)
{
	struct kit k = kit_open();
	struct kit_invite used = kit_invite(&k, 1), open = kit_invite(&k, 2);
	struct kit_invite gone = kit_invite(&k, 3);
	struct entry_bytes a = kit_admit(&k, &used, 1), c;

	ck_assert(!mlog_invite_used(k.log, used.inv.nonce));
	kit_append(&k, &a);
	c = kit_cancel(&k, gone.inv.nonce);
	kit_append(&k, &c);
	ck_assert(mlog_invite_used(k.log, used.inv.nonce));
	ck_assert_ptr_eq(mlog_invite_redeemer(k.log, used.inv.nonce),
			 roster_at(mlog_roster(k.log), 1));
	ck_assert(!mlog_invite_used(k.log, open.inv.nonce));
	ck_assert_ptr_null(mlog_invite_redeemer(k.log, open.inv.nonce));
	ck_assert(mlog_invite_used(k.log, gone.inv.nonce));
	ck_assert_ptr_null(mlog_invite_redeemer(k.log, gone.inv.nonce));
	kit_close(&k);
}
END_TEST

START_TEST(role_of_an_invite_is_remembered_and_gives_nothing)
{
	struct kit k = kit_open();
	struct kit_invite i = kit_invite_fields(&k, 1);
	struct entry_bytes a;

	i.inv.role = ROLE_ADMIN;
	kit_invite_sign(&i, k.admin);
	a = kit_admit(&k, &i, 1);
	kit_append(&k, &a);
	ck_assert_int_eq(roster_at(mlog_roster(k.log), 1)->role, ROLE_NODE);
	ck_assert_int_eq(roster_at(mlog_roster(k.log), 1)->invited_role, ROLE_ADMIN);
	kit_close(&k);
}
END_TEST

START_TEST(invite_for_an_empty_log)
{
	struct kit k = kit_open();
	struct mlog *empty = kit_empty_log();
	struct kit_invite i = kit_invite(&k, 1);
	struct invite inv;
	struct err err;

	ck_assert_int_eq(kit_check_invite(empty, span_of(i.bytes, i.len), i.sig, k.now_s, &inv,
					  &err),
			 -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_CLUSTER_UNKNOWN);
	mlog_free(empty);
	kit_close(&k);
}
END_TEST

/* --- limits: the log is told that it holds more than it does ---------------------------------- */

/* [P2-27] */
START_TEST(members_have_a_limit)
{
	struct kit k = kit_open();
	struct kit_invite i;
	struct entry_bytes b;

	for (unsigned n = 1; n < MEMBERS_MAX - 1; n++) {
		struct member m = { .id = { { 0xff, (uint8_t)(n >> 8), (uint8_t)n } } };

		memcpy(m.key, &n, sizeof(n));
		snprintf(m.name, sizeof(m.name), "many%u", n);
		ck_assert_int_eq(roster_reserve(k.log->roster, 1), 0);
		roster_join(k.log->roster, &m);
	}
	kit_join(&k, 1); /* the last one */
	ck_assert_uint_eq(roster_count(mlog_roster(k.log), ROSTER_CURRENT), MEMBERS_MAX);
	i = kit_invite(&k, 2);
	b = kit_admit(&k, &i, 2);
	kit_refused(&k, kit_span(&b), -ENOSPC, REFUSAL_FULL);
	b = kit_cancel(&k, i.inv.nonce);
	kit_append(&k, &b);
	kit_close(&k);
}
END_TEST

/* [P2-19] */
START_TEST(records_have_a_limit)
{
	struct kit k = kit_open();
	uint8_t nonce[NONCE_LEN] = { 1 };
	struct mlog_state *s = &k.log->s;
	struct entry_bytes b;

	kit_join(&k, 1);
	s->slots = realloc(s->slots, LOG_MAX_ENTRIES * sizeof(*s->slots));
	ck_assert_ptr_nonnull(s->slots);
	s->cap_slots = LOG_MAX_ENTRIES;
	for (size_t n = 2; n < LOG_MAX_ENTRIES; n++)
		s->slots[n] = s->slots[1];
	s->n_slots = LOG_MAX_ENTRIES - 1025;
	b = kit_cancel(&k, nonce); /* the last one */
	kit_append(&k, &b);
	nonce[0] = 2;
	b = kit_cancel(&k, nonce);
	kit_refused(&k, kit_span(&b), -ENOSPC, REFUSAL_FULL);
	b = kit_remove(&k, 0, 1); /* there is room for removals */
	kit_append(&k, &b);
	s->n_slots = LOG_MAX_ENTRIES;
	b = kit_remove(&k, 0, 0);
	kit_refused(&k, kit_span(&b), -ENOSPC, REFUSAL_FULL);
	kit_close(&k);
}
END_TEST

/* --- everything at random ------------------------------------------------------------------- */

/* The follower is shown what it lacks. */
static void follow(const struct kit *k, struct mlog *follower)
{
	struct span record = mlog_record(k->log, mlog_count(follower));
	struct mlog_take t;

	mlog_take(follower, &record, 1, &t);
	ck_assert_msg(t.result == TAKEN && t.added == 1, "%s", t.why.text);
	mlog_commit(follower);
}

/* Random valid steps: the log says at every time what a list of what was done says. */
START_TEST(random_valid_logs)
{
	struct unit_rng rng = unit_rng_new("random_valid_logs");

	for (int round = 0; round < 20; round++) {
		struct kit k = kit_open();
		struct mlog *follower = kit_empty_log();
		struct kit_invite open[8];
		size_t n_open = 0, members = 1, entries = 1;
		unsigned next = 1;

		follow(&k, follower);
		for (int step = 0; step < 40; step++) {
			uint64_t what = unit_random_below(&rng, 3);
			size_t at = n_open ? unit_random_below(&rng, n_open) : 0;
			struct entry_bytes b;

			k.now_s += unit_random_below(&rng, 60);
			if (what == 0 && n_open < ARRAY_LEN(open)) {
				open[n_open++] = kit_invite(&k, 1000 + next++);
				continue;
			}
			if (n_open == 0)
				continue;
			ck_assert(!mlog_invite_used(k.log, open[at].inv.nonce));
			if (k.now_s > open[at].inv.expiry)
				continue;
			b = what == 1 ? kit_admit(&k, &open[at], next++)
				      : kit_cancel(&k, open[at].inv.nonce);
			members += what == 1;
			entries++;
			kit_append(&k, &b);
			follow(&k, follower);
			ck_assert(mlog_invite_used(k.log, open[at].inv.nonce));
			ck_assert(!mlog_invite_redeemer(k.log, open[at].inv.nonce) == (what != 1));
			kit_refused(&k, kit_span(&b), -EEXIST, REFUSAL_STALE);
			open[at] = open[--n_open];
		}
		ck_assert_uint_eq(roster_count(mlog_roster(follower), ROSTER_CURRENT), members);
		ck_assert_uint_eq(mlog_count(follower), entries);
		for (size_t i = 1; i < members; i++)
			ck_assert_uint_gt(roster_at(mlog_roster(follower), i)->address,
					  roster_at(mlog_roster(follower), i - 1)->address);
		mlog_free(follower);
		kit_close(&k);
	}
}
END_TEST

UNIT_MAIN("membership/mlog", empty_log_knows_nothing, genesis_founds_the_cluster,
	  pages_are_bounded_and_end, a_page_that_has_a_record_begins_as_early_as_it_can,
	  members_are_found_every_way, records_stay_where_they_are, log_is_read_back_from_its_bytes,
	  heads_are_known, invites_are_followed, role_of_an_invite_is_remembered_and_gives_nothing,
	  invite_for_an_empty_log, members_have_a_limit, records_have_a_limit, random_valid_logs)
