/* SPDX-License-Identifier: MIT */
/* Deterministic CBOR: each item that can be read is written back to the very same bytes. */
#include <stdlib.h>

#include "proto/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Reads the next item as the kind that fits and writes it again; false when none does. */
static bool copy_item(struct cbor_reader *r, struct cbor_writer *w)
{
	struct cbor_reader at = *r;
	uint64_t n = cbor_get_uint(&at, UINT64_MAX);
	struct span s;
	bool b;

	if (!at.failed) {
		cbor_put_uint(w, n);
		return *r = at, true;
	}
	at = *r;
	s = cbor_get_bytes(&at, 0, SIZE_MAX);
	if (!at.failed) {
		cbor_put_bytes(w, s.data, s.len);
		return *r = at, true;
	}
	at = *r;
	s = cbor_get_text(&at, 0, SIZE_MAX);
	if (!at.failed) {
		cbor_put_text_span(w, s);
		return *r = at, true;
	}
	at = *r;
	n = cbor_get_array_len(&at, SIZE_MAX);
	if (!at.failed) {
		cbor_put_array(w, n);
		return *r = at, true;
	}
	at = *r;
	b = cbor_get_bool(&at);
	if (!at.failed) {
		cbor_put_bool(w, b);
		return *r = at, true;
	}
	if (!cbor_get_null(r))
		return false;
	cbor_put_null(w);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *out = malloc(size + 1);
	struct cbor_reader r = cbor_reader_of(span_of(data, size));
	struct cbor_writer w;
	size_t used;

	must(out);
	w = cbor_writer_of(out, size);
	while (r.at != r.end && copy_item(&r, &w))
		;
	used = (size_t)(r.at - data);
	must(!r.failed && !w.failed && w.len == used);
	must(used == 0 || memcmp(out, data, used) == 0);
	free(out);
	return 0;
}
