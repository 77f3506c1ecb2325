/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL wipes private keys, but not what it derives in a handshake: the exporter's secret, from
 * which the keys of records follow, stays readable in the memory of a connection that is freed. So
 * everything that OpenSSL frees is wiped.
 *
 * OpenSSL takes other functions before its first allocation only, hence the constructor: programs
 * and tests have them before anything else runs.
 */
#include <openssl/crypto.h>

#include "base/wiped.h"
#include "crypto/openssl.h"

static bool installed, lacked;

static void *given(void *p, size_t n)
{
	lacked |= !p && n > 0;
	return p;
}

static void *on_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return given(wiped_malloc(n), n);
}

static void *on_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return given(wiped_realloc(p, n), n);
}

static void on_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	wiped_free(p);
}

static void __attribute__((constructor)) install(void)
{
	installed = CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) == 1;
}

bool crypto_memory_is_wiped(void)
{
	return installed;
}

bool crypto_memory_lacked(void)
{
	return lacked;
}
