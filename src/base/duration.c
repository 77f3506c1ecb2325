/* SPDX-License-Identifier: MIT */
/* Durations as people type them. */
#include "base/duration.h"

#include <errno.h>
#include <stddef.h>

#define DIGITS_MAX 9

/* Seconds in the unit, or 0 for an unknown one. */
static uint64_t unit_of(const char *text)
{
	static const struct {
		char letter;
		uint64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };

	if (text[0] == '\0')
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (text[0] == units[i].letter && text[1] == '\0')
			return units[i].s;
	return 0;
}

int duration_parse(const char *text, uint64_t *ret_s)
{
	const char *p = text;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9' && p - text < DIGITS_MAX; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	if (p == text || unit_of(p) == 0)
		return -EINVAL;
	*ret_s = n * unit_of(p);
	return 0;
}
