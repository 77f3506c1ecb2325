/* SPDX-License-Identifier: MIT */
/* Requests over the local socket: one encoding each, and nothing else is understood. */
#include "proto/cbor.h"
#include "proto/control.h"
#include "unit.h"

static struct control_request request(enum control_verb verb, const char *cluster)
{
	struct control_request r = { .verb = verb };

	strcpy(r.cluster, cluster);
	if (verb == CONTROL_PING || verb == CONTROL_WHY)
		strcpy(r.node, "nas");
	if (verb == CONTROL_SUBMIT)
		r.entry = span_str("an entry");
	return r;
}

static void check_round_trip(const struct control_request *r)
{
	uint8_t buf[CONTROL_REQUEST_MAX];
	struct control_request back;
	ptrdiff_t n = control_request_encode(r, buf, sizeof(buf));

	ck_assert_int_gt(n, 0);
	memset(&back, 0xee, sizeof(back));
	ck_assert_int_eq(control_request_decode(span_of(buf, (size_t)n), &back), 0);
	ck_assert_int_eq(back.verb, r->verb);
	ck_assert_str_eq(back.cluster, r->cluster);
	ck_assert_mem_eq(back.nonce, r->nonce, sizeof(r->nonce));
	ck_assert_uint_eq(back.expiry_s, r->expiry_s);
	ck_assert(back.promote == r->promote);
	ck_assert_str_eq(back.node, r->node);
	ck_assert_uint_eq(back.count, r->count);
	ck_assert_uint_eq(back.interval_ms, r->interval_ms);
	ck_assert_uint_eq(back.until_direct, r->until_direct);
	ck_assert_mem_eq(back.size, r->size, sizeof(r->size));
	ck_assert(span_equal(back.entry, r->entry));
}

START_TEST(every_verb_comes_back)
{
	for (int v = CONTROL_CONNECT; v < CONTROL_VERBS; v++) {
		struct control_request r = request((enum control_verb)v, "homelab");

		check_round_trip(&r);
	}
	struct control_request all = request(CONTROL_STATUS, "");
	check_round_trip(&all);
}
END_TEST

START_TEST(largest_request_fits)
{
	struct control_request r = { .verb = CONTROL_PING,
				     .expiry_s = UINT64_MAX,
				     .promote = true,
				     .count = UINT32_MAX,
				     .interval_ms = UINT32_MAX,
				     .until_direct = true };

	memset(r.cluster, 'x', LABEL_MAX);
	memset(r.node, 'y', LABEL_MAX);
	memset(r.nonce, 0xff, sizeof(r.nonce));
	check_round_trip(&r);
	r.verb = CONTROL_CONNECT;
	memset(r.size, 0xff, sizeof(r.size));
	check_round_trip(&r);

	static const uint8_t largest[ENTRY_MAX_BYTES];
	r = request(CONTROL_SUBMIT, "homelab");
	r.entry = span_of(largest, sizeof(largest));
	check_round_trip(&r);
}
END_TEST

/* docs/protocol/05-local.md */
/* [P5-1] */
START_TEST(bytes_are_as_documented)
{
	static const uint8_t want[] = {
		0x8c, 0x07, 0x07, 0x63, 'l',  'a',  'b',  0x50, 0,    1,    2,	  3,
		4,    5,    6,	  7,	8,    9,    10,	  11,	12,   13,   14,	  15,
		0x1a, 0x6b, 0x49, 0xd2, 0x00, 0xf5, 0x60, 0x00, 0x00, 0xf4, 0x80, 0x40,
	};
	static const uint8_t ping[] = {
		0x8c, 0x07, 0x08, 0x63, 'l',  'a',  'b',  0x50, 0,    0,    0,	  0,	0,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    0,	  0x00, 0xf4,
		0x63, 'n',  'a',  's',	0x05, 0x19, 0x03, 0xe8, 0xf5, 0x80, 0x40,
	};
	static const uint8_t sizes[] = { 0xf4, 0x84, 0x19, 0x01, 0x2c, 0x1a, 0x04, 0x00,
					 0x00, 0x00, 0x18, 0xff, 0x18, 0x77, 0x40 };
	struct control_request r = request(CONTROL_INVITE_MADE, "lab");
	uint8_t buf[CONTROL_REQUEST_MAX];

	for (uint8_t i = 0; i < sizeof(r.nonce); i++)
		r.nonce[i] = i;
	r.expiry_s = 1800000000;
	r.promote = true;
	ck_assert_int_eq(control_request_encode(&r, buf, sizeof(buf)), sizeof(want));
	ck_assert_mem_eq(buf, want, sizeof(want));
	r = request(CONTROL_PING, "lab");
	r.count = 5;
	r.interval_ms = 1000;
	r.until_direct = true;
	ck_assert_int_eq(control_request_encode(&r, buf, sizeof(buf)), sizeof(ping));
	ck_assert_mem_eq(buf, ping, sizeof(ping));
	r = request(CONTROL_CONNECT, "lab");
	memcpy(r.size, (uint64_t[]){ 300, 64u << 20, 255, 119 }, sizeof(r.size));
	ptrdiff_t n = control_request_encode(&r, buf, sizeof(buf));
	ck_assert_int_gt(n, (ptrdiff_t)sizeof(sizes));
	ck_assert_mem_eq(buf + n - sizeof(sizes), sizes, sizeof(sizes));
}
END_TEST

START_TEST(no_room_is_an_error)
{
	struct control_request r = request(CONTROL_CONNECT, "homelab");
	uint8_t buf[CONTROL_REQUEST_MAX];
	ptrdiff_t n = control_request_encode(&r, buf, sizeof(buf));

	for (ptrdiff_t cap = 0; cap < n; cap++)
		ck_assert_int_eq(control_request_encode(&r, buf, (size_t)cap), -ENOSPC);
}
END_TEST

/* The request as anybody may write it, without the encoder's checks of type. */
static int decode_with(uint64_t version, uint64_t verb, const char *cluster, size_t nonce_len,
		       const char *node, size_t n_sizes, size_t entry_len)
{
	static const uint8_t nonce[64], entry[ENTRY_MAX_BYTES + 1];
	uint8_t buf[CONTROL_REQUEST_MAX + 1];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));
	struct control_request r = { .verb = 77 };

	cbor_put_array(&w, 12);
	cbor_put_uint(&w, version);
	cbor_put_uint(&w, verb);
	cbor_put_text(&w, cluster);
	cbor_put_bytes(&w, nonce, nonce_len);
	cbor_put_uint(&w, 0);
	cbor_put_bool(&w, false);
	cbor_put_text(&w, node);
	cbor_put_uint(&w, 1);
	cbor_put_uint(&w, 1000);
	cbor_put_bool(&w, false);
	cbor_put_array(&w, n_sizes);
	for (size_t i = 0; i < n_sizes; i++)
		cbor_put_uint(&w, i);
	cbor_put_bytes(&w, entry, entry_len);
	ck_assert_uint_gt(cbor_writer_span(&w).len, 0);
	ck_assert_uint_eq(control_request_version(cbor_writer_span(&w)), version);
	int rc = control_request_decode(cbor_writer_span(&w), &r);

	if (rc < 0)
		ck_assert_int_eq((int)r.verb, 77); /* untouched */
	return rc;
}

static int decode_sized(uint64_t version, uint64_t verb, const char *cluster, size_t nonce_len,
			const char *node, size_t n_sizes)
{
	return decode_with(version, verb, cluster, nonce_len, node, n_sizes,
			   verb == CONTROL_SUBMIT ? 100 : 0);
}

static int decode_node(uint64_t version, uint64_t verb, const char *cluster, size_t nonce_len,
		       const char *node)
{
	return decode_sized(version, verb, cluster, nonce_len, node,
			    verb == CONTROL_CONNECT ? CONTROL_FILES : 0);
}

static int decode_raw(uint64_t version, uint64_t verb, const char *cluster, size_t nonce_len)
{
	return decode_node(version, verb, cluster, nonce_len, "nas");
}

START_TEST(nodes_are_named_where_they_must_be)
{
	ck_assert_int_eq(decode_node(CONTROL_VERSION, CONTROL_PING, "homelab", 16, ""), -EBADMSG);
	ck_assert_int_eq(decode_node(CONTROL_VERSION, CONTROL_WHY, "homelab", 16, ""), -EBADMSG);
	ck_assert_int_eq(decode_node(CONTROL_VERSION, CONTROL_WHY, "homelab", 16, "Nas"), -EBADMSG);
	ck_assert_int_eq(decode_node(CONTROL_VERSION, CONTROL_WHY, "homelab", 16, "a.b"), -EBADMSG);
	ck_assert_int_eq(decode_node(CONTROL_VERSION, CONTROL_NODES, "homelab", 16, ""), 0);
}
END_TEST

START_TEST(another_version_is_told_apart)
{
	ck_assert_int_eq(decode_raw(CONTROL_VERSION, CONTROL_STATUS, "", 16), 0);
	ck_assert_int_eq(decode_raw(2, CONTROL_STATUS, "", 16), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode_raw(0, CONTROL_STATUS, "", 16), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode_raw(1, CONTROL_STATUS, "", 16), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode_raw(UINT64_MAX, CONTROL_STATUS, "", 16), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(unknown_verbs_are_refused)
{
	ck_assert_int_eq(decode_raw(CONTROL_VERSION, 0, "homelab", 16), -EBADMSG);
	ck_assert_int_eq(decode_raw(CONTROL_VERSION, CONTROL_VERBS, "homelab", 16), -EBADMSG);
	ck_assert_int_eq(decode_raw(CONTROL_VERSION, UINT64_C(1) << 32 | CONTROL_STATUS, "homelab",
				    16),
			 -EBADMSG);
}
END_TEST

START_TEST(only_labels_are_cluster_names)
{
	static const char *const names[] = {
		"../x",	     "Homelab",
		"home\nlab", "home lab",
		"-x",	     "x-",
		"a.b",	     "/",
		"\x7f",	     "0123456789012345678901234567890123456789012345678901234567890123",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (uint64_t v = CONTROL_CONNECT; v < CONTROL_VERBS; v++)
			ck_assert_int_eq(decode_raw(CONTROL_VERSION, v, names[i], 16), -EBADMSG);
	for (uint64_t v = CONTROL_CONNECT; v < CONTROL_VERBS; v++)
		ck_assert_int_eq(decode_raw(CONTROL_VERSION, v, "", 16),
				 v == CONTROL_STATUS || v == CONTROL_NAMES || v == CONTROL_CLUSTERS
					 ? 0
					 : -EBADMSG);
}
END_TEST

START_TEST(nonces_have_one_length)
{
	for (size_t n = 0; n < 40; n++)
		ck_assert_int_eq(decode_raw(CONTROL_VERSION, CONTROL_NODES, "homelab", n),
				 n == 16 ? 0 : -EBADMSG);
}
END_TEST

/* [P5-1] */
START_TEST(torn_and_trailing_requests_are_refused)
{
	struct control_request r = request(CONTROL_DISCONNECT, "homelab"), back;
	uint8_t buf[CONTROL_REQUEST_MAX + 1];
	ptrdiff_t n = control_request_encode(&r, buf, CONTROL_REQUEST_MAX);

	ck_assert_int_gt(n, 0);
	for (size_t len = 0; len < (size_t)n; len++)
		ck_assert_int_eq(control_request_decode(span_of(buf, len), &back), -EBADMSG);
	buf[n] = 0;
	ck_assert_int_eq(control_request_decode(span_of(buf, (size_t)n + 1), &back), -EBADMSG);
}
END_TEST

/* Exactly the sizes that the verb needs: no fewer, no more. */
/* [P5-1] */
START_TEST(sizes_come_with_connect_only)
{
	for (uint64_t v = CONTROL_CONNECT; v < CONTROL_VERBS; v++)
		for (size_t n = 0; n < 8; n++)
			ck_assert_int_eq(decode_sized(CONTROL_VERSION, v, "homelab", 16, "nas", n),
					 n == (v == CONTROL_CONNECT ? CONTROL_FILES : 0)
						 ? 0
						 : -EBADMSG);
}
END_TEST

/* [P5-1] */
START_TEST(an_entry_comes_with_submit_only)
{
	for (uint64_t v = CONTROL_CONNECT; v < CONTROL_VERBS; v++) {
		size_t sizes = v == CONTROL_CONNECT ? CONTROL_FILES : 0;
		int with = v == CONTROL_SUBMIT ? 0 : -EBADMSG;

		ck_assert_int_eq(decode_with(CONTROL_VERSION, v, "homelab", 16, "nas", sizes, 1),
				 with);
		ck_assert_int_eq(decode_with(CONTROL_VERSION, v, "homelab", 16, "nas", sizes,
					     ENTRY_MAX_BYTES),
				 with);
		ck_assert_int_eq(decode_with(CONTROL_VERSION, v, "homelab", 16, "nas", sizes,
					     ENTRY_MAX_BYTES + 1),
				 -EBADMSG);
		ck_assert_int_eq(decode_with(CONTROL_VERSION, v, "homelab", 16, "nas", sizes, 0),
				 v == CONTROL_SUBMIT ? -EBADMSG : 0);
	}
}
END_TEST

START_TEST(acknowledgements_come_back)
{
	static const uint8_t want[] = { 2, 0, 0, 0, 0, 0, 4, 0, 1 };
	uint8_t ack[CONTROL_ACK_LEN + 1] = { 0 };
	uint64_t received = 7;

	control_ack_encode(CONTROL_WINDOW + 1, ack);
	ck_assert_mem_eq(ack, want, sizeof(want));
	ck_assert_int_eq(control_ack_decode(span_of(ack, CONTROL_ACK_LEN), &received), 0);
	ck_assert_uint_eq(received, CONTROL_WINDOW + 1);
	ck_assert_int_eq(control_ack_decode(span_of(ack, CONTROL_ACK_LEN - 1), &received),
			 -EBADMSG);
	ck_assert_int_eq(control_ack_decode(span_of(ack, sizeof(ack)), &received), -EBADMSG);
	ack[0] = CONTROL_LAST;
	ck_assert_int_eq(control_ack_decode(span_of(ack, CONTROL_ACK_LEN), &received), -EBADMSG);
}
END_TEST

UNIT_MAIN("proto/control", every_verb_comes_back, largest_request_fits, bytes_are_as_documented,
	  no_room_is_an_error, another_version_is_told_apart, unknown_verbs_are_refused,
	  nodes_are_named_where_they_must_be, only_labels_are_cluster_names, nonces_have_one_length,
	  torn_and_trailing_requests_are_refused, sizes_come_with_connect_only,
	  an_entry_comes_with_submit_only, acknowledgements_come_back)
