/* SPDX-License-Identifier: MIT */
/* Which connection gives way to a new one at the local socket: pure, for every implementation. */
#ifndef MLSH_OS_LOCAL_ROOM_H
#define MLSH_OS_LOCAL_ROOM_H

#include "os/local.h"

/* A connection that is there: whose, and when a message last went either way. */
struct local_seat {
	struct user user;
	uint64_t used_at;
};

enum { LOCAL_ROOM_FREE = -1, LOCAL_ROOM_FULL = -2 };

static inline size_t local_seats_of(const struct local_seat *s, size_t n, struct user user)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += user_equal(s[i].user, user);
	return count;
}

/*
 * Returns the index of the seat that gives way to a new connection of `user` by the rules of
 * local_listen, LOCAL_ROOM_FREE if none has to, or LOCAL_ROOM_FULL if the new connection has to.
 */
static inline ptrdiff_t local_room(const struct local_seat *s, size_t n,
				   const struct local_limits *limits, struct user user)
{
	bool own = !user_is_admin(user) && local_seats_of(s, n, user) >= limits->of_user;
	ptrdiff_t out = LOCAL_ROOM_FULL;
	size_t most = 0;

	if (!own && n < limits->conns)
		return LOCAL_ROOM_FREE;
	for (size_t i = 0; i < n; i++) {
		size_t held = local_seats_of(s, n, s[i].user);

		if (user_is_admin(s[i].user) || (own && !user_equal(s[i].user, user)) ||
		    held < most)
			continue;
		if (held > most || s[i].used_at < s[out].used_at)
			out = (ptrdiff_t)i;
		most = held;
	}
	return out;
}

#endif
