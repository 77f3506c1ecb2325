/* SPDX-License-Identifier: MIT */
/* Pasted text, reduced to what was meant. */
#include "cli/pasted.h"

#include <string.h>

#define URL_BEGIN "mlsh://"
#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* What is put around a secret. The longer ones come first. */
/* clang-format off */
static const char *const around[] = {
	"\033[200~", "\033[201~",		  /* a terminal's bracketed paste */
	"\xef\xbb\xbf", "\xe2\x80\x8b", "\xc2\xa0", /* byte order mark, zero width and hard space */
	"\xe2\x80\x9c", "\xe2\x80\x9d", "\xe2\x80\x98", "\xe2\x80\x99", /* curly quotes */
	" ", "\t", "\r", "\n", "'", "\"", "`", "<", ">",
};
/* clang-format on */

/* Bytes at the start of `s` that are one of them; 0 if there is none. */
static size_t around_at(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(around); i++)
		if (strncmp(s, around[i], strlen(around[i])) == 0)
			return strlen(around[i]);
	return 0;
}

static void drop_end(char *text)
{
	size_t len = strlen(text), before;

	do {
		before = len;
		for (size_t i = 0; i < ARRAY_LEN(around); i++) {
			size_t n = strlen(around[i]);

			if (len >= n && memcmp(text + len - n, around[i], n) == 0)
				len -= n;
		}
		text[len] = '\0';
	} while (len < before);
}

void pasted_clean(char *text)
{
	char *begin = strstr(text, URL_BEGIN);
	size_t n;

	if (begin) {
		for (char *p = begin; *p; p++)
			if (around_at(p))
				*p = '\0';
	} else {
		for (begin = text; (n = around_at(begin)) > 0; begin += n)
			;
	}
	n = strlen(text) + 1;
	memmove(text, begin, strlen(begin) + 1);
	secret_wipe(text + strlen(text), n > strlen(text) ? n - strlen(text) : 0);
	drop_end(text);
}

bool pasted_continues(const char *line)
{
	return *line && line[strspn(line, BASE64URL)] == '\0';
}
