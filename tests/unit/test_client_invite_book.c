/* SPDX-License-Identifier: MIT */
/* The user's list of open invites: its bytes, its limit, and what leaves it. */
#include "client/invite_book.h"
#include "log_kit.h"

static struct invite_made made(unsigned n, uint64_t expiry_s, const char *name)
{
	struct invite_made m = { .note = { .expiry_s = expiry_s, .promote = n % 2 },
				 .role = n % 2 ? ROLE_ADMIN : ROLE_NODE,
				 .replaces = n % 3 == 0,
				 .told = n % 5 == 0 };

	store_be32(m.note.nonce, n);
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

START_TEST(what_is_over_leaves_it)
{
	struct kit k = kit_open();
	struct invite_book b = { .n = 0 };
	struct kit_invite used = kit_invite(&k, 1), cancelled = kit_invite(&k, 2);
	struct entry_bytes e = kit_admit(&k, &used, 1);

	kit_append(&k, &e);
	e = kit_cancel(&k, cancelled.inv.nonce);
	kit_append(&k, &e);
	for (unsigned n = 1; n <= 4; n++)
		add(&b, made(n, n == 3 ? 99 : 200, ""));
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

START_TEST(ids_are_short)
{
	struct invite_made m = made(0x0102beef, 1, "");
	char id[INVITE_ID_LEN + 1];

	invite_id(m.note.nonce, id);
	ck_assert_str_eq(id, "0102beef");
}
END_TEST

UNIT_MAIN("client/invite_book", full_one_is_read_back, what_is_over_leaves_it, ids_are_short)
