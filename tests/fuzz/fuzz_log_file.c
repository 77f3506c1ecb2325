/* SPDX-License-Identifier: MIT */
/* The log file: what is accepted is exactly what would be written. */
#include <stdlib.h>

#include "client/cluster_file.h"

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
	struct mlog *l;
	struct buf back;
	int r;

	/* The cluster of the first entry, so that the rest counts. */
	if (size > 4 && load_be32(data) <= size - 4)
		sha256(span_of(data + 4, load_be32(data)), cluster_id);
	r = log_file_decode(the_host(), span_of(data, size), cluster_id, &l, &err);
	if (r < 0) {
		must(err.code == r && err.text[0]);
		return 0;
	}
	must(mlog_count(l) > 0);
	must(log_file_encode(l, &back) == 0);
	must(back.len == size && memcmp(back.data, data, size) == 0);
	buf_free(&back);
	mlog_free(l);
	return 0;
}
