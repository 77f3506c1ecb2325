/* SPDX-License-Identifier: MIT */
/* How a member left, for people. */
#include <stdio.h>

#include "membership/words.h"

const char *member_left_text(const struct roster *r, const struct member *m,
			     char ret[MEMBER_LEFT_TEXT_MAX])
{
	const struct member *author = roster_by_id(r, &m->left_by, ROSTER_ALL);
	const char *by = author ? author->name : "an unknown node";
	char when[WORDS_TIME_MAX];
	const char *at = words_time_utc(m->left_s, when);

	switch (m->left) {
	case LEFT_NOT:
		snprintf(ret, MEMBER_LEFT_TEXT_MAX, "%s is a member", m->name);
		break;
	case LEFT_REMOVED:
		snprintf(ret, MEMBER_LEFT_TEXT_MAX, "%s removed %s on %s", by, m->name, at);
		break;
	case LEFT_BY_ITSELF:
		snprintf(ret, MEMBER_LEFT_TEXT_MAX, "%s left on %s", m->name, at);
		break;
	case LEFT_REPLACED:
		snprintf(ret, MEMBER_LEFT_TEXT_MAX,
			 "another machine took the place of %s on %s, invited by %s", m->name, at,
			 by);
		break;
	case LEFT_BY_RECOVERY:
		snprintf(ret, MEMBER_LEFT_TEXT_MAX, "the recovery of %s left %s out", at, m->name);
		break;
	}
	return ret;
}
