/* SPDX-License-Identifier: MIT */
/* The log file: what is accepted is a log that comes back as it was, whoever reads it. */
#include <stdlib.h>

#include "client/log_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct host *the_host(void)
{
	static struct host *h;

	must(h || host_new(NULL, &h) == 0);
	return h;
}

/* Written out and read again it is the same log, and the same bytes from then on. */
static void check_again(const struct mlog *l, const uint8_t cluster_id[HASH_LEN])
{
	struct head head = mlog_head(l);
	struct log_read again;
	struct buf first, second;

	must(log_file_encode(l, &first) == 0);
	must(log_file_decode(the_host(), span_of(first.data, first.len), cluster_id, NULL, &again,
			     NULL) == 0);
	must(again.torn == 0 && again.place.bytes == first.len);
	must(mlog_count(again.log) == mlog_count(l) && mlog_has_head(again.log, &head));
	must(log_file_encode(again.log, &second) == 0);
	must(span_equal(span_of(first.data, first.len), span_of(second.data, second.len)));
	buf_free(&first);
	buf_free(&second);
	mlog_free(again.log);
}

/* Nothing more is taken from it with the help of a log that is known. */
static void check_known(struct span in, const struct mlog *l, const uint8_t cluster_id[HASH_LEN])
{
	struct head head = mlog_head(l);
	struct log_read again;

	must(log_file_decode(the_host(), in, cluster_id, &(struct log_trust){ .known = l }, &again,
			     NULL) == 0);
	must(again.verified == 0 && mlog_has_head(again.log, &head));
	must(mlog_count(again.log) == mlog_count(l));
	mlog_free(again.log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t cluster_id[HASH_LEN] = { 0 };
	struct err err = { .code = 0 };
	struct log_read read;
	int r;

	/* The cluster that the header names, so that the rest counts. */
	if (size >= 8 + HASH_LEN)
		memcpy(cluster_id, data + 8, HASH_LEN);
	r = log_file_decode(the_host(), span_of(data, size), cluster_id, NULL, &read, &err);
	if (r < 0) {
		must(err.code == r && err.text[0]);
		return 0;
	}
	must(mlog_count(read.log) > 0);
	must(read.place.bytes + read.torn == size);
	check_again(read.log, cluster_id);
	check_known(span_of(data, size), read.log, cluster_id);
	mlog_free(read.log);
	return 0;
}
