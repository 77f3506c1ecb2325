/* SPDX-License-Identifier: MIT */
/* The log file: comes back as it was, and nothing else than it is accepted. */
#include "client/log_file.h"
#include "log_kit.h"

static struct host *open_host(void)
{
	struct host *h = NULL;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	return h;
}

static struct buf encode(const struct mlog *l)
{
	struct buf b = { 0 };

	ck_assert_int_eq(log_file_encode(l, &b), 0);
	return b;
}

static int decode(struct host *h, struct span bytes, const struct kit *k, const uint8_t *verified,
		  struct log_read *ret)
{
	struct err err = { 0 };
	int r = log_file_decode(h, bytes, mlog_cluster_id(k->log),
				&(struct log_trust){ .mark = verified }, ret, &err);

	ck_assert(r == 0 || (err.code == r && strlen(err.text) > 8));
	return r;
}

/* The bytes are not accepted, and the message says something. */
static void check_refused(struct host *h, struct span bytes, const uint8_t *cluster_id)
{
	struct log_read read = { .log = NULL };
	struct err err = { 0 };
	int r = log_file_decode(h, bytes, cluster_id, NULL, &read, &err);

	ck_assert_int_lt(r, 0);
	ck_assert_int_eq(err.code, r);
	ck_assert_uint_gt(strlen(err.text), 8);
	ck_assert_ptr_null(read.log);
}

static void check_same(const struct mlog *a, const struct mlog *b)
{
	struct head x = mlog_head(a), y = mlog_head(b);

	ck_assert_uint_eq(mlog_count(a), mlog_count(b));
	ck_assert_mem_eq(&x, &y, sizeof(x));
}

/* The checksum of a file's last record of `len` bytes, which a test has altered. */
static void fix_last_sum(struct buf *file, size_t len)
{
	uint8_t *record = file->data + file->len - len, hash[HASH_LEN];

	sha256(span_of(record, len), hash);
	memcpy(record - 8, hash, 8);
}

START_TEST(comes_back)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	struct log_read read;
	struct buf bytes;

	for (unsigned n = 1; n < 200; n++)
		kit_join(&k, n);
	bytes = encode(k.log);
	ck_assert_int_eq(decode(h, span_of(bytes.data, bytes.len), &k, NULL, &read), 0);
	check_same(k.log, read.log);
	ck_assert_uint_eq(read.verified, 200);
	ck_assert_uint_eq(read.torn, 0);
	ck_assert_uint_eq(read.place.bytes, bytes.len);
	ck_assert_uint_eq(read.place.head.seq, 199);
	mlog_free(read.log);
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

/* What was verified before is not verified again; only what is behind the mark is. */
START_TEST(a_mark_saves_signatures)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	uint8_t mark[LOG_MARK_MAX], hash[HASH_LEN], unknown[HASH_LEN] = { 1 };
	struct log_read read;
	struct head head;
	struct buf bytes;
	ptrdiff_t n;

	for (unsigned i = 1; i < 8; i++)
		kit_join(&k, i);
	head = mlog_head(k.log);
	n = log_mark_encode(head.hash, mark, sizeof(mark));
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(log_mark_decode(span_of(mark, (size_t)n), hash), 0);
	ck_assert_mem_eq(hash, head.hash, HASH_LEN);
	for (unsigned i = 8; i < 11; i++)
		kit_join(&k, i);
	bytes = encode(k.log);
	ck_assert_int_eq(decode(h, span_of(bytes.data, bytes.len), &k, hash, &read), 0);
	check_same(k.log, read.log);
	ck_assert_uint_eq(read.verified, 3);
	mlog_free(read.log);
	/* A mark that is not in it says nothing. */
	ck_assert_int_eq(decode(h, span_of(bytes.data, bytes.len), &k, unknown, &read), 0);
	ck_assert_uint_eq(read.verified, 11);
	mlog_free(read.log);
	/* Other rules, or a damaged mark. */
	mark[2] ^= 1;
	ck_assert_int_eq(log_mark_decode(span_of(mark, (size_t)n), hash), -EBADMSG);
	mark[2] ^= 1;
	ck_assert_int_eq(log_mark_decode(span_of(mark, (size_t)n - 1), hash), -EBADMSG);
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

/* An upload of somebody who has the same log, an older or a newer one, or one that is forged. */
START_TEST(what_is_known_is_not_verified_again)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	const uint8_t *id = mlog_cluster_id(k.log);
	struct mlog *known;
	struct log_read read;
	struct record own;
	struct buf older, same, newer;
	uint8_t *receipt;

	for (unsigned i = 1; i < 6; i++)
		kit_join(&k, i);
	older = encode(k.log);
	for (unsigned i = 6; i < 9; i++)
		kit_join(&k, i);
	same = encode(k.log);
	ck_assert_int_eq(decode(h, span_of(same.data, same.len), &k, NULL, &read), 0);
	known = read.log;
	for (unsigned i = 9; i < 11; i++)
		kit_join(&k, i);
	newer = encode(k.log);

	ck_assert_int_eq(log_file_decode(h, span_of(older.data, older.len), id,
					 &(struct log_trust){ .known = known }, &read, NULL),
			 0);
	ck_assert_uint_eq(read.verified, 0);
	ck_assert_uint_eq(mlog_count(read.log), 6);
	mlog_free(read.log);
	ck_assert_int_eq(log_file_decode(h, span_of(newer.data, newer.len), id,
					 &(struct log_trust){ .known = known }, &read, NULL),
			 0);
	ck_assert_uint_eq(read.verified, 2);
	check_same(k.log, read.log);
	mlog_free(read.log);
	ck_assert_int_eq(log_file_decode(h, span_of(same.data, same.len), id,
					 &(struct log_trust){ .known = NULL }, &read, NULL),
			 0);
	ck_assert_uint_eq(read.verified, 9);
	mlog_free(read.log);

	/* A false receipt under a record that is known: ours is kept. */
	receipt = same.data + same.len - SIG_LEN;
	receipt[0] ^= 1;
	fix_last_sum(&same, mlog_record(known, 8).len);
	ck_assert_int_eq(log_file_decode(h, span_of(same.data, same.len), id,
					 &(struct log_trust){ .known = known }, &read, NULL),
			 0);
	ck_assert_uint_eq(read.verified, 0);
	ck_assert(span_equal(mlog_record(read.log, 8), mlog_record(known, 8)));
	ck_assert_int_eq(mlog_get(read.log, 8, &own, &(struct entry){ 0 }), 0);
	ck_assert_ptr_nonnull(own.receipt);
	mlog_free(read.log);
	/* Nobody knows it: it is not taken. */
	check_refused(h, span_of(same.data, same.len), id);
	mlog_free(known);
	buf_free(&older);
	buf_free(&same);
	buf_free(&newer);
	host_free(h);
	kit_close(&k);
}
END_TEST

/* What is added is what a file of the whole has behind the rest. */
START_TEST(adding_yields_the_whole)
{
	struct kit k = kit_open();
	struct buf first, more, whole;

	kit_join(&k, 1);
	first = encode(k.log);
	kit_join(&k, 2);
	kit_join(&k, 3);
	whole = encode(k.log);
	ck_assert_int_eq(log_file_encode_part(k.log, 2, mlog_count(k.log), &more), 0);
	ck_assert_uint_eq(first.len + more.len, whole.len);
	ck_assert_mem_eq(whole.data, first.data, first.len);
	ck_assert_mem_eq(whole.data + first.len, more.data, more.len);
	buf_free(&first);
	buf_free(&more);
	buf_free(&whole);
	kit_close(&k);
}
END_TEST

/* Cut anywhere behind genesis it is the log as far as it goes: a crash can do that. */
/* [P5-20] */
START_TEST(a_torn_end_is_passed_over)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	size_t genesis, first;
	struct buf bytes;

	bytes = encode(k.log);
	genesis = bytes.len;
	buf_free(&bytes);
	kit_join(&k, 1);
	bytes = encode(k.log);
	first = bytes.len;
	buf_free(&bytes);
	kit_join(&k, 2);
	bytes = encode(k.log);
	for (size_t len = 0; len < bytes.len; len++) {
		size_t whole = len >= first ? first : genesis;
		uint8_t *exact = malloc(len ? len : 1);
		struct log_read read;

		memcpy(exact, bytes.data, len);
		if (len < genesis) {
			check_refused(h, span_of(exact, len), mlog_cluster_id(k.log));
		} else {
			ck_assert_int_eq(decode(h, span_of(exact, len), &k, NULL, &read), 0);
			ck_assert_uint_eq(mlog_count(read.log), len >= first ? 2 : 1);
			ck_assert_uint_eq(read.place.bytes, whole);
			ck_assert_uint_eq(read.torn, len - whole);
			mlog_free(read.log);
		}
		free(exact);
	}
	/* Blocks that were never written are zeros. */
	for (size_t from = first; from < bytes.len; from += 7) {
		struct log_read read;

		memset(bytes.data + from, 0, bytes.len - from);
		ck_assert_int_eq(decode(h, span_of(bytes.data, bytes.len), &k, NULL, &read), 0);
		ck_assert_uint_eq(mlog_count(read.log), 2);
		mlog_free(read.log);
		buf_free(&bytes);
		bytes = encode(k.log);
	}
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

/*
 * Every changed byte is noticed. A length that reaches beyond the end, like a damaged last record,
 * looks like a torn end: it costs what is behind it, and nothing else is believed.
 */
/* [P5-21] */
START_TEST(every_changed_byte_is_noticed)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	size_t last, torn = 0;
	struct head head;
	struct buf bytes;

	kit_join(&k, 1);
	bytes = encode(k.log);
	last = bytes.len;
	buf_free(&bytes);
	kit_join(&k, 2);
	bytes = encode(k.log);
	for (size_t i = 0; i < bytes.len; i++) {
		struct log_read read = { .log = NULL };

		bytes.data[i] ^= 0x04;
		if (decode(h, span_of(bytes.data, bytes.len), &k, NULL, &read) == 0) {
			head = mlog_head(read.log);
			ck_assert(mlog_has_head(k.log, &head));
			ck_assert_uint_lt(mlog_count(read.log), i < last ? 2 : 3);
			torn += i < last;
		}
		mlog_free(read.log);
		bytes.data[i] ^= 0x04;
	}
	ck_assert_uint_le(torn, 4); /* bytes of one length */
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

/* Nobody else's receipts, and none at all. */
/* [P5-20] */
START_TEST(records_without_a_receipt_are_not_taken)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	struct kit_invite invite = kit_invite(&k, 1);
	struct entry_bytes admit = kit_admit(&k, &invite, 1);
	struct record_bytes forged = kit_record(&k, kit_span(&admit), kit_next_address(k.log),
						KIT_ORDER_NEXT);
	struct buf bytes;

	ck_assert_int_eq(mlog_reload(k.log, kit_record_span(&forged), NULL), 0);
	mlog_commit(k.log);
	bytes = encode(k.log);
	check_refused(h, span_of(bytes.data, bytes.len), mlog_cluster_id(k.log));
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

/*
 * A file has its records in their order. One that went back by a recovery, again and again, would
 * have all before it played again each time.
 */
START_TEST(records_stand_in_their_order)
{
	struct kit k = kit_open_with(15), back = k; /* sixteen are taken at once */
	struct host *h = open_host();
	struct buf whole = encode(k.log), more = { 0 }, both;
	struct entry_bytes b;

	back.log = kit_copy(k.log, 8);
	b = kit_recover(&back, KIT_CODE, KIT_CODE_NEXT, 0);
	kit_append(&back, &b);
	ck_assert_int_eq(log_file_encode_part(back.log, 8, 9, &more), 0);
	both = (struct buf){ .data = malloc(whole.len + more.len), .len = whole.len + more.len };
	memcpy(both.data, whole.data, whole.len);
	memcpy(both.data + whole.len, more.data, more.len);
	check_refused(h, span_of(both.data, both.len), mlog_cluster_id(k.log));
	buf_free(&both);
	buf_free(&more);
	buf_free(&whole);
	host_free(h);
	mlog_free(back.log);
	kit_close(&k);
}
END_TEST

/* The linker puts the counter in (mk/variant.mk). */
static unsigned entries;

int __real_entry_decode(struct span bytes, struct entry *ret, struct err *err);
int __wrap_entry_decode(struct span bytes, struct entry *ret, struct err *err);

int __wrap_entry_decode(struct span bytes, struct entry *ret, struct err *err)
{
	entries++;
	return __real_entry_decode(bytes, ret, err);
}

static void put_rename(struct kit *k, unsigned n, bool is_signed)
{
	struct entry_bytes b;
	struct record_bytes r;
	char name[32];

	snprintf(name, sizeof(name), "name%u", n);
	b = kit_rename(k, 0, 0, name);
	b.data[b.len - 1] ^= !is_signed;
	r = kit_record(k, kit_span(&b), 0, KIT_ORDER);
	ck_assert_int_eq(mlog_reload(k->log, kit_record_span(&r), NULL), 0);
	mlog_commit(k->log);
}

/* A record that breaks a rule ends it, and what was read before is not played again. */
START_TEST(a_false_record_costs_no_more_than_others)
{
	enum { RECORDS = 600 };
	struct kit k = kit_open();
	struct host *h = open_host();
	struct log_reading *reading = NULL;
	struct log_read read = { .log = NULL };
	struct err err = { 0 };
	struct buf bytes;
	unsigned most = 0;
	int rc;

	for (unsigned i = 1; i < RECORDS; i++)
		put_rename(&k, i, i != RECORDS - 3);
	bytes = encode(k.log);
	rc = log_reading_new(h, span_of(bytes.data, bytes.len), mlog_cluster_id(k.log), NULL, &err,
			     &reading);
	while (rc == 0) {
		entries = 0;
		rc = log_reading_step(reading, &read, &err);
		most = MAX(most, entries);
	}
	ck_assert_int_eq(rc, -EBADMSG);
	ck_assert_msg(strstr(err.text, "record 597 is not valid"), "%s", err.text);
	ck_assert_uint_le(most, 64);
	log_reading_free(reading);
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

START_TEST(what_is_no_log_is_refused)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	static const uint8_t none[] = { 0, 0, 0, 0 }, most[] = { 0xff, 0xff, 0xff, 0xff, 1 };
	static const uint8_t newer[] = { 0x8d, 'm', 'l', 's', 0, 0, 0, 2, 1 };
	struct log_read read;
	uint8_t id[HASH_LEN];

	memcpy(id, mlog_cluster_id(k.log), HASH_LEN);
	check_refused(h, span_of(none, sizeof(none)), id);
	check_refused(h, span_of(most, sizeof(most)), id);
	check_refused(h, span_of(NULL, 0), id);
	ck_assert_int_eq(log_file_decode(h, span_of(newer, sizeof(newer)), id, NULL, &read, NULL),
			 -EPROTONOSUPPORT); /* a later form */
	host_free(h);
	kit_close(&k);
}
END_TEST

START_TEST(another_clusters_log_is_refused)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	struct buf bytes = encode(k.log);
	uint8_t id[HASH_LEN];

	memcpy(id, mlog_cluster_id(k.log), HASH_LEN);
	id[31] ^= 1;
	check_refused(h, span_of(bytes.data, bytes.len), id);
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("client/log_file", comes_back, a_mark_saves_signatures,
	  what_is_known_is_not_verified_again, adding_yields_the_whole, a_torn_end_is_passed_over,
	  every_changed_byte_is_noticed, records_without_a_receipt_are_not_taken,
	  records_stand_in_their_order, a_false_record_costs_no_more_than_others,
	  what_is_no_log_is_refused, another_clusters_log_is_refused)
