/* SPDX-License-Identifier: MIT */
/* The end of a process that found a fault of its own. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void die_at(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}
