/* SPDX-License-Identifier: MIT */
/* Tests of client/renewal.h: what a request says, and what a consent to it can be used for. */
#include "log_kit.h"

#include "client/renewal.h"

static struct govern by(const struct kit *k, const struct identity *id)
{
	return (struct govern){ .log = k->log, .identity = id, .now_s = k->now_s };
}

/* Admins 0 and 1, plain node 2. */
static struct kit two_admins(void)
{
	struct kit k = kit_open();
	struct entry_bytes b;

	kit_join(&k, 1);
	kit_join(&k, 2);
	b = kit_promote(&k, 0, 1);
	kit_append(&k, &b);
	return k;
}

static struct renewal ask(const struct kit *k, unsigned second, unsigned next)
{
	struct govern g = by(k, k->admin);
	uint8_t key[KEY_LEN];
	struct renewal r;
	struct err err = { 0 };

	kit_key(next, key);
	ck_assert_msg(renewal_ask(&g, kit_member(k, second), key, &r, &err) == 0, "%s", err.text);
	return r;
}

/* By node n, as the command does it. */
static int consent(const struct kit *k, unsigned n, const struct renewal *r,
		   struct entry_bytes *ret, struct err *err)
{
	struct identity *id = kit_identity(n);
	struct govern g = by(k, id);
	const struct member *author;
	int x = renewal_author(&g, r, &author, err);

	if (x == 0)
		x = renewal_consent(&g, r, ret, err);
	identity_free(id);
	return x;
}

static void refused(const struct kit *k, unsigned n, const struct renewal *r, enum refusal reason)
{
	struct entry_bytes b;
	struct err err = { 0 };

	ck_assert_int_lt(consent(k, n, r, &b, &err), 0);
	ck_assert_msg(err.reason == (int)reason, "%d: %s", err.reason, err.text);
}

/* [P2-36] */
START_TEST(two_admins_renew)
{
	struct kit k = two_admins();
	struct renewal r = ask(&k, 1, KIT_CODE_NEXT), back;
	char text[RENEWAL_TEXT_MAX], again[RENEWAL_TEXT_MAX];
	struct entry_bytes b, same;
	struct err err = { 0 };
	uint8_t hash[HASH_LEN];

	renewal_format(&r, text);
	ck_assert_int_eq(renewal_parse(text, &back, &err), 0);
	renewal_format(&back, again);
	ck_assert_str_eq(text, again);
	ck_assert_int_eq(consent(&k, 1, &back, &b, &err), 0);
	ck_assert_int_eq(consent(&k, 1, &back, &same, &err), 0);
	ck_assert_uint_eq(b.len, same.len); /* a repeated command sends the same entry */
	ck_assert_mem_eq(b.data, same.data, b.len);
	kit_append(&k, &b);
	kit_code_hash(KIT_CODE_NEXT, hash);
	ck_assert(mlog_recovery_is(k.log, hash));
	ck_assert_int_eq(consent(&k, 1, &back, &b, &err), GOVERN_DONE);
	/* another code in its place: it is done, and no success */
	r = ask(&k, 1, KIT_CODE_NEXT + 1);
	ck_assert_int_eq(consent(&k, 1, &r, &b, &err), 0);
	kit_append(&k, &b);
	refused(&k, 1, &back, REFUSAL_RECOVERY_CODE);
	ck_assert_int_eq(consent(&k, 1, &r, &b, &err), GOVERN_DONE);
	kit_close(&k);
}
END_TEST

/* tests/vectors/renewal.txt: node 0 asks node 1 for KIT_CODE_NEXT; the entry that follows. */
START_TEST(bytes_are_as_documented)
{
	struct kit k = two_admins();
	struct renewal r = ask(&k, 1, KIT_CODE_NEXT);
	char text[RENEWAL_TEXT_MAX], hex[2 * ENTRY_MAX_BYTES + 1];
	char made[3 * ENTRY_MAX_BYTES], kept[3 * ENTRY_MAX_BYTES];
	FILE *f = fopen("tests/vectors/renewal.txt", "rb");
	struct entry_bytes b;
	struct err err = { 0 };

	renewal_format(&r, text);
	ck_assert_int_eq(consent(&k, 1, &r, &b, &err), 0);
	hex_encode(b.data, b.len, hex);
	snprintf(made, sizeof(made), "request %s\nentry %s\n", text, hex);
	ck_assert_ptr_nonnull(f);
	kept[fread(kept, 1, sizeof(kept) - 1, f)] = '\0';
	fclose(f);
	ck_assert_str_eq(made, kept);
	kit_close(&k);
}
END_TEST

START_TEST(only_admins_ask_only_admins)
{
	struct kit k = two_admins();
	struct govern g = by(&k, k.admin);
	struct identity *plain = kit_identity(2);
	struct govern p = by(&k, plain);
	struct renewal r;
	uint8_t key[KEY_LEN];
	struct err err = { 0 };
	struct entry_bytes b;

	kit_key(KIT_CODE_NEXT, key);
	ck_assert_int_lt(renewal_ask(&g, kit_member(&k, 2), key, &r, &err), 0);
	ck_assert_int_eq(err.reason, REFUSAL_NOT_ALLOWED);
	ck_assert_int_lt(renewal_ask(&g, kit_member(&k, 0), key, &r, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "another admin"));
	ck_assert_int_lt(renewal_ask(&p, kit_member(&k, 1), key, &r, &err), 0);
	ck_assert_int_eq(err.reason, REFUSAL_NOT_ALLOWED);
	b = kit_demote(&k, 0, 1);
	kit_append(&k, &b);
	ck_assert_int_lt(renewal_ask(&g, kit_member(&k, 1), key, &r, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "one admin only"));
	identity_free(plain);
	kit_close(&k);
}
END_TEST

/* The request is for one admin of one cluster. */
/* [P2-40] */
START_TEST(nobody_else_consents)
{
	struct kit k = two_admins();
	struct renewal r = ask(&k, 1, KIT_CODE_NEXT), other = r;
	struct entry_bytes b;

	b = kit_promote(&k, 0, 2);
	kit_append(&k, &b);
	refused(&k, 2, &r, REFUSAL_NOT_ALLOWED); /* another admin */
	refused(&k, 0, &r, REFUSAL_NOT_ALLOWED); /* the one that asks */
	refused(&k, 9, &r, REFUSAL_NOT_MEMBER);
	other.cluster_id[0] ^= 1;
	refused(&k, 1, &other, REFUSAL_WRONG_CLUSTER);
	kit_close(&k);
}
END_TEST

/* The author's signature is on all of it: another code, base, time or second admin is found out. */
/* [P2-40] */
START_TEST(an_altered_request_is_refused)
{
	struct kit k = two_admins();
	struct renewal r = ask(&k, 1, KIT_CODE_NEXT);
	struct entry e;
	size_t checked = 0;

	for (size_t i = 0; i < r.half.len; i++) {
		struct renewal bad = r;
		struct entry_bytes b;

		bad.half.data[i] ^= 1;
		if (entry_decode_half(kit_span(&bad.half), &e, NULL) < 0)
			continue;
		ck_assert_int_lt(consent(&k, 1, &bad, &b, NULL), 0);
		checked++;
	}
	ck_assert_uint_gt(checked, 150);
	kit_close(&k);
}
END_TEST

/* What happens between request and consent makes the consent worthless, at both ends. */
START_TEST(stale_requests_die)
{
	struct kit k = two_admins();
	struct renewal r = ask(&k, 1, KIT_CODE_NEXT), late = r;
	struct entry_bytes whole, b;
	struct err err = { 0 };

	/* the window */
	ck_assert_int_eq(consent(&k, 1, &r, &whole, &err), 0);
	k.now_s += 601;
	refused(&k, 1, &late, REFUSAL_TOO_OLD);
	kit_refused(&k, kit_span(&whole), -ETIME, REFUSAL_TOO_OLD);
	/* another renewal */
	r = ask(&k, 1, KIT_CODE_NEXT);
	ck_assert_int_eq(consent(&k, 1, &r, &whole, &err), 0);
	b = kit_renew(&k, 0, 1, KIT_CODE_NEXT + 1);
	kit_append(&k, &b);
	refused(&k, 1, &r, REFUSAL_STALE);
	kit_refused(&k, kit_span(&whole), -ESTALE, REFUSAL_STALE);
	/* the one that asks, demoted and promoted again */
	r = ask(&k, 1, KIT_CODE_NEXT);
	ck_assert_int_eq(consent(&k, 1, &r, &whole, &err), 0);
	b = kit_demote(&k, 1, 0);
	kit_append(&k, &b);
	refused(&k, 1, &r, REFUSAL_NOT_ALLOWED);
	b = kit_promote(&k, 1, 0);
	kit_append(&k, &b);
	refused(&k, 1, &r, REFUSAL_STALE);
	kit_refused(&k, kit_span(&whole), -ESTALE, REFUSAL_STALE);
	/* a key that was changed */
	r = ask(&k, 1, KIT_CODE_NEXT);
	ck_assert_int_eq(consent(&k, 1, &r, &whole, &err), 0);
	b = kit_rotate(&k, 0, 0, 100);
	kit_append(&k, &b);
	refused(&k, 1, &r, REFUSAL_TAMPERED);
	kit_refused(&k, kit_span(&whole), -EKEYREJECTED, REFUSAL_TAMPERED);
	kit_close(&k);
}
END_TEST

START_TEST(nothing_of_before_a_recovery_counts)
{
	struct kit k = two_admins();
	struct renewal r = ask(&k, 1, KIT_CODE_NEXT + 5);
	struct entry_bytes whole, b;
	struct err err = { 0 };
	struct entry e;

	ck_assert_int_eq(consent(&k, 1, &r, &whole, &err), 0);
	e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 0);
	e.recover.admins.id[e.recover.admins.n++] = kit_id(1);
	id_list_sort(&e.recover.admins);
	b = kit_sign(&k, &e, KIT_CODE, 0);
	kit_append(&k, &b);
	refused(&k, 1, &r, REFUSAL_STALE);
	kit_refused(&k, kit_span(&whole), -ESTALE, REFUSAL_STALE);
	kit_close(&k);
}
END_TEST

/* The base is in records that this machine lacks. */
START_TEST(a_newer_log_is_asked_for)
{
	struct kit k = two_admins(), older = two_admins();
	struct entry_bytes b = kit_rename(&k, 0, 2, "tablet");
	struct renewal r;

	kit_append(&k, &b);
	r = ask(&k, 1, KIT_CODE_NEXT);
	refused(&older, 1, &r, REFUSAL_STALE);
	kit_close(&k);
	kit_close(&older);
}
END_TEST

START_TEST(damaged_text_is_refused)
{
	struct kit k = two_admins();
	struct renewal r = ask(&k, 1, KIT_CODE_NEXT), back;
	char text[RENEWAL_TEXT_MAX], bad[RENEWAL_TEXT_MAX + 1];
	struct err err = { 0 };
	size_t len;

	renewal_format(&r, text);
	len = strlen(text);
	for (size_t cut = 0; cut < len; cut++) {
		snprintf(bad, sizeof(bad), "%.*s", (int)cut, text);
		ck_assert_int_eq(renewal_parse(bad, &back, &err), -EBADMSG);
	}
	snprintf(bad, sizeof(bad), "%sA", text);
	ck_assert_int_eq(renewal_parse(bad, &back, &err), -EBADMSG);
	ck_assert_int_eq(renewal_parse("mlsh-renew:ggIC", &back, &err), -EPROTONOSUPPORT);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("client/renewal", two_admins_renew, bytes_are_as_documented, only_admins_ask_only_admins,
	  nobody_else_consents, an_altered_request_is_refused, stale_requests_die,
	  nothing_of_before_a_recovery_counts, a_newer_log_is_asked_for, damaged_text_is_refused)
