/* SPDX-License-Identifier: MIT */
/* Tests of a peer's queue: a ring against a model, its bounds. */
#include "overlay/datapath/queue.h"

#include "unit.h"

static bool put(struct queue *q, size_t len, uint8_t mark)
{
	uint8_t *at = queue_reserve(q, len);

	if (!at)
		return false;
	memset(at, mark, len);
	queue_commit(q, len);
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

	ck_assert(!put(&q, 10, 1)); /* no room before queue_init */
	ck_assert_int_eq(queue_init(&q), 0);
	for (int i = 0; i < 200000; i++) {
		bool grow = unit_random_below(&rng, 1000) < (i / 2000 % 2 ? 600 : 400);

		if (grow) {
			size_t len = 1 + unit_random_below(&rng, 1401);
			bool ok = put(&q, len, next);

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
		ck_assert(queue_empty(&q) == (n == 0));
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

UNIT_MAIN("overlay/queue", packets_come_out_whole_and_in_order,
	  empty_and_oversized_packets_are_not_taken)
