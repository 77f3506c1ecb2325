/* SPDX-License-Identifier: MIT */
/* The mark of a verified log: what is accepted is exactly what is written for that hash. */
#include <stdlib.h>

#include "client/log_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t hash[HASH_LEN], again[LOG_MARK_MAX];
	ptrdiff_t n;

	if (log_mark_decode(span_of(data, size), hash) < 0)
		return 0;
	n = log_mark_encode(hash, again, sizeof(again));
	if (n < 0 || (size_t)n != size || memcmp(again, data, size) != 0)
		abort();
	return 0;
}
