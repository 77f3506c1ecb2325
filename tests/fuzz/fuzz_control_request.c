/* SPDX-License-Identifier: MIT */
/* Requests to the daemon from any local user. */
#include <stdlib.h>

#include "proto/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[CONTROL_REQUEST_MAX];
	struct control_request r;

	if (control_request_decode(span_of(data, size), &r) < 0)
		return 0;
	if (r.verb < CONTROL_CONNECT || r.verb >= CONTROL_VERBS)
		abort();
	if (r.cluster[0] ? !label_ok(span_str(r.cluster))
			 : r.verb != CONTROL_STATUS && r.verb != CONTROL_NAMES &&
				   r.verb != CONTROL_CLUSTERS)
		abort();
	if (r.node[0] ? !label_ok(span_str(r.node))
		      : r.verb == CONTROL_PING || r.verb == CONTROL_WHY)
		abort();
	for (size_t i = 0; i < CONTROL_FILES; i++)
		if (r.size[i] && r.verb != CONTROL_CONNECT)
			abort();
	if ((r.entry.len > 0) != (r.verb == CONTROL_SUBMIT))
		abort();
	if (control_request_version(span_of(data, size)) != CONTROL_VERSION)
		abort();
	/* There is one encoding of each. */
	ptrdiff_t n = control_request_encode(&r, again, sizeof(again));
	if (n < 0 || (size_t)n != size || memcmp(again, data, size) != 0)
		abort();
	return 0;
}
