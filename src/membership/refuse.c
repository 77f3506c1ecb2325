/* SPDX-License-Identifier: MIT */
/* A refusal: message for a person and reason for a machine. */
#include <stdio.h>

#include "membership/internal.h"

const uint8_t zero_hash[HASH_LEN];

int refuse(struct err *err, int code, enum refusal reason, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list args;

	if (!err)
		return code;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	err_set(err, code, "%s", text);
	err->reason = reason;
	return code;
}
