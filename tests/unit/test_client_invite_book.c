/* SPDX-License-Identifier: MIT */
/* The user's list of open invites: its bytes, its limit, and what leaves it. */
#include "client/invite_book.h"
#include "log_kit.h"

static struct invite_made made(unsigned n, uint64_t expiry_s, const char *name)
{
	struct invite_made m = { .note = { .expiry_s = expiry_s, .promote = n % 2 },
				 .role = n % 2 ? ROLE_ADMIN : ROLE_NODE,
				 .replaces = n % 3 == 0,
				 .told = n % 5 == 0,
				 .sponsor = kit_id(n),
				 .head = { .seq = UINT64_MAX - n } };

	store_be32(m.note.nonce, n);
	memset(m.head.hash, (int)(n & 0xff), HASH_LEN);
	snprintf(m.name, sizeof(m.name), "%s", name);
	return m;
}

static void add(struct invite_book *b, struct invite_made m)
{
	ck_assert_int_eq(invite_book_add(b, &m), 0);
}

START_TEST(full_one_is_read_back)
{
	char name[LABEL_MAX + 1] = "";
	struct invite_book b = { .n = 0 }, back;
	struct invite_made more = made(INVITES_MAX, 1, "");
	struct buf bytes;

	memset(name, 'n', LABEL_MAX);
	for (unsigned n = 0; n < INVITES_MAX; n++)
		add(&b, made(n, UINT64_MAX - n, n % 4 ? name : ""));
	ck_assert_int_eq(invite_book_add(&b, &more), -ENOSPC);
	ck_assert_int_eq(invite_book_encode(&b, &bytes), 0);
	ck_assert_int_eq(invite_book_decode(span_of(bytes.data, bytes.len), &back), 0);
	ck_assert_uint_eq(back.n, b.n);
	for (size_t i = 0; i < b.n; i++) {
		ck_assert_mem_eq(back.item[i].note.nonce, b.item[i].note.nonce, NONCE_LEN);
		ck_assert_uint_eq(back.item[i].note.expiry_s, b.item[i].note.expiry_s);
		ck_assert(back.item[i].note.promote == b.item[i].note.promote);
		ck_assert(back.item[i].told == b.item[i].told);
		ck_assert(back.item[i].replaces == b.item[i].replaces);
		ck_assert_int_eq(back.item[i].role, b.item[i].role);
		ck_assert_str_eq(back.item[i].name, b.item[i].name);
		ck_assert(node_id_equal(&back.item[i].sponsor, &b.item[i].sponsor));
		ck_assert_uint_eq(back.item[i].head.seq, b.item[i].head.seq);
		ck_assert_mem_eq(back.item[i].head.hash, b.item[i].head.hash, HASH_LEN);
	}
	invite_book_free(&back);
	for (size_t cut = 0; cut < 200; cut++)
		ck_assert_int_lt(invite_book_decode(span_of(bytes.data, cut), &back), 0);
	bytes.data[1] = 2;
	ck_assert_int_eq(invite_book_decode(span_of(bytes.data, bytes.len), &back),
			 -EPROTONOSUPPORT);
	buf_free(&bytes);
	invite_book_free(&b);
}
END_TEST

/* As `mlsh invite` writes it down. */
static void add_made(struct invite_book *b, const struct kit_invite *i, uint64_t expiry_s)
{
	struct invite_made m = { .note = { .expiry_s = expiry_s },
				 .sponsor = i->inv.sponsor,
				 .head = i->inv.head };

	memcpy(m.note.nonce, i->inv.nonce, NONCE_LEN);
	add(b, m);
}

START_TEST(what_is_over_leaves_it)
{
	struct kit k = kit_open();
	struct invite_book b = { .n = 0 };
	struct kit_invite used = kit_invite(&k, 1), cancelled = kit_invite(&k, 2);
	struct entry_bytes e = kit_admit(&k, &used, 1);

	add_made(&b, &used, 200);
	add_made(&b, &cancelled, 200);
	for (unsigned n = 3; n <= 4; n++) {
		struct kit_invite open = kit_invite(&k, n);

		add_made(&b, &open, n == 3 ? 99 : 200);
	}
	kit_append(&k, &e);
	e = kit_cancel(&k, cancelled.inv.nonce);
	kit_append(&k, &e);
	ck_assert(!invite_book_clear(&b, NULL, 99)); /* good in its last second */
	ck_assert(invite_book_clear(&b, NULL, 100));
	ck_assert_uint_eq(b.n, 3);
	ck_assert(invite_book_clear(&b, k.log, 100));
	ck_assert_uint_eq(b.n, 1);
	ck_assert_uint_eq(load_be32(b.item[0].note.nonce), 4);
	ck_assert(!invite_book_clear(&b, k.log, 100));
	invite_book_free(&b);
	kit_close(&k);
}
END_TEST

/* What makes an invite void makes it leave the list. */
START_TEST(void_ones_leave_it)
{
	struct kit k = kit_open();
	struct invite_book b = { .n = 0 };
	struct kit_invite old = kit_invite(&k, 1), now;
	struct entry_bytes e = kit_signal(&k, 0, KIT_ORDER_NEXT);

	kit_append(&k, &e);
	k.order = KIT_ORDER_NEXT;
	now = kit_invite(&k, 2);
	add_made(&b, &old, 200);
	add_made(&b, &now, 200);
	ck_assert(invite_book_clear(&b, k.log, 100)); /* the cluster has moved */
	ck_assert_uint_eq(b.n, 1);
	ck_assert_uint_eq(load_be32(b.item[0].note.nonce), 2);

	now.inv.head.hash[0] ^= 1; /* a recovery dropped the record that it builds on */
	add_made(&b, &now, 200);
	ck_assert(invite_book_clear(&b, k.log, 100));
	ck_assert_uint_eq(b.n, 1);
	invite_book_free(&b);
	kit_close(&k);
}
END_TEST

START_TEST(ids_are_short)
{
	struct invite_made m = made(0x0102beef, 1, "");
	char id[INVITE_ID_LEN + 1];

	invite_id(m.note.nonce, id);
	ck_assert_str_eq(id, "0102beef");
}
END_TEST

UNIT_MAIN("client/invite_book", full_one_is_read_back, what_is_over_leaves_it, void_ones_leave_it,
	  ids_are_short)
