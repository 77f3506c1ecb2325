/* SPDX-License-Identifier: MIT */
/* What a user hands over of a cluster: what is accepted is within bounds and has one encoding. */
#include <stdlib.h>

#include "proto/cluster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[CLUSTER_BYTES_MAX];
	struct cluster_file f;

	if (cluster_decode(span_of(data, size), &f) < 0)
		return 0;
	if (!label_ok(span_str(f.cluster)) || !label_ok(span_str(f.node_name)) ||
	    f.signal_port == 0 || !prefix4_contains(f.subnet, f.address))
		abort();
	ptrdiff_t n = cluster_encode(&f, again, sizeof(again));
	if (n < 0 || (size_t)n != size || memcmp(again, data, size) != 0 || !cluster_equal(&f, &f))
		abort();
	return 0;
}
