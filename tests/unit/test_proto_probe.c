/* SPDX-License-Identifier: MIT */
/* Tests of probe frames: form, sizes, what a MAC covers. */
#include <errno.h>

#include "proto/probe.h"
#include "unit.h"

/* Any keyed function will do here: sums, so that every byte counts. */
static void toy_hmac(const uint8_t key[PROBE_KEY_LEN], struct span data, uint8_t out[32])
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < PROBE_KEY_LEN; i++)
		h = (h ^ key[i]) * 16777619u;
	for (size_t i = 0; i < data.len; i++)
		h = (h ^ data.data[i]) * 16777619u;
	for (size_t i = 0; i < 32; i++, h = h * 16777619u + 1)
		out[i] = (uint8_t)(h >> 24);
}

static const uint8_t key[PROBE_KEY_LEN] = { 1, 2, 3 }, other_key[PROBE_KEY_LEN] = { 1, 2, 4 };

static struct probe sample(enum probe_type type)
{
	struct probe p = { .type = type,
			   .tag = "tagtagt",
			   .nonce = 0x0102030405060708,
			   .flags = PROBE_PROVEN,
			   .len = PROBE_PING_MIN };

	if (type == PROBE_PING)
		p.counter = 0x1112131415161718;
	else
		p.observed = addr_v4(0xc0000207, 4433);
	return p;
}

static size_t encode(const struct probe *p, uint8_t buf[PROBE_MAX])
{
	ptrdiff_t n = probe_encode(p, key, toy_hmac, buf, PROBE_MAX);

	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

START_TEST(frames_come_back_as_they_went)
{
	uint8_t buf[PROBE_MAX];

	for (int type = PROBE_PING; type <= PROBE_PONG; type++) {
		struct probe p = sample((enum probe_type)type), q;
		size_t n = encode(&p, buf);

		ck_assert_uint_eq(n, 52);
		ck_assert(probe_is(buf, n));
		ck_assert_int_eq(probe_decode(span_of(buf, n), &q), 0);
		ck_assert_int_eq(probe_verify(span_of(buf, n), key, toy_hmac), 0);
		ck_assert_int_eq(q.type, p.type);
		ck_assert_mem_eq(q.tag, p.tag, sizeof(p.tag));
		ck_assert_uint_eq(q.nonce, p.nonce);
		ck_assert_uint_eq(q.counter, p.counter);
		ck_assert_uint_eq(q.flags, PROBE_PROVEN);
		ck_assert(addr_equal(&q.observed, &p.observed));
	}
}
END_TEST

START_TEST(pings_may_be_as_large_as_a_path_takes)
{
	uint8_t buf[PROBE_MAX];
	struct probe p = sample(PROBE_PING), q;

	p.len = PROBE_MAX;
	ck_assert_uint_eq(encode(&p, buf), PROBE_MAX);
	ck_assert_int_eq(probe_decode(span_of(buf, PROBE_MAX), &q), 0);
	ck_assert_uint_eq(q.len, PROBE_MAX);
	p.len = PROBE_MAX + 1;
	ck_assert_int_eq(probe_encode(&p, key, toy_hmac, buf, sizeof(buf)), -EINVAL);
	p.len = PROBE_PING_MIN - 1;
	ck_assert_int_eq(probe_encode(&p, key, toy_hmac, buf, sizeof(buf)), -EINVAL);
	p.len = PROBE_PING_MIN;
	ck_assert_int_eq(probe_encode(&p, key, toy_hmac, buf, PROBE_PING_MIN - 1), -ENOSPC);
}
END_TEST

/* Every byte that is changed is noticed: by its form, or by the MAC; and so is another key. */
/* [P6-24] [P6-25] */
START_TEST(nothing_can_be_changed)
{
	uint8_t buf[PROBE_MAX];
	struct probe q;

	for (int type = PROBE_PING; type <= PROBE_PONG; type++) {
		struct probe p = sample((enum probe_type)type);
		size_t n = encode(&p, buf);

		ck_assert_int_eq(probe_verify(span_of(buf, n), other_key, toy_hmac), -EBADMSG);
		for (size_t i = 0; i < n; i++) {
			buf[i] ^= 0x04;
			ck_assert(probe_decode(span_of(buf, n), &q) < 0 ||
				  probe_verify(span_of(buf, n), key, toy_hmac) < 0);
			buf[i] ^= 0x04;
		}
	}
}
END_TEST

/* [P6-25] [P6-26] */
START_TEST(bad_forms_are_refused)
{
	uint8_t buf[PROBE_MAX + 1] = { 0 };
	struct probe p = sample(PROBE_PONG), q;
	size_t n = encode(&p, buf);

	ck_assert_int_eq(probe_decode(span_of(buf, n - 1), &q), -EBADMSG);
	ck_assert_int_eq(probe_decode(span_of(buf, n + 1), &q), -EBADMSG); /* a longer pong */
	ck_assert_int_eq(probe_decode(span_of(buf, 0), &q), -EBADMSG);
	buf[0] = 0x03;
	ck_assert_int_eq(probe_decode(span_of(buf, n), &q), -EBADMSG);
	buf[0] = PROBE_PONG;
	buf[17] = PROBE_URGENT; /* of pings only */
	ck_assert_int_eq(probe_decode(span_of(buf, n), &q), -EBADMSG);
	p = sample(PROBE_PING);
	n = encode(&p, buf);
	buf[30] = 1; /* padding is zeros */
	ck_assert_int_eq(probe_decode(span_of(buf, n), &q), -EBADMSG);
	ck_assert_int_eq(probe_verify(span_of(buf, 15), key, toy_hmac), -EBADMSG);
	ck_assert(!probe_is(buf, 0) && !probe_is((const uint8_t *)"\x10", 1));
}
END_TEST

/* An exporter that repeats the first byte of the context, and fails for one label. */
static int toy_exporter(void *conn, const char *label, struct span context, uint8_t *out,
			size_t len)
{
	bool is_tag = strcmp(label, PROBE_TAG_EXPORTER) == 0;

	ck_assert(is_tag || strcmp(label, PROBE_EXPORTER) == 0);
	if (conn && strcmp(conn, label) == 0)
		return -ENOTCONN;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(context.data[0] + (is_tag ? 0x80 : i / PROBE_KEY_LEN));
	return 0;
}

START_TEST(keys_come_from_the_exporter)
{
	struct probe_keys k, before;

	ck_assert_int_eq(probe_keys_export(toy_exporter, NULL, span_of("\x10", 1), &k), 0);
	for (size_t i = 0; i < PROBE_KEY_LEN; i++) {
		ck_assert_uint_eq(k.client[i], 0x10);
		ck_assert_uint_eq(k.server[i], 0x11);
	}
	for (size_t i = 0; i < PROBE_TAG_LEN; i++)
		ck_assert_uint_eq(k.tag[i], 0x90);
	before = k;
	ck_assert_int_eq(probe_keys_export(toy_exporter, PROBE_EXPORTER, span_of("\x20", 1), &k),
			 -ENOTCONN);
	ck_assert_int_eq(probe_keys_export(toy_exporter, PROBE_TAG_EXPORTER, span_of("\x20", 1),
					   &k),
			 -ENOTCONN);
	ck_assert_mem_eq(&k, &before, sizeof(k));
}
END_TEST

UNIT_MAIN("proto/probe", frames_come_back_as_they_went, pings_may_be_as_large_as_a_path_takes,
	  nothing_can_be_changed, bad_forms_are_refused, keys_come_from_the_exporter)
