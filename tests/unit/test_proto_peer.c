/* SPDX-License-Identifier: MIT */
/* Messages of the peer protocol against tests/vectors/peer.txt, and against malformed input. */
#include "proto_kit.h"

#define VECTORS "tests/vectors/peer.txt"

static uint8_t want[KIT_FRAME_MAX], got[KIT_FRAME_MAX];

static const struct {
	const char *name;
	enum peer_message_type type;
} messages[] = {
	{ "peer_hello", PEER_HELLO },
	{ "peer_hello_features", PEER_HELLO },
	{ "peer_log", PEER_LOG },
	{ "peer_log_end", PEER_LOG },
	{ "peer_log_request", PEER_LOG_REQUEST },
	{ "peer_observed", PEER_OBSERVED },
	{ "peer_candidates", PEER_CANDIDATES },
	{ "peer_bye", PEER_BYE },
	{ "peer_punch", PEER_PUNCH },
	{ "peer_nat", PEER_NAT },
	{ "peer_nat_mapped", PEER_NAT },
	{ "peer_ports", PEER_PORTS },
	{ "peer_removal", PEER_REMOVAL },
	{ "peer_beacon", PEER_BEACON },
	{ "peer_opened", PEER_OPENED },
};

static struct peer_message message_of(size_t i)
{
	struct peer_message m = { .type = messages[i].type,
				  .head = kit_head(),
				  .observed = kit_addr6(),
				  .candidates = kit_candidates(),
				  .nat = { MAPPING_VARIES, FILTERING_PORT },
				  .hops = 3,
				  .heard = 2,
				  .removal = span_of("\xaa\xaa\xaa\xaa\xaa", 5),
				  .beacon = span_of("\xbb\xbb\xbb", 3) };

	m.first = strcmp(messages[i].name, "peer_log") == 0 ? 7 : 8;
	if (strcmp(messages[i].name, "peer_nat_mapped") == 0)
		m.nat = (struct nat_kind){ MAPPING_ASKED, FILTERING_OPEN };
	if (strcmp(messages[i].name, "peer_hello_features") == 0)
		m.features = 1ull << 63 | 1;
	if (m.type == PEER_PORTS)
		m.observed = m.candidates.item[0];
	kit_bytes(0x00, m.cluster_id, sizeof(m.cluster_id));
	kit_bytes(0x40, m.binding, sizeof(m.binding));
	kit_entries(&m.entries, m.first == 7 ? 2 : 0);
	return m;
}

static int decode(struct span message)
{
	struct peer_message m;

	return peer_message_decode(message, &m);
}

/* [P4-21] */
START_TEST(messages_are_as_documented)
{
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		size_t len = kit_vector(VECTORS, messages[i].name, want, sizeof(want));
		struct peer_message m = message_of(i), back;

		ck_assert_msg(len > 0, "%s: no vector", messages[i].name);
		ck_assert_int_eq(peer_message_encode(&m, got, sizeof(got)), (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
		ck_assert_int_eq(peer_message_encode(&m, got, len - 1), -ENOSPC);
		ck_assert_int_eq(peer_message_decode(kit_message(want, len), &back), 0);
		ck_assert_int_eq(back.type, m.type);
		ck_assert(m.type != PEER_HELLO || back.features == m.features);
		ck_assert_int_eq(peer_message_encode(&back, got, sizeof(got)), (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
	}
	ck_assert_uint_eq(kit_vector_count(VECTORS, "peer_"), ARRAY_LEN(messages));
}
END_TEST

/* [P4-20] [P4-21] */
START_TEST(malformed_messages_are_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		size_t len = kit_vector(VECTORS, messages[i].name, want, sizeof(want));
		struct span m = kit_message(want, len);

		for (size_t n = 0; n < m.len; n++)
			ck_assert_int_lt(decode(span_of(m.data, n)), 0);
		want[len] = 0;
		ck_assert_int_eq(decode(span_of(m.data, m.len + 1)), -EBADMSG);
		want[4]++; /* one element more */
		ck_assert_int_eq(decode(span_of(m.data, m.len + 1)), -EBADMSG);
	}
	ck_assert_int_eq(decode(span_of("\x81\x00", 2)), -EBADMSG);
	ck_assert_int_eq(decode(span_of("\x81\x08", 2)), -EBADMSG);
	ck_assert_int_eq(decode(span_of("\x81\x0a", 2)), -EBADMSG);
	ck_assert_int_eq(decode(span_of("\x83\x08\x05\x01", 4)), -EBADMSG);
	ck_assert_int_eq(decode(span_of("\x83\x08\x04\x03", 4)), -EBADMSG);
	ck_assert_int_eq(decode(span_of("\x82\x03\x1a\x00\x01\x00\x01", 7)), -EBADMSG);
}
END_TEST

START_TEST(another_version_is_not_malformed)
{
	size_t len = kit_vector(VECTORS, "peer_hello", want, sizeof(want));

	want[4 + 2] = 2;
	ck_assert_int_eq(decode(kit_message(want, len)), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode(span_of("\x83\x01\x09\xf5", 4)), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(unknown_messages_are_known_as_such)
{
	ck_assert_int_eq(decode(span_of("\x81\x18\x40", 3)), -ENOSYS);
	ck_assert_int_eq(decode(span_of("\x83\x18\x64\xf9\x3c\x00\xa0", 7)), -ENOSYS);
	ck_assert_int_eq(decode(span_of("\x81\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 10)), -ENOSYS);
	ck_assert_int_eq(decode(span_of("\x81\x18\x3f", 3)), -EBADMSG);
	ck_assert_int_eq(decode(span_of("\x18\x40", 2)), -EBADMSG);
	ck_assert_int_eq(decode(span_of("\x83\x18\x40", 3)), -EBADMSG);
}
END_TEST

/* [P4-26] */
START_TEST(the_longest_log_message_fits)
{
	static uint8_t big[ENTRY_MAX_BYTES];
	struct peer_message m = { .type = PEER_LOG, .first = LOG_MAX_ENTRIES };

	m.entries.n = LOG_PAGE_BYTES / ENTRY_MAX_BYTES;
	for (size_t i = 0; i < m.entries.n; i++)
		m.entries.item[i] = span_of(big, sizeof(big));
	ck_assert_int_gt(peer_message_encode(&m, got, sizeof(got)), LOG_PAGE_BYTES);
	ck_assert_int_eq(decode(kit_message(got, 4 + load_be32(got))), 0);
	m.type = 0;
	ck_assert_int_eq(peer_message_encode(&m, got, sizeof(got)), -EINVAL);
}
END_TEST

UNIT_MAIN("proto/peer", messages_are_as_documented, malformed_messages_are_refused,
	  another_version_is_not_malformed, unknown_messages_are_known_as_such,
	  the_longest_log_message_fits)
