/* SPDX-License-Identifier: MIT */
/* The log file: what is accepted is exactly what would be written, but for a torn end. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t cluster_id[HASH_LEN] = { 0 };
	struct err err = { .code = 0 };
	struct log_read read;
	struct buf back;
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
	must(log_file_encode(read.log, &back) == 0);
	must(back.len == read.place.bytes && memcmp(back.data, data, back.len) == 0);
	buf_free(&back);
	mlog_free(read.log);
	return 0;
}
