/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Requests a source may make: a token bucket for each source (IPv4 address or IPv6 /64), in a map
 * of bounded size from which the least recently used goes first.
 */
#ifndef MLSH_SIGNAL_RATELIMIT_H
#define MLSH_SIGNAL_RATELIMIT_H

#include "base/addr.h"

struct ratelimit;

struct ratelimit *ratelimit_new(const uint8_t map_seed[16], size_t max_sources); /* NULL: memory */
void ratelimit_free(struct ratelimit *l); /* NULL allowed */
/* One request of this source: false when it has used up what it may. */
bool ratelimit_take(struct ratelimit *l, const struct addr *source, uint64_t now);
/* Gives n requests back: the source has proved to be a member, whom another limit holds. */
void ratelimit_give_back(struct ratelimit *l, const struct addr *source, unsigned n);
/* Seconds until the source's next request, rounded up. */
uint32_t ratelimit_retry_after_s(void);

#endif
