/* SPDX-License-Identifier: MIT */
/*
 * Hash map from a fixed-size key to a pointer, hashed with SipHash-2-4 under a key of its own: some
 * of the keys (connection ids, addresses) are chosen by strangers. Open addressing; no allocation
 * on lookup or removal.
 */
#ifndef MLSH_BASE_MAP_H
#define MLSH_BASE_MAP_H

#include "base/bytes.h"
#include "base/err.h"

#define MAP_KEY_MAX 40

struct map;

uint64_t siphash_2_4(const uint8_t key[16], const void *data, size_t len);
/* Two of one length at once: each waits for its own results only, so it takes little longer. */
void siphash_2_4_two(const uint8_t *const key[2], const void *const data[2], size_t len,
		     uint64_t ret[2]);

/*
 * `seed` is 16 random bytes; `max` bounds the number of entries. Keys have key_len bytes (at most
 * MAP_KEY_MAX). NULL without memory.
 */
struct map *map_new(const uint8_t seed[16], size_t key_len, size_t max);
void map_free(struct map *m); /* not the values; NULL allowed */
void *map_get(const struct map *m, const void *key);
/* -EEXIST if the key is there, -ENOSPC past `max`, -ENOMEM. `value` is not NULL. */
int map_put(struct map *m, const void *key, void *value) MUST_CHECK;
/* Makes room: the next n map_put of new keys do not allocate. -ENOSPC past `max`, -ENOMEM. */
int map_reserve(struct map *m, size_t n) MUST_CHECK;
void *map_remove(struct map *m, const void *key); /* the value that was there, or NULL */
size_t map_count(const struct map *m);
/*
 * Visits every entry: start with *pos = 0; false at the end. The visited entry may be removed,
 * nothing may be added.
 */
bool map_next(const struct map *m, size_t *pos, void **ret_value);

#endif
