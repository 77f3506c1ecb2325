/* SPDX-License-Identifier: MIT */
/*
 * Nodes of a later version at this server: what it does not know it refuses, in words that they can
 * act on, and goes on with what both know.
 */
#include "signal_founder.h"

/* A request of a type that nobody has thought of, with a float, a map and a tag in it. */
static enum refusal ask_unknown(struct raw *r, uint16_t type, struct signal_reply *reply)
{
	uint8_t frame[] = {
		0, 0, 0, 13, 0x84, 0x19, 0, 0, 0xf9, 0x3c, 0, 0xa1, 1, 2, 0xc1, 0x1a, 0
	};

	store_be16(frame + 6, MAX(type, 256));
	raw_send_bytes(r, frame, sizeof(frame), true);
	return raw_reply(r, SIGNAL_HELLO, reply);
}

/* [P3-10] */
START_TEST(unknown_requests_are_refused_and_the_connection_goes_on)
{
	/* the next type that will be given, in the form of small numbers */
	static const uint8_t small[] = { 0, 0, 0, 2, 0x81, SIGNAL_REQUEST_TYPES };
	static const uint8_t none[] = { 0, 0, 0, 2, 0x81, 0 };
	struct signal_reply reply;
	struct raw *r;

	founder_begin();
	r = raw_member(founder, "laptop");
	raw_connect(r); /* before hello, after it, and in session */
	ck_assert_int_eq(ask_unknown(r, 300, &reply), REFUSAL_UNSUPPORTED);
	ck_assert_int_eq(raw_hello(r, r->cluster_id, &reply), REFUSAL_NONE);
	ck_assert_int_eq(ask_unknown(r, 65535, &reply), REFUSAL_UNSUPPORTED);
	ck_assert_uint_gt(reply.text.len, 10);
	ck_assert_int_eq(raw_session_ask(r, &reply), REFUSAL_NONE);
	ck_assert_int_eq(ask_unknown(r, 300, &reply), REFUSAL_UNSUPPORTED);
	raw_send_bytes(r, small, sizeof(small), true);
	ck_assert_int_eq(raw_reply(r, SIGNAL_HELLO, &reply), REFUSAL_UNSUPPORTED);
	raw_send_bytes(r, none, sizeof(none), true);
	ck_assert_int_eq(raw_reply(r, SIGNAL_HELLO, &reply), REFUSAL_UNSUPPORTED);
	raw_fetch(r);
	ck_assert(!r->closed);
	ck_assert_uint_eq(sig_stats(&founder_g).malformed, 0);
	raw_free(r);
	founder_end();
}
END_TEST

/* A stranger pays for them from the same purse as for all others. */
/* [P3-10] */
START_TEST(unknown_requests_count_against_the_rate)
{
	struct signal_reply reply;
	struct raw *r;
	unsigned n = 0;

	founder_begin();
	r = raw_new(&founder_g);
	raw_greet(r);
	while (ask_unknown(r, 300, &reply) == REFUSAL_UNSUPPORTED)
		ck_assert_uint_lt(++n, 200);
	ck_assert_int_eq(reply.refusal, REFUSAL_RATE);
	ck_assert_uint_ge(reply.retry_after_s, 1);
	ck_assert_uint_le(n, SIGNAL_REQUESTS_BURST + 10);
	ck_assert_int_eq(raw_offer(r, "AAAA-AAAA-AAAA", NULL, &reply), REFUSAL_RATE);
	/* A caller that does not stop loses the connection. */
	for (n = 0; !r->closed; n++) {
		uint8_t frame[] = { 0, 0, 0, 3, 0x81, 0x18, 0x64 };

		ck_assert_uint_lt(n, 200);
		raw_send_bytes(r, frame, sizeof(frame), true);
		SIM_CHECK(founder_g.w, world_run(founder_g.w, 20 * NS_PER_S, raw_is_answered, r));
	}
	ck_assert_uint_eq(r->error, SIGNAL_CLOSE_LIMIT);
	raw_free(r);
	founder_end();
}
END_TEST

/* [P3-22] */
START_TEST(unknown_feature_bits_mean_nothing)
{
	struct signal_request rq = { .type = SIGNAL_HELLO,
				     .agent = span_str("mlsh 9.0"),
				     .features = UINT64_MAX };
	struct signal_reply reply;
	struct raw *r;

	founder_begin();
	r = raw_member(founder, "laptop");
	raw_connect(r);
	memcpy(rq.cluster_id, r->cluster_id, HASH_LEN);
	ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.features, SIGNAL_FEATURES);
	ck_assert_int_eq(raw_session_ask(r, &reply), REFUSAL_NONE);
	raw_free(r);
	founder_end();
}
END_TEST

UNIT_MAIN("signal/future", unknown_requests_are_refused_and_the_connection_goes_on,
	  unknown_requests_count_against_the_rate, unknown_feature_bits_mean_nothing)
