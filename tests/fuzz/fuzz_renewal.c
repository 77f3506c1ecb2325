/* SPDX-License-Identifier: MIT */
/* Requests for a new recovery code: what is accepted has one form, and asks for just that. */
#include <stdlib.h>

#include "client/renewal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void try_text(const char *text)
{
	char again[RENEWAL_TEXT_MAX];
	struct renewal r;
	struct entry e;
	struct err err = { .code = 0 };
	int x = renewal_parse(text, &r, &err);

	if (x < 0) {
		must(err.code == x);
		return;
	}
	must(strlen(text) < RENEWAL_TEXT_MAX);
	renewal_format(&r, again);
	must(strcmp(text, again) == 0);
	must(entry_decode_half(span_of(r.half.data, r.half.len), &e, NULL) == 0);
	must(e.type == ENTRY_RENEW && !e.renew.by_code && e.n_sigs == 1);
	must(entry_decode(span_of(r.half.data, r.half.len), &e, NULL) < 0);
}

/* What most of the text is made of, so that mutations reach the entry. */
static void try_bytes(const uint8_t *data, size_t size)
{
	char text[RENEWAL_TEXT_MAX] = "mlsh-renew:";
	size_t head = strlen(text);

	if (size > (sizeof(text) - head) / 4 * 3 - 3)
		return;
	base64url_encode(data, size, text + head);
	try_text(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_text(text);
	try_bytes(data, size);
	free(text);
	return 0;
}
