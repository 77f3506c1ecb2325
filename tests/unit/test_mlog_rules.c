/* SPDX-License-Identifier: MIT */
/*
 * Every rule of every type of entry: what it permits, and the attack that it stops. Unless a test
 * is about signatures, what it shows is signed by the right keys, so that it is the rule that
 * refuses.
 */
#include "log_kit.h"

static void append(struct kit *k, struct entry_bytes b)
{
	kit_append(k, &b);
}

static void refused_(struct kit *k, struct entry_bytes b, int code, int reason, int line)
{
	kit_refused_(k, kit_span(&b), code, reason, __FILE__, line);
}
#define refused(k, b, code, reason) refused_(k, b, code, reason, __LINE__)

/* --- every entry ---------------------------------------------------------------------------- */

/* [P2-20] */
START_TEST(once)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes b = kit_rename(&k, 0, 1, "desk");

	kit_append(&k, &b);
	refused(&k, b, -EEXIST, REFUSAL_STALE);
	kit_close(&k);
}
END_TEST

/* [P2-21] */
START_TEST(base)
{
	struct kit k = kit_open_with(3);
	struct entry e = kit_entry(&k, ENTRY_REMOVE, 0);

	e.remove.id[e.remove.n++] = kit_id(1);
	e.base.hash[0] ^= 1;
	refused(&k, kit_sign(&k, &e, 0, 0), -EACCES, REFUSAL_UNKNOWN_HEAD);
	e.base = mlog_head(k.log);
	e.base.seq++;
	refused(&k, kit_sign(&k, &e, 0, 0), -EACCES, REFUSAL_UNKNOWN_HEAD);
	kit_close(&k);
}
END_TEST

/* Stale entries die; removals do not. */
/* [P2-22] */
START_TEST(window)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes renamed = kit_rename(&k, 0, 1, "desk"), removed = kit_remove(&k, 0, 2);

	k.now_s += 601;
	refused(&k, renamed, -ETIME, REFUSAL_TOO_OLD);
	append(&k, removed);
	ck_assert(!member_is_current(kit_member(&k, 2)));
	k.now_s += 2000;
	renamed = kit_rename(&k, 0, 1, "desk"); /* by a clock that is ahead */
	k.now_s -= 601;
	refused(&k, renamed, -ETIME, REFUSAL_TOO_OLD);
	k.now_s += 1;
	append(&k, renamed);
	kit_close(&k);
}
END_TEST

/* A server whose clock is behind orders with the log's time, or nothing. */
/* [P2-18] */
START_TEST(server_clock)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes b = kit_remove(&k, 0, 1);

	k.now_s -= 601;
	refused(&k, b, -ETIME, REFUSAL_INTERNAL);
	k.now_s += 1;
	append(&k, b);
	ck_assert_uint_eq(mlog_last_time_s(k.log), KIT_TIME);
	kit_close(&k);
}
END_TEST

/* [P2-24] */
START_TEST(authors)
{
	struct kit k = kit_open_with(3);
	struct entry e = kit_entry(&k, ENTRY_RENAME, 9);

	/* a stranger, a plain node, another's key, a former admin */
	e.rename.id = kit_id(1);
	strcpy(e.rename.name, "desk");
	refused(&k, kit_sign(&k, &e, 9, 0), -EACCES, REFUSAL_NOT_MEMBER);
	refused(&k, kit_rename(&k, 2, 1, "desk"), -EACCES, REFUSAL_NOT_ALLOWED);
	e.author = kit_id(0);
	refused(&k, kit_sign(&k, &e, 2, 0), -EKEYREJECTED, REFUSAL_TAMPERED);
	append(&k, kit_promote(&k, 0, 1));
	append(&k, kit_remove(&k, 1, 0));
	refused(&k, kit_rename(&k, 0, 1, "desk"), -EACCES, REFUSAL_NOT_MEMBER);
	kit_close(&k);
}
END_TEST

/* Demoted and promoted again: nothing that was signed before counts. */
/* [P2-24] */
START_TEST(rights_begin_anew)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes removal, rename, admit;
	struct kit_invite i;

	append(&k, kit_promote(&k, 0, 1));
	removal = kit_remove(&k, 1, 2);
	rename = kit_rename(&k, 1, 2, "desk");
	i = kit_invite_fields(&k, 9);
	i.inv.sponsor = kit_id(1);
	struct identity *one = kit_identity(1);
	kit_invite_sign(&i, one);
	identity_free(one);
	admit = kit_admit(&k, &i, 9);
	append(&k, kit_demote(&k, 0, 1));
	refused(&k, removal, -EACCES, REFUSAL_NOT_ALLOWED);
	refused(&k, admit, -EACCES, REFUSAL_SPONSOR_NOT_ADMIN);
	append(&k, kit_promote(&k, 0, 1));
	refused(&k, removal, -ESTALE, REFUSAL_STALE);
	refused(&k, rename, -ESTALE, REFUSAL_STALE);
	refused(&k, admit, -EACCES, REFUSAL_INVITE_CANCELLED);
	kit_close(&k);
}
END_TEST

/* Nothing from before a recovery counts after it, not even a kept admin's. */
/* [P2-21] */
START_TEST(nothing_outlives_recovery)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes removal = kit_remove(&k, 0, 3), leave = kit_remove(&k, 2, 2);
	struct kit_invite i = kit_invite(&k, 9);
	struct entry_bytes admit = kit_admit(&k, &i, 9);

	append(&k, kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 0));
	refused(&k, removal, -ESTALE, REFUSAL_STALE);
	refused(&k, leave, -ESTALE, REFUSAL_STALE);
	refused(&k, admit, -EACCES, REFUSAL_INVITE_CANCELLED);
	append(&k, kit_remove(&k, 0, 3));
	kit_close(&k);
}
END_TEST

/* --- admit ---------------------------------------------------------------------------------- */

/* The address is the server's to give, in the subnet and once. */
/* [P2-27] */
START_TEST(addresses)
{
	struct kit k = kit_open_with(3);
	struct kit_invite i = kit_invite(&k, 9);
	struct entry_bytes b = kit_admit(&k, &i, 9);
	const ip4 bad[] = { 0, KIT_NET, KIT_NET + 1, KIT_NET + 0xffff, 0x0a000001 };
	struct err err;

	for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
		ck_assert_int_eq(kit_order_at(&k, k.log, kit_span(&b), bad[n], &err), -EACCES);
		ck_assert_int_eq(err.reason, REFUSAL_BAD_ENTRY);
	}
	/* any free one will do: one at the end uses nothing up */
	ck_assert_int_eq(kit_order_at(&k, k.log, kit_span(&b), KIT_NET + 0xfffe, &err), 0);
	mlog_commit(k.log);
	i = kit_invite(&k, 10);
	b = kit_admit(&k, &i, 10);
	ck_assert_int_eq(kit_order_at(&k, k.log, kit_span(&b), KIT_NET + 7, &err), 0);
	kit_close(&k);
}
END_TEST

/* A former member's key, name and address do not come back. */
/* [P2-27] */
START_TEST(nothing_comes_back)
{
	struct kit k = kit_open_with(3);
	struct kit_invite i;
	struct entry_bytes b;
	struct identity *five = kit_identity(5);
	struct err err;

	append(&k, kit_remove(&k, 0, 3));
	i = kit_invite(&k, 9);
	refused(&k, kit_admit(&k, &i, 3), -EACCES, REFUSAL_KEY_KNOWN);
	ck_assert_int_eq(admit_make(k.now_s, identity_signer(five), "node3",
				    span_of(i.bytes, i.len), i.sig, i.one_time, &b, NULL),
			 0);
	refused(&k, b, -EACCES, REFUSAL_NAME_TAKEN);
	b = kit_admit(&k, &i, 5);
	ck_assert_int_eq(kit_order_at(&k, k.log, kit_span(&b), KIT_NET + 4, &err), -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_BAD_ENTRY);
	append(&k, b);
	identity_free(five);
	kit_close(&k);
}
END_TEST

/* [P2-26] */
START_TEST(invite_once_and_in_time)
{
	struct kit k = kit_open_with(3);
	struct kit_invite i = kit_invite(&k, 9), late = kit_invite(&k, 10),
			  off = kit_invite(&k, 11);
	struct entry_bytes b = kit_admit(&k, &late, 6);

	append(&k, kit_admit(&k, &i, 5));
	refused(&k, kit_admit(&k, &i, 6), -EACCES, REFUSAL_INVITE_USED);
	append(&k, kit_cancel(&k, off.inv.nonce));
	refused(&k, kit_admit(&k, &off, 6), -EACCES, REFUSAL_INVITE_CANCELLED);
	refused(&k, kit_cancel(&k, off.inv.nonce), -EACCES, REFUSAL_INVITE_CANCELLED);
	refused(&k, kit_cancel(&k, i.inv.nonce), -EACCES, REFUSAL_INVITE_USED);
	/* the joiner's own date does not help it: the server's counts */
	k.now_s += 3601;
	refused(&k, b, -ETIME, REFUSAL_INVITE_EXPIRED);
	kit_close(&k);
}
END_TEST

/* [P2-26] */
START_TEST(sponsor_removed)
{
	struct kit k = kit_open_with(3);
	struct kit_invite i;
	struct entry_bytes b;
	struct identity *one = kit_identity(1);

	append(&k, kit_promote(&k, 0, 1));
	i = kit_invite_fields(&k, 9);
	i.inv.sponsor = kit_id(1);
	kit_invite_sign(&i, one);
	b = kit_admit(&k, &i, 9);
	append(&k, kit_remove(&k, 0, 1));
	refused(&k, b, -EACCES, REFUSAL_SPONSOR_REMOVED);
	identity_free(one);
	kit_close(&k);
}
END_TEST

/* [P2-28] */
START_TEST(replace)
{
	struct kit k = kit_open_with(3);
	struct kit_invite i = kit_invite_replace(&k, 9, kit_id(2)),
			  second = kit_invite_replace(&k, 10, kit_id(2));
	struct entry_bytes b = kit_admit(&k, &second, 6);
	ip4 address = kit_member(&k, 2)->address;

	append(&k, kit_admit(&k, &i, 5));
	ck_assert(!member_is_current(kit_member(&k, 2)));
	ck_assert_int_eq(kit_member(&k, 2)->left, LEFT_REPLACED);
	ck_assert_str_eq(kit_member(&k, 5)->name, "node2");
	ck_assert_uint_eq(kit_member(&k, 5)->address, address);
	ck_assert_int_eq(kit_member(&k, 5)->role, ROLE_NODE);
	ck_assert_ptr_eq(roster_by_name(mlog_roster(k.log), span_str("node2"), ROSTER_CURRENT),
			 kit_member(&k, 5));
	refused(&k, b, -EACCES, REFUSAL_STALE); /* two would have one address */
	kit_close(&k);
}
END_TEST

/* An invite to replace a node that was removed since: what a thief holds is worth nothing. */
/* [P2-28] */
START_TEST(replace_void)
{
	struct kit k = kit_open_with(3);
	struct kit_invite i = kit_invite_replace(&k, 9, kit_id(2));
	struct entry_bytes b = kit_admit(&k, &i, 5);

	append(&k, kit_remove(&k, 0, 2));
	refused(&k, b, -EACCES, REFUSAL_INVITE_CANCELLED);
	i = kit_invite_replace(&k, 10, kit_id(2)); /* made knowingly */
	append(&k, kit_admit(&k, &i, 5));
	ck_assert_str_eq(kit_member(&k, 5)->name, "node2");
	i = kit_invite_replace(&k, 11, kit_id(0)); /* the only admin, by itself */
	refused(&k, kit_admit(&k, &i, 6), -EACCES, REFUSAL_LAST_ADMIN);
	kit_close(&k);
}
END_TEST

/* --- remove, promote, demote ---------------------------------------------------------------- */

/* [P2-25] [P2-30] */
START_TEST(removals)
{
	struct kit k = kit_open_with(3);
	struct entry e;

	append(&k, kit_remove(&k, 3, 3)); /* leaves */
	ck_assert_int_eq(kit_member(&k, 3)->left, LEFT_BY_ITSELF);
	refused(&k, kit_remove(&k, 2, 1), -EACCES, REFUSAL_NOT_ALLOWED);
	e = kit_entry(&k, ENTRY_REMOVE, 2); /* itself and another */
	e.remove.id[e.remove.n++] = kit_id(1);
	e.remove.id[e.remove.n++] = kit_id(2);
	id_list_sort(&e.remove);
	refused(&k, kit_sign(&k, &e, 2, 0), -EACCES, REFUSAL_NOT_ALLOWED);
	e = kit_entry(&k, ENTRY_REMOVE, 0); /* one that left, one that has not */
	e.remove.id[e.remove.n++] = kit_id(3);
	e.remove.id[e.remove.n++] = kit_id(1);
	id_list_sort(&e.remove);
	append(&k, kit_sign(&k, &e, 0, 0));
	ck_assert_int_eq(kit_member(&k, 3)->left, LEFT_BY_ITSELF);
	ck_assert_int_eq(kit_member(&k, 1)->left, LEFT_REMOVED);
	refused(&k, kit_remove(&k, 0, 1), -EACCES, REFUSAL_NOT_MEMBER);
	refused(&k, kit_remove(&k, 0, 99), -EACCES, REFUSAL_NOT_MEMBER);
	refused(&k, kit_remove(&k, 0, 0), -EACCES, REFUSAL_LAST_ADMIN);
	kit_close(&k);
}
END_TEST

/* [P2-29] */
START_TEST(cancelled_removal)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes b = kit_remove(&k, 0, 1), c, d;
	struct entry e, removal;

	append(&k, kit_promote(&k, 0, 2));
	ck_assert_int_eq(entry_decode(kit_span(&b), &removal, NULL), 0);
	e = kit_entry(&k, ENTRY_CANCEL, 2); /* not one's own: has no effect */
	e.cancel.what = CANCEL_REMOVAL;
	memcpy(e.cancel.hash, removal.payload_hash, HASH_LEN);
	c = kit_sign(&k, &e, 2, 0);
	kit_append(&k, &c);
	e.author = kit_id(0);
	d = kit_sign(&k, &e, 0, 0);
	kit_append(&k, &d);
	refused(&k, b, -EACCES, REFUSAL_INVITE_CANCELLED);
	ck_assert(member_is_current(kit_member(&k, 1)));
	kit_close(&k);
}
END_TEST

/* [P2-31] */
START_TEST(promotion)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes stale = kit_promote(&k, 0, 1);
	struct entry e;

	append(&k, kit_rename(&k, 0, 1, "desk"));
	refused(&k, stale, -ESTALE, REFUSAL_STALE);
	e = kit_entry(&k, ENTRY_PROMOTE, 0);
	e.promote.id = kit_id(1); /* with a key that is not its */
	refused(&k, kit_sign(&k, &e, 0, 0), -EACCES, REFUSAL_BAD_ENTRY);
	refused(&k, kit_promote(&k, 1, 1), -EACCES, REFUSAL_NOT_ALLOWED);
	append(&k, kit_promote(&k, 0, 1));
	ck_assert_int_eq(kit_member(&k, 1)->role, ROLE_ADMIN);
	refused(&k, kit_promote(&k, 0, 1), -EACCES, REFUSAL_STALE);
	append(&k, kit_demote(&k, 1, 1)); /* oneself */
	refused(&k, kit_demote(&k, 0, 1), -EACCES, REFUSAL_STALE);
	refused(&k, kit_demote(&k, 0, 0), -EACCES, REFUSAL_LAST_ADMIN);
	append(&k, kit_remove(&k, 0, 2));
	refused(&k, kit_promote(&k, 0, 2), -EACCES, REFUSAL_NOT_MEMBER);
	kit_close(&k);
}
END_TEST

/* A demotion that was held back does not hit one who was promoted since. */
/* [P2-32] */
START_TEST(demotion_void)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes stale, again;

	append(&k, kit_promote(&k, 0, 1));
	stale = kit_demote(&k, 0, 1);
	k.now_s++;
	again = kit_demote(&k, 0, 1);
	kit_append(&k, &again);
	append(&k, kit_promote(&k, 0, 1));
	refused(&k, stale, -ESTALE, REFUSAL_STALE);
	kit_close(&k);
}
END_TEST

/* --- rename, rotate ------------------------------------------------------------------------- */

/* [P2-33] */
START_TEST(names)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes stale = kit_rename(&k, 0, 1, "first");

	append(&k, kit_rename(&k, 0, 1, "desk"));
	ck_assert_str_eq(kit_member(&k, 1)->name, "desk");
	refused(&k, stale, -ESTALE, REFUSAL_STALE);
	refused(&k, kit_rename(&k, 0, 1, "desk"), -EACCES, REFUSAL_NAME_TAKEN);
	refused(&k, kit_rename(&k, 0, 2, "desk"), -EACCES, REFUSAL_NAME_TAKEN);
	refused(&k, kit_rename(&k, 0, 2, "node1"), -EACCES, REFUSAL_NAME_TAKEN); /* was its */
	append(&k, kit_rename(&k, 0, 1, "node1"));				 /* its own again */
	append(&k, kit_remove(&k, 0, 3));
	refused(&k, kit_rename(&k, 0, 2, "node3"), -EACCES, REFUSAL_NAME_TAKEN);
	refused(&k, kit_rename(&k, 0, 3, "other"), -EACCES, REFUSAL_NOT_MEMBER);
	kit_close(&k);
}
END_TEST

/* [P2-34] */
START_TEST(rotation)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes old = kit_remove(&k, 1, 1);
	struct entry e;
	struct node_id id = kit_member(&k, 1)->id;

	refused(&k, kit_rotate(&k, 1, 1, 2), -EACCES, REFUSAL_KEY_KNOWN); /* another's key */
	refused(&k, kit_rotate(&k, 1, 1, 1), -EACCES, REFUSAL_KEY_KNOWN);
	e = kit_entry(&k, ENTRY_ROTATE, 1);
	kit_key(101, e.rotate.key);
	refused(&k, kit_sign(&k, &e, 1, 102), -EKEYREJECTED, REFUSAL_TAMPERED);
	refused(&k, kit_sign(&k, &e, 2, 101), -EKEYREJECTED, REFUSAL_TAMPERED);
	append(&k, kit_rotate(&k, 1, 1, 101));
	ck_assert(node_id_equal(&kit_member(&k, 1)->id, &id));
	refused(&k, old, -EKEYREJECTED, REFUSAL_TAMPERED); /* by the old key */
	for (unsigned n = 1; n < 16; n++)
		append(&k, kit_rotate(&k, 1, 100 + n, 101 + n));
	refused(&k, kit_rotate(&k, 1, 116, 117), -ENOSPC, REFUSAL_FULL);
	/* no old key comes in again, under any name */
	struct kit_invite i = kit_invite(&k, 9);
	refused(&k, kit_admit(&k, &i, 105), -EACCES, REFUSAL_KEY_KNOWN);
	kit_close(&k);
}
END_TEST

/* A new key voids the sponsor's open invites. */
START_TEST(rotation_voids_invites)
{
	struct kit k = kit_open_with(3);
	struct kit_invite i = kit_invite(&k, 9);
	struct entry_bytes b = kit_admit(&k, &i, 9);

	append(&k, kit_rotate(&k, 0, 0, 100));
	refused(&k, b, -EACCES, REFUSAL_INVITE_CANCELLED);
	kit_close(&k);
}
END_TEST

/* --- signal, renew, recover ----------------------------------------------------------------- */

/* [P2-35] */
START_TEST(server_void)
{
	struct kit k = kit_open_with(3);
	struct entry_bytes stale = kit_signal(&k, 0, KIT_ORDER + 5), next;

	next = kit_signal(&k, 0, KIT_ORDER_NEXT);
	kit_append(&k, &next);
	k.order = KIT_ORDER_NEXT;
	refused(&k, stale, -ESTALE, REFUSAL_STALE);
	refused(&k, kit_signal(&k, 1, KIT_ORDER), -EACCES, REFUSAL_NOT_ALLOWED);
	ck_assert_uint_eq(mlog_server(k.log)->port, 4433);
	kit_close(&k);
}
END_TEST

/* [P2-36] */
START_TEST(renewal)
{
	struct kit k = kit_open_with(3);
	struct entry e;
	uint8_t hash[HASH_LEN];
	struct entry_bytes stale;

	refused(&k, kit_renew(&k, 0, 1, KIT_CODE_NEXT), -EACCES, REFUSAL_NOT_ALLOWED);
	append(&k, kit_promote(&k, 0, 1));
	e = kit_entry(&k, ENTRY_RENEW, 0);
	kit_code_hash(KIT_CODE_NEXT, e.renew.next);
	e.renew.second = kit_id(1);
	refused(&k, kit_sign(&k, &e, 0, 2), -EKEYREJECTED, REFUSAL_TAMPERED);
	e.renew.second = kit_id(0); /* one admin is not two */
	struct entry_bytes alone = kit_forge(&k, &e, 0, 0);
	refused(&k, alone, -EBADMSG, REFUSAL_BAD_ENTRY);
	k.now_s++;
	stale = kit_renew(&k, 0, 1, KIT_CODE_NEXT + 7);
	append(&k, kit_renew(&k, 0, 1, KIT_CODE_NEXT));
	refused(&k, stale, -ESTALE, REFUSAL_STALE);
	kit_code_hash(KIT_CODE_NEXT, hash);
	ck_assert(mlog_recovery_is(k.log, hash));
	/* by the code itself, and by the one that was */
	e = kit_entry(&k, ENTRY_RENEW, KIT_CODE_NEXT);
	kit_code_hash(77, e.renew.next);
	e.renew.by_code = true;
	kit_key(KIT_CODE_NEXT, e.renew.key);
	append(&k, kit_sign(&k, &e, KIT_CODE_NEXT, 0));
	e = kit_entry(&k, ENTRY_RENEW, KIT_CODE);
	kit_code_hash(78, e.renew.next);
	e.renew.by_code = true;
	kit_key(KIT_CODE, e.renew.key);
	refused(&k, kit_sign(&k, &e, KIT_CODE, 0), -EACCES, REFUSAL_RECOVERY_CODE);
	kit_close(&k);
}
END_TEST

/* [P2-37] */
START_TEST(recovery)
{
	struct kit k = kit_open_with(3);
	struct entry e;
	struct kit_invite i;

	refused(&k, kit_recover(&k, 77, KIT_CODE_NEXT, 1), -EACCES, REFUSAL_RECOVERY_CODE);
	refused(&k, kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 99), -EACCES, REFUSAL_NOT_MEMBER);
	e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	refused(&k, kit_forge(&k, &e, 1, 0), -EKEYREJECTED, REFUSAL_TAMPERED);
	append(&k, kit_remove(&k, 0, 2));
	/* a removed node becomes admin by name, another is removed, a name stays reserved */
	e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 2);
	e.recover.removed.id[e.recover.removed.n++] = kit_id(0);
	strcpy(e.recover.reserved[0].name, "dropped");
	e.recover.reserved[0].address = KIT_NET + 100;
	e.recover.n_reserved = 1;
	append(&k, kit_sign(&k, &e, KIT_CODE, 0));
	ck_assert(member_is_current(kit_member(&k, 2)));
	ck_assert_int_eq(kit_member(&k, 2)->role, ROLE_ADMIN);
	ck_assert_int_eq(kit_member(&k, 0)->left, LEFT_BY_RECOVERY);
	ck_assert_uint_eq(mlog_generation(k.log), generation_of(1, 0));
	refused(&k, kit_rename(&k, 2, 1, "dropped"), -EACCES, REFUSAL_NAME_TAKEN);
	ck_assert(mlog_address_taken(k.log, KIT_NET + 100));
	refused(&k, kit_recover(&k, KIT_CODE, 79, 1), -EACCES, REFUSAL_RECOVERY_CODE);
	append(&k, kit_recover(&k, KIT_CODE_NEXT, 79, 1));
	ck_assert_uint_eq(mlog_generation(k.log), generation_of(2, 0));
	/* a replaced one cannot come back: its address is another's */
	identity_free(k.admin);
	k.admin = kit_identity(1);
	i = kit_invite_replace(&k, 9, kit_id(3));
	append(&k, kit_admit(&k, &i, 8));
	refused(&k, kit_recover(&k, 79, 80, 3), -EACCES, REFUSAL_BAD_ENTRY);
	kit_close(&k);
}
END_TEST

/* --- room, types that are not known --------------------------------------------------------- */

/* [P2-10] [P2-11] */
START_TEST(skipped)
{
	struct kit k = kit_open_with(3);
	struct entry e = kit_entry(&k, 200, 0);
	uint8_t body[3] = { 0x82, 1, 2 };
	struct entry_bytes b;
	struct record_bytes r;
	struct span shown;
	struct mlog_take t;

	e.body = span_of(body, sizeof(body));
	b = kit_sign(&k, &e, 0, 0);
	refused(&k, b, -EPROTONOSUPPORT, REFUSAL_VERSION); /* a server orders what it knows */
	r = kit_record(&k, kit_span(&b), 0, KIT_ORDER);
	shown = kit_record_span(&r);
	mlog_take(k.log, &shown, 1, &t);
	ck_assert_msg(t.result == TAKEN && t.added == 1, "%s", t.why.text);
	mlog_commit(k.log);
	e = kit_entry(&k, 201, 1); /* not by an admin */
	b = kit_sign(&k, &e, 1, 0);
	r = kit_record(&k, kit_span(&b), 0, KIT_ORDER);
	shown = kit_record_span(&r);
	mlog_take(k.log, &shown, 1, &t);
	ck_assert_int_eq(t.result, TAKEN_LIE);
	e = kit_entry(&k, 100, 0); /* a lower one: upgrade */
	b = kit_forge(&k, &e, 0, 0);
	r = kit_record(&k, kit_span(&b), 0, KIT_ORDER);
	shown = kit_record_span(&r);
	mlog_take(k.log, &shown, 1, &t);
	ck_assert_int_eq(t.result, TAKEN_UPGRADE);
	r = kit_record(&k, kit_span(&b), 0, 55); /* that nobody ordered: nothing */
	shown = kit_record_span(&r);
	mlog_take(k.log, &shown, 1, &t);
	ck_assert_int_eq(t.result, TAKEN_UNPROVEN);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/rules", once, base, window, server_clock, authors, rights_begin_anew,
	  nothing_outlives_recovery, addresses, nothing_comes_back, invite_once_and_in_time,
	  sponsor_removed, replace, replace_void, removals, cancelled_removal, promotion,
	  demotion_void, names, rotation, rotation_voids_invites, server_void, renewal, recovery,
	  skipped)
