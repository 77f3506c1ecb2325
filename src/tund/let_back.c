/* SPDX-License-Identifier: MIT */
/* Members that a recovery let back in without saying so by name. */
#include "tund/let_back.h"

#include <stdio.h>

/* Had it left before the change in front of the cursor? */
static bool had_left(const struct roster *r, const struct member *m, struct roster_cursor behind)
{
	struct roster_cursor at = { 0 };
	struct roster_change c;

	while (at.next + 1 < behind.next && roster_next_change(r, &at, &c))
		if (c.kind == ROSTER_LEFT && c.member == m)
			return true;
	return false;
}

/* An admin by a recovery was named in it. */
static bool was_named(const struct mlog *log, const struct member *m)
{
	uint64_t generation = mlog_generation(log);

	return m->role == ROLE_ADMIN && generation > 0 &&
	       m->role_seq == mlog_generation_start(log, generation - 1);
}

static bool is_about(const struct let_back *b, const struct member *m)
{
	size_t len = strlen(m->name);

	return strncmp(b->line, m->name, len) == 0 && b->line[len] == ' ';
}

bool let_back_note(struct let_back *b, const struct mlog *log, const struct node_id *self,
		   const struct roster_change *c, struct roster_cursor behind)
{
	const struct member *m = c->member;
	uint64_t generation = mlog_generation(log);

	if (c->kind == ROSTER_LEFT && is_about(b, m)) {
		b->line[0] = '\0'; /* it was removed again, most likely for this */
		return true;
	}
	if (c->kind != ROSTER_JOINED || generation == 0 || !member_is_current(m) ||
	    node_id_equal(&m->id, self) || was_named(log, m) ||
	    !had_left(mlog_roster(log), m, behind))
		return false;
	snprintf(b->line, sizeof(b->line),
		 "%s had left, and the recovery (record %llu) let it back in without naming it: "
		 "remove %s again if it is to stay out",
		 m->name, (unsigned long long)mlog_generation_start(log, generation - 1), m->name);
	return true;
}
