/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 and HMAC-SHA-256. They abort when memory is out: no caller may go on with a hash that is
 * not one.
 */
#ifndef MLSH_CRYPTO_HASH_H
#define MLSH_CRYPTO_HASH_H

#include "base/ids.h"

/* 32 zero bytes, where there is no hash: the base and the cluster id of genesis. */
extern const uint8_t zero_hash[HASH_LEN];

void sha256(struct span data, uint8_t out[HASH_LEN]);
/* Of the concatenation of `n` pieces. */
void sha256_pieces(const struct span *pieces, size_t n, uint8_t out[HASH_LEN]);
void sha256_2(struct span a, struct span b, uint8_t out[HASH_LEN]); /* of a || b */
void hmac_sha256(const uint8_t key[32], struct span data, uint8_t out[HASH_LEN]);

#endif
