/* SPDX-License-Identifier: MIT */
/* Log entries, records and invites: what decodes is what encodes to the same bytes. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "membership/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void try_entry(struct span in)
{
	uint8_t buf[ENTRY_MAX_BYTES], hash[HASH_LEN];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));
	struct err err = { .code = 0 };
	struct entry e;
	int r = entry_decode(in, &e, &err);

	if (r < 0) {
		must((r == -EBADMSG || r == -EPROTONOSUPPORT) && err.code == r && err.reason != 0);
		return;
	}
	entry_put_payload(&w, &e);
	must(span_equal(cbor_writer_span(&w), e.payload));
	w = cbor_writer_of(buf, sizeof(buf));
	entry_put(&w, e.payload, e.sig, e.n_sigs);
	must(span_equal(cbor_writer_span(&w), in));
	sha256(in, hash);
	must(memcmp(hash, e.hash, HASH_LEN) == 0);
	must(e.type >= ENTRY_SKIPPABLE || e.n_sigs == entry_sig_count(&e));
	must(entry_peek(in) == e.type);
}

static void try_record(struct span in)
{
	struct err err = { .code = 0 };
	struct record_bytes again;
	struct record rec;
	int r = record_decode(in, &rec, &err);

	if (r < 0) {
		must(r == -EBADMSG && err.code == r && err.reason != 0);
		return;
	}
	must(record_encode(&rec, &again) == 0);
	must(span_equal(span_of(again.data, again.len), in));
}

static void try_invite(struct span in)
{
	uint8_t buf[INVITE_MAX_BYTES];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));
	struct err err = { .code = 0 };
	struct invite inv;
	int r = invite_decode(in, &inv, &err);

	if (r < 0) {
		must((r == -EBADMSG || r == -EPROTONOSUPPORT) && err.code == r && err.reason != 0);
		return;
	}
	invite_put(&w, &inv);
	must(span_equal(cbor_writer_span(&w), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_entry(span_of(data, size));
	try_record(span_of(data, size));
	try_invite(span_of(data, size));
	return 0;
}
