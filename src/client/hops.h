/* SPDX-License-Identifier: MIT */
/*
 * Following a server that says "moved" (docs/protocol/03-signal.md): which place may be dialled
 * next. A server could send its nodes in circles, or at somebody else's address, so an attempt and
 * a day have few hops, no place is visited twice in an attempt, and the place must be one that
 * every node could reach. Pure: time comes in as a parameter.
 */
#ifndef MLSH_CLIENT_HOPS_H
#define MLSH_CLIENT_HOPS_H

#include "membership/entry.h"

#define HOPS_MAX 3	    /* in one attempt */
#define HOPS_PER_DAY_MAX 48 /* of one session, in all its attempts */
#define PLACE_TEXT_MAX (HOST_TEXT_MAX + sizeof("[]:65535"))

/* Where a signal server is. */
struct place {
	char host[HOST_TEXT_MAX + 1]; /* in normal form, as hostport_parse returns it; "": none */
	uint16_t port;
};

struct place place_of(const char *host, uint16_t port);
bool place_equal(const struct place *a, const struct place *b);
/* "host:port", an IPv6 address in brackets. Returns `out`. */
const char *place_format(const struct place *p, char out[PLACE_TEXT_MAX]);

/* The hops of a day; zeroed: none yet. */
struct hops_day {
	uint64_t began; /* clock */
	unsigned used;
};

/* The places of one attempt, in the order in which they were dialled. */
struct hops {
	struct place at[HOPS_MAX + 1];
	size_t n; /* at least 1 after hops_begin */
};

void hops_begin(struct hops *h, const struct place *first);
const struct place *hops_last(const struct hops *h);
/*
 * The server at hops_last has moved to `host` and `port`. Adds that place. `zone` is the cluster's
 * name, whose zone this node answers itself; `day` may be NULL for an attempt that is not repeated.
 * Fails with REFUSAL_MOVED and the reason when the place is not to be dialled.
 */
int hops_follow(struct hops *h, struct span host, uint16_t port, const char *zone,
		struct hops_day *day, uint64_t now, struct err *err) MUST_CHECK;

#endif
