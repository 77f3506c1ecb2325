/* SPDX-License-Identifier: MIT */
/* Proof files, which strangers hand around: read, judged, and never believed without signatures. */
#include <stdlib.h>

#include "client/proof_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct host *h;
	struct proof_read p = { .n_ours = 0 };
	struct proof_verdict v = { .log = NULL };
	struct err err = { 0 };
	uint64_t generation;
	int rc;

	if (!h && host_new(NULL, &h) < 0)
		abort();
	(void)!proof_file_generation(span_of(data, size), &generation);
	if (proof_file_decode(span_of(data, size), &p) == 0) {
		for (size_t i = 0; i < p.n_ours; i++)
			if (p.ours[i].data < data || p.ours[i].data + p.ours[i].len > data + size)
				abort();
		proof_read_free(&p);
	}
	rc = proof_file_verify(h, span_of(data, size), &v, &err);
	if (rc < 0 ? !err.text[0]
		   : v.take.result != TAKEN_LIE && v.take.result != TAKEN_CODE_MISUSED)
		abort();
	proof_verdict_free(&v);
	return 0;
}
