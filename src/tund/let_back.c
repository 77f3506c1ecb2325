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

static size_t find(const struct let_back *b, const struct node_id *id)
{
	size_t i = 0;

	while (i < b->of.n && !node_id_equal(&b->of.item[i].id, id))
		i++;
	return i;
}

/* "phone", "phone and tablet", "phone, tablet and nas"; cut off at `cap`. */
static void names(const struct let_back *b, const struct mlog *log, char *ret, size_t cap)
{
	size_t at = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < b->of.n && at < cap; i++) {
		const struct member *m = roster_by_id(mlog_roster(log), &b->of.item[i].id,
						      ROSTER_ALL);
		const char *link = i == 0 ? "" : i + 1 == b->of.n ? " and " : ", ";

		at += (size_t)snprintf(ret + at, cap - at, "%s%s", link, m ? m->name : "?");
	}
}

static void say(struct let_back *b, const struct mlog *log)
{
	char who[LET_BACK_MAX * (LABEL_MAX + 6)];
	bool one = b->of.n == 1;

	b->line[0] = '\0';
	if (b->of.n == 0)
		return;
	names(b, log, who, sizeof(who));
	snprintf(b->line, sizeof(b->line),
		 "%s had left, and the recovery (record %llu) let %s back in without naming %s: "
		 "remove %s again if %s to stay out",
		 who, (unsigned long long)b->of.item[b->of.n - 1].seq, one ? "it" : "them",
		 one ? "it" : "them", one ? who : "them", one ? "it is" : "they are");
}

static void drop(struct let_back *b, size_t i)
{
	b->of.n--;
	memmove(&b->of.item[i], &b->of.item[i + 1], (b->of.n - i) * sizeof(b->of.item[0]));
}

/* The newest, in place of the oldest if there are too many. */
static void add(struct let_back *b, const struct node_id *id, uint64_t seq)
{
	size_t i = find(b, id);

	if (i < b->of.n)
		drop(b, i);
	else if (b->of.n == LET_BACK_MAX)
		drop(b, 0);
	b->of.item[b->of.n++] = (struct let_back_item){ *id, seq };
}

bool let_back_note(struct let_back *b, const struct mlog *log, const struct node_id *self,
		   const struct roster_change *c, struct roster_cursor behind)
{
	const struct member *m = c->member;
	uint64_t generation = mlog_generation(log);
	size_t known = find(b, &m->id);

	if (c->kind == ROSTER_LEFT && known < b->of.n) {
		drop(b, known); /* it was removed again, most likely for this */
		say(b, log);
		return true;
	}
	if (c->kind == ROSTER_NAME && known < b->of.n)
		say(b, log);
	if (c->kind != ROSTER_JOINED || generation == 0 || !member_is_current(m) ||
	    node_id_equal(&m->id, self) || was_named(log, m) ||
	    !had_left(mlog_roster(log), m, behind))
		return false;
	add(b, &m->id, mlog_generation_start(log, generation - 1));
	say(b, log);
	return true;
}

void let_back_recall(struct let_back *b, const struct mlog *log, const struct let_back_list *kept)
{
	for (size_t i = 0; i < kept->n; i++) {
		const struct let_back_item *x = &kept->item[i];
		struct record r;
		struct entry e;

		if (mlog_get(log, x->seq, &r, &e) == 0 && e.type == ENTRY_RECOVER &&
		    roster_by_id(mlog_roster(log), &x->id, ROSTER_CURRENT))
			add(b, &x->id, x->seq);
	}
	say(b, log);
}
