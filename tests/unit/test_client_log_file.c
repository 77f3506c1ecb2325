/* SPDX-License-Identifier: MIT */
/* The log file: comes back as it was, and nothing else than it is accepted. */
#include "client/cluster_file.h"
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

/* The bytes are not accepted, and the message says something. */
static void check_refused(struct host *h, struct span bytes, const uint8_t *cluster_id)
{
	struct mlog *l = (struct mlog *)&l;
	struct err err = { 0 };
	int r = log_file_decode(h, bytes, cluster_id, &l, &err);

	ck_assert_int_lt(r, 0);
	ck_assert_int_eq(err.code, r);
	ck_assert_uint_gt(strlen(err.text), 8);
	ck_assert_ptr_eq(l, &l);
}

START_TEST(comes_back)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	struct mlog *back = NULL;
	struct err err = { 0 };
	struct head a, b;
	struct buf bytes;

	for (unsigned n = 1; n < 20; n++)
		kit_join(&k, n);
	bytes = encode(k.log);
	ck_assert_msg(log_file_decode(h, span_of(bytes.data, bytes.len), mlog_cluster_id(k.log),
				      &back, &err) == 0,
		      "%s", err.text);
	ck_assert_uint_eq(mlog_count(back), 20);
	a = mlog_head(k.log);
	b = mlog_head(back);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	mlog_free(back);
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

/* Cut between entries it is a shorter log; anywhere else it is damaged. */
START_TEST(truncation_is_noticed)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	struct buf bytes;
	size_t accepted = 0;

	kit_join(&k, 1);
	kit_join(&k, 2);
	bytes = encode(k.log);
	for (size_t len = 0; len < bytes.len; len++) {
		struct mlog *l;
		uint8_t *exact = malloc(len ? len : 1);

		memcpy(exact, bytes.data, len);
		if (log_file_decode(h, span_of(exact, len), mlog_cluster_id(k.log), &l, NULL) ==
		    0) {
			accepted++;
			ck_assert_uint_eq(mlog_count(l), accepted);
			mlog_free(l);
		} else {
			check_refused(h, span_of(exact, len), mlog_cluster_id(k.log));
		}
		free(exact);
	}
	ck_assert_uint_eq(accepted, 2);
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

START_TEST(every_changed_byte_is_noticed)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	struct buf bytes;

	kit_join(&k, 1);
	bytes = encode(k.log);
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] ^= 0x04;
		check_refused(h, span_of(bytes.data, bytes.len), mlog_cluster_id(k.log));
		bytes.data[i] ^= 0x04;
	}
	buf_free(&bytes);
	host_free(h);
	kit_close(&k);
}
END_TEST

START_TEST(impossible_lengths_are_refused)
{
	struct kit k = kit_open();
	struct host *h = open_host();
	static const uint8_t none[] = { 0, 0, 0, 0 }, most[] = { 0xff, 0xff, 0xff, 0xff, 1 };
	struct mlog *newer = NULL;
	uint8_t id[HASH_LEN];

	memcpy(id, mlog_cluster_id(k.log), HASH_LEN);
	check_refused(h, span_of(none, sizeof(none)), id);
	check_refused(h, span_of(most, sizeof(most)), id);
	check_refused(h, span_of(NULL, 0), id);
	ck_assert_int_eq(log_file_decode(h, span_of("\x8dmls\x02", 5), id, &newer, NULL),
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

UNIT_MAIN("client/log_file", comes_back, truncation_is_noticed, every_changed_byte_is_noticed,
	  impossible_lengths_are_refused, another_clusters_log_is_refused)
