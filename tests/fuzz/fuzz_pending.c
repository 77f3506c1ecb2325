/* SPDX-License-Identifier: MIT */
/* The pending request: what is accepted is exactly what would be written. */
#include <stdlib.h>

#include "client/pending.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[PENDING_FILE_MAX];
	struct pending p;

	if (pending_decode(span_of(data, size), &p) < 0)
		return 0;
	must(label_ok(span_str(p.cluster)) && label_ok(span_str(p.node_name)) && p.port != 0);
	must(p.entry.len > 0 && p.entry.len <= sizeof(p.entry.data));
	must(p.invite_len <= sizeof(p.invite));
	must(pending_encode(&p, again, sizeof(again)) == (ptrdiff_t)size);
	must(memcmp(again, data, size) == 0);
	return 0;
}
