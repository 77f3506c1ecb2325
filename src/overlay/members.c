/* SPDX-License-Identifier: MIT */
/* Makes the peers follow the roster, change by change. */
#include "overlay/internal.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/effects.h"

#include "base/assert.h"

/* A peer and a route in the table. */
static int member_joined(struct overlay *o, const struct member *m)
{
	struct peer *p = peer_of_address(&o->peering, m->address);
	int rc;

	if (m == o->peering.self || o->left ||
	    !member_is_current(m)) /* it left since: that comes */
		return 0;
	if (p && p->member == m)
		return 0;
	if (p)
		peer_expel(p);
	rc = peer_new(&o->peering, m, &p);
	if (rc < 0)
		return rc;
	rc = fib_add(&o->peering.dp.fib, p->dest.address, &p->dest);
	if (rc < 0)
		peer_free(p);
	else if (peering_is_eager(&o->peering))
		peer_want(p);
	return rc;
}

static void member_left(struct overlay *o, const struct member *m)
{
	struct peer *p = m == o->peering.self ? NULL : peer_of_member(&o->peering, m);

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
		p = c->member == o->peering.self ? NULL : peer_of_member(&o->peering, c->member);
		if (p)
			peer_rekeyed(p);
		return 0;
	case ROSTER_ROLE:
	case ROSTER_NAME:
		return 0; /* both are looked up whenever they matter */
	}
	UNREACHABLE();
}

/* One change after the other. */
static int members_look(struct overlay *o, struct err *err)
{
	struct roster_cursor before = o->roster;
	struct roster_change c;

	for (; roster_next_change(mlog_roster(o->peering.log), &o->roster, &c);
	     before = o->roster) {
		if (member_changed(o, &c) < 0) {
			o->roster = before;
			return err_set(err, -ENOMEM, "no memory for another peer");
		}
	}
	return 0;
}

/*
 * Peers for all that are members now. A log may tell of many that joined and left before: looking
 * for the peer of each would take as long as all members times all that left.
 */
int members_begin(struct overlay *o, struct err *err)
{
	const struct roster *r = mlog_roster(o->peering.log);
	const struct member *m;

	for (m = NULL; (m = roster_next(r, m, ROSTER_CURRENT));)
		if (member_joined(o, m) < 0)
			return err_set(err, -ENOMEM, "no memory for another peer");
	o->roster = roster_now(r); /* after an error members_follow looks at all changes */
	return 0;
}

/* A node that is not a member has no peers, and gives back to the host what it changed. */
static void self_left(struct overlay *o)
{
	o->left = true;
	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		peer_close(p);
		peer_expel(p);
	}
	if (o->peering.ops->membership)
		o->peering.ops->membership(o->peering.ctx, false);
	mapper_free(o->peering.around.mapper);
	o->peering.around.mapper = NULL;
	repair_stop(o);
}

/* A recovery brought this node back. */
static int self_joined(struct overlay *o, struct err *err)
{
	int rc = repair_start(o, err);

	if (rc < 0) {
		repair_stop(o);
		return rc;
	}
	datapath_offloads(&o->peering.dp);
	o->left = false;
	if (overlay_start_mapper(o, err) < 0)
		log_warn(host_log(o->peering.h), "%s", err->text);
	effects_refresh(&o->peering);
	if (o->peering.ops->membership)
		o->peering.ops->membership(o->peering.ctx, true);
	return 0;
}

void members_bar(struct overlay *o)
{
	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);
		bool denied = o->peering.ops->denied &&
			      o->peering.ops->denied(o->peering.ctx, p->member);

		if (denied && p->phase != PEERING_BARRED)
			peer_bar(p);
		else if (!denied && p->phase == PEERING_BARRED)
			peer_unbar(p);
	}
}

int members_follow(struct overlay *o, struct err *err)
{
	bool in = member_is_current(o->peering.self);

	if (in == !o->left)
		return members_look(o, err);
	if (in && self_joined(o, err) < 0)
		return -ENODEV;
	if (in)
		return members_begin(o, err);
	self_left(o);
	return members_look(o, err);
}
