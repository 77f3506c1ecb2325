/* SPDX-License-Identifier: MIT */
/* Fills in the message that travels beside a negative errno value. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/*
 * The code of a failure about which nothing is known: never 0, so that an error cannot turn into a
 * success.
 */
#define ERR_CODE_UNKNOWN (-EIO)

int err_set_va(struct err *err, int code, int reason, const char *fmt, va_list ap)
{
	char text[sizeof(err->text)]; /* the arguments may point into err->text */

	if (!err)
		return code;
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		strcpy(text, "an error whose message cannot be shown");
	text_make_printable(text);
	err->code = code;
	err->reason = reason;
	memcpy(err->text, text, sizeof(text));
	return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_set_va(err, code, 0, fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char context[sizeof(err->text)], text[sizeof(err->text)];
	va_list ap;
	int n;

	if (!err)
		return ERR_CODE_UNKNOWN;
	va_start(ap, fmt);
	n = vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	if (n >= 0 && snprintf(text, sizeof(text), "%s: %s", context, err->text) >= 0) {
		text_make_printable(text);
		memcpy(err->text, text, sizeof(text));
	}
	if (err->code == 0)
		err->code = ERR_CODE_UNKNOWN;
	return err->code;
}
