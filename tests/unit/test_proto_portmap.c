/* SPDX-License-Identifier: MIT */
/* PCP and NAT-PMP against tests/vectors/portmap.txt, bad forms, and the gateway's epoch. */
#include "proto_kit.h"
#include "proto/portmap.h"

#define VECTORS "tests/vectors/portmap.txt"
#define INNER 40000
#define OUTER 50000
#define EPOCH 0x12345678

static uint8_t want[PORTMAP_ANSWER_MAX + 8], got[PORTMAP_ANSWER_MAX];

static size_t vector(const char *name)
{
	return kit_vector(VECTORS, name, want, sizeof(want));
}

static struct portmap_request request(enum portmap_version v, enum portmap_op op)
{
	struct portmap_request q = { .version = v, .op = op };

	if (v == PORTMAP_PCP) {
		q.client = addr_v4(0xc0a80102, 0);
		if (op == PORTMAP_MAP)
			kit_bytes(0xa0, q.nonce, sizeof(q.nonce));
	}
	if (op == PORTMAP_MAP) {
		q.internal_port = INNER;
		q.lifetime_s = 7200;
	}
	return q;
}

static void asks(const char *name, const struct portmap_request *q)
{
	size_t len = vector(name);
	struct portmap_request back;

	ck_assert_int_eq(portmap_request_encode(q, got, sizeof(got)), len);
	ck_assert_mem_eq(got, want, len);
	ck_assert_int_eq(portmap_request_encode(q, got, len - 1), -ENOSPC);
	ck_assert_int_eq(portmap_request_decode(span_of(want, len), &back), 0);
	ck_assert_int_eq(portmap_request_encode(&back, got, sizeof(got)), len);
	ck_assert_mem_eq(got, want, len);
	for (size_t n = 0; n < len; n++) /* NAT-PMP's two bytes are a message too */
		ck_assert(portmap_request_decode(span_of(want, n), &back) == -EBADMSG);
}

START_TEST(requests_are_as_in_the_rfcs)
{
	struct portmap_request q = request(PORTMAP_PCP, PORTMAP_ASK);

	asks("pcp_announce", &q);
	q = request(PORTMAP_PCP, PORTMAP_MAP);
	asks("pcp_map", &q);
	q.external = addr_v4(0xcb007107, OUTER);
	asks("pcp_map_again", &q);
	q.external = (struct addr){ 0 };
	q.lifetime_s = 0;
	asks("pcp_unmap", &q);
	q = request(PORTMAP_NATPMP, PORTMAP_ASK);
	asks("natpmp_ask", &q);
	q = request(PORTMAP_NATPMP, PORTMAP_MAP);
	q.external.port = OUTER;
	asks("natpmp_map", &q);
	q.external.port = 0;
	q.lifetime_s = 0;
	asks("natpmp_unmap", &q);
}
END_TEST

static struct portmap_answer answer(const char *name)
{
	struct portmap_answer a;
	size_t len = vector(name);

	ck_assert_int_eq(portmap_answer_decode(span_of(want, len), &a), 0);
	ck_assert_uint_eq(a.epoch_s, EPOCH);
	return a;
}

/* What came is made again. */
static void again(const struct portmap_answer *a, const char *name)
{
	size_t len = vector(name);

	ck_assert_int_eq(portmap_answer_encode(a, got, sizeof(got)), len);
	ck_assert_mem_eq(got, want, len);
	ck_assert_int_eq(portmap_answer_encode(a, got, len - 1), -ENOSPC);
}

START_TEST(answers_are_as_in_the_rfcs)
{
	struct addr outer = addr_v4(0xcb007107, OUTER);
	uint8_t nonce[PORTMAP_NONCE_LEN];
	struct portmap_answer a = answer("pcp_mapped");

	kit_bytes(0xa0, nonce, sizeof(nonce));
	ck_assert(a.version == PORTMAP_PCP && a.op == PORTMAP_MAP && a.result == 0);
	ck_assert_uint_eq(a.lifetime_s, 7200);
	ck_assert_uint_eq(a.internal_port, INNER);
	ck_assert(addr_equal(&a.external, &outer));
	ck_assert_mem_eq(a.nonce, nonce, sizeof(nonce));
	again(&a, "pcp_mapped");
	a = answer("pcp_announced");
	ck_assert(a.op == PORTMAP_ASK && a.result == 0);
	again(&a, "pcp_announced");
	a = answer("pcp_refused");
	ck_assert_uint_eq(a.result, 2);
	ck_assert_uint_eq(a.lifetime_s, 1800);
	ck_assert_str_eq(portmap_result_name(a.version, a.result), "not authorized");
	again(&a, "pcp_refused");
	a = answer("natpmp_address");
	ck_assert(a.version == PORTMAP_NATPMP && a.op == PORTMAP_ASK);
	ck_assert(addr_same_ip(&a.external, &outer));
	again(&a, "natpmp_address");
	a = answer("natpmp_mapped");
	ck_assert(a.op == PORTMAP_MAP && a.result == 0);
	ck_assert_uint_eq(a.internal_port, INNER);
	ck_assert_uint_eq(a.external.port, OUTER);
	ck_assert_uint_eq(a.lifetime_s, 7200);
	again(&a, "natpmp_mapped");
	a = answer("natpmp_not_pcp");
	ck_assert_uint_eq(a.result, PORTMAP_UNSUPP_VERSION);
}
END_TEST

START_TEST(bad_answers_are_refused)
{
	static const char *const names[] = { "pcp_announced", "pcp_mapped", "natpmp_address",
					     "natpmp_mapped" };
	struct portmap_answer a;
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		len = vector(names[i]);
		for (size_t n = 0; n < len; n++)
			ck_assert_int_eq(portmap_answer_decode(span_of(want, n), &a), -EBADMSG);
		ck_assert_int_eq(portmap_answer_decode(span_of(want, len + 1), &a), -EBADMSG);
		want[1] &= 0x7f; /* a request */
		ck_assert_int_eq(portmap_answer_decode(span_of(want, len), &a), -EBADMSG);
		want[1] = 0x82; /* PEER, or TCP */
		ck_assert_int_eq(portmap_answer_decode(span_of(want, len), &a), -EBADMSG);
		want[1] = 0x81;
		want[0] = 1;
		ck_assert_int_eq(portmap_answer_decode(span_of(want, len), &a), -EBADMSG);
	}
	len = vector("pcp_mapped");
	want[36] = 6; /* TCP */
	ck_assert_int_eq(portmap_answer_decode(span_of(want, len), &a), -EBADMSG);
	want[36] = 17;
	memset(want + len, 0, sizeof(want) - len);
	ck_assert_int_eq(portmap_answer_decode(span_of(want, len + 4), &a), 0); /* an option */
	ck_assert_int_eq(portmap_answer_decode(span_of(want, PORTMAP_ANSWER_MAX), &a), 0);
	ck_assert_int_eq(portmap_answer_decode(span_of(want, PORTMAP_ANSWER_MAX + 4), &a),
			 -EBADMSG);
}
END_TEST

START_TEST(results_have_names)
{
	for (unsigned r = 0; r < 300; r++) {
		ck_assert_ptr_nonnull(portmap_result_name(PORTMAP_PCP, (uint16_t)r));
		ck_assert_ptr_nonnull(portmap_result_name(PORTMAP_NATPMP, (uint16_t)r));
	}
	ck_assert_str_eq(portmap_result_name(PORTMAP_PCP, 8), "no resources left");
	ck_assert_str_eq(portmap_result_name(PORTMAP_NATPMP, 4), "no resources left");
	ck_assert_str_eq(portmap_result_name(PORTMAP_NATPMP, 65535), "unknown error");
}
END_TEST

START_TEST(an_epoch_goes_with_the_clock)
{
	static const struct {
		uint32_t first, then;
		unsigned after_s;
		bool lost;
	} cases[] = {
		{ 1000, 1000, 0, false },   { 1000, 1060, 60, false }, { 1000, 999, 0, false },
		{ 1000, 998, 0, true },	    { 1000, 3, 60, true },     { 1000, 1058, 60, false },
		{ 1000, 1000, 60, true },   { 1000, 1000, 2, false },  { 1000, 1000, 3, true },
		{ 1000, 1003, 0, true },    { 1000, 1002, 0, false },  { 0, 3600, 3600, false },
		{ 0, 3400, 3600, false },   { 0, 3300, 3600, true },   { 0, UINT32_MAX, 1, true },
		{ UINT32_MAX, 0, 1, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct portmap_epoch e = { .known = false };
		uint64_t now = 5 * NS_PER_S;

		ck_assert(!portmap_epoch_lost(&e, cases[i].first, now));
		ck_assert_msg(portmap_epoch_lost(&e, cases[i].then,
						 now + cases[i].after_s * NS_PER_S) ==
				      cases[i].lost,
			      "case %zu", i);
		/* the new one counts from now on */
		ck_assert(!portmap_epoch_lost(&e, cases[i].then,
					      now + cases[i].after_s * NS_PER_S));
	}
}
END_TEST

UNIT_MAIN("unit/proto_portmap", requests_are_as_in_the_rfcs, answers_are_as_in_the_rfcs,
	  bad_answers_are_refused, results_have_names, an_epoch_goes_with_the_clock)
