/* SPDX-License-Identifier: MIT */
/* The list of open invites: what is accepted is exactly what would be written. */
#include <stdlib.h>

#include "client/invite_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct invite_book b = { .n = 0 };
	struct buf again = { 0 };

	if (invite_book_decode(span_of(data, size), &b) < 0)
		return 0;
	if (b.n > INVITES_MAX || invite_book_encode(&b, &again) < 0 || again.len != size ||
	    memcmp(again.data, data, size) != 0)
		abort();
	buf_free(&again);
	invite_book_free(&b);
	return 0;
}
