/* SPDX-License-Identifier: MIT */
/* Messages of the signal protocol against tests/vectors/signal.txt, and against malformed input. */
#include "proto_kit.h"

#define VECTORS "tests/vectors/signal.txt"

static uint8_t want[KIT_FRAME_MAX], got[KIT_FRAME_MAX];

/* --- requests --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum signal_request_type type;
} requests[] = {
	{ "request_hello", SIGNAL_HELLO },
	{ "request_hello_features", SIGNAL_HELLO },
	{ "request_setup_offer", SIGNAL_SETUP_OFFER },
	{ "request_setup_offer_subnet", SIGNAL_SETUP_OFFER },
	{ "request_setup", SIGNAL_SETUP },
	{ "request_recover", SIGNAL_RECOVER },
	{ "request_log", SIGNAL_LOG },
	{ "request_admit", SIGNAL_ADMIT },
	{ "request_session", SIGNAL_SESSION },
	{ "request_append", SIGNAL_APPEND },
	{ "request_push", SIGNAL_PUSH },
	{ "request_candidates", SIGNAL_CANDIDATES },
	{ "request_candidates_none", SIGNAL_CANDIDATES },
	{ "request_subscribe", SIGNAL_SUBSCRIBE },
	{ "request_relay_open", SIGNAL_RELAY_OPEN },
	{ "request_echo", SIGNAL_ECHO },
	{ "request_import", SIGNAL_IMPORT },
	{ "request_import_end", SIGNAL_IMPORT },
	{ "request_beacon", SIGNAL_BEACON },
};

static struct signal_request request_of(size_t i)
{
	struct signal_request m = {
		.type = requests[i].type, .generation = 2, .from = 300, .cursor = 1ull << 33
	};

	kit_bytes(0x00, m.cluster_id, sizeof(m.cluster_id));
	kit_bytes(0x40, m.node_token, sizeof(m.node_token));
	kit_bytes(0xc0, m.epoch, sizeof(m.epoch));
	kit_bytes(0x50, m.node_id, sizeof(m.node_id));
	m.agent = span_str("mlsh/0.1.0");
	if (strcmp(requests[i].name, "request_hello_features") == 0)
		m.features = 1ull << 63 | 1;
	m.code = span_str("ABCD-EFGH-JKMN");
	m.has_subnet = strcmp(requests[i].name, "request_setup_offer_subnet") == 0;
	m.subnet = (struct prefix4){ 0x64400000, 10 };
	m.entry = kit_wire_entry(m.type == SIGNAL_ADMIT);
	m.beacon = kit_wire_entry(0);
	kit_entries(&m.entries, strcmp(requests[i].name, "request_import_end") == 0 ? 0 : 2);
	m.head = kit_head();
	m.head.generation = 3;
	if (m.type == SIGNAL_SESSION)
		m.candidates = kit_candidates();
	else if (strcmp(requests[i].name, "request_candidates") == 0)
		m.candidates = (struct wire_candidates){ { kit_addr6() }, 1 };
	return m;
}

/* [P3-4] */
START_TEST(requests_are_as_documented)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		size_t len = kit_vector(VECTORS, requests[i].name, want, sizeof(want));
		struct signal_request m = request_of(i), back;

		ck_assert_msg(len > 0, "%s: no vector", requests[i].name);
		ck_assert_int_eq(signal_request_encode(&m, got, sizeof(got)), (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
		ck_assert_int_eq(signal_request_encode(&m, got, len - 1), -ENOSPC);

		ck_assert_int_eq(signal_request_decode(kit_message(want, len), &back), 0);
		ck_assert_int_eq(back.type, m.type);
		ck_assert_int_eq(signal_request_encode(&back, got, sizeof(got)), (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
	}
	ck_assert_uint_eq(kit_vector_count(VECTORS, "request_"), ARRAY_LEN(requests));
}
END_TEST

START_TEST(request_fields_arrive)
{
	struct addr a4 = kit_addr4(), a6 = kit_addr6();
	struct signal_request m;
	size_t len = kit_vector(VECTORS, "request_session", want, sizeof(want));

	ck_assert_int_eq(signal_request_decode(kit_message(want, len), &m), 0);
	ck_assert_uint_eq(m.node_token[31], 0x5f);
	ck_assert_uint_eq(m.candidates.n, 2);
	ck_assert(addr_equal(&m.candidates.item[0], &a4));
	ck_assert(addr_equal(&m.candidates.item[1], &a6));

	len = kit_vector(VECTORS, "request_setup_offer_subnet", want, sizeof(want));
	ck_assert_int_eq(signal_request_decode(kit_message(want, len), &m), 0);
	ck_assert(m.has_subnet);
	ck_assert_uint_eq(m.subnet.net, 0x64400000);
	ck_assert_uint_eq(m.subnet.bits, 10);
	ck_assert(span_equal(m.code, span_str("ABCD-EFGH-JKMN")));

	len = kit_vector(VECTORS, "request_push", want, sizeof(want));
	ck_assert_int_eq(signal_request_decode(kit_message(want, len), &m), 0);
	ck_assert_uint_eq(m.entries.n, 2);
	ck_assert(span_equal(m.entries.item[1], kit_wire_entry(1)));
	ck_assert(m.entries.item[1].data > want && m.entries.item[1].data < want + len);
}
END_TEST

/* Cut short, with more behind, with one element more: none is a message. */
static void refuses_variants(struct span message, int (*decode)(struct span))
{
	uint8_t copy[1024];

	ck_assert_uint_lt(message.len, sizeof(copy));
	for (size_t len = 0; len < message.len; len++)
		ck_assert_int_lt(decode(span_of(message.data, len)), 0);
	memcpy(copy, message.data, message.len);
	copy[message.len] = 0;
	ck_assert_int_eq(decode(span_of(copy, message.len + 1)), -EBADMSG);
	copy[0]++;
	ck_assert_int_eq(decode(span_of(copy, message.len + 1)), -EBADMSG);
	copy[0] = 0x98; /* the array's length in a byte of its own */
	copy[1] = message.data[0] & 31;
	memcpy(copy + 2, message.data + 1, message.len - 1);
	ck_assert_int_eq(decode(span_of(copy, message.len + 1)), -EBADMSG);
}

static int decode_request(struct span message)
{
	struct signal_request m;

	memset(&m, 0x55, sizeof(m));
	return signal_request_decode(message, &m);
}

/* [P3-8] */
START_TEST(malformed_requests_are_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		size_t len = kit_vector(VECTORS, requests[i].name, want, sizeof(want));

		refuses_variants(kit_message(want, len), decode_request);
	}
}
END_TEST

/* [P3-8] */
START_TEST(requests_out_of_bounds_are_refused)
{
	static uint8_t big[RECORD_MAX_BYTES + 1];
	struct signal_request m = request_of(0);

	m.agent = span_of("0123456789012345678901234567890123456789012345678901234567890123456789",
			  AGENT_MAX + 1);
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), -EBADMSG);
	m.agent = span_of("a\nb", 3);
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), -EBADMSG);

	m = (struct signal_request){ .type = SIGNAL_ADMIT,
				     .entry = span_of(big, ENTRY_MAX_BYTES + 1) };
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), -EBADMSG);
	m.entry.len--;
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), 0);

	m = (struct signal_request){ .type = SIGNAL_LOG, .from = LOG_MAX_ENTRIES + 1 };
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), -EBADMSG);
	m = (struct signal_request){ .type = SIGNAL_LOG, .generation = GENERATION_MAX + 1 };
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), -EBADMSG);

	/* candidates: nine of them */
	m = (struct signal_request){ .type = SIGNAL_CANDIDATES };
	m.candidates.n = CANDIDATES_MAX;
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), 0);
	m.candidates.n = CANDIDATES_MAX + 1;
	ck_assert_int_eq(signal_request_encode(&m, got, sizeof(got)), -ENOSPC);

	/* records: more than a page of them, an empty one, one that is too long */
	m = (struct signal_request){ .type = SIGNAL_PUSH };
	m.entries.n = LOG_PAGE_BYTES / ENTRY_MAX_BYTES;
	for (size_t i = 0; i <= m.entries.n; i++)
		m.entries.item[i] = span_of(big, ENTRY_MAX_BYTES);
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), 0);
	m.entries.n++;
	ck_assert_int_eq(signal_request_encode(&m, got, sizeof(got)), -ENOSPC);
	m.entries.n = 1;
	m.entries.item[0].len = 0;
	ck_assert_int_eq(signal_request_encode(&m, got, sizeof(got)), -ENOSPC);
	m.entries.item[0].len = RECORD_MAX_BYTES;
	ck_assert_int_gt(signal_request_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_request(kit_message(got, 4 + load_be32(got))), 0);
	m.entries.item[0].len = RECORD_MAX_BYTES + 1;
	ck_assert_int_eq(signal_request_encode(&m, got, sizeof(got)), -ENOSPC);
	m.type = SIGNAL_REQUEST_TYPES;
	ck_assert_int_eq(signal_request_encode(&m, got, sizeof(got)), -EINVAL);
}
END_TEST

/* [P3-9] */
START_TEST(another_version_is_not_malformed)
{
	size_t len = kit_vector(VECTORS, "request_hello", want, sizeof(want));

	want[4 + 2] = 2;
	ck_assert_int_eq(decode_request(kit_message(want, len)), -EPROTONOSUPPORT);
	ck_assert_int_eq(decode_request(span_of("\x85\x01\x02\x63"
						"abc\xf5\x07",
						9)),
			 -EPROTONOSUPPORT);
	ck_assert_int_eq(decode_request(span_of("\x82\x0d\x01", 3)), -EBADMSG);
}
END_TEST

/* Whatever follows its type: one that has no type is none. */
START_TEST(unknown_requests_are_not_malformed)
{
	static const uint8_t many[] = { 0x98, 0x19, 0x18, 0x2a, 0xfb, 0, 0, 0, 0, 0, 0,
					0,    0,    0,	  0,	0,    0, 0, 0, 0, 0, 0,
					0,    0,    0,	  0,	0,    0, 0, 0, 0 };

	ck_assert_int_eq(decode_request(span_of("\x82\x00\x01", 3)), -ENOSYS);
	ck_assert_int_eq(decode_request(span_of("\x81\x10", 2)), -ENOSYS);
	ck_assert_int_eq(decode_request(span_of("\x81\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 10)),
			 -ENOSYS);
	ck_assert_int_eq(decode_request(span_of(many, sizeof(many))), -ENOSYS);
	ck_assert_int_eq(decode_request(span_of("\x80", 1)), -EBADMSG);
	ck_assert_int_eq(decode_request(span_of("\x81\x20", 2)), -EBADMSG);
	ck_assert_int_eq(decode_request(span_of("\x81\x18\x01", 3)), -EBADMSG);
	ck_assert_int_eq(decode_request(span_of("\x18\x40", 2)), -EBADMSG);
	ck_assert_int_eq(decode_request(span_of("\x84\x18\x40\x00", 4)), -EBADMSG);
}
END_TEST

/* --- replies ---------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum signal_request_type to;
} replies[] = {
	{ "reply_hello", SIGNAL_HELLO },
	{ "reply_hello_setup", SIGNAL_HELLO },
	{ "reply_setup_offer", SIGNAL_SETUP_OFFER },
	{ "reply_setup", SIGNAL_SETUP },
	{ "reply_recover", SIGNAL_RECOVER },
	{ "reply_log", SIGNAL_LOG },
	{ "reply_log_end", SIGNAL_LOG },
	{ "reply_admit", SIGNAL_ADMIT },
	{ "reply_session", SIGNAL_SESSION },
	{ "reply_append", SIGNAL_APPEND },
	{ "reply_push", SIGNAL_PUSH },
	{ "reply_candidates", SIGNAL_CANDIDATES },
	{ "reply_subscribe", SIGNAL_SUBSCRIBE },
	{ "reply_relay_open", SIGNAL_RELAY_OPEN },
	{ "reply_echo", SIGNAL_ECHO },
	{ "reply_import", SIGNAL_IMPORT },
	{ "reply_beacon", SIGNAL_BEACON },
	{ "reply_refused_rate", SIGNAL_LOG },
	{ "reply_refused_no_text", SIGNAL_ADMIT },
	{ "reply_moved", SIGNAL_HELLO },
	{ "reply_busy", SIGNAL_HELLO },
};

static struct signal_reply reply_of(size_t i)
{
	struct signal_reply m = { .time_s = 1800000000,
				  .observed = kit_addr4(),
				  .head = kit_head(),
				  .subnet = { 0x64400000, 10 },
				  .address = 0x64400005,
				  .first = 5,
				  .record = kit_wire_entry(1),
				  .echo_port = 0xe3a7 };

	m.head.generation = 3;
	kit_bytes(0xa0, m.order_key, sizeof(m.order_key));
	m.has_head = strcmp(replies[i].name, "reply_hello") == 0;
	if (!m.has_head)
		m.observed = kit_addr6();
	m.features = m.has_head ? 0 : 0xff;
	kit_bytes(0x40, m.node_token, sizeof(m.node_token));
	kit_bytes(0xc0, m.epoch, sizeof(m.epoch));
	m.relay = kit_relay_end();
	kit_entries(&m.entries, strcmp(replies[i].name, "reply_log") == 0 ? 2 : 0);
	if (strcmp(replies[i].name, "reply_refused_rate") == 0) {
		m.refusal = REFUSAL_RATE;
		m.text = span_str("Too many requests; wait a moment.");
		m.retry_after_s = 2;
	} else if (strcmp(replies[i].name, "reply_refused_no_text") == 0) {
		m.refusal = REFUSAL_STALE;
	} else if (strcmp(replies[i].name, "reply_moved") == 0) {
		m.moved_host = span_str("signal.example.org");
		m.moved_port = 4433;
	} else if (strcmp(replies[i].name, "reply_busy") == 0) {
		m.busy = true;
		m.retry_after_s = 300;
	}
	return m;
}

/* [P3-4] */
START_TEST(replies_are_as_documented)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		size_t len = kit_vector(VECTORS, replies[i].name, want, sizeof(want));
		struct signal_reply m = reply_of(i), back;

		ck_assert_msg(len > 0, "%s: no vector", replies[i].name);
		ck_assert_int_eq(signal_reply_encode(replies[i].to, &m, got, sizeof(got)),
				 (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
		ck_assert_int_eq(signal_reply_encode(replies[i].to, &m, got, len - 1), -ENOSPC);

		ck_assert_int_eq(signal_reply_decode(replies[i].to, kit_message(want, len), &back),
				 0);
		ck_assert_int_eq(back.refusal, m.refusal);
		ck_assert_int_eq(back.busy, m.busy);
		ck_assert(span_equal(back.moved_host, m.moved_host));
		ck_assert_int_eq(signal_reply_encode(replies[i].to, &back, got, sizeof(got)),
				 (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
	}
	ck_assert_uint_eq(kit_vector_count(VECTORS, "reply_"), ARRAY_LEN(replies));
}
END_TEST

static enum signal_request_type answered;

static int decode_reply(struct span message)
{
	struct signal_reply m;

	return signal_reply_decode(answered, message, &m);
}

/* [P3-11] */
START_TEST(malformed_replies_are_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		size_t len = kit_vector(VECTORS, replies[i].name, want, sizeof(want));

		answered = replies[i].to;
		refuses_variants(kit_message(want, len), decode_reply);
	}
	answered = SIGNAL_APPEND;
	ck_assert_int_eq(decode_reply(span_of("\x81\x02", 2)), -EBADMSG);
	ck_assert_int_eq(decode_reply(span_of("\x84\x01\x00\x60\x00", 5)), -EBADMSG);
	ck_assert_int_eq(decode_reply(span_of("\x84\x01\x18\x63\x60\x00", 6)), 0);
	/* a cause of our own side */
	ck_assert_int_eq(decode_reply(span_of("\x84\x01\x18\x64\x60\x00", 6)), -EBADMSG);
	/* moved and busy answer hello, and nothing else */
	ck_assert_int_eq(decode_reply(span_of("\x82\x03\x05", 3)), -EBADMSG);
	ck_assert_int_eq(decode_reply(span_of("\x80\x03\x05", 3)), -EBADMSG);
	ck_assert_int_eq(decode_reply(span_of("\x83\x02\x61"
					      "a\x05",
					      5)),
			 -EBADMSG);
	answered = SIGNAL_HELLO;
	ck_assert_int_eq(decode_reply(span_of("\x82\x03\x05", 3)), 0);
	ck_assert_int_eq(decode_reply(span_of("\x83\x02\x61"
					      "a\x05",
					      5)),
			 0);
	ck_assert_int_eq(decode_reply(span_of("\x83\x02\x61"
					      "a\x00",
					      5)),
			 -EBADMSG);
	ck_assert_int_eq(decode_reply(span_of("\x83\x02\x60\x05", 4)), -EBADMSG);
	ck_assert_int_eq(decode_reply(span_of("\x83\x02\x61"
					      "\n\x05",
					      5)),
			 -EBADMSG);
	ck_assert_int_eq(decode_reply(span_of("\x82\x04\x05", 3)), -EBADMSG);
	answered = SIGNAL_REQUEST_TYPES;
	ck_assert_int_eq(decode_reply(span_of("\x81\x00", 2)), -EINVAL);
}
END_TEST

START_TEST(a_reply_to_something_else_is_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		size_t len = kit_vector(VECTORS, replies[i].name, want, sizeof(want));

		if (reply_of(i).refusal != REFUSAL_NONE)
			continue;
		answered = SIGNAL_HELLO;
		if (replies[i].to != SIGNAL_HELLO)
			ck_assert_int_eq(decode_reply(kit_message(want, len)), -EBADMSG);
	}
}
END_TEST

/* [P3-5] */
START_TEST(a_refusals_text_is_bounded_and_printable)
{
	static char text[REFUSAL_TEXT_MAX + 2];
	struct signal_reply m = { .refusal = REFUSAL_INTERNAL };

	answered = SIGNAL_LOG;
	memset(text, 'x', sizeof(text));
	m.text = span_of(text, REFUSAL_TEXT_MAX);
	ck_assert_int_gt(signal_reply_encode(SIGNAL_LOG, &m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_reply(kit_message(got, 4 + load_be32(got))), 0);
	m.text.len++;
	ck_assert_int_eq(signal_reply_encode(SIGNAL_LOG, &m, got, sizeof(got)), -EINVAL);
	m.text = span_str("\x1b[2J");
	ck_assert_int_gt(signal_reply_encode(SIGNAL_LOG, &m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_reply(kit_message(got, 4 + load_be32(got))), -EBADMSG);
}
END_TEST

/* --- events ----------------------------------------------------------------------------------- */

static const char *const events[] = {
	"event_log",	      "event_presence", "event_presence_reset",
	"event_observed",     "event_shutdown", "event_relay",
	"event_relay_closed", "event_removal",	"event_beacon"
};
static struct wire_presence presence[PRESENCE_PER_EVENT_MAX + 1];

static struct signal_event event_of(size_t i)
{
	static const enum signal_event_type types[] = { SIGNAL_EV_LOG,		SIGNAL_EV_PRESENCE,
							SIGNAL_EV_PRESENCE,	SIGNAL_EV_OBSERVED,
							SIGNAL_EV_SHUTDOWN,	SIGNAL_EV_RELAY,
							SIGNAL_EV_RELAY_CLOSED, SIGNAL_EV_REMOVAL,
							SIGNAL_EV_BEACON };
	struct signal_event m = { .type = types[i],
				  .first = 7,
				  .observed = kit_addr4(),
				  .retry_after_s = 1,
				  .presence = presence,
				  .relay = kit_relay_end() };

	kit_bytes(0x50, m.node_id, sizeof(m.node_id));
	kit_entries(&m.entries, 2);
	m.removal = m.beacon = m.entries.item[0];
	if (i == 1) {
		m.cursor = 258;
		m.n_presence = 2;
		kit_bytes(0x60, presence[0].node_id, NODE_ID_WIRE_LEN);
		presence[0].online = true;
		presence[0].candidates = kit_candidates();
		kit_bytes(0x70, presence[1].node_id, NODE_ID_WIRE_LEN);
		presence[1].online = false;
		presence[1].candidates.n = 0;
	}
	m.reset = i == 2;
	return m;
}

static int decode_event(struct span message)
{
	static struct wire_presence room[PRESENCE_PER_EVENT_MAX];
	struct signal_event m = { .presence = room };

	return signal_event_decode(message, &m);
}

/* [P3-4] */
START_TEST(events_are_as_documented)
{
	static struct wire_presence room[PRESENCE_PER_EVENT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		size_t len = kit_vector(VECTORS, events[i], want, sizeof(want));
		struct signal_event m = event_of(i), back = { .presence = room };

		ck_assert_msg(len > 0, "%s: no vector", events[i]);
		ck_assert_int_eq(signal_event_encode(&m, got, sizeof(got)), (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
		ck_assert_int_eq(signal_event_encode(&m, got, len - 1), -ENOSPC);
		ck_assert_int_eq(signal_event_decode(kit_message(want, len), &back), 0);
		ck_assert_ptr_eq(back.presence, room);
		ck_assert_int_eq(signal_event_encode(&back, got, sizeof(got)), (ptrdiff_t)len);
		ck_assert_mem_eq(got, want, len);
		refuses_variants(kit_message(want, len), decode_event);
	}
	ck_assert_uint_eq(kit_vector_count(VECTORS, "event_"), ARRAY_LEN(events));
}
END_TEST

/* [P3-20] */
START_TEST(unknown_events_are_known_as_such)
{
	ck_assert_int_eq(decode_event(span_of("\x81\x18\x40", 3)), -ENOSYS);
	ck_assert_int_eq(decode_event(span_of("\x83\x18\x64\xf9\x3c\x00\xa0", 7)), -ENOSYS);
	for (uint8_t type = 7; type < UNKNOWN_TYPES_FROM; type++) {
		uint8_t bytes[] = { 0x81, 0x18, type };
		bool small = type < 24;

		if (small)
			bytes[1] = type;
		ck_assert_int_eq(decode_event(span_of(bytes, small ? 2 : 3)), -EBADMSG);
	}
	ck_assert_int_eq(decode_event(span_of("\x81\x00", 2)), -EBADMSG);
	ck_assert_int_eq(decode_event(span_of("\x18\x40", 2)), -EBADMSG);
}
END_TEST

START_TEST(a_full_presence_event_fits)
{
	struct signal_event m = { .type = SIGNAL_EV_PRESENCE,
				  .cursor = UINT64_MAX,
				  .presence = presence,
				  .n_presence = PRESENCE_PER_EVENT_MAX };

	for (size_t i = 0; i < ARRAY_LEN(presence); i++) {
		presence[i].online = true;
		presence[i].candidates.n = CANDIDATES_MAX;
	}
	ck_assert_int_gt(signal_event_encode(&m, got, sizeof(got)), 0);
	ck_assert_int_eq(decode_event(kit_message(got, 4 + load_be32(got))), 0);
	m.n_presence++;
	ck_assert_int_eq(signal_event_encode(&m, got, sizeof(got)), -ENOSPC);

	/* a reader that gave no room takes none */
	m.n_presence = 1;
	ck_assert_int_gt(signal_event_encode(&m, got, sizeof(got)), 0);
	m = (struct signal_event){ .presence = NULL };
	ck_assert_int_eq(signal_event_decode(kit_message(got, 4 + load_be32(got)), &m), -EBADMSG);
}
END_TEST

/* --- framing, names --------------------------------------------------------------------------- */

START_TEST(frames_are_found_and_bounded)
{
	static const uint8_t two[] = { 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 1, 'c' };
	struct span message;
	size_t used;

	for (size_t len = 0; len < 6; len++)
		ck_assert_int_eq(frame_next(span_of(two, len), 9, &message, &used), 0);
	ck_assert_int_eq(frame_next(span_of(two, sizeof(two)), 9, &message, &used), 1);
	ck_assert_uint_eq(used, 6);
	ck_assert(span_equal(message, span_of("ab", 2)));
	ck_assert_int_eq(frame_next(span_of(two, sizeof(two)), 2, &message, &used), 1);
	ck_assert_int_eq(frame_next(span_of(two, sizeof(two)), 1, &message, &used), -EMSGSIZE);
	ck_assert_int_eq(frame_next(span_of("\xff\xff\xff\xff", 4), SIGNAL_MESSAGE_MAX, &message,
				    &used),
			 -EMSGSIZE);
}
END_TEST

START_TEST(refusals_have_names)
{
	ck_assert_str_eq(refusal_name(REFUSAL_INVITE_USED), "invite-used");
	ck_assert_str_eq(refusal_name(REFUSAL_NONE), "none");
	ck_assert_str_eq(refusal_name(REFUSAL_FORK), "fork");
	for (int reason = REFUSAL_NONE; reason <= REFUSAL_RECOVERY_CODE; reason++)
		ck_assert_str_ne(refusal_name(reason), "unknown");
	ck_assert_str_eq(refusal_name(-1), "unknown");
	ck_assert_str_eq(refusal_name(50), "unknown");
	ck_assert_str_eq(refusal_name(100000), "unknown");
}
END_TEST

UNIT_MAIN("proto/signal", requests_are_as_documented, request_fields_arrive,
	  malformed_requests_are_refused, requests_out_of_bounds_are_refused,
	  another_version_is_not_malformed, unknown_requests_are_not_malformed,
	  replies_are_as_documented, malformed_replies_are_refused,
	  a_reply_to_something_else_is_refused, a_refusals_text_is_bounded_and_printable,
	  events_are_as_documented, unknown_events_are_known_as_such, a_full_presence_event_fits,
	  frames_are_found_and_bounded, refusals_have_names)
