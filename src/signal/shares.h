/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Equal shares of a rate among its users: max-min fairness, a turn behind. A user that takes less
 * than its share leaves the rest to the others. Time is cut into turns. The bytes of a user in a
 * turn are added up when it comes back in the next one.
 */
#ifndef MLSH_SIGNAL_SHARES_H
#define MLSH_SIGNAL_SHARES_H

#include "base/bytes.h"

#define SHARES_TURN (100 * NS_PER_MS)

struct share_user {
	uint64_t turn;	/* number of the turn that it was last seen in */
	uint64_t bytes; /* in that turn */
};

/* The bytes that users took in a turn. */
struct share_sum {
	uint64_t light_bytes;  /* of users that took little */
	unsigned light, heavy; /* users */
};

struct shares {
	uint64_t turn;
	struct share_sum gathered, before; /* in this turn, and in the one before */
};

/* Counts bytes of a user. `rate` is the rate of all users together, in bytes a second. */
void shares_count(struct shares *s, struct share_user *u, size_t bytes, uint64_t rate,
		  uint64_t now);
/*
 * Returns what each user may take of the rate, in bytes a second; all of it if no user takes much.
 */
uint64_t shares_of(const struct shares *s, uint64_t rate);

#endif
