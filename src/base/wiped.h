/* SPDX-License-Identifier: MIT */
/*
 * Memory of libraries that keep secrets in it: overwritten as a whole before it is given back, so
 * that neither the heap nor a swap file holds what a connection left behind.
 */
#ifndef MLSH_BASE_WIPED_H
#define MLSH_BASE_WIPED_H

#include "base/macros.h"

/* As malloc, calloc, realloc and free. Memory of one family goes back to the same one. */
void *wiped_malloc(size_t n) MUST_CHECK;
void *wiped_calloc(size_t n, size_t size) MUST_CHECK;
void *wiped_realloc(void *p, size_t n) MUST_CHECK;
void wiped_free(void *p); /* NULL allowed */

#endif
