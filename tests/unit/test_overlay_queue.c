/* SPDX-License-Identifier: MIT */
/* Tests of a peer's queue: a ring against a model, its bounds, early drop. */
#include "overlay/queue.h"

#include "unit.h"

static bool put(struct queue *q, size_t len, uint8_t mark, uint64_t now)
{
	uint8_t *at = queue_reserve(q, len);

	if (!at)
		return false;
	memset(at, mark, len);
	queue_commit(q, len, now);
	return true;
}

static bool all_are(struct span s, uint8_t mark)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] != mark)
			return false;
	}
	return true;
}

START_TEST(packets_come_out_whole_and_in_order)
{
	struct unit_rng rng = unit_rng_new("queue");
	struct queue q = { 0 };
	size_t lens[QUEUE_PACKETS_MAX], first = 0, n = 0, bytes = 0;
	uint8_t marks[QUEUE_PACKETS_MAX];
	uint8_t next = 0;

	ck_assert(!put(&q, 10, 1, 0)); /* no room before queue_init */
	ck_assert_int_eq(queue_init(&q), 0);
	for (int i = 0; i < 200000; i++) {
		bool grow = unit_random_below(&rng, 1000) < (i / 2000 % 2 ? 600 : 400);

		if (grow) {
			size_t len = 1 + unit_random_below(&rng, 1401);
			bool ok = put(&q, len, next, 0);

			if (n == QUEUE_PACKETS_MAX)
				ck_assert(!ok);
			if (bytes + len + 2 * 1401 < QUEUE_BYTES_MAX && n < QUEUE_PACKETS_MAX)
				ck_assert(ok);
			if (!ok)
				continue;
			lens[(first + n) % QUEUE_PACKETS_MAX] = len;
			marks[(first + n) % QUEUE_PACKETS_MAX] = next++;
			n++;
			bytes += len;
		} else if (n > 0) {
			struct span s = queue_head(&q);

			ck_assert_uint_eq(s.len, lens[first]);
			ck_assert(all_are(s, marks[first]));
			queue_pop(&q);
			bytes -= s.len;
			first = (first + 1) % QUEUE_PACKETS_MAX;
			n--;
		}
		ck_assert_uint_eq(q.n, n);
		ck_assert_uint_eq(q.used, bytes);
		ck_assert(queue_empty(&q) == (n == 0));
	}
	queue_fini(&q);
}
END_TEST

START_TEST(a_queue_that_is_not_high_takes_a_super_packet)
{
	struct unit_rng rng = unit_rng_new("queue-high");
	struct queue q = { 0 };

	ck_assert_int_eq(queue_init(&q), 0);
	for (int i = 0; i < 2000; i++) {
		for (size_t k = unit_random_below(&rng, 300); k > 0; k--)
			queue_pop(&q);
		while (!queue_is_high(&q)) {
			for (int k = 0; k < 47; k++)
				ck_assert(put(&q, 1401, 1, 0));
		}
	}
	queue_fini(&q);
}
END_TEST

START_TEST(empty_and_oversized_packets_are_not_taken)
{
	struct queue q = { 0 };

	ck_assert_int_eq(queue_init(&q), 0);
	ck_assert_int_eq(queue_init(&q), 0); /* again: no harm */
	ck_assert_ptr_null(queue_reserve(&q, 0));
	ck_assert_ptr_null(queue_reserve(&q, QUEUE_BYTES_MAX + 1));
	ck_assert_uint_eq(queue_head(&q).len, 0);
	queue_pop(&q);
	ck_assert(queue_empty(&q));
	queue_fini(&q);
	queue_fini(&q);
}
END_TEST

/* A packet every ms goes in, one every `out_ms` comes out, for 3 s. The longest wait at the end. */
static uint64_t last_wait(struct queue *q, unsigned out_ms, size_t *ret_dropped)
{
	uint64_t wait = 0;

	*ret_dropped = 0;
	for (uint64_t t = 0; t < 3000; t++) {
		uint64_t now = (t + 1) * NS_PER_MS;

		(void)put(q, 100, 1, now);
		if (t % out_ms)
			continue;
		*ret_dropped += queue_drop_late(q, now);
		if (queue_empty(q))
			continue;
		wait = now - q->slot[q->first].since;
		queue_pop(q);
	}
	return wait;
}

START_TEST(a_standing_queue_is_thinned_and_a_fast_one_is_not)
{
	struct queue q = { 0 };
	size_t dropped;

	ck_assert_int_eq(queue_init(&q), 0);
	ck_assert_uint_lt(last_wait(&q, 1, &dropped), NS_PER_MS);
	ck_assert_uint_eq(dropped, 0);
	queue_clear(&q);
	ck_assert_uint_le(last_wait(&q, 2, &dropped), QUEUE_WAIT_MAX);
	ck_assert_uint_gt(dropped, 500);
	queue_fini(&q);
}
END_TEST

START_TEST(a_short_burst_passes)
{
	struct queue q = { 0 };
	size_t dropped = 0;

	ck_assert_int_eq(queue_init(&q), 0);
	for (int i = 0; i < 80; i++)
		ck_assert(put(&q, 1401, 1, NS_PER_S));
	for (uint64_t t = 0; t < 80; t++) { /* 80 ms: above target, but not for an interval */
		dropped += queue_drop_late(&q, NS_PER_S + t * NS_PER_MS);
		queue_pop(&q);
	}
	ck_assert_uint_eq(dropped, 0);
	queue_fini(&q);
}
END_TEST

START_TEST(the_last_packet_is_never_dropped_early)
{
	struct queue q = { 0 };

	ck_assert_int_eq(queue_init(&q), 0);
	ck_assert(put(&q, 10, 1, 0));
	for (uint64_t t = 0; t < 100; t++)
		ck_assert_uint_eq(queue_drop_late(&q, t * NS_PER_S), 0);
	ck_assert_uint_eq(q.n, 1);
	queue_fini(&q);
}
END_TEST

UNIT_MAIN("overlay/queue", packets_come_out_whole_and_in_order,
	  a_queue_that_is_not_high_takes_a_super_packet,
	  empty_and_oversized_packets_are_not_taken,
	  a_standing_queue_is_thinned_and_a_fast_one_is_not, a_short_burst_passes,
	  the_last_packet_is_never_dropped_early)
