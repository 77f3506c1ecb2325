/* SPDX-License-Identifier: MIT */
/* The peers follow the roster: what each change of it means for them. */
#include "overlay/internal.h"

#include "base/assert.h"

static struct peer *peer_of_member(const struct overlay *o, const struct member *m)
{
	struct peer *p = route_lookup(&o->routes, m->address);

	if (p && p->member == m)
		return p;
	list_for_each(it, &o->peers) { /* it may have left, and joined at another address */
		p = list_entry(it, struct peer, in_overlay);
		if (p->member == m)
			return p;
	}
	return NULL;
}

/* A peer and a route in the table. */
static int member_joined(struct overlay *o, const struct member *m)
{
	struct peer *p = route_lookup(&o->routes, m->address);
	int rc;

	if (m == o->self || !member_is_current(m)) /* it left since: that comes */
		return 0;
	if (p && p->member == m)
		return 0;
	if (p)
		peer_expel(p);
	rc = peer_new(o, m, &p);
	if (rc < 0)
		return rc;
	rc = route_add(&o->routes, p->address, p);
	if (rc < 0)
		peer_free(p);
	else if (overlay_is_eager(o))
		peer_want(p);
	return rc;
}

static void member_left(struct overlay *o, const struct member *m)
{
	struct peer *p = m == o->self ? NULL : peer_of_member(o, m);

	if (p)
		peer_expel(p);
}

static int member_changed(struct overlay *o, const struct roster_change *c)
{
	struct peer *p;

	switch (c->kind) {
	case ROSTER_JOINED:
		return member_joined(o, c->member);
	case ROSTER_LEFT:
		member_left(o, c->member);
		return 0;
	case ROSTER_KEY:
		p = c->member == o->self ? NULL : peer_of_member(o, c->member);
		if (p)
			peer_rekeyed(p);
		return 0;
	case ROSTER_ROLE:
	case ROSTER_NAME:
		return 0; /* both are looked up whenever they matter */
	}
	UNREACHABLE();
}

int members_follow(struct overlay *o, struct err *err)
{
	struct roster_cursor before = o->roster;
	struct roster_change c;

	for (; roster_next_change(mlog_roster(o->log), &o->roster, &c); before = o->roster) {
		if (member_changed(o, &c) < 0) {
			o->roster = before;
			return err_set(err, -ENOMEM, "no memory for another peer");
		}
	}
	return 0;
}
