/* SPDX-License-Identifier: MIT */
/*
 * The file of removals without order, which a crash or a full disk may have damaged. The input is
 * the file without its checksum, which is put behind it here: no fuzzer finds one.
 */
#include <stdlib.h>

#include "crypto/hash.h"
#include "tund/removals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[REMOVALS_FILE_MAX];
	struct span entry[DENIALS_MAX];
	size_t n = SIZE_MAX, len = size + 2 + HASH_LEN;

	if (removals_decode(span_of(data, size), entry, &n) == 0 || len > sizeof(file))
		return 0;
	if (size > 0)
		memcpy(file, data, size);
	memcpy(file + size, "\x58\x20", 2); /* 32 bytes */
	sha256(span_of(data, size), file + size + 2);
	if (removals_decode(span_of(file, len), entry, &n) < 0)
		return 0;
	if (n > DENIALS_MAX)
		abort();
	for (size_t i = 0; i < n; i++)
		if (entry[i].len < 1 || entry[i].len > ENTRY_MAX_BYTES || entry[i].data < file ||
		    entry[i].data + entry[i].len > file + size)
			abort();
	file[size / 2] ^= 1;
	if (removals_decode(span_of(file, len), entry, &n) == 0)
		abort();
	return 0;
}
