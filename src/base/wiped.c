/* SPDX-License-Identifier: MIT */
/* The C library knows how large each piece is, which costs less than to remember it once more. */
#include "base/wiped.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void *wiped_malloc(size_t n)
{
	return malloc(n);
}

void *wiped_calloc(size_t n, size_t size)
{
	return calloc(n, size);
}

void wiped_free(void *p)
{
	if (!p)
		return;
	secret_wipe(p, malloc_usable_size(p));
	free(p);
}

void *wiped_realloc(void *p, size_t n)
{
	size_t old = p ? malloc_usable_size(p) : 0;

	/* The tail of a piece that shrinks a little stays in use: it is wiped with the rest. */
	if (p && n > 0 && n <= old && n >= old / 2)
		return p;
	void *more = n > 0 || !p ? malloc(n) : NULL;
	if (more && p)
		memcpy(more, p, MIN(old, n));
	if (more || n == 0)
		wiped_free(p);
	return more;
}
