/* SPDX-License-Identifier: MIT */
/* PCP and NAT-PMP: what decodes is encoded to something that decodes to the same again. */
#include <stdlib.h>

#include "proto/portmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answers(struct span in)
{
	struct portmap_answer a, b;
	uint8_t buf[PORTMAP_REQUEST_MAX];
	ptrdiff_t len;

	if (portmap_answer_decode(in, &a) < 0)
		return;
	len = portmap_answer_encode(&a, buf, sizeof(buf));
	if (len < 0 || portmap_answer_decode(span_of(buf, (size_t)len), &b) < 0 ||
	    a.result != b.result || a.epoch_s != b.epoch_s || a.lifetime_s != b.lifetime_s ||
	    a.internal_port != b.internal_port ||
	    /* no address at all is written as no IPv4 address */
	    (!addr_is_unset(&a.external) && !addr_equal(&a.external, &b.external)) ||
	    memcmp(a.nonce, b.nonce, sizeof(a.nonce)) != 0 ||
	    !portmap_result_name(a.version, a.result))
		abort();
}

static void requests(struct span in)
{
	struct portmap_request q, b;
	uint8_t buf[PORTMAP_REQUEST_MAX];
	ptrdiff_t len;

	if (portmap_request_decode(in, &q) < 0)
		return;
	len = portmap_request_encode(&q, buf, sizeof(buf));
	if (len < 0 || portmap_request_decode(span_of(buf, (size_t)len), &b) < 0 || q.op != b.op ||
	    q.lifetime_s != b.lifetime_s || q.internal_port != b.internal_port)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	answers(span_of(data, size));
	requests(span_of(data, size));
	return 0;
}
