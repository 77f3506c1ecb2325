/* SPDX-License-Identifier: AGPL-3.0-only */
/* Clusters of a restored database wait for an admin. */
#include "signal/may_order.h"

#define BEACONS_WAIT (8 * NS_PER_S) /* since an admin has shown its head */

int may_order_open(struct signal_server *s, bool restored, struct err *err)
{
	int n = db_waiting_count(s->db, err);

	if (n < 0)
		return n;
	s->any_waits = n > 0;
	if (restored && n > 0)
		log_warn(host_log(s->host), "the database is an older copy than the one that this "
					    "server last used, or came without its .mark");
	if (n > 0)
		log_warn(host_log(s->host),
			 "%d clusters were restored from a backup: nobody can join one of them "
			 "until an admin of it connects, or you say `mlsh-signal accept CLUSTER`",
			 n);
	return 0;
}

/* 1 if it waits. Asked again each time: the operator may have accepted it meanwhile. */
static int waits(struct signal_server *s, const struct cluster *c, struct err *err)
{
	return s->any_waits ? db_waiting(s->db, c->id, err) : 0;
}

/*
 * Does a beacon name a record that is to follow those of the log, by a receipt of this server? One
 * from ahead cannot be taken, so it is not waited for.
 */
static bool lacks_named(const struct signal_server *s, const struct cluster *c, struct beacon *ret)
{
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(s->host), 0);

	return c->beacons && c->log && registry_standing(s->registry, c) == STANDING_OURS &&
	       beacons_lacking(c->beacons, c->log, ret) &&
	       ret->order.time_s <= now_s + CLOCK_AHEAD_MAX_S &&
	       (ret->order.generation > mlog_generation(c->log) ||
		ret->order.seq > mlog_head(c->log).seq);
}

/* A failure is tried again with the next tick. */
static void end_wait(struct signal_server *s, struct cluster *c)
{
	struct err err = { 0 };
	const char *name = mlog_genesis(c->log)->name;

	if (db_waiting_end(s->db, c->id, &err) < 0) {
		log_warn(host_log(s->host), "cluster %s still waits: %s", name, err.text);
		return;
	}
	c->wait_until = 0;
	log_info(host_log(s->host),
		 "cluster %s: an admin has shown its log, and no node knows of more; the server "
		 "goes on from there",
		 name);
}

static void try_to_end(struct signal_server *s, struct cluster *c)
{
	struct err err = { 0 };
	struct beacon b;

	if (c->wait_until == 0 || clock_now(s->host) < c->wait_until)
		return;
	if (waits(s, c, &err) == 0)
		c->wait_until = 0; /* the operator has ended it */
	else if (!lacks_named(s, c, &b))
		end_wait(s, c);
}

static int deny_order(const struct signal_server *s, const struct cluster *c, struct err *err)
{
	struct beacon b;

	if (lacks_named(s, c, &b))
		return deny(err, -EBUSY, REFUSAL_RESTORED,
			    "The server was restored from a backup and lacks record %llu of the "
			    "log, which an admin's node has: `mlsh connect` on a machine that "
			    "has it.",
			    (unsigned long long)b.order.seq);
	if (c->wait_until)
		return deny(err, -EBUSY, REFUSAL_RESTORED,
			    "The server was restored from a backup and hears what its nodes "
			    "have: try again in %u seconds.",
			    (unsigned)(BEACONS_WAIT / NS_PER_S));
	return deny(err, -EBUSY, REFUSAL_RESTORED,
		    "The server was restored from a backup and waits for an admin of this "
		    "cluster to connect: `mlsh connect` on an admin's machine.");
}

int may_order(struct signal_server *s, struct cluster *c, struct err *err)
{
	struct beacon b;
	int r;

	try_to_end(s, c);
	r = waits(s, c, err);
	if (r < 0) {
		log_error(host_log(s->host), "%s", err->text);
		return deny(err, r, REFUSAL_INTERNAL, "The server could not read its database.");
	}
	/* what the database says of a record that made it wait: the operator may have ended that */
	if (r > 0 || (lacks_named(s, c, &b) && memcmp(b.head.hash, c->missing, HASH_LEN) != 0))
		return deny_order(s, c, err);
	return 0;
}

/* Nodes show their beacons a few seconds after their session began. */
static void begin_to_end(struct signal_server *s, struct cluster *c)
{
	if (c->wait_until == 0)
		c->wait_until = clock_now(s->host) + BEACONS_WAIT;
}

void may_order_shown(struct signal_server *s, struct cluster *c, const struct mlog *log,
		     const struct member *member, const struct wire_head *head)
{
	struct head shown = { .seq = head->seq };
	struct err err = { 0 };
	bool waiting;

	if (member->role != ROLE_ADMIN)
		return;
	waiting = waits(s, c, &err) > 0;
	memcpy(shown.hash, head->hash, sizeof(shown.hash));
	c->admin_shown |= mlog_has_head(log, &shown);
	if (waiting && mlog_has_head(log, &shown))
		begin_to_end(s, c);
	else if (waiting)
		log_warn(host_log(s->host),
			 "cluster %s still waits: the admin %s holds records that this server "
			 "lacks and could not take",
			 mlog_genesis(log)->name, member->name);
}

void may_order_beacon(struct signal_server *s, struct cluster *c)
{
	struct err err = { 0 };
	struct beacon b;

	if (!lacks_named(s, c, &b) || memcmp(b.head.hash, c->missing, HASH_LEN) == 0)
		return;
	log_warn(host_log(s->host),
		 "cluster %s: this server has signed record %llu and lacks it: it was put back to "
		 "an older copy. It orders nothing there until a node brings the record, or you "
		 "say `mlsh-signal accept %s`",
		 mlog_genesis(c->log)->name, (unsigned long long)b.order.seq,
		 mlog_genesis(c->log)->name);
	if (db_waiting_begin(s->db, c->id, clock_wall_s(s->host), &err) < 0) {
		log_error(host_log(s->host), "%s", err.text);
		return;
	}
	s->any_waits = true;
	memcpy(c->missing, b.head.hash, HASH_LEN);
	if (c->admin_shown)
		begin_to_end(s, c);
}

void may_order_tick(struct signal_server *s)
{
	struct cluster *c;

	for (size_t pos = 0; s->any_waits && (c = registry_next(s->registry, &pos));)
		try_to_end(s, c);
}
