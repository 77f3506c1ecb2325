/* SPDX-License-Identifier: MIT */
/* Attacks on the membership log: forged, moved, replayed, damaged entries, and false joiners. */
#include "log_scene.h"

START_TEST(scene_is_valid)
{
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	b = kit_forge(&s.k, &s.e, 2, KIT_ONE_TIME + 50);
	ck_assert(span_equal(kit_span(&b), kit_span(&s.bytes)));
	kit_append(&s.k, &b);
	scene_close(&s);
}
END_TEST

/* --- signatures ----------------------------------------------------------------------------- */

/* [P2-5] [P2-6] */
START_TEST(admit_signed_by_the_wrong_keys)
{
	const unsigned one_time = KIT_ONE_TIME + 50;
	const unsigned pairs[][2] = {
		{ 1, one_time }, /* somebody joins with another's key */
		{ 2, 1 },	 /* without the URL */
		{ 2, 0 },	 /* not even the sponsor can */
		{ 2, 2 },	 { one_time, one_time }, { one_time, 2 }, /* exchanged */
	};
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		b = kit_forge(&s.k, &s.e, pairs[i][0], pairs[i][1]);
		kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	}
	scene_close(&s);
}
END_TEST

/* [P2-5] */
START_TEST(admit_signed_for_another_purpose_or_cluster)
{
	static const char *const purposes[] = {
		"consent", "order", "invite", "", "entry2", "entr"
	};
	const unsigned one_time = KIT_ONE_TIME + 50;
	struct scene s;
	struct entry_bytes b;
	uint8_t other[HASH_LEN];

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(purposes); i++) {
		b = kit_forge_for(&s.e, purposes[i], mlog_cluster_id(s.k.log), 2, one_time);
		kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	}
	memcpy(other, mlog_cluster_id(s.k.log), HASH_LEN);
	other[0] ^= 1;
	b = kit_forge_for(&s.e, SIGN_ENTRY, other, 2, one_time);
	kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	b = kit_forge_for(&s.e, SIGN_ENTRY, zero_hash, 2, one_time);
	kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	scene_close(&s);
}
END_TEST

/* The group order of Ed25519, little-endian. */
static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,	 0xd6,
				   0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };

/* A second valid signature would be a second valid entry with another hash. */
START_TEST(malleated_signatures)
{
	struct scene s;

	scene_open(&s);
	for (size_t sig = 0; sig < 2; sig++) {
		struct entry_bytes b = s.bytes;
		uint8_t *half = b.data + (s.e.sig[sig] - s.bytes.data) + 32;
		unsigned carry = 0;

		for (size_t i = 0; i < 32; i++) {
			carry += half[i] + order[i];
			half[i] = (uint8_t)carry;
			carry >>= 8;
		}
		kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	}
	scene_close(&s);
}
END_TEST

/* --- the joiner ----------------------------------------------------------------------------- */

/* The altered admit is of this node. */
static void joins_as(struct scene *s, unsigned n)
{
	kit_key(n, s->e.admit.key);
	s->e.author = kit_id(n);
	s->joiner = n;
}

/* [P2-27] */
START_TEST(joiner_with_a_known_key)
{
	struct scene s;

	scene_open(&s);
	joins_as(&s, 1);
	check_admit(&s, -EACCES, REFUSAL_KEY_KNOWN);
	joins_as(&s, 0);
	check_admit(&s, -EACCES, REFUSAL_KEY_KNOWN);
	scene_close(&s);
}
END_TEST

/* [P2-27] */
START_TEST(joiner_that_is_not_the_author)
{
	struct scene s;

	scene_open(&s);
	s.e.author.bytes[15] ^= 1;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	s.e.author = kit_id(0);
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	kit_key(0, s.e.admit.key);
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	scene_close(&s);
}
END_TEST

/* [P1-8] */
START_TEST(joiner_with_an_unsafe_key)
{
	struct scene s;

	scene_open(&s);
	memset(s.e.admit.key, 0, KEY_LEN);
	s.e.author = key_node_id(s.e.admit.key);
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	s.e.admit.key[0] = 1;
	memset(s.e.admit.key + 1, 0, KEY_LEN - 1);
	s.e.author = key_node_id(s.e.admit.key);
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	scene_close(&s);
}
END_TEST

START_TEST(joiner_with_a_bad_name)
{
	static const char *const bad[] = { "Node", "a.b", "a b", "-a", "$(id)", "xn--a" };
	struct scene s;

	scene_open(&s);
	strcpy(s.e.admit.node_name, "nas");
	check_admit(&s, -EACCES, REFUSAL_NAME_TAKEN);
	strcpy(s.e.admit.node_name, "node1");
	check_admit(&s, -EACCES, REFUSAL_NAME_TAKEN);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		strcpy(s.e.admit.node_name, bad[i]);
		check_admit(&s, -EBADMSG, REFUSAL_NAME_BAD);
	}
	s.e.admit.node_name[0] = '\0'; /* that of an invite that replaces */
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	scene_close(&s);
}
END_TEST

/* [P2-27] */
START_TEST(joiner_with_another_name_than_the_invite)
{
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	s.invite = kit_invite_fields(&s.k, 50);
	strcpy(s.invite.inv.node_name, "printer");
	kit_invite_sign(&s.invite, s.k.admin);
	scene_admit(&s);
	check_admit(&s, -EACCES, REFUSAL_NAME_BAD);
	strcpy(s.e.admit.node_name, "printer");
	b = kit_forge(&s.k, &s.e, 2, KIT_ONE_TIME + 50);
	kit_append(&s.k, &b);
	scene_close(&s);
}
END_TEST

/* --- place and time ------------------------------------------------------------------------- */

/* An admit builds on its invite's head, so that both stand and fall together. */
/* [P2-21] */
START_TEST(admit_with_another_base)
{
	struct scene s;

	scene_open(&s);
	s.e.base.seq = 0;
	memcpy(s.e.base.hash, mlog_cluster_id(s.k.log), HASH_LEN);
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	s.e.base.hash[0] ^= 1;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	scene_close(&s);
}
END_TEST

/* [P2-20] */
START_TEST(replayed_entry)
{
	struct scene s;

	scene_open(&s);
	kit_append(&s.k, &s.bytes);
	kit_refused(&s.k, kit_span(&s.bytes), -EEXIST, REFUSAL_STALE);
	kit_join(&s.k, 7);
	kit_refused(&s.k, kit_span(&s.bytes), -EEXIST, REFUSAL_STALE);
	scene_close(&s);
}
END_TEST

START_TEST(entry_of_another_cluster)
{
	struct scene s;
	struct kit other = { kit_identity(0), kit_empty_log(), KIT_TIME, KIT_ORDER };
	struct genesis g = kit_genesis(other.admin);
	struct kit_invite i;
	struct entry_bytes b;

	scene_open(&s);
	g.random[0] ^= 1; /* the same admin, name and subnet */
	ck_assert_int_eq(genesis_make(&g, KIT_TIME, identity_signer(other.admin), &b, NULL), 0);
	kit_refused(&s.k, kit_span(&b), -EBADMSG, REFUSAL_BAD_ENTRY);
	ck_assert_int_eq(mlog_found(s.k.log, kit_span(&b), NULL), -EEXIST);
	ck_assert_int_eq(mlog_found(other.log, kit_span(&b), NULL), 0);
	i = kit_invite(&other, 50);
	b = kit_admit(&other, &i, 2);
	kit_refused(&s.k, kit_span(&b), -EACCES, REFUSAL_WRONG_CLUSTER);
	b = kit_remove(&other, 0, 0);
	kit_refused(&s.k, kit_span(&b), -EACCES, REFUSAL_UNKNOWN_HEAD);
	kit_close(&other);
	scene_close(&s);
}
END_TEST

/* --- every bit, every length, every order --------------------------------------------------- */

#define ALL_RECORDS 9

/* A record of each type but signal, renew and recover. */
static struct kit all_types(void)
{
	struct kit k = kit_open();
	struct kit_invite i;
	struct entry_bytes b;

	kit_join(&k, 1);
	i = kit_invite(&k, 50);
	b = kit_cancel(&k, i.inv.nonce);
	kit_append(&k, &b);
	kit_join(&k, 2);
	b = kit_promote(&k, 0, 1);
	kit_append(&k, &b);
	b = kit_rename(&k, 1, 2, "desk");
	kit_append(&k, &b);
	b = kit_rotate(&k, 2, 2, 102);
	kit_append(&k, &b);
	b = kit_demote(&k, 0, 1);
	kit_append(&k, &b);
	b = kit_remove(&k, 0, 2);
	kit_append(&k, &b);
	ck_assert_uint_eq(mlog_count(k.log), ALL_RECORDS);
	return k;
}

static enum mlog_taken take(struct mlog *l, struct span record)
{
	struct mlog_take t;

	mlog_take(l, &record, 1, &t);
	mlog_commit(l);
	ck_assert(t.result == TAKEN || t.why.reason != REFUSAL_NONE || t.result == TAKEN_GAP);
	return t.result;
}

/* [P2-15] */
START_TEST(any_flipped_bit_is_refused)
{
	struct kit k = all_types();
	struct mlog *l = kit_empty_log();

	for (uint64_t seq = 0; seq < ALL_RECORDS; seq++) {
		struct span s = mlog_record(k.log, seq);
		uint8_t copy[RECORD_MAX_BYTES];

		for (size_t bit = 0; bit < 8 * s.len; bit++) {
			memcpy(copy, s.data, s.len);
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			ck_assert_msg(take(l, span_of(copy, s.len)) != TAKEN, "record %d bit %zu",
				      (int)seq, bit);
			ck_assert_uint_eq(mlog_count(l), seq);
		}
		ck_assert_int_eq(take(l, s), TAKEN);
		ck_assert_uint_eq(mlog_count(l), seq + 1);
	}
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* [P2-15] */
START_TEST(any_cut_is_refused)
{
	struct kit k = all_types();
	struct mlog *l = kit_empty_log();

	for (uint64_t seq = 0; seq < ALL_RECORDS; seq++) {
		struct span s = mlog_record(k.log, seq);

		for (size_t len = 0; len < s.len; len++) {
			ck_assert_int_eq(take(l, span_of(s.data, len)), TAKEN_INVALID);
			ck_assert_uint_eq(mlog_count(l), seq);
		}
		ck_assert_int_eq(take(l, s), TAKEN);
	}
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* [P2-17] */
START_TEST(any_other_order_is_refused)
{
	struct kit k = all_types();

	for (uint64_t seq = 0; seq < ALL_RECORDS; seq++) {
		struct mlog *l = kit_copy(k.log, seq);

		for (uint64_t other = 0; other < ALL_RECORDS; other++) {
			if (other == seq)
				continue;
			ck_assert_int_eq(take(l, mlog_record(k.log, other)),
					 other < seq ? TAKEN : TAKEN_GAP);
			ck_assert_uint_eq(mlog_count(l), seq);
		}
		mlog_free(l);
	}
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/mlog attacks", scene_is_valid, admit_signed_by_the_wrong_keys,
	  admit_signed_for_another_purpose_or_cluster, malleated_signatures,
	  joiner_with_a_known_key, joiner_that_is_not_the_author, joiner_with_an_unsafe_key,
	  joiner_with_a_bad_name, joiner_with_another_name_than_the_invite, admit_with_another_base,
	  replayed_entry, entry_of_another_cluster, any_flipped_bit_is_refused, any_cut_is_refused,
	  any_other_order_is_refused)
