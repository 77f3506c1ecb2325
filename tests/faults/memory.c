/* SPDX-License-Identifier: MIT */
/* Allocations: of the programs, and of the libraries that are linked into them. */
#include <errno.h>
#include <string.h>

#include "inject.h"

#define REAL(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

#define FAILS() (fault_here("memory", __builtin_return_address(0)) && (errno = ENOMEM))

REAL(void *, malloc, size_t len)
{
	return FAILS() ? NULL : __real_malloc(len);
}

REAL(void *, calloc, size_t n, size_t len)
{
	return FAILS() ? NULL : __real_calloc(n, len);
}

REAL(void *, realloc, void *old, size_t len)
{
	return FAILS() ? NULL : __real_realloc(old, len);
}

REAL(void *, reallocarray, void *old, size_t n, size_t len)
{
	return FAILS() ? NULL : __real_reallocarray(old, n, len);
}

REAL(char *, strdup, const char *s)
{
	return FAILS() ? NULL : __real_strdup(s);
}

REAL(char *, strndup, const char *s, size_t n)
{
	return FAILS() ? NULL : __real_strndup(s, n);
}
