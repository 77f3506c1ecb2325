/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing. A removed entry leaves a grave, so nothing moves and an
 * iteration may remove what it visits; graves disappear when the table is built again, or at once
 * where a run of used slots ends.
 */
#include "base/map.h"

#include <endian.h>
#include <stdlib.h>

#define CAP_MIN 16 /* slots; a power of two, like every capacity */

struct map {
	uint8_t seed[16];
	size_t key_len;
	size_t max;    /* bound on count */
	size_t count;  /* entries */
	size_t graves; /* slots that hold GRAVE */
	size_t cap;    /* slots */
	void **values; /* cap pointers; NULL in a slot that was never used */
	uint8_t *keys; /* cap keys, in the same block behind the values */
};

static const char grave_mark;
#define GRAVE ((void *)&grave_mark)

/* SipHash (Aumasson, Bernstein 2012): words are little-endian, unlike everything on mlsh's wire. */
static uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static uint64_t rotl64(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

/* Always inlined: the four words stay in registers, which more than halves the time. */
__attribute__((always_inline)) static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl64(s->v1, 13) ^ s->v0;
	s->v0 = rotl64(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl64(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl64(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl64(s->v1, 17) ^ s->v2;
	s->v2 = rotl64(s->v2, 32);
}

__attribute__((always_inline)) static inline void sip_absorb(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

static struct sip sip_begin(const uint8_t key[16])
{
	uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);

	return (struct sip){
		k0 ^ UINT64_C(0x736f6d6570736575),
		k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261),
		k1 ^ UINT64_C(0x7465646279746573),
	};
}

/* The last word: the bytes that are left of `len`, and the length itself. */
static uint64_t sip_last(const uint8_t *rest, size_t len)
{
	uint64_t last = (uint64_t)(len & 0xff) << 56;

	for (size_t i = 0; i < len % 8; i++)
		last |= (uint64_t)rest[i] << (8 * i);
	return last;
}

uint64_t siphash_2_4(const uint8_t key[16], const void *data, size_t len)
{
	struct sip s = sip_begin(key);
	const uint8_t *p = data;

	for (size_t i = 0; i < len / 8; i++, p += 8)
		sip_absorb(&s, load_le64(p));
	sip_absorb(&s, sip_last(p, len));
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void siphash_2_4_two(const uint8_t *const key[2], const void *const data[2], size_t len,
		     uint64_t ret[2])
{
	struct sip s = sip_begin(key[0]), t = sip_begin(key[1]);
	const uint8_t *p = data[0], *q = data[1];

	for (size_t i = 0; i < len / 8; i++, p += 8, q += 8) {
		sip_absorb(&s, load_le64(p));
		sip_absorb(&t, load_le64(q));
	}
	sip_absorb(&s, sip_last(p, len));
	sip_absorb(&t, sip_last(q, len));
	s.v2 ^= 0xff;
	t.v2 ^= 0xff;
	for (int i = 0; i < 4; i++) {
		sip_round(&s);
		sip_round(&t);
	}
	ret[0] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
	ret[1] = t.v0 ^ t.v1 ^ t.v2 ^ t.v3;
}

static int map_alloc(struct map *m, size_t cap)
{
	void **values = calloc(cap, sizeof(void *) + m->key_len);

	if (!values)
		return -ENOMEM;
	m->values = values;
	m->keys = (uint8_t *)(values + cap);
	m->cap = cap;
	m->graves = 0;
	return 0;
}

struct map *map_new(const uint8_t seed[16], size_t key_len, size_t max)
{
	struct map *m;

	if (key_len == 0 || key_len > MAP_KEY_MAX)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	memcpy(m->seed, seed, sizeof(m->seed));
	m->key_len = key_len;
	m->max = max;
	if (map_alloc(m, CAP_MIN) < 0) {
		map_free(m);
		return NULL;
	}
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	free(m->values);
	secret_wipe(m->seed, sizeof(m->seed));
	free(m);
}

static uint8_t *slot_key(const struct map *m, size_t slot)
{
	return m->keys + slot * m->key_len;
}

/*
 * The slot that holds `key`, with *ret_found true, or else the slot where it belongs. There is
 * always a slot that was never used (map_put sees to it), so the search ends.
 */
static size_t map_find(const struct map *m, const void *key, bool *ret_found)
{
	size_t mask = m->cap - 1;
	size_t slot = (size_t)siphash_2_4(m->seed, key, m->key_len) & mask;
	size_t grave = SIZE_MAX;

	for (; m->values[slot]; slot = (slot + 1) & mask) {
		if (m->values[slot] == GRAVE) {
			if (grave == SIZE_MAX)
				grave = slot;
		} else if (memcmp(slot_key(m, slot), key, m->key_len) == 0) {
			*ret_found = true;
			return slot;
		}
	}
	*ret_found = false;
	return grave != SIZE_MAX ? grave : slot;
}

void *map_get(const struct map *m, const void *key)
{
	bool found;
	size_t slot = map_find(m, key, &found);

	return found ? m->values[slot] : NULL;
}

static void map_store(struct map *m, size_t slot, const void *key, void *value)
{
	memcpy(slot_key(m, slot), key, m->key_len);
	m->values[slot] = value;
}

/*
 * Moves everything into a table without graves in which more than half of the slots are free, and
 * are so after `more` entries.
 */
static int map_rebuild(struct map *m, size_t more)
{
	struct map old = *m;
	size_t cap = CAP_MIN;
	bool found;

	while (cap / 2 <= m->count + more) {
		if (cap > SIZE_MAX / 2)
			return -ENOMEM;
		cap *= 2;
	}
	if (map_alloc(m, cap) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < old.cap; i++) {
		if (old.values[i] && old.values[i] != GRAVE) {
			size_t slot = map_find(m, slot_key(&old, i), &found);

			map_store(m, slot, slot_key(&old, i), old.values[i]);
		}
	}
	free(old.values);
	return 0;
}

int map_put(struct map *m, const void *key, void *value)
{
	bool found;
	size_t slot = map_find(m, key, &found);

	if (!value)
		return -EINVAL;
	if (found)
		return -EEXIST;
	if (m->count >= m->max)
		return -ENOSPC;
	/* at most three quarters of the slots are ever taken, graves included */
	if (!m->values[slot] && m->count + m->graves >= m->cap / 4 * 3) {
		if (map_rebuild(m, 0) < 0)
			return -ENOMEM;
		slot = map_find(m, key, &found);
	}
	if (m->values[slot] == GRAVE)
		m->graves--;
	map_store(m, slot, key, value);
	m->count++;
	return 0;
}

int map_reserve(struct map *m, size_t n)
{
	if (n > m->max - m->count)
		return -ENOSPC;
	if (m->count + m->graves + n <= m->cap / 4 * 3)
		return 0;
	return map_rebuild(m, n);
}

void *map_remove(struct map *m, const void *key)
{
	size_t mask = m->cap - 1;
	bool found;
	size_t slot = map_find(m, key, &found);
	void *value;

	if (!found)
		return NULL;
	value = m->values[slot];
	m->values[slot] = GRAVE;
	m->graves++;
	m->count--;
	/* graves at the end of a run are of no use to any search */
	if (!m->values[(slot + 1) & mask]) {
		for (; m->values[slot] == GRAVE; slot = (slot - 1) & mask) {
			m->values[slot] = NULL;
			m->graves--;
		}
	}
	return value;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

bool map_next(const struct map *m, size_t *pos, void **ret_value)
{
	for (size_t slot = *pos; slot < m->cap; slot++) {
		if (m->values[slot] && m->values[slot] != GRAVE) {
			*ret_value = m->values[slot];
			*pos = slot + 1;
			return true;
		}
	}
	*pos = m->cap;
	return false;
}
