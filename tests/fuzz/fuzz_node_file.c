/* SPDX-License-Identifier: MIT */
/*
 * The daemon's copy of a cluster, which a crash or a full disk may have damaged. The input is the
 * file without its checksum, which is put behind it here: no fuzzer finds one.
 */
#include <stdlib.h>

#include "crypto/hash.h"
#include "tund/node_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[NODE_FILE_MAX], again[NODE_FILE_MAX];
	size_t len = size + 2 + HASH_LEN;
	struct node_file f;

	if (len > sizeof(file))
		return 0;
	if (size > 0)
		memcpy(file, data, size);
	memcpy(file + size, "\x58\x20", 2); /* 32 bytes */
	sha256(span_of(data, size), file + size + 2);
	if (node_file_decode(span_of(file, len), &f) < 0)
		return 0;
	ptrdiff_t n = node_file_encode(&f, again, sizeof(again));
	if (n < 0 || (size_t)n != len || memcmp(again, file, len) != 0)
		abort();
	file[size / 2] ^= 1;
	if (node_file_decode(span_of(file, len), &f) == 0)
		abort();
	return 0;
}
