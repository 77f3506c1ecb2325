/* SPDX-License-Identifier: MIT */
/*
 * Records: whatever comes is dropped and leaves no trace, but for the kept inputs that were sealed
 * with this key; those are taken once.
 */
#include <stdlib.h>

#include "overlay/datapath/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t exported[RECORD_EXPORT_LEN], buf[2][2048];
	struct records *r = NULL;
	struct span inner = { .len = 0 };
	enum overlay_drop first;

	if (size > sizeof(buf[0]) || !record_tag(data, size))
		return 0;
	for (size_t i = 0; i < sizeof(exported); i++) /* as tests/vectors/record.txt */
		exported[i] = (uint8_t)(i < RECORD_TAG_LEN ? 0x30 + i : 0x60 + i - RECORD_TAG_LEN);
	if (records_new(AEAD_AES128_GCM, false, exported, &r) < 0)
		return 0;
	memcpy(buf[0], data, size);
	memcpy(buf[1], data, size);
	first = record_open(r, buf[0], size, &inner);
	if ((first == DROP_NONE) != (r->window.next > 0) ||
	    (first == DROP_NONE && inner.len != size - RECORD_OVERHEAD) ||
	    (first == DROP_NONE && record_open(r, buf[1], size, &inner) != DROP_in_replay))
		abort();
	records_free(r);
	return 0;
}
