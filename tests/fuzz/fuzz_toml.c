/* SPDX-License-Identifier: MIT */
/* TOML files: every key can be asked for as every type; a text is quoted and read again. */
#include <stdio.h>
#include <stdlib.h>

#include "base/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct toml_doc *d, const char *key)
{
	char text[256], quoted[2048], line[2100], back[256];
	struct toml_doc *again = NULL;
	uint64_t n;

	if (!toml_has(d, key) || toml_line(d, key) == 0)
		abort();
	if (toml_get_uint(d, key, 1000, &n, NULL) == 0 && n > 1000)
		abort();
	if (toml_get_text(d, key, text, sizeof(text), NULL) < 0)
		return;
	if (toml_quote(text, quoted, sizeof(quoted)) < 0)
		abort();
	snprintf(line, sizeof(line), "k = %s\n", quoted);
	if (toml_parse(span_str(line), "again", NULL, &again) < 0 ||
	    toml_get_text(again, "k", back, sizeof(back), NULL) < 0 || strcmp(back, text) != 0)
		abort();
	toml_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const known[] = { "db", "quic.bind", "cluster", "address", NULL };
	struct toml_doc *d = NULL;
	struct err err;

	if (toml_parse(span_of(data, size), "fuzz", &err, &d) < 0)
		return 0;
	for (size_t i = 0; known[i]; i++)
		if (toml_has(d, known[i]))
			ask(d, known[i]);
	(void)!toml_check_keys(d, known, &err);
	toml_free(d);
	return 0;
}
