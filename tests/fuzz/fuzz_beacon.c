/* SPDX-License-Identifier: MIT */
/* Beacons: what is read names a record, lies within the input, and is cut short nowhere. */
#include <stdlib.h>

#include "membership/beacon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_inside(const uint8_t *at, size_t len, const uint8_t *data, size_t size)
{
	return at >= data && len <= size && (size_t)(at - data) <= size - len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { .code = 0 };
	struct beacon b, shorter;

	if (beacon_decode(span_of(data, size), &b, &err) < 0) {
		must(err.code == -EBADMSG && err.text[0]);
		return 0;
	}
	must(size <= BEACON_MAX_BYTES && b.order.seq > 0 && b.head.seq == b.order.seq);
	must(is_inside(b.payload.data, b.payload.len, data, size));
	must(is_inside(b.receipt, SIG_LEN, data, size) && is_inside(b.sig, SIG_LEN, data, size));
	must(beacon_decode(span_of(data, size - 1), &shorter, NULL) < 0); /* it has one encoding */
	return 0;
}
