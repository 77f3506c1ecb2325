/* SPDX-License-Identifier: MIT */
/* The search for the record in which two logs part. */
#include "membership/search.h"

/* There is a record between the two. */
static bool goes_on(const struct log_search *s)
{
	return s->theirs > s->ours + 1;
}

bool log_search_parted(struct log_search *s, uint64_t seq)
{
	if (!s->on) {
		*s = (struct log_search){ .on = true, .theirs = seq };
		return goes_on(s);
	}
	if (seq >= s->theirs)
		return false;
	s->theirs = seq;
	return goes_on(s);
}

bool log_search_same(struct log_search *s, uint64_t seq)
{
	if (seq <= s->ours)
		return false;
	s->ours = seq;
	return goes_on(s);
}

uint64_t log_search_next(const struct log_search *s)
{
	return s->ours + (s->theirs - s->ours) / 2;
}
