/* SPDX-License-Identifier: MIT */
/* The server's list of its sessions, which a crash of the machine may have damaged. */
#include <stdlib.h>

#include "signal/recall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recall_list *l;
	uint8_t *again;
	ptrdiff_t n;

	if (size > RECALL_FILE_MAX || recall_decode(span_of(data, size), &l) < 0)
		return 0;
	if (l->n > SIGNAL_CONNS_MAX)
		abort();
	/* There is one encoding of each. */
	again = malloc(RECALL_FILE_MAX);
	if (!again)
		abort();
	n = recall_encode(l, again, RECALL_FILE_MAX);
	if (n < 0 || (size_t)n != size || memcmp(again, data, size) != 0)
		abort();
	free(again);
	free(l);
	return 0;
}
