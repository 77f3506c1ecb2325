/* SPDX-License-Identifier: MIT */
/* Attacks on the membership log with invites, their cancelling, and genesis. */
#include "identity/identity.h"
#include "log_scene.h"

/* --- invites -------------------------------------------------------------------------------- */

/* The scene's (altered) invite is refused, by itself and in an admit. */
static void check_invite_(struct scene *s, int code, int reason, int line)
{
	struct span bytes = span_of(s->invite.bytes, s->invite.len);
	struct err err = { .code = 0 };
	struct invite inv;
	int r = kit_check_invite(s->k.log, bytes, s->invite.sig, s->k.now_s, &inv, &err);

	ck_assert_msg(r == code && err.reason == reason, "line %d: %d %s", line, r, err.text);
	scene_admit(s);
	kit_refused_(&s->k, kit_span(&s->bytes), code, reason, __FILE__, line);
}

#define check_invite(s, code, reason) check_invite_(s, code, reason, __LINE__)

/* [P2-12] */
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
	/* every field again, with the old signature */
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
			inv->signal_key[0] ^= 1;
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

/* [P2-26] */
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
	ck_assert_int_eq(signer_sign(identity_signer(node1), "invite", s.invite.inv.cluster_id,
				     span_of(s.invite.bytes, s.invite.len), s.invite.sig),
			 0);
	check_invite(&s, -EKEYREJECTED, REFUSAL_TAMPERED);
	/* for another purpose */
	ck_assert_int_eq(signer_sign(identity_signer(s.k.admin), "entry", s.invite.inv.cluster_id,
				     span_of(s.invite.bytes, s.invite.len), s.invite.sig),
			 0);
	check_invite(&s, -EKEYREJECTED, REFUSAL_TAMPERED);
	identity_free(node1);
	identity_free(stranger);
	scene_close(&s);
}
END_TEST

/* [P2-26] */
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

/* [P2-26] */
START_TEST(invite_expired)
{
	struct scene s;
	struct invite inv;

	scene_open(&s);
	ck_assert_int_eq(kit_check_invite(s.k.log, span_of(s.invite.bytes, s.invite.len),
					  s.invite.sig, s.invite.inv.expiry, &inv, NULL),
			 0);
	ck_assert_mem_eq(inv.nonce, s.invite.inv.nonce, NONCE_LEN);
	s.k.now_s = s.invite.inv.expiry + 1;
	check_invite(&s, -ETIME, REFUSAL_INVITE_EXPIRED);
	scene_close(&s);
}
END_TEST

/* [P2-26] */
START_TEST(invite_used_twice)
{
	struct scene s;
	struct entry_bytes b;
	struct kit_invite again;

	scene_open(&s);
	b = kit_admit(&s.k, &s.invite, 3);
	kit_append(&s.k, &s.bytes);
	kit_refused(&s.k, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	/* another invite with the same nonce */
	again = kit_invite_fields(&s.k, 51);
	memcpy(again.inv.nonce, s.invite.inv.nonce, NONCE_LEN);
	kit_invite_sign(&again, s.k.admin);
	b = kit_admit(&s.k, &again, 3);
	kit_refused(&s.k, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	/* "used" says more than "expired" */
	s.k.now_s += 10000;
	b = kit_admit(&s.k, &s.invite, 3);
	kit_refused(&s.k, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	scene_close(&s);
}
END_TEST

/* [P2-26] */
START_TEST(invite_cancelled)
{
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_append(&s.k, &b);
	check_invite(&s, -EACCES, REFUSAL_INVITE_CANCELLED);
	/* sponsors cancel what ran out: then that is the reason */
	s.k.now_s = s.invite.inv.expiry + 1;
	check_invite(&s, -ETIME, REFUSAL_INVITE_EXPIRED);
	scene_close(&s);
}
END_TEST

/* The holder of an invite from before a move cannot use it at the new server, whatever it pins. */
/* [P2-26] */
START_TEST(invite_of_before_a_move)
{
	struct scene s;
	struct entry_bytes b, replaces;
	struct kit_invite old;

	scene_open(&s);
	old = kit_invite_replace(&s.k, 52, kit_id(1));
	replaces = kit_admit(&s.k, &old, 60);
	b = kit_signal(&s.k, 0, KIT_ORDER_NEXT);
	kit_append(&s.k, &b);
	s.k.order = KIT_ORDER_NEXT;
	check_invite(&s, -EACCES, REFUSAL_INVITE_CANCELLED);
	kit_refused(&s.k, kit_span(&s.bytes), -EACCES, REFUSAL_INVITE_CANCELLED);
	kit_refused(&s.k, kit_span(&replaces), -EACCES, REFUSAL_INVITE_CANCELLED);
	s.invite = kit_invite(&s.k, 53); /* one of now */
	b = kit_admit(&s.k, &s.invite, 3);
	kit_append(&s.k, &b);
	scene_close(&s);
}
END_TEST

/* --- cancel --------------------------------------------------------------------------------- */

START_TEST(cancel_by_the_wrong_node)
{
	struct scene s;
	struct entry_bytes b;
	struct entry e;
	const uint8_t *cid;

	scene_open(&s);
	cid = mlog_cluster_id(s.k.log);
	for (unsigned n = 1; n <= 2; n++) { /* no admin; no member */
		e = kit_entry(&s.k, ENTRY_CANCEL, n);
		memcpy(e.cancel.nonce, s.invite.inv.nonce, NONCE_LEN);
		b = kit_sign(&s.k, &e, n, 0);
		kit_refused(&s.k, kit_span(&b), -EACCES,
			    n == 1 ? REFUSAL_NOT_ALLOWED : REFUSAL_NOT_MEMBER);
	}
	e.author = kit_id(0);
	b = kit_forge(&s.k, &e, 1, 0);
	kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	b = kit_forge_for(&e, SIGN_CONSENT, cid, 0, 0);
	kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	b = kit_forge_for(&e, SIGN_ENTRY, zero_hash, 0, 0);
	kit_refused(&s.k, kit_span(&b), -EKEYREJECTED, REFUSAL_TAMPERED);
	b = kit_forge(&s.k, &e, 0, 0);
	kit_append(&s.k, &b);
	scene_close(&s);
}
END_TEST

/* [P2-29] */
START_TEST(cancel_of_what_is_closed)
{
	struct scene s;
	struct entry_bytes b;

	scene_open(&s);
	kit_append(&s.k, &s.bytes);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_refused(&s.k, kit_span(&b), -EACCES, REFUSAL_INVITE_USED);
	s.invite = kit_invite(&s.k, 51);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_append(&s.k, &b);
	b = kit_cancel(&s.k, s.invite.inv.nonce);
	kit_refused(&s.k, kit_span(&b), -EACCES, REFUSAL_INVITE_CANCELLED);
	scene_close(&s);
}
END_TEST

/* --- genesis -------------------------------------------------------------------------------- */

static void refuse_genesis(struct mlog *l, const struct entry_bytes *b, int code, int reason)
{
	struct err err = { .code = 0 };

	ck_assert_int_eq(mlog_found(l, kit_span(b), &err), code);
	ck_assert_int_eq(err.reason, reason);
	ck_assert_uint_eq(mlog_count(l), 0);
}

/* [P2-23] */
START_TEST(genesis_forged)
{
	struct scene s;
	struct mlog *empty = kit_empty_log();
	struct entry_bytes b;
	struct record r;
	struct entry e;

	scene_open(&s);
	ck_assert_int_eq(mlog_get(s.k.log, 0, &r, &e), 0);
	b = kit_forge_for(&e, SIGN_ENTRY, zero_hash, 1, 0);
	refuse_genesis(empty, &b, -EKEYREJECTED, REFUSAL_TAMPERED);
	b = kit_forge_for(&e, SIGN_ENTRY, mlog_cluster_id(s.k.log), 0, 0);
	refuse_genesis(empty, &b, -EKEYREJECTED, REFUSAL_TAMPERED);
	b = kit_forge_for(&e, SIGN_CONSENT, zero_hash, 0, 0);
	refuse_genesis(empty, &b, -EKEYREJECTED, REFUSAL_TAMPERED);
	e.author = kit_id(1);
	b = kit_forge_for(&e, SIGN_ENTRY, zero_hash, 0, 0);
	refuse_genesis(empty, &b, -EBADMSG, REFUSAL_BAD_ENTRY);
	memset(e.genesis.key, 0, KEY_LEN);
	e.author = key_node_id(e.genesis.key);
	b = kit_forge_for(&e, SIGN_ENTRY, zero_hash, 0, 0);
	refuse_genesis(empty, &b, -EBADMSG, REFUSAL_BAD_ENTRY);
	/* anything else first */
	refuse_genesis(empty, &s.bytes, -EBADMSG, REFUSAL_UNKNOWN_HEAD);
	mlog_free(empty);
	scene_close(&s);
}
END_TEST

/* [P2-23] */
START_TEST(genesis_again)
{
	struct scene s;
	struct entry e;
	struct record r;
	struct record_bytes b;
	struct mlog_take t;
	struct span shown;

	scene_open(&s);
	ck_assert_int_eq(mlog_get(s.k.log, 0, &r, &e), 0);
	kit_refused(&s.k, r.entry, -EBADMSG, REFUSAL_BAD_ENTRY);
	b = kit_record(&s.k, r.entry, 0, KIT_ORDER); /* ordered all the same */
	shown = kit_record_span(&b);
	mlog_take(s.k.log, &shown, 1, &t);
	ck_assert_int_eq(t.result, TAKEN_LIE);
	scene_close(&s);
}
END_TEST

UNIT_MAIN("membership/mlog attacks with invites", invite_altered, invite_without_right,
	  invite_for_another_cluster, invite_on_an_unknown_head, invite_expired, invite_used_twice,
	  invite_cancelled, invite_of_before_a_move, cancel_by_the_wrong_node,
	  cancel_of_what_is_closed, genesis_forged, genesis_again)
