/* SPDX-License-Identifier: MIT */
/*
 * Addresses at which others say that a node may be reached. The server, which passes them on, and
 * the nodes, which send to them, judge them by the same filter.
 */
#ifndef MLSH_PROTO_CANDIDATES_H
#define MLSH_PROTO_CANDIDATES_H

#include "proto/signal.h"

bool candidates_have(const struct wire_candidates *c, const struct addr *a);
/* False when it is there already or the list is full. */
bool candidates_add(struct wire_candidates *c, const struct addr *a);

/*
 * May a node send to this address because somebody named it? No special addresses, none in the
 * overlay's own subnet.
 */
bool candidate_ok(const struct addr *a, struct prefix4 overlay);
/*
 * Adds those of `in` that are allowed to `ret`: each once, at most CANDIDATES_PER_PUBLIC_IP_MAX for
 * a public address, CANDIDATES_MAX in all; none of our `own` (NULL if it has none).
 */
void candidates_filter(const struct wire_candidates *in, const struct wire_candidates *own,
		       struct prefix4 overlay, struct wire_candidates *ret);

#endif
