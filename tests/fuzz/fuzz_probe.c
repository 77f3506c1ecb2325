/* SPDX-License-Identifier: MIT */
/* Probe frames: what decodes is encoded to the same bytes again. */
#include <stdlib.h>

#include "proto/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The frame's own MAC, so that the bytes can be compared. */
static const uint8_t *mac;

static void echo_hmac(const uint8_t key[PROBE_KEY_LEN], struct span data, uint8_t out[32])
{
	(void)key;
	(void)data;
	memset(out, 0, 32);
	memcpy(out, mac, PROBE_MAC_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[PROBE_KEY_LEN];
	uint8_t back[PROBE_MAX];
	struct probe p;

	if (probe_decode(span_of(data, size), &p) < 0)
		return 0;
	mac = data + size - PROBE_MAC_LEN;
	if (probe_verify(span_of(data, size), key, echo_hmac) < 0 ||
	    probe_encode(&p, key, echo_hmac, back, sizeof(back)) != (ptrdiff_t)size ||
	    memcmp(back, data, size) != 0)
		abort();
	return 0;
}
