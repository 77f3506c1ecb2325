/* SPDX-License-Identifier: MIT */
/*
 * The rules of the membership log as attacks on it. Unless a test is about signatures, the forged
 * entry is signed by the right keys, so that it is the rule that refuses it.
 */
#include "log_kit.h"

/* A log with the admin (node 0) and node 1, an unused invite, and the admit of node 2 with it. */
struct scene {
	struct kit k;
	struct kit_invite invite;
	struct entry_bytes bytes;
	struct entry e;	/* of bytes; what a test alters */
	uint8_t joiner[SIGN_SEED_LEN], admin[SIGN_SEED_LEN], node1[SIGN_SEED_LEN];
};

static void scene_admit(struct scene *s)
{
	s->bytes = kit_admit(&s->k, &s->invite, 2);
	ck_assert_int_eq(entry_decode(kit_span(&s->bytes), &s->e, NULL), 0);
}

/* In the caller's frame: the entry holds views into the scene. */
static void scene_open(struct scene *s)
{
	s->k = kit_open();
	kit_seed(0, s->admin);
	kit_seed(1, s->node1);
	kit_seed(2, s->joiner);
	kit_join(&s->k, 1);
	s->k.now_s += 100;
	s->invite = kit_invite(&s->k, 50);
	scene_admit(s);
}

static void scene_close(struct scene *s)
{
	kit_close(&s->k);
}

static struct kit_forgery right_keys(const struct scene *s)
{
	return (struct kit_forgery){ "admit", mlog_cluster_id(s->k.log),
				     { s->joiner, s->invite.one_time } };
}

/* Signs the altered admit as its author would, and expects this refusal. */
static void check_admit_(struct scene *s, int code, int reason, int line)
{
	struct kit_forgery f = right_keys(s);
	struct entry_bytes b = kit_forge(&s->e, &f);

	kit_refused_(s->k.log, kit_span(&b), code, reason, __FILE__, line);
	scene_admit(s);
}

#define check_admit(s, code, reason) check_admit_(s, code, reason, __LINE__)

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
		{ s.node1, s.invite.one_time },	      /* somebody joins with another's key */
		{ s.joiner, s.node1 },		      /* without the URL */
		{ s.joiner, s.admin },		      /* not even the sponsor can */
		{ s.joiner, s.joiner },
		{ s.invite.one_time, s.invite.one_time },
		{ s.invite.one_time, s.joiner },      /* exchanged */
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
	static const char *const purposes[] = { "genesis", "cancel", "invite", "", "admit2",
						"admi" };
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
static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
				   0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };

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
		{ KIT_NET + 0x10000, REFUSAL_BAD_ENTRY },
		{ 0, REFUSAL_BAD_ENTRY },
		{ 0x7f000001, REFUSAL_BAD_ENTRY },
		{ 0xffffffff, REFUSAL_BAD_ENTRY },
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

/* --- invites -------------------------------------------------------------------------------- */

/* The scene's (altered) invite is refused, by itself and in an admit. */
static void check_invite_(struct scene *s, int code, int reason, int line)
{
	struct span bytes = span_of(s->invite.bytes, s->invite.len);
	struct err err = { .code = 0 };
	struct invite inv;
	int r = mlog_check_invite(s->k.log, bytes, s->invite.sig, s->k.now_s, &inv, &err);

	ck_assert_msg(r == code && err.reason == reason, "line %d: %d %s", line, r, err.text);
	scene_admit(s);
	kit_refused_(s->k.log, kit_span(&s->bytes), code, reason, __FILE__, line);
}

#define check_invite(s, code, reason) check_invite_(s, code, reason, __LINE__)

START_TEST(invite_altered)
{
	struct scene s;
	struct kit_invite good;

	scene_open(&s);
	good = s.invite;
	for (size_t bit = 0; bit < 8 * SIG_LEN; bit += 5) {
		s.invite.sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		check_invite(&s, -EKEYREJECTED, REFUSAL_TAMPERED);
		s.invite = good;
	}
	/* every field anew, with the old signature */
	for (int field = 0; field < 6; field++) {
		struct invite *inv = &s.invite.inv;
		struct cbor_writer w = cbor_writer_of(s.invite.bytes, INVITE_MAX_BYTES);

		if (field == 0)
			inv->expiry += 1000000;
		else if (field == 1)
			inv->nonce[0] ^= 1;
		else if (field == 2)
			inv->role = ROLE_ADMIN;
		else if (field == 3)
			strcpy(inv->node_name, "node2");
		else if (field == 4)
			inv->signal_cert[0] ^= 1;
		else
			inv->issued++;
		invite_put(&w, inv);
		s.invite.len = cbor_writer_span(&w).len;
		check_invite(&s, -EKEYREJECTED, REFUSAL_TAMPERED);
		s.invite = good;
	}
	scene_close(&s);
}
END_TEST

START_TEST(invite_without_right)
{
	struct scene s;
	struct identity *node1 = kit_identity(1), *stranger = kit_identity(77);

	scene_open(&s);
	s.invite.inv.sponsor = identity_node_id(node1); /* a member, but no admin */
	kit_invite_sign(&s.invite, node1);
	check_invite(&s, -EACCES, REFUSAL_SPONSOR_NOT_ADMIN);
	s.invite.inv.sponsor = identity_node_id(stranger);
	kit_invite_sign(&s.invite, stranger);
	check_invite(&s, -EACCES, REFUSAL_SPONSOR_UNKNOWN);
	/* in the admin's name */
	s.invite = kit_invite(&s.k, 51);
	ck_assert_int_eq(identity_sign(node1, "invite", s.invite.inv.cluster_id,
				       span_of(s.invite.bytes, s.invite.len), s.invite.sig), 0);
	check_invite(&s, -EKEYREJECTED, REFUSAL_TAMPERED);
	/* for another purpose */
	ck_assert_int_eq(identity_sign(s.k.admin, "admit", s.invite.inv.cluster_id,
				       span_of(s.invite.bytes, s.invite.len), s.invite.sig), 0);
	check_invite(&s, -EKEYREJECTED, REFUSAL_TAMPERED);
	identity_free(node1);
	identity_free(stranger);
	scene_close(&s);
}
END_TEST

START_TEST(invite_for_another_cluster)
{
	struct scene s;

	scene_open(&s);
	s.invite.inv.cluster_id[31] ^= 1;
	kit_invite_sign(&s.invite, s.k.admin);
	check_invite(&s, -EACCES, REFUSAL_WRONG_CLUSTER);
	s.invite = kit_invite_fields(&s.k, 51);
	strcpy(s.invite.inv.cluster_name, "other");
	kit_invite_sign(&s.invite, s.k.admin);
	check_invite(&s, -EACCES, REFUSAL_WRONG_CLUSTER);
	scene_close(&s);
}
END_TEST

/* The joiner refuses a log that was cut back or rewritten after the invite was made. */
START_TEST(invite_on_an_unknown_head)
{
	struct scene s;

	scene_open(&s);
	s.invite.inv.head.hash[0] ^= 1;
	kit_invite_sign(&s.invite, s.k.admin);
	check_invite(&s, -EACCES, REFUSAL_UNKNOWN_HEAD);
	s.invite = kit_invite_fields(&s.k, 51);
	s.invite.inv.head.seq = 2;
	kit_invite_sign(&s.invite, s.k.admin);
	check_invite(&s, -EACCES, REFUSAL_UNKNOWN_HEAD);
	s.invite = kit_invite_fields(&s.k, 52);
	s.invite.inv.head.seq = LOG_MAX_ENTRIES - 1;
	kit_invite_sign(&s.invite, s.k.admin);
	check_invite(&s, -EACCES, REFUSAL_UNKNOWN_HEAD);
	s.invite = kit_invite_fields(&s.k, 53);
	s.invite.inv.head.seq = 0; /* node 1's hash */
	kit_invite_sign(&s.invite, s.k.admin);
	check_invite(&s, -EACCES, REFUSAL_UNKNOWN_HEAD);
	scene_close(&s);
}
END_TEST

START_TEST(invite_dated_before_its_head)
{
	struct scene s;

	scene_open(&s);
	s.invite.inv.issued = KIT_TIME - 1;
	kit_invite_sign(&s.invite, s.k.admin);
	check_invite(&s, -EACCES, REFUSAL_BAD_ENTRY);
	scene_close(&s);
}
END_TEST

START_TEST(invite_expired)
{
	struct scene s;
	struct invite inv;

	scene_open(&s);
	ck_assert_int_eq(mlog_check_invite(s.k.log, span_of(s.invite.bytes, s.invite.len),
					   s.invite.sig, s.invite.inv.expiry, &inv, NULL), 0);
	ck_assert_mem_eq(inv.nonce, s.invite.inv.nonce, NONCE_LEN);
	s.k.now_s = s.invite.inv.expiry + 1;
	check_invite(&s, -ETIME, REFUSAL_INVITE_EXPIRED);
	scene_close(&s);
}
END_TEST

START_TEST(invite_used_twice)
{
	struct scene s;
	struct entry_bytes b;
	struct kit_invite again;

	scene_open(&s);
	/* two nodes at the same moment: the second one's entry is in the same place */
	b = kit_admit(&s.k, &s.invite, 3);
	kit_append(s.k.log, &s.bytes);
	kit_refused(s.k.log, kit_span(&b), -ESTALE, REFUSAL_STALE);
	b = kit_admit(&s.k, &s.invite, 3);
	kit_refused(s.k.log, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	/* another invite with the same nonce */
	again = kit_invite_fields(&s.k, 51);
	memcpy(again.inv.nonce, s.invite.inv.nonce, NONCE_LEN);
	kit_invite_sign(&again, s.k.admin);
	b = kit_admit(&s.k, &again, 3);
	kit_refused(s.k.log, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	/* "used" says more than "expired" */
	s.k.now_s += 10000;
	b = kit_admit(&s.k, &s.invite, 3);
	kit_refused(s.k.log, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	scene_close(&s);
}
END_TEST

START_TEST(invite_cancelled)
{
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_append(s.k.log, &b);
	check_invite(&s, -EACCES, REFUSAL_INVITE_CANCELLED);
	/* sponsors cancel what ran out: then that is the reason */
	s.k.now_s = s.invite.inv.expiry + 1;
	check_invite(&s, -ETIME, REFUSAL_INVITE_EXPIRED);
	scene_close(&s);
}
END_TEST

/* --- cancel --------------------------------------------------------------------------------- */

START_TEST(cancel_by_the_wrong_node)
{
	struct scene s;
	struct entry_bytes b = { .len = 0 };
	struct head head;
	struct entry e;
	const uint8_t *cid;

	scene_open(&s);
	head = mlog_head(s.k.log);
	cid = mlog_cluster_id(s.k.log);
	for (unsigned n = 1; n <= 2; n++) {
		struct identity *id = kit_identity(n); /* no admin; no member */

		ck_assert_int_eq(cancel_make(&head, s.k.now_s, id, cid, s.invite.inv.nonce, &b,
					     NULL), 0);
		kit_refused(s.k.log, kit_span(&b), -EACCES,
			    n == 1 ? REFUSAL_NOT_ALLOWED : REFUSAL_NOT_MEMBER);
		identity_free(id);
	}
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	ck_assert_int_eq(entry_decode(kit_span(&b), &e, NULL), 0);
	{
		struct kit_forgery by_node1 = { "cancel", cid, { s.node1 } };
		struct kit_forgery for_admit = { "admit", cid, { s.admin } };
		struct kit_forgery for_genesis = { "cancel", zero_hash, { s.admin } };
		struct entry_bytes forged = kit_forge(&e, &by_node1);

		kit_refused(s.k.log, kit_span(&forged), -EKEYREJECTED, REFUSAL_TAMPERED);
		forged = kit_forge(&e, &for_admit);
		kit_refused(s.k.log, kit_span(&forged), -EKEYREJECTED, REFUSAL_TAMPERED);
		forged = kit_forge(&e, &for_genesis);
		kit_refused(s.k.log, kit_span(&forged), -EKEYREJECTED, REFUSAL_TAMPERED);
	}
	kit_append(s.k.log, &b);
	scene_close(&s);
}
END_TEST

START_TEST(cancel_of_what_is_closed)
{
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	kit_append(s.k.log, &s.bytes);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_refused(s.k.log, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	s.invite = kit_invite(&s.k, 51);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_append(s.k.log, &b);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_refused(s.k.log, kit_span(&b), -EACCES, REFUSAL_INVITE_CANCELLED);
	scene_close(&s);
}
END_TEST

/* --- genesis -------------------------------------------------------------------------------- */

START_TEST(genesis_forged)
{
	struct scene s;
	struct mlog *empty = kit_empty_log();
	struct entry_bytes b;
	struct entry e;
	struct kit_forgery f;
	struct identity *node1 = kit_identity(1);

	scene_open(&s);
	ck_assert_int_eq(entry_decode(mlog_entry(s.k.log, 0), &e, NULL), 0);
	f = (struct kit_forgery){ "genesis", zero_hash, { s.node1 } };
	b = kit_forge(&e, &f);
	kit_refused(empty, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	f = (struct kit_forgery){ "genesis", mlog_cluster_id(s.k.log), { s.admin } };
	b = kit_forge(&e, &f);
	kit_refused(empty, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	f = (struct kit_forgery){ "admit", zero_hash, { s.admin } };
	b = kit_forge(&e, &f);
	kit_refused(empty, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	e.author = identity_node_id(node1);
	f = (struct kit_forgery){ "genesis", zero_hash, { s.admin } };
	b = kit_forge(&e, &f);
	kit_refused(empty, kit_span(&b), -EBADMSG, REFUSAL_BAD_ENTRY);
	memset(e.genesis.key, 0, KEY_LEN);
	e.author = key_node_id(e.genesis.key);
	b = kit_forge(&e, &f);
	kit_refused(empty, kit_span(&b), -EBADMSG, REFUSAL_BAD_ENTRY);
	/* anything else first */
	kit_refused(empty, kit_span(&s.bytes), -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	identity_free(node1);
	mlog_free(empty);
	scene_close(&s);
}
END_TEST

START_TEST(genesis_again)
{
	struct scene s;
	struct entry e;
	struct entry_bytes b;
	struct kit_forgery f;

	scene_open(&s);
	kit_refused(s.k.log, mlog_entry(s.k.log, 0), -EEXIST, REFUSAL_STALE);
	ck_assert_int_eq(entry_decode(mlog_entry(s.k.log, 0), &e, NULL), 0);
	f = (struct kit_forgery){ "genesis", zero_hash, { s.admin } };
	e.seq = mlog_count(s.k.log);
	memcpy(e.prev, mlog_head(s.k.log).hash, HASH_LEN);
	b = kit_forge(&e, &f);
	kit_refused(s.k.log, kit_span(&b), -EBADMSG, REFUSAL_BAD_ENTRY);
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
	  invite_altered, invite_without_right, invite_for_another_cluster,
	  invite_on_an_unknown_head, invite_dated_before_its_head, invite_expired,
	  invite_used_twice, invite_cancelled, cancel_by_the_wrong_node, cancel_of_what_is_closed,
	  genesis_forged, genesis_again, any_flipped_bit_is_refused, any_cut_is_refused,
	  any_other_order_is_refused)
