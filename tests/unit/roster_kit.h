/* SPDX-License-Identifier: MIT */
/* Questions to a roster that only tests ask. */
#ifndef MLSH_TESTS_ROSTER_KIT_H
#define MLSH_TESTS_ROSTER_KIT_H

#include "membership/roster.h"

/* The member with that index, former members included; NULL past the end. */
static inline const struct member *roster_at(const struct roster *r, size_t index)
{
	const struct member *m = roster_next(r, NULL, ROSTER_ALL);

	while (m && m->index < index)
		m = roster_next(r, m, ROSTER_ALL);
	return m;
}

/* The highest address that was ever given; 0: the roster is empty. */
static inline ip4 roster_highest_address(const struct roster *r)
{
	ip4 highest = 0;

	for (const struct member *m = NULL; (m = roster_next(r, m, ROSTER_ALL));)
		highest = MAX(highest, m->address);
	return highest;
}

#endif
