/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Requests that a source may make: a token bucket for each source, in a map of bounded size from
 * which the least recently used goes first. A source is an IPv4 address or an IPv6 /64 for
 * strangers, and the node itself for a member, wherever it comes from: whoever shares its address
 * spends nothing of its budget.
 */
#ifndef MLSH_SIGNAL_RATELIMIT_H
#define MLSH_SIGNAL_RATELIMIT_H

#include "base/addr.h"
#include "base/ids.h"

struct ratelimit;

struct ratelimit *ratelimit_new(const uint8_t map_seed[16], size_t max_sources); /* NULL: memory */
void ratelimit_free(struct ratelimit *l);					 /* NULL allowed */
/* One request of this source. Returns false if it has used up what it may. */
bool ratelimit_take(struct ratelimit *l, const struct addr *source, uint64_t now);
bool ratelimit_take_node(struct ratelimit *l, const struct node_id *id, uint64_t now);
/* Gives n requests back: the source has a session now, which has a limit of its own. */
void ratelimit_give_back(struct ratelimit *l, const struct addr *source, unsigned n);
void ratelimit_give_back_node(struct ratelimit *l, const struct node_id *id, unsigned n);
/* Seconds until the source's next request, rounded up. */
uint32_t ratelimit_retry_after_s(void);

#endif
