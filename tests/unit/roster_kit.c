/* SPDX-License-Identifier: MIT */
/* Questions to a roster that only tests ask. */
#include "roster_kit.h"

const struct member *roster_at(const struct roster *r, size_t index)
{
	const struct member *m = roster_next(r, NULL, ROSTER_ALL);

	while (m && m->index < index)
		m = roster_next(r, m, ROSTER_ALL);
	return m;
}

ip4 roster_highest_address(const struct roster *r)
{
	ip4 highest = 0;

	for (const struct member *m = NULL; (m = roster_next(r, m, ROSTER_ALL));)
		highest = MAX(highest, m->address);
	return highest;
}
