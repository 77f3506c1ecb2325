/* SPDX-License-Identifier: MIT */
/* The files of peers' addresses, which a crash or a full disk may have damaged. */
#include <stdlib.h>

#include "tund/peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peers_file *f;
	uint8_t *again;
	ptrdiff_t n;

	if (size > PEERS_FILE_MAX || peers_file_decode(span_of(data, size), &f) < 0)
		return 0;
	if (f->n > OVERLAY_HINTS_MAX || f->port < PEERS_PORT_MIN)
		abort();
	for (size_t i = 0; i < f->n; i++) {
		if (f->peer[i].at.n > CANDIDATES_MAX)
			abort();
	}
	/* There is one encoding of each. */
	again = malloc(PEERS_FILE_MAX);
	if (!again)
		abort();
	n = peers_file_encode(f, again, PEERS_FILE_MAX);
	if (n < 0 || (size_t)n != size || memcmp(again, data, size) != 0)
		abort();
	free(again);
	free(f);
	return 0;
}
