/* SPDX-License-Identifier: MIT */
/* Records against tests/vectors/record.txt; epochs, the window against a model, forgeries. */
#include "overlay/datapath/record.h"

#include "proto_kit.h"

#define VECTORS "tests/vectors/record.txt"
#define EPOCH (UINT64_C(1) << RECORD_EPOCH_BITS)
#define INNER 41

static struct records *client, *server;

static void begin(enum aead_kind kind)
{
	uint8_t exported[RECORD_EXPORT_LEN];

	kit_bytes(0x30, exported, RECORD_TAG_LEN);
	kit_bytes(0x60, exported + RECORD_TAG_LEN, RECORD_SECRET_LEN);
	kit_bytes(0xa0, exported + RECORD_TAG_LEN + RECORD_SECRET_LEN, RECORD_SECRET_LEN);
	ck_assert_int_eq(records_new(kind, true, exported, &client), 0);
	ck_assert_int_eq(records_new(kind, false, exported, &server), 0);
}

static void end(void)
{
	records_free(client);
	records_free(server);
	records_free(NULL);
}

/* To be called with counters that never go back. */
static size_t seal_at(struct records *r, uint64_t counter, uint8_t *out, size_t len)
{
	for (uint64_t e = (r->counter >> RECORD_EPOCH_BITS) + 1; e <= counter >> RECORD_EPOCH_BITS;
	     e++) {
		r->counter = e << RECORD_EPOCH_BITS;
		if (r->counter < counter) {
			uint8_t scratch[RECORD_OVERHEAD + 1];

			(void)record_seal(r, scratch, 1);
		}
	}
	r->counter = counter;
	kit_bytes(0x40, out + RECORD_HEADER, len);
	return record_seal(r, out, len);
}

/* Opens a copy. */
static enum overlay_drop take(struct records *r, const uint8_t *record, size_t len)
{
	uint8_t copy[2000], want[2000];
	struct span inner = { .len = 0 };
	enum overlay_drop d;

	memcpy(copy, record, len);
	ck_assert_ptr_nonnull(record_tag(copy, len));
	ck_assert_mem_eq(record_tag(copy, len), r->tag, RECORD_TAG_LEN);
	d = record_open(r, copy, len, &inner);
	if (d == DROP_NONE) {
		kit_bytes(0x40, want, inner.len);
		ck_assert_uint_eq(inner.len, len - RECORD_OVERHEAD);
		ck_assert_mem_eq(inner.data, want, inner.len);
	}
	return d;
}

static enum overlay_drop send_at(uint64_t counter)
{
	uint8_t record[RECORD_OVERHEAD + INNER];

	return take(server, record, seal_at(client, counter, record, INNER));
}

static void check_vectors(enum aead_kind kind, const char *cipher)
{
	static const struct {
		const char *name;
		uint64_t counter;
		size_t len;
	} records[] = {
		{ "first", 0, INNER },
		{ "large", 7, 1401 },
		{ "last_of_epoch", EPOCH - 1, INNER },
		{ "next_epoch", EPOCH, INNER },
		{ "epoch_3", 3 * EPOCH + 12345, INNER },
	};
	uint8_t want[1500], made[1500];
	char name[64];

	begin(kind);
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		size_t len;

		snprintf(name, sizeof(name), "%s_%s", cipher, records[i].name);
		len = kit_vector(VECTORS, name, want, sizeof(want));
		ck_assert_uint_eq(len, records[i].len + RECORD_OVERHEAD);
		ck_assert_uint_eq(seal_at(client, records[i].counter, made, records[i].len), len);
		ck_assert_mem_eq(made, want, len);
		ck_assert_int_eq(take(server, want, len), DROP_NONE);
		ck_assert_int_eq(take(server, want, len), DROP_in_replay);
	}
	snprintf(name, sizeof(name), "%s_", cipher);
	ck_assert_uint_eq(kit_vector_count(VECTORS, name), ARRAY_LEN(records));
	end();
}

/* [P7-2] [P7-4] [P7-5] */
START_TEST(records_are_as_the_vectors)
{
	check_vectors(AEAD_AES128_GCM, "aes");
	check_vectors(AEAD_CHACHA20_POLY1305, "chacha");
}
END_TEST

/* [P7-1] */
START_TEST(both_directions_have_keys_of_their_own)
{
	uint8_t record[RECORD_OVERHEAD + INNER];
	size_t len;

	begin(AEAD_AES128_GCM);
	len = seal_at(client, 5, record, INNER);
	ck_assert_int_eq(take(client, record, len), DROP_in_forged); /* sent back to its maker */
	ck_assert_int_eq(take(server, record, len), DROP_NONE);
	len = seal_at(server, 5, record, INNER);
	ck_assert_int_eq(take(client, record, len), DROP_NONE);
	end();
}
END_TEST

/* [P7-11] */
START_TEST(what_was_changed_is_forged_and_changes_nothing)
{
	uint8_t record[RECORD_OVERHEAD + INNER];
	size_t len;

	begin(AEAD_AES128_GCM);
	ck_assert_int_eq(send_at(100), DROP_NONE);
	len = seal_at(client, 200, record, INNER);
	for (size_t bit = 8; bit < 8 * len; bit++) {
		if (bit / 8 >= 8 && bit / 8 < RECORD_HEADER)
			continue; /* the tag: of another connection */
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_ne(take(server, record, len), DROP_NONE);
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_uint_gt(server->forged, 8 * INNER);
	ck_assert_uint_eq(server->window.next, 101);
	ck_assert_uint_eq(server->newest->epoch, 0);
	ck_assert_int_eq(take(server, record, len), DROP_NONE);
	end();
}
END_TEST

START_TEST(what_is_too_short_or_of_another_type_is_no_record)
{
	uint8_t record[RECORD_OVERHEAD + INNER];
	size_t len;

	begin(AEAD_AES128_GCM);
	len = seal_at(client, 0, record, INNER);
	ck_assert_ptr_nonnull(record_tag(record, len));
	ck_assert_ptr_nonnull(record_tag(record, RECORD_OVERHEAD + 1));
	for (size_t n = 0; n <= RECORD_OVERHEAD; n++)
		ck_assert_ptr_null(record_tag(record, n));
	for (unsigned type = 0; type < 256; type++) {
		record[0] = (uint8_t)type;
		ck_assert((record_tag(record, len) != NULL) == (type == RECORD_TYPE));
	}
	end();
}
END_TEST

/* [P7-8] */
START_TEST(epochs_follow_each_other)
{
	uint8_t old[RECORD_OVERHEAD + INNER], older[RECORD_OVERHEAD + INNER];
	size_t len;

	begin(AEAD_CHACHA20_POLY1305);
	len = seal_at(client, EPOCH - 3, older, INNER);
	ck_assert_int_eq(send_at(EPOCH - 2), DROP_NONE);
	(void)seal_at(client, EPOCH - 1, old, INNER);
	ck_assert_int_eq(send_at(EPOCH), DROP_NONE);
	ck_assert_int_eq(take(server, old, len), DROP_NONE); /* overtaken at the change */
	ck_assert_int_eq(send_at(EPOCH + 1), DROP_NONE);
	ck_assert_int_eq(take(server, older, len), DROP_NONE);
	/* whole epochs may get lost, but not more than so many */
	ck_assert_int_eq(send_at((1 + RECORD_EPOCHS_AHEAD) * EPOCH + 9), DROP_NONE);
	ck_assert_int_eq(send_at((1 + RECORD_EPOCHS_AHEAD) * EPOCH + 10), DROP_NONE);
	ck_assert_int_eq(send_at((2 + 2 * RECORD_EPOCHS_AHEAD) * EPOCH), DROP_in_forged);
	end();
}
END_TEST

/* A forger who names one epoch after the other makes us derive each key once. */
/* [P7-9] */
START_TEST(forged_records_of_many_epochs_cost_no_more_than_others)
{
	uint8_t forged[RECORD_OVERHEAD + INNER], good[RECORD_OVERHEAD + INNER];
	size_t len;

	begin(AEAD_AES128_GCM);
	len = seal_at(client, 7, forged, INNER);
	forged[len - 1] ^= 1;
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t epoch = i % (RECORD_EPOCHS_AHEAD + 3);

		store_be64(forged, (uint64_t)RECORD_TYPE << 56 | (epoch * EPOCH + 8 + i % 7));
		ck_assert_int_eq(take(server, forged, len), DROP_in_forged);
	}
	ck_assert_uint_eq(server->forged, 100000);
	ck_assert_uint_eq(server->derived, RECORD_EPOCHS_AHEAD);
	/* and it changes nothing: the keys that were kept open what is genuine */
	ck_assert_int_eq(send_at(9), DROP_NONE);
	(void)seal_at(client, 2 * EPOCH - 1, good, INNER);
	ck_assert_int_eq(send_at(2 * EPOCH), DROP_NONE);
	ck_assert_int_eq(take(server, good, len), DROP_NONE); /* of the epoch that was skipped */
	ck_assert_uint_eq(server->derived, RECORD_EPOCHS_AHEAD);
	for (uint64_t i = 0; i < 100000; i++) {
		store_be64(forged, (uint64_t)RECORD_TYPE << 56 | (i % 8 * EPOCH + 8));
		(void)take(server, forged, len);
	}
	ck_assert_uint_eq(server->derived, RECORD_EPOCHS_AHEAD + 2); /* two more came in reach */
	for (uint64_t epoch = 3; epoch < 20; epoch++)
		ck_assert_int_eq(send_at(epoch * EPOCH + 1), DROP_NONE);
	end();
}
END_TEST

/* A thief who reads our memory later cannot open earlier records. */
/* [P7-3] */
START_TEST(secrets_of_earlier_epochs_are_overwritten)
{
	static const uint8_t zero[RECORD_SECRET_LEN];
	unsigned kept = 0;

	begin(AEAD_AES128_GCM);
	for (uint64_t epoch = 0; epoch < 5; epoch++)
		ck_assert_int_eq(send_at(epoch * EPOCH + 1), DROP_NONE);
	for (size_t i = 0; i < ARRAY_LEN(server->key); i++)
		kept += memcmp(server->key[i].secret, zero, sizeof(zero)) != 0;
	ck_assert_uint_eq(kept, 1);
	end();
}
END_TEST

/* Against the plainest model: a set of all that was taken, and the highest. */
/* [P7-10] */
START_TEST(the_window_takes_each_counter_once)
{
	enum { SPAN = 4 * WINDOW_LEN };
	static bool taken[SPAN + 2];
	static uint8_t made[SPAN + 2][RECORD_OVERHEAD + 1];
	struct unit_rng rng = unit_rng_new("window");
	uint64_t next = 0;

	begin(AEAD_AES128_GCM);
	memset(taken, 0, sizeof(taken));
	for (uint64_t c = 0; c < SPAN + 2; c++)
		(void)seal_at(client, c, made[c], 1);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t back = 1 + unit_random_below(&rng, 2 * WINDOW_LEN);
		uint64_t c = unit_random_below(&rng, 4) || next < back
				     ? MIN(next + unit_random_below(&rng, 8) / 7, SPAN)
				     : next - back;
		bool want = c >= next || (next - c <= WINDOW_LEN && !taken[c]);

		if (unit_random_below(&rng, 20000) == 0)
			c = MIN(next + WINDOW_LEN + back, SPAN), want = c >= next || !taken[c];
		if (c < next && next - c > WINDOW_LEN)
			want = false;
		ck_assert_int_eq(take(server, made[c], sizeof(made[c])),
				 want ? DROP_NONE : DROP_in_replay);
		if (want) {
			taken[c] = true;
			next = MAX(next, c + 1);
		}
	}
	end();
}
END_TEST

START_TEST(the_window_has_an_end)
{
	struct window w = { .next = 0 };

	ck_assert(!window_allows(&w, UINT64_MAX));
	ck_assert(window_allows(&w, UINT64_MAX - 1));
	window_take(&w, UINT64_MAX - 1);
	ck_assert(!window_allows(&w, UINT64_MAX - 1));
	ck_assert(!window_allows(&w, 0));
	ck_assert(!window_allows(&w, UINT64_MAX));
	ck_assert(window_allows(&w, UINT64_MAX - WINDOW_LEN));
}
END_TEST

UNIT_MAIN("overlay/record", records_are_as_the_vectors, both_directions_have_keys_of_their_own,
	  what_was_changed_is_forged_and_changes_nothing,
	  what_is_too_short_or_of_another_type_is_no_record, epochs_follow_each_other,
	  forged_records_of_many_epochs_cost_no_more_than_others,
	  secrets_of_earlier_epochs_are_overwritten, the_window_takes_each_counter_once,
	  the_window_has_an_end)
