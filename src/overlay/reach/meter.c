/* SPDX-License-Identifier: MIT */
/* Bytes to addresses that have proven nothing. */
#include "overlay/reach/meter.h"

#include "base/map.h"

void meter_init(struct meter *m, const uint8_t key[16], uint64_t now)
{
	memcpy(m->key, key, sizeof(m->key));
	meter_renew(m, now);
}

void meter_renew(struct meter *m, uint64_t now)
{
	for (size_t i = 0; i < METER_BUCKETS; i++)
		bucket_init(&m->bucket[i], METER_BYTES_PER_S, METER_BURST_BYTES, now);
}

static struct bucket *bucket_of(struct meter *m, const struct addr *a)
{
	size_t len = addr_is_v4(a) ? sizeof(a->ip) : 8;

	return &m->bucket[siphash_2_4(m->key, a->ip, len) % METER_BUCKETS];
}

bool meter_has(struct meter *m, const struct addr *to, size_t bytes, uint64_t now)
{
	return bucket_has(bucket_of(m, to), bytes, now);
}

bool meter_take(struct meter *m, const struct addr *to, size_t bytes, uint64_t now)
{
	return bucket_take(bucket_of(m, to), bytes, now);
}

void meter_proven(struct meter *m, const struct addr *at, uint64_t now)
{
	bucket_init(bucket_of(m, at), METER_BYTES_PER_S, METER_BURST_BYTES, now);
}
