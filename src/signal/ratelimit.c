/* SPDX-License-Identifier: AGPL-3.0-only */
/* Token buckets by source. */
#include "signal/ratelimit.h"

#include <stdlib.h>

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"
#include "proto/limits.h"

/* Buckets gain whole tokens a second; a request costs as many as make the rate right. */
#define REQUEST_TOKENS (60 / SIGNAL_REQUESTS_PER_MINUTE)
_Static_assert(60 % SIGNAL_REQUESTS_PER_MINUTE == 0, "a request must cost whole tokens");

#define SOURCE_KEY_LEN 16
_Static_assert(NODE_ID_LEN == SOURCE_KEY_LEN, "nodes are sources, too");

struct source {
	struct list by_use; /* least recently used first */
	uint8_t key[SOURCE_KEY_LEN];
	struct bucket bucket;
};

struct ratelimit {
	struct map *sources;
	struct list by_use;
	size_t max;
};

struct ratelimit *ratelimit_new(const uint8_t map_seed[16], size_t max_sources)
{
	struct ratelimit *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	list_init(&l->by_use);
	l->max = max_sources;
	l->sources = map_new(map_seed, SOURCE_KEY_LEN, max_sources);
	if (!l->sources) {
		ratelimit_free(l);
		return NULL;
	}
	return l;
}

static void source_free(struct ratelimit *l, struct source *s)
{
	map_remove(l->sources, s->key);
	list_remove(&s->by_use);
	free(s);
}

void ratelimit_free(struct ratelimit *l)
{
	if (!l)
		return;
	list_for_each(it, &l->by_use)
		source_free(l, list_entry(it, struct source, by_use));
	map_free(l->sources);
	free(l);
}

/* The whole IPv4 address, or the IPv6 network: a host has all of a /64. */
static void source_key(const struct addr *a, uint8_t key[SOURCE_KEY_LEN])
{
	memcpy(key, a->ip, SOURCE_KEY_LEN);
	if (!addr_is_v4(a))
		memset(key + 8, 0, 8);
}

static struct source *source_new(struct ratelimit *l, const uint8_t key[SOURCE_KEY_LEN],
				 uint64_t now)
{
	struct source *s;

	if (map_count(l->sources) >= l->max)
		source_free(l, list_entry(l->by_use.next, struct source, by_use));
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	memcpy(s->key, key, sizeof(s->key));
	bucket_init(&s->bucket, 1, (uint64_t)SIGNAL_REQUESTS_BURST * REQUEST_TOKENS, now);
	if (map_put(l->sources, key, s) < 0) {
		free(s);
		return NULL;
	}
	list_append(&l->by_use, &s->by_use);
	return s;
}

static bool take(struct ratelimit *l, const uint8_t key[SOURCE_KEY_LEN], uint64_t now)
{
	struct source *s = map_get(l->sources, key);

	if (!s)
		s = source_new(l, key, now);
	if (!s)
		return false;
	list_remove(&s->by_use);
	list_append(&l->by_use, &s->by_use);
	return bucket_take(&s->bucket, REQUEST_TOKENS, now);
}

bool ratelimit_take(struct ratelimit *l, const struct addr *source, uint64_t now)
{
	uint8_t key[SOURCE_KEY_LEN];

	source_key(source, key);
	return take(l, key, now);
}

bool ratelimit_take_node(struct ratelimit *l, const struct node_id *id, uint64_t now)
{
	return take(l, id->bytes, now);
}

static void give_back(struct ratelimit *l, const uint8_t key[SOURCE_KEY_LEN], unsigned n)
{
	struct source *s = map_get(l->sources, key);

	if (!s)
		return;
	s->bucket.level_x1e9 = MIN(s->bucket.level_x1e9 + (uint64_t)n * REQUEST_TOKENS * NS_PER_S,
				   s->bucket.burst * NS_PER_S);
}

void ratelimit_give_back(struct ratelimit *l, const struct addr *source, unsigned n)
{
	uint8_t key[SOURCE_KEY_LEN];

	source_key(source, key);
	give_back(l, key, n);
}

void ratelimit_give_back_node(struct ratelimit *l, const struct node_id *id, unsigned n)
{
	give_back(l, id->bytes, n);
}

uint32_t ratelimit_retry_after_s(void)
{
	return REQUEST_TOKENS;
}
