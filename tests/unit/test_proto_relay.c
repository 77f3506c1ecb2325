/* SPDX-License-Identifier: MIT */
/* Relay frames against tests/vectors/relay.txt: their MAC, the window, and frames of others. */
#include "proto_kit.h"

#define VECTORS "tests/vectors/relay.txt"
#define FRAME_MAX (RELAY_OVERHEAD + 1500)

static const struct {
	const char *name;
	enum relay_direction direction;
	uint32_t counter;
	size_t packet_len;
} frames[] = {
	{ "frame_to_server", RELAY_TO_SERVER, 0, 40 },
	{ "frame_to_server_short", RELAY_TO_SERVER, 1, 1 },
	{ "frame_to_server_last", RELAY_TO_SERVER, UINT32_MAX, 24 },
	{ "frame_from_server", RELAY_FROM_SERVER, 0, 40 },
	{ "frame_from_server_large", RELAY_FROM_SERVER, 258, 1200 },
};

static struct relay_end end;
static struct relay_window window;
static uint8_t want[FRAME_MAX], frame[FRAME_MAX];

static void begin(void)
{
	end = kit_relay_end();
	memset(&window, 0, sizeof(window));
}

static struct span make(enum relay_direction direction, uint32_t counter, size_t packet_len)
{
	kit_bytes(0x40, frame + RELAY_OVERHEAD, packet_len);
	relay_wrap(&end, direction, counter, frame, packet_len);
	return span_of(frame, RELAY_OVERHEAD + packet_len);
}

static int take(enum relay_direction direction, struct span f)
{
	struct span packet = { 0 };
	int r = relay_open_frame(&end, direction, &window, f, &packet);

	if (r == 0) {
		ck_assert_ptr_eq(packet.data, f.data + RELAY_OVERHEAD);
		ck_assert_uint_eq(packet.len, f.len - RELAY_OVERHEAD);
	} else {
		ck_assert_ptr_null(packet.data);
	}
	return r;
}

static int take_counter(uint32_t counter)
{
	return take(RELAY_TO_SERVER, make(RELAY_TO_SERVER, counter, 40));
}

/* [P6-12] [P6-14] */
START_TEST(frames_are_as_documented)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		size_t len = kit_vector(VECTORS, frames[i].name, want, sizeof(want));
		struct span f;

		begin();
		ck_assert_uint_eq(len, RELAY_OVERHEAD + frames[i].packet_len);
		f = make(frames[i].direction, frames[i].counter, frames[i].packet_len);
		ck_assert_mem_eq(f.data, want, len);
		ck_assert_mem_eq(relay_channel(f), end.channel, RELAY_CHANNEL_LEN);
		ck_assert_uint_eq(relay_counter(f), frames[i].counter);
		ck_assert_int_eq(take(frames[i].direction, span_of(want, len)), 0);
		ck_assert_int_eq(take(frames[i].direction, span_of(want, len)), -EALREADY);
	}
	ck_assert_uint_eq(kit_vector_count(VECTORS, "frame_"), ARRAY_LEN(frames));
}
END_TEST

/* [P6-20] [P6-21] */
START_TEST(rates_are_as_documented)
{
	uint8_t made[RELAY_RATE_LEN];
	uint64_t next = 0, rate = 0;
	struct span f = span_of(made, sizeof(made));

	begin();
	ck_assert_uint_eq(kit_vector(VECTORS, "rate_from_server", want, sizeof(want)),
			  RELAY_RATE_LEN);
	relay_rate_put(&end, 7, 12500000, made);
	ck_assert_mem_eq(made, want, RELAY_RATE_LEN);
	ck_assert_mem_eq(relay_rate_channel(f), end.channel, RELAY_CHANNEL_LEN);
	ck_assert_ptr_null(relay_channel(f));
	ck_assert_int_eq(relay_rate_get(&end, f, &next, &rate), 0);
	ck_assert_uint_eq(rate, 12500000);
	ck_assert_uint_eq(next, 8);
	ck_assert_int_eq(relay_rate_get(&end, f, &next, &rate), -EALREADY);
	relay_rate_put(&end, 8, 0, made);
	for (size_t bit = 8; bit < 8 * RELAY_RATE_LEN; bit++) {
		made[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(relay_rate_get(&end, f, &next, &rate), -EACCES);
		made[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(relay_rate_get(&end, span_of(made, 24), &next, &rate), -EBADMSG);
	made[0] = RELAY_FRAME_TYPE; /* neither is taken for the other */
	ck_assert_int_eq(relay_rate_get(&end, f, &next, &rate), -EBADMSG);
	ck_assert_int_eq(take(RELAY_FROM_SERVER, f), -EACCES);
	made[0] = RELAY_RATE_TYPE;
	ck_assert_int_eq(relay_rate_get(&end, f, &next, &rate), 0);
	ck_assert_uint_eq(rate, 0);
}
END_TEST

/* [P6-11] */
START_TEST(what_is_no_frame_is_refused)
{
	begin();
	for (size_t len = 0; len <= RELAY_OVERHEAD; len++) {
		struct span f = make(RELAY_TO_SERVER, 0, 40);

		f.len = len; /* nothing in it */
		ck_assert_ptr_null(relay_channel(f));
		ck_assert_int_eq(take(RELAY_TO_SERVER, f), -EBADMSG);
	}
	make(RELAY_TO_SERVER, 0, 40);
	frame[0] = 0x11;
	ck_assert_int_eq(take(RELAY_TO_SERVER, span_of(frame, RELAY_OVERHEAD + 40)), -EBADMSG);
	ck_assert(!window.begun);
}
END_TEST

/* Every bit of the header and of the first 24 bytes counts, the length, direction, key too. */
/* [P6-13] */
START_TEST(altered_frames_are_refused)
{
	struct span f;

	begin();
	f = make(RELAY_TO_SERVER, 5, 40);
	for (size_t bit = 8; bit < (RELAY_OVERHEAD + 24) * 8; bit++) {
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(take(RELAY_TO_SERVER, f), -EACCES);
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(take(RELAY_TO_SERVER, span_of(f.data, f.len - 1)), -EACCES);
	ck_assert_int_eq(take(RELAY_TO_SERVER, span_of(f.data, f.len + 1)), -EACCES);
	ck_assert_int_eq(take(RELAY_FROM_SERVER, f), -EACCES);
	for (size_t i = 0; i < RELAY_KEY_LEN; i++) {
		end.key[i] ^= 1;
		ck_assert_int_eq(take(RELAY_TO_SERVER, f), -EACCES);
		end.key[i] ^= 1;
	}
	ck_assert(!window.begun); /* none of them has touched it */
	ck_assert_int_eq(take(RELAY_TO_SERVER, f), 0);
}
END_TEST

START_TEST(the_window_slides)
{
	begin();
	ck_assert_int_eq(take_counter(1000), 0);
	ck_assert_int_eq(take_counter(1000), -EALREADY);
	ck_assert_int_eq(take_counter(1000 - RELAY_WINDOW), -EALREADY);
	ck_assert_int_eq(take_counter(1000 - RELAY_WINDOW + 1), 0);
	ck_assert_int_eq(take_counter(1000 - RELAY_WINDOW + 1), -EALREADY);
	ck_assert_int_eq(take_counter(1001), 0);
	ck_assert_int_eq(take_counter(1000 - RELAY_WINDOW + 1), -EALREADY);
	ck_assert_int_eq(take_counter(1000), -EALREADY);
	ck_assert_int_eq(take_counter(999), 0);
	ck_assert_int_eq(take_counter(1001 + RELAY_WINDOW), 0); /* all behind is new */
	ck_assert_int_eq(take_counter(1001), -EALREADY);
	ck_assert_int_eq(take_counter(1002), 0);
	ck_assert_int_eq(take_counter(UINT32_MAX), 0);
	ck_assert_int_eq(take_counter(UINT32_MAX), -EALREADY);
	ck_assert_int_eq(take_counter(UINT32_MAX - RELAY_WINDOW + 1), 0);
	ck_assert_int_eq(take_counter(0), -EALREADY);
	ck_assert_int_eq(take_counter(1003), -EALREADY);
}
END_TEST

/* Against a list of all counters that were ever taken. */
/* [P6-14] */
START_TEST(the_window_does_as_a_list_would)
{
	enum { COUNTERS = 4096 };
	static bool taken[COUNTERS];
	struct unit_rng rng = unit_rng_new("the_window_does_as_a_list_would");
	uint32_t highest = 0, at = 0;
	bool begun = false;

	begin();
	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < 20000; i++) {
		uint32_t jump = (uint32_t)unit_random_below(&rng, i % 50 == 0 ? 400 : 4);
		uint32_t back = (uint32_t)unit_random_below(&rng, 320);
		uint32_t c;
		bool fresh;

		at = MIN(at + (i % 3 == 0 ? jump : 0), COUNTERS - 1);
		c = i % 2 == 0 || back > at ? at : at - back;
		fresh = !begun || c > highest || (highest - c < RELAY_WINDOW && !taken[c]);
		ck_assert_int_eq(take_counter(c), fresh ? 0 : -EALREADY);
		taken[c] = taken[c] || fresh;
		highest = begun ? MAX(highest, c) : c;
		begun = true;
	}
	ck_assert_uint_eq(window.highest, highest);
}
END_TEST

/* What the server does in one step is what it would do in two. */
START_TEST(a_frame_passed_on_is_opened_and_wrapped)
{
	static const size_t sizes[] = { 1, 23, 24, 25, 40, 1200 };
	struct relay_end to = { .channel = "another", .key = "another key" };
	struct relay_window apart = { .begun = false };

	begin();
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t counter = (uint32_t)(1000 - i);
		size_t len = make(RELAY_TO_SERVER, counter, sizes[i]).len;
		struct span packet;

		memcpy(want, frame, len);
		ck_assert_int_eq(relay_open_frame(&end, RELAY_TO_SERVER, &apart, span_of(want, len),
						  &packet),
				 0);
		relay_wrap(&to, RELAY_FROM_SERVER, counter, want, sizes[i]);
		ck_assert_int_eq(relay_pass_frame(&end, &window, &to, frame, len), 0);
		ck_assert_mem_eq(frame, want, len);
		ck_assert_mem_eq(&window, &apart, sizeof(window));

		/* a second time; altered; to another end; too short */
		make(RELAY_TO_SERVER, counter, sizes[i]);
		memcpy(want, frame, len);
		ck_assert_int_eq(relay_pass_frame(&end, &window, &to, frame, len), -EALREADY);
		ck_assert_int_eq(relay_pass_frame(&to, &window, &end, frame, len), -EACCES);
		ck_assert_int_eq(relay_pass_frame(&end, &window, &to, frame, RELAY_OVERHEAD),
				 -EBADMSG);
		ck_assert_mem_eq(frame, want, len);
		frame[RELAY_OVERHEAD] ^= 1;
		ck_assert_int_eq(relay_pass_frame(&end, &window, &to, frame, len), -EACCES);
		make(RELAY_FROM_SERVER, counter + 1, sizes[i]);
		ck_assert_int_eq(relay_pass_frame(&end, &window, &to, frame, len), -EACCES);
		ck_assert_mem_eq(&window, &apart, sizeof(window));
	}
}
END_TEST

UNIT_MAIN("proto/relay", frames_are_as_documented, rates_are_as_documented,
	  a_frame_passed_on_is_opened_and_wrapped, what_is_no_frame_is_refused,
	  altered_frames_are_refused, the_window_slides, the_window_does_as_a_list_would)
