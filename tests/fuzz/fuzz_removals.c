/* SPDX-License-Identifier: MIT */
/* The file of removals without order, which a crash or a full disk may have damaged. */
#include <stdlib.h>

#include "tund/removals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span entry[DENIALS_MAX];
	size_t n = SIZE_MAX;

	if (removals_decode(span_of(data, size), entry, &n) < 0)
		return 0;
	if (n > DENIALS_MAX)
		abort();
	for (size_t i = 0; i < n; i++)
		if (entry[i].len < 1 || entry[i].len > ENTRY_MAX_BYTES || entry[i].data < data ||
		    entry[i].data + entry[i].len > data + size)
			abort();
	return 0;
}
