/* SPDX-License-Identifier: MIT */
/* A refusal: message for a person and reason for a machine. */
#include "membership/internal.h"

const uint8_t zero_hash[HASH_LEN];

int refuse(struct err *err, int code, enum refusal reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_set_va(err, code, (int)reason, fmt, ap);
	va_end(ap);
	return code;
}
