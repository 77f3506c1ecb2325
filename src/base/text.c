/* SPDX-License-Identifier: MIT */
/* Makes text of unknown origin safe to show: no control characters, no line breaks, valid UTF-8. */
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"

/*
 * Length of the UTF-8 sequence at `s` (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF), 0 if there is none. Stops at the terminating NUL, which is not a continuation byte.
 */
static size_t utf8_decode(const unsigned char *s, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len;
	uint32_t code;

	if (s[0] < 0x80) {
		*ret_code = s[0];
		return 1;
	}
	if ((s[0] & 0xe0) == 0xc0)
		len = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3;
	else if ((s[0] & 0xf8) == 0xf0)
		len = 4;
	else
		return 0;
	code = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return len;
}

static bool code_is_printable(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
		return false;
	/* Marks, separators and overrides that change how the rest of the line is shown. */
	if (code == 0x061c || code == 0x200e || code == 0x200f)
		return false;
	if ((code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return false;
	return true;
}

void text_make_printable(char *s)
{
	while (*s) {
		uint32_t code = 0;
		size_t len = utf8_decode((const unsigned char *)s, &code);

		if (len == 0) {
			*s++ = '?';
			continue;
		}
		if (!code_is_printable(code))
			memset(s, '?', len);
		s += len;
	}
}
