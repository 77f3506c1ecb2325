/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Limits the requests of a source: a token bucket for each source, in a map of bounded size that
 * drops the least recently used one. The source of a stranger is an IPv4 address or an IPv6 /64.
 * The source of a member is the node itself, from whatever address: others behind its address spend
 * nothing of its budget.
 */
#ifndef MLSH_SIGNAL_RATELIMIT_H
#define MLSH_SIGNAL_RATELIMIT_H

#include "base/addr.h"
#include "base/ids.h"

struct ratelimit;

struct ratelimit *ratelimit_new(const uint8_t map_seed[16], size_t max_sources); /* NULL: memory */
void ratelimit_free(struct ratelimit *l);					 /* NULL allowed */
/* Counts one request of this source. Returns false if its budget is used up. */
bool ratelimit_take(struct ratelimit *l, const struct addr *source, uint64_t now);
bool ratelimit_take_node(struct ratelimit *l, const struct node_id *id, uint64_t now);
/* Gives n requests back: the source has a session now, with a limit of its own. */
void ratelimit_give_back(struct ratelimit *l, const struct addr *source, unsigned n);
void ratelimit_give_back_node(struct ratelimit *l, const struct node_id *id, unsigned n);
/* Returns the seconds until the next request of a source, rounded up. */
uint32_t ratelimit_retry_after_s(void);

#endif
