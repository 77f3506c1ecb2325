/* SPDX-License-Identifier: MIT */
/* Attacks on the membership log: forged, moved, replayed, damaged entries, and false joiners. */
#include "log_scene.h"

START_TEST(scene_is_valid)
{
	struct scene s;
	struct kit_forgery f;
	struct entry_bytes b;

	scene_open(&s);
	f = right_keys(&s);
	b = kit_forge(&s.e, &f);
	ck_assert(span_equal(kit_span(&b), kit_span(&s.bytes)));
	kit_append(s.k.log, &b);
	scene_close(&s);
}
END_TEST

/* --- signatures ----------------------------------------------------------------------------- */

START_TEST(admit_signed_by_the_wrong_keys)
{
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	const uint8_t *pairs[][2] = {
		{ s.node1, s.invite.one_time }, /* somebody joins with another's key */
		{ s.joiner, s.node1 },		/* without the URL */
		{ s.joiner, s.admin },		/* not even the sponsor can */
		{ s.joiner, s.joiner },		 { s.invite.one_time, s.invite.one_time },
		{ s.invite.one_time, s.joiner }, /* exchanged */
	};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct kit_forgery f = right_keys(&s);

		f.seeds[0] = pairs[i][0];
		f.seeds[1] = pairs[i][1];
		b = kit_forge(&s.e, &f);
		kit_refused(s.k.log, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	}
	scene_close(&s);
}
END_TEST

START_TEST(admit_signed_for_another_purpose_or_cluster)
{
	static const char *const purposes[] = {
		"genesis", "cancel", "invite", "", "admit2", "admi"
	};
	struct scene s;
	struct kit_forgery f;
	struct entry_bytes b;
	uint8_t other[HASH_LEN];

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(purposes); i++) {
		f = right_keys(&s);
		f.purpose = purposes[i];
		b = kit_forge(&s.e, &f);
		kit_refused(s.k.log, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	}
	memcpy(other, mlog_cluster_id(s.k.log), HASH_LEN);
	other[0] ^= 1;
	f = right_keys(&s);
	f.cluster_id = other;
	b = kit_forge(&s.e, &f);
	kit_refused(s.k.log, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	f.cluster_id = zero_hash;
	b = kit_forge(&s.e, &f);
	kit_refused(s.k.log, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
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
		kit_refused(s.k.log, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	}
	scene_close(&s);
}
END_TEST

/* --- the joiner ----------------------------------------------------------------------------- */

START_TEST(joiner_with_a_known_key)
{
	struct scene s;
	struct identity *node1 = kit_identity(1);

	scene_open(&s);
	memcpy(s.e.admit.key, identity_key(node1), KEY_LEN);
	s.e.author = identity_node_id(node1);
	memcpy(s.joiner, s.node1, sizeof(s.joiner));
	check_admit(&s, -EACCES, REFUSAL_KEY_KNOWN);
	memcpy(s.e.admit.key, identity_key(s.k.admin), KEY_LEN);
	s.e.author = identity_node_id(s.k.admin);
	memcpy(s.joiner, s.admin, sizeof(s.joiner));
	check_admit(&s, -EACCES, REFUSAL_KEY_KNOWN);
	identity_free(node1);
	scene_close(&s);
}
END_TEST

START_TEST(joiner_that_is_not_the_author)
{
	struct scene s;
	struct node_id admin;

	scene_open(&s);
	admin = identity_node_id(s.k.admin);
	s.e.author.bytes[15] ^= 1;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	s.e.author = admin;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	memcpy(s.e.admit.key, identity_key(s.k.admin), KEY_LEN);
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	scene_close(&s);
}
END_TEST

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
	static const char *const bad[] = { "", "Node", "a.b", "a b", "-a", "$(id)", "xn--a" };
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
	scene_close(&s);
}
END_TEST

START_TEST(joiner_with_another_name_than_the_invite)
{
	struct scene s;
	struct entry_bytes b;
	struct kit_forgery f;

	scene_open(&s);
	s.invite = kit_invite_fields(&s.k, 51);
	strcpy(s.invite.inv.node_name, "printer");
	kit_invite_sign(&s.invite, s.k.admin);
	scene_admit(&s);
	check_admit(&s, -EACCES, REFUSAL_NAME_BAD);
	strcpy(s.e.admit.node_name, "printer");
	f = right_keys(&s);
	b = kit_forge(&s.e, &f);
	kit_append(s.k.log, &b);
	scene_close(&s);
}
END_TEST

START_TEST(joiner_with_a_bad_address)
{
	static const struct {
		ip4 address;
		int reason;
	} bad[] = {
		{ KIT_NET + 2, REFUSAL_STALE },		 /* node 1 */
		{ KIT_NET + 1, REFUSAL_STALE },		 /* the admin */
		{ KIT_NET, REFUSAL_BAD_ENTRY },		 /* the network */
		{ KIT_NET + 0xffff, REFUSAL_BAD_ENTRY }, /* broadcast */
		{ KIT_NET + 0x10000, REFUSAL_BAD_ENTRY }, { 0, REFUSAL_BAD_ENTRY },
		{ 0x7f000001, REFUSAL_BAD_ENTRY },	  { 0xffffffff, REFUSAL_BAD_ENTRY },
	};
	struct scene s;

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.e.admit.address = bad[i].address;
		check_admit(&s, -EACCES, bad[i].reason);
	}
	scene_close(&s);
}
END_TEST

/* --- place and time ------------------------------------------------------------------------- */

START_TEST(entry_in_another_place)
{
	struct scene s;

	scene_open(&s);
	s.e.seq = 3; /* a gap */
	check_admit(&s, -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	s.e.seq = UINT64_MAX;
	check_admit(&s, -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	s.e.prev[0] ^= 1;
	check_admit(&s, -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	memset(s.e.prev, 0, HASH_LEN);
	check_admit(&s, -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	s.e.seq = 1; /* in node 1's place, but after another */
	check_admit(&s, -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	s.e.seq = 1;
	memcpy(s.e.prev, mlog_cluster_id(s.k.log), HASH_LEN);
	check_admit(&s, -ESTALE, REFUSAL_STALE);
	s.e.seq = 0;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	scene_close(&s);
}
END_TEST

START_TEST(time_runs_forward)
{
	struct scene s;
	struct entry_bytes b;
	struct kit_forgery f;

	scene_open(&s);
	s.e.time_s = KIT_TIME - 1;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	s.e.time_s = 0;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	s.e.time_s = LOG_TIME_MAX_S + 1ull;
	check_admit(&s, -EBADMSG, REFUSAL_BAD_ENTRY);
	s.e.time_s = KIT_TIME; /* the same is no step back */
	f = right_keys(&s);
	b = kit_forge(&s.e, &f);
	kit_append(s.k.log, &b);
	scene_close(&s);
}
END_TEST

START_TEST(invite_expires_by_the_time_of_the_log)
{
	struct scene s;
	struct entry_bytes b;
	struct kit_forgery f;

	scene_open(&s);
	s.e.time_s = s.invite.inv.expiry + 1;
	check_admit(&s, -ETIME, REFUSAL_INVITE_EXPIRED);
	s.e.time_s = s.invite.inv.expiry;
	f = right_keys(&s);
	b = kit_forge(&s.e, &f);
	kit_append(s.k.log, &b);
	scene_close(&s);
}
END_TEST

START_TEST(replayed_entry)
{
	struct scene s;

	scene_open(&s);
	kit_append(s.k.log, &s.bytes);
	kit_refused(s.k.log, kit_span(&s.bytes), -EEXIST, REFUSAL_STALE);
	kit_join(&s.k, 7);
	kit_refused(s.k.log, kit_span(&s.bytes), -EEXIST, REFUSAL_STALE);
	/* the same, put behind the end by somebody without the keys */
	s.e.seq = 4;
	memcpy(s.e.prev, mlog_head(s.k.log).hash, HASH_LEN);
	{
		uint8_t buf[ENTRY_MAX_BYTES], payload[ENTRY_MAX_BYTES];
		struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
		struct span p;

		entry_put_payload(&w, &s.e);
		p = cbor_writer_span(&w);
		w = cbor_writer_of(buf, sizeof(buf));
		entry_put(&w, p, s.e.sig, 2);
		kit_refused(s.k.log, cbor_writer_span(&w), -EACCES, REFUSAL_INVITE_USED);
	}
	scene_close(&s);
}
END_TEST

START_TEST(entry_of_another_cluster)
{
	struct scene s;
	struct kit other = { kit_identity(0), kit_empty_log(), KIT_TIME };
	struct genesis g = kit_genesis(other.admin);
	struct kit_invite i;
	struct entry_bytes b;
	struct kit_forgery f;

	scene_open(&s);
	g.random[0] ^= 1; /* the same admin, name and subnet */
	ck_assert_int_eq(genesis_make(&g, KIT_TIME, other.admin, &b, NULL), 0);
	kit_refused(s.k.log, kit_span(&b), -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	kit_append(other.log, &b);
	i = kit_invite(&other, 50);
	b = kit_admit(&other, &i, 2);
	kit_refused(s.k.log, kit_span(&b), -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	/* its invite, in an entry that is in place */
	s.invite = i;
	s.e.admit.invite = span_of(i.bytes, i.len);
	memcpy(s.e.admit.invite_sig, i.sig, SIG_LEN);
	f = right_keys(&s);
	b = kit_forge(&s.e, &f);
	kit_refused(s.k.log, kit_span(&b), -EACCES, REFUSAL_WRONG_CLUSTER);
	kit_close(&other);
	scene_close(&s);
}
END_TEST

/* --- every bit, every length, every order --------------------------------------------------- */

#define ALL_ENTRIES 4

/* Genesis, admit, cancel, admit. */
static struct kit all_types(void)
{
	struct kit k = kit_open();
	struct kit_invite i;
	struct entry_bytes b;

	kit_join(&k, 1);
	i = kit_invite(&k, 50);
	b = kit_cancel(&k, i.inv.nonce);
	kit_append(k.log, &b);
	kit_join(&k, 2);
	ck_assert_uint_eq(mlog_count(k.log), ALL_ENTRIES);
	return k;
}

START_TEST(any_flipped_bit_is_refused)
{
	struct kit k = all_types();
	struct mlog *l = kit_empty_log();

	for (uint64_t seq = 0; seq < ALL_ENTRIES; seq++) {
		struct span s = mlog_entry(k.log, seq);
		uint8_t copy[ENTRY_MAX_BYTES];

		for (size_t bit = 0; bit < 8 * s.len; bit++) {
			struct err err = { .code = 0 };
			int r;

			memcpy(copy, s.data, s.len);
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			r = mlog_append(l, span_of(copy, s.len), &err);
			ck_assert_msg(r < 0, "entry %d bit %zu", (int)seq, bit);
			ck_assert_int_ne(err.reason, REFUSAL_NONE);
			ck_assert_uint_eq(mlog_count(l), seq);
		}
		ck_assert_int_eq(mlog_append(l, s, NULL), 0);
	}
	mlog_free(l);
	kit_close(&k);
}
END_TEST

START_TEST(any_cut_is_refused)
{
	struct kit k = all_types();
	struct mlog *l = kit_empty_log();

	for (uint64_t seq = 0; seq < ALL_ENTRIES; seq++) {
		struct span s = mlog_entry(k.log, seq);

		for (size_t len = 0; len < s.len; len++) {
			ck_assert_int_eq(mlog_append(l, span_of(s.data, len), NULL), -EBADMSG);
			ck_assert_uint_eq(mlog_count(l), seq);
		}
		ck_assert_int_eq(mlog_append(l, s, NULL), 0);
	}
	mlog_free(l);
	kit_close(&k);
}
END_TEST

START_TEST(any_other_order_is_refused)
{
	struct kit k = all_types();

	for (uint64_t seq = 0; seq < ALL_ENTRIES; seq++) {
		struct mlog *l = kit_empty_log();

		for (uint64_t done = 0; done < seq; done++)
			ck_assert_int_eq(mlog_append(l, mlog_entry(k.log, done), NULL), 0);
		for (uint64_t other = 0; other < ALL_ENTRIES; other++) {
			if (other != seq)
				kit_refused(l, mlog_entry(k.log, other),
					    other < seq ? -EEXIST : -EBADMSG,
					    other < seq ? REFUSAL_STALE : REFUSAL_UNKNOWN_HEAD);
		}
		mlog_free(l);
	}
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/mlog attacks", scene_is_valid, admit_signed_by_the_wrong_keys,
	  admit_signed_for_another_purpose_or_cluster, malleated_signatures,
	  joiner_with_a_known_key, joiner_that_is_not_the_author, joiner_with_an_unsafe_key,
	  joiner_with_a_bad_name, joiner_with_another_name_than_the_invite,
	  joiner_with_a_bad_address, entry_in_another_place, time_runs_forward,
	  invite_expires_by_the_time_of_the_log, replayed_entry, entry_of_another_cluster,
	  any_flipped_bit_is_refused, any_cut_is_refused, any_other_order_is_refused)
