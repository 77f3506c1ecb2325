/* SPDX-License-Identifier: MIT */
/* The cluster file: what is accepted is within bounds and comes back when it is written again. */
#include <stdlib.h>

#include "client/cluster_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cluster_file f, back;
	struct err err = { .code = 0 };
	char text[4096], again[4096];
	size_t len, len2;
	int r = cluster_file_decode(span_of(data, size), "fuzz.toml", &f, &err);

	if (r < 0) {
		must(err.code == r && err.text[0]);
		return 0;
	}
	must(label_ok(span_str(f.cluster)) && label_ok(span_str(f.node_name)));
	must(f.signal_port != 0 && prefix4_contains(f.subnet, f.address));
	must(cluster_file_encode(&f, text, sizeof(text), &len) == 0);
	must(cluster_file_decode(span_of(text, len), "again.toml", &back, &err) == 0);
	must(cluster_file_encode(&back, again, sizeof(again), &len2) == 0);
	must(len == len2 && memcmp(text, again, len) == 0);
	return 0;
}
