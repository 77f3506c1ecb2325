/* SPDX-License-Identifier: MIT */
/* The pending request: one encoding, and nothing else is accepted. */
#include "client/pending.h"

#include "unit.h"

static struct pending example(enum pending_kind kind)
{
	struct pending p = { .kind = kind, .port = 4433 };

	strcpy(p.cluster, "homelab");
	strcpy(p.node_name, "nas");
	strcpy(p.host, "signal.example.org");
	memset(p.signal_pin, 0x11, HASH_LEN);
	memset(p.seed, 0x33, SIGN_SEED_LEN);
	p.entry.len = 300;
	memset(p.entry.data, 0x5a, p.entry.len);
	if (kind == PENDING_SETUP) {
		strcpy(p.code, "ABCD-EFGH-JKMN");
	} else {
		p.invite_len = 200;
		memset(p.invite, 0x77, p.invite_len);
		memset(p.invite_sig, 0x99, SIG_LEN);
	}
	return p;
}

static size_t encode(const struct pending *p, uint8_t out[PENDING_FILE_MAX])
{
	ptrdiff_t len = pending_encode(p, out, PENDING_FILE_MAX);

	ck_assert_int_gt(len, 0);
	return (size_t)len;
}

static void check_back(const struct pending *p)
{
	uint8_t bytes[PENDING_FILE_MAX], again[PENDING_FILE_MAX];
	size_t len = encode(p, bytes);
	struct pending back;

	memset(&back, 0xee, sizeof(back));
	ck_assert_int_eq(pending_decode(span_of(bytes, len), &back), 0);
	ck_assert_uint_eq(encode(&back, again), len);
	ck_assert_mem_eq(bytes, again, len);
	ck_assert_int_eq(back.kind, p->kind);
	ck_assert_str_eq(back.code, p->code);
	ck_assert_mem_eq(back.seed, p->seed, SIGN_SEED_LEN);
	ck_assert_uint_eq(back.entry.len, p->entry.len);
	ck_assert_mem_eq(back.entry.data, p->entry.data, p->entry.len);
	ck_assert_uint_eq(back.invite_len, p->invite_len);
	ck_assert_mem_eq(back.invite, p->invite, p->invite_len);
	ck_assert_mem_eq(back.invite_sig, p->invite_sig, SIG_LEN);
	pending_wipe(&back);
	for (size_t i = 0; i < sizeof(back); i++)
		ck_assert_int_eq(((uint8_t *)&back)[i], 0);
}

START_TEST(comes_back)
{
	struct pending setup = example(PENDING_SETUP), adopt = example(PENDING_ADOPT);

	check_back(&setup);
	check_back(&adopt);
	setup.entry.len = ENTRY_MAX_BYTES;
	memset(setup.cluster, 'a', LABEL_MAX);
	memset(setup.node_name, 'b', LABEL_MAX);
	strcpy(setup.host, "2001:db8::1");
	check_back(&setup);
	adopt.invite_len = INVITE_MAX_BYTES;
	adopt.entry.len = ENTRY_MAX_BYTES;
	check_back(&adopt);
}
END_TEST

START_TEST(does_not_overflow)
{
	struct pending p = example(PENDING_ADOPT);
	uint8_t bytes[PENDING_FILE_MAX], *exact;
	size_t len = encode(&p, bytes);

	for (size_t cap = 0; cap < len; cap++) {
		exact = malloc(cap ? cap : 1);
		ck_assert_int_eq(pending_encode(&p, exact, cap), -ENOSPC);
		free(exact);
	}
}
END_TEST

/* Accepted is only what would be written in just that way. */
static void check_one_form(const uint8_t *bytes, size_t len)
{
	uint8_t again[PENDING_FILE_MAX], untouched[sizeof(struct pending)];
	struct pending p;

	memset(&p, 0xee, sizeof(p));
	memset(untouched, 0xee, sizeof(untouched));
	if (pending_decode(span_of(bytes, len), &p) < 0) {
		ck_assert_mem_eq(&p, untouched, sizeof(p));
		return;
	}
	ck_assert_uint_eq(encode(&p, again), len);
	ck_assert_mem_eq(bytes, again, len);
}

START_TEST(damage_is_refused_or_has_one_form)
{
	static const enum pending_kind kinds[] = { PENDING_SETUP, PENDING_ADOPT };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct pending p = example(kinds[k]), back;
		uint8_t bytes[PENDING_FILE_MAX];
		size_t len = encode(&p, bytes);

		for (size_t cut = 0; cut < len; cut++)
			ck_assert_int_lt(pending_decode(span_of(bytes, cut), &back), 0);
		bytes[len] = 0;
		ck_assert_int_lt(pending_decode(span_of(bytes, len + 1), &back), 0);
		for (size_t i = 0; i < len; i++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				bytes[i] ^= (uint8_t)(1u << bit);
				check_one_form(bytes, len);
				bytes[i] ^= (uint8_t)(1u << bit);
			}
		}
	}
}
END_TEST

static void check_not_taken(const struct pending *p)
{
	uint8_t bytes[PENDING_FILE_MAX];
	size_t len = encode(p, bytes);
	struct pending back;

	ck_assert_int_eq(pending_decode(span_of(bytes, len), &back), -EBADMSG);
}

START_TEST(impossible_contents_are_refused)
{
	struct pending p = example(PENDING_SETUP);

	strcpy(p.cluster, "../x");
	check_not_taken(&p);
	p = example(PENDING_SETUP);
	strcpy(p.node_name, "");
	check_not_taken(&p);
	p = example(PENDING_SETUP);
	strcpy(p.host, "a b");
	check_not_taken(&p);
	p = example(PENDING_SETUP);
	strcpy(p.host, "host:99");
	check_not_taken(&p);
	p = example(PENDING_SETUP);
	p.port = 0;
	check_not_taken(&p);
	p = example(PENDING_SETUP);
	p.entry.len = 0;
	check_not_taken(&p);
	p = example(PENDING_SETUP);
	p.code[0] = '\0';
	check_not_taken(&p);
	p = example(PENDING_ADOPT);
	p.invite_len = 0;
	check_not_taken(&p);
}
END_TEST

START_TEST(newer_versions_are_told_apart)
{
	struct pending p = example(PENDING_SETUP), back;
	uint8_t bytes[PENDING_FILE_MAX];
	size_t len = encode(&p, bytes);

	bytes[1] = 2; /* the version, right behind the array's head */
	ck_assert_int_eq(pending_decode(span_of(bytes, len), &back), -EPROTONOSUPPORT);
	bytes[0] = 0x8b; /* with another element behind it */
	ck_assert_int_eq(pending_decode(span_of(bytes, len), &back), -EPROTONOSUPPORT);
	bytes[1] = 0;
	ck_assert_int_eq(pending_decode(span_of(bytes, len), &back), -EBADMSG);
}
END_TEST

UNIT_MAIN("client/pending", comes_back, does_not_overflow, damage_is_refused_or_has_one_form,
	  impossible_contents_are_refused, newer_versions_are_told_apart)
