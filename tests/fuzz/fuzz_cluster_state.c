/* SPDX-License-Identifier: MIT */
/* The daemon's state files, which a crash or a full disk may have damaged. */
#include <stdlib.h>

#include "proto/cbor.h"
#include "tund/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[64 << 10];
	struct cluster_state s;

	if (cluster_state_decode(span_of(data, size), &s) < 0)
		return 0;
	if (!label_ok(span_str(s.cluster)) || s.invites.n > INVITES_MAX ||
	    s.let_back.n > LET_BACK_MAX)
		abort();
	if (cbor_file_version(span_of(data, size)) < 2)
		return 0; /* read, and written as a later version */
	/* There is one encoding of each. */
	ptrdiff_t n = cluster_state_encode(&s, again, sizeof(again));
	if (n < 0 || (size_t)n != size || memcmp(again, data, size) != 0)
		abort();
	return 0;
}
