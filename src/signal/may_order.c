/* SPDX-License-Identifier: AGPL-3.0-only */
/* Clusters of a restored database wait for an admin. */
#include "signal/may_order.h"

#include <stdio.h>

#include "signal/writes.h"

#define BEACONS_WAIT (8 * NS_PER_S) /* since an admin has shown its head */

/* --- what the server lacks -------------------------------------------------------------------- */

/* Returns true if the operator has said to go on without what was ordered up to then. */
static bool is_accepted(struct signal_server *s, const struct cluster *c, uint64_t time_s)
{
	struct err err = { 0 };
	int64_t until_s;

	if (db_accepted(s->db, c->id, &until_s, &err) == 0)
		return until_s >= 0 && time_s <= (uint64_t)until_s;
	log_limited(host_log(s->host), &s->read_lines, clock_now(s->host), LOG_LEVEL_ERROR, "%s",
		    err.text);
	return false;
}

/*
 * Returns true if the log still lacks this record, behind its end. Asked again each time: logs
 * grow.
 */
static bool is_lacking(struct signal_server *s, const struct cluster *c, const struct db_missing *m)
{
	struct head head = { .seq = m->seq };

	memcpy(head.hash, m->hash, sizeof(head.hash));
	if (m->seq == 0 || !c->log || registry_standing(s->registry, c) != STANDING_OURS ||
	    mlog_has_head(c->log, &head))
		return false;
	if (m->generation < mlog_generation(c->log) ||
	    (m->generation == mlog_generation(c->log) && m->seq <= mlog_head(c->log).seq))
		return false;
	return !is_accepted(s, c, m->time_s);
}

static bool is_higher(const struct db_missing *a, const struct db_missing *b)
{
	return a->generation != b->generation ? a->generation > b->generation : a->seq > b->seq;
}

/*
 * Returns true if the server did not know yet that it lacks this record, which has a valid receipt
 * of its own key.
 */
static bool is_news(struct signal_server *s, const struct cluster *c, const struct db_missing *m)
{
	return is_lacking(s, c, m) && (!is_lacking(s, c, &c->missing) || is_higher(m, &c->missing));
}

/*
 * The server has given each place up to that of the record. So the date of the record does not
 * matter: one that is dated ahead cannot be taken yet, but those before it are missing, too.
 */
static struct db_missing missing_of(const struct order *order, const uint8_t hash[HASH_LEN])
{
	struct db_missing m = { .generation = order->generation,
				.seq = order->seq,
				.time_s = order->time_s };

	memcpy(m.hash, hash, sizeof(m.hash));
	return m;
}

/* --- the start -------------------------------------------------------------------------------- */

/* These lines are limited, since admins cause them. */
static void say(const struct signal_server *s, struct cluster *c, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void say(const struct signal_server *s, struct cluster *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->wait_lines.period_ns = 60 * NS_PER_S;
	c->wait_lines.burst = 4;
	log_limited(host_log(s->host), &c->wait_lines, clock_now(s->host), LOG_LEVEL_WARN,
		    "cluster %s%s", mlog_genesis(c->log)->name, text);
}

static void say_missing(const struct signal_server *s, struct cluster *c)
{
	say(s, c,
	    ": this server has signed record %llu and lacks it: it was put back to an older copy. "
	    "It orders nothing there until a node brings the record, or you say `mlsh-signal "
	    "accept %s`",
	    (unsigned long long)c->missing.seq, mlog_genesis(c->log)->name);
}

static int load_missing(struct signal_server *s, struct err *err)
{
	struct cluster *c;
	int r = 0;

	for (size_t pos = 0; r >= 0 && (c = registry_next(s->registry, &pos));) {
		r = db_waiting(s->db, c->id, &c->missing, err);
		if (r > 0 && is_lacking(s, c, &c->missing))
			say_missing(s, c);
	}
	return MIN(r, 0);
}

int may_order_open(struct signal_server *s, bool restored, struct err *err)
{
	int n = db_waiting_count(s->db, err);

	if (n <= 0)
		return n;
	s->any_waits = true;
	if (restored)
		log_warn(host_log(s->host), "the database is an older copy than the one that this "
					    "server last used, or came without its .mark");
	log_warn(host_log(s->host),
		 "%d clusters were restored from a backup: nobody can join one of them "
		 "until an admin of it connects, or you say `mlsh-signal accept CLUSTER`",
		 n);
	return load_missing(s, err);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Returns 1 if it waits. Asked again each time: the operator may have accepted it meanwhile. */
static int waits(struct signal_server *s, const struct cluster *c, struct err *err)
{
	struct db_missing missing;

	return s->any_waits ? db_waiting(s->db, c->id, &missing, err) : 0;
}

/* Nodes show their beacons a few seconds after their session began. */
static void begin_to_end(struct signal_server *s, struct cluster *c)
{
	if (c->wait_until == 0)
		c->wait_until = clock_now(s->host) + BEACONS_WAIT;
}

/*
 * Returns by how many seconds the clock is behind the log, or 0 if it is near enough to take new
 * records.
 */
static uint64_t clock_behind_s(const struct signal_server *s, const struct cluster *c)
{
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(s->host), 0);
	uint64_t last_s = mlog_last_time_s(c->log);

	return last_s > now_s + CLOCK_AHEAD_MAX_S ? last_s - now_s : 0;
}

/* An admin has shown its log, and nodes had the time to show beacons. */
static bool may_end(struct signal_server *s, const struct cluster *c)
{
	return c->wait_until != 0 && clock_now(s->host) >= c->wait_until && c->log &&
	       clock_behind_s(s, c) == 0 && !is_lacking(s, c, &c->missing);
}

static void note_missing(struct signal_server *s, struct cluster *c, const struct db_missing *m)
{
	if (!is_news(s, c, m))
		return;
	c->missing = *m;
	say_missing(s, c);
	registry_note(s->registry, c, NOTE_WAIT_BEGIN);
	writes_soon(s);
	s->any_waits = true;
	if (c->admin_shown)
		begin_to_end(s, c);
}

void may_order_beacon(struct signal_server *s, struct cluster *c, const struct beacon *b)
{
	struct db_missing m = missing_of(&b->order, b->head.hash);

	note_missing(s, c, &m);
}

void may_order_ahead(struct signal_server *s, struct cluster *c, struct span record)
{
	struct db_missing m;
	struct record r;

	if (record_decode(record, &r, NULL) < 0 || !r.receipt ||
	    receipt_verify(s->keys.order_key, c->id, &r.order, r.entry_hash, r.receipt) < 0)
		return;
	m = missing_of(&r.order, r.hash);
	note_missing(s, c, &m);
}

static int deny_order(struct signal_server *s, const struct cluster *c, struct err *err)
{
	uint64_t now = clock_now(s->host);

	if (is_lacking(s, c, &c->missing))
		return refuse(err, -EBUSY, REFUSAL_RESTORED,
			      "The server was restored from a backup and lacks record %llu of the "
			      "log, which an admin's node has: `mlsh connect` on a machine that "
			      "has it.",
			      (unsigned long long)c->missing.seq);
	if (clock_behind_s(s, c) > 0)
		return refuse(
			err, -EBUSY, REFUSAL_RESTORED,
			"The server was restored from a backup, and its clock is %llu minutes "
			"behind the log: it orders nothing until its clock is right.",
			(unsigned long long)clock_behind_s(s, c) / 60);
	if (c->wait_until)
		return refuse(err, -EBUSY, REFUSAL_RESTORED,
			      "The server was restored from a backup and hears what its nodes "
			      "have: try again in %llu s.",
			      (unsigned long long)(now < c->wait_until
							   ? (c->wait_until - now) / NS_PER_S + 1
							   : 1));
	return refuse(err, -EBUSY, REFUSAL_RESTORED,
		      "The server was restored from a backup and waits for an admin of this "
		      "cluster to connect: `mlsh connect` on an admin's machine.");
}

/* Within a transaction: the end of the wait and the entry that ends it are committed together. */
int may_order(struct signal_server *s, struct cluster *c, struct err *err)
{
	struct beacon b;
	int r;

	if (c->beacons && c->log && beacons_lacking(c->beacons, c->log, &b))
		may_order_beacon(s, c, &b); /* the cluster may be this server's again */
	r = waits(s, c, err);
	if (r < 0) {
		log_limited(host_log(s->host), &s->read_lines, clock_now(s->host), LOG_LEVEL_ERROR,
			    "%s", err->text);
		return refuse(err, r, REFUSAL_INTERNAL, "The server could not read its database.");
	}
	if (is_lacking(s, c, &c->missing) || (r > 0 && !may_end(s, c)))
		return deny_order(s, c, err);
	if (r > 0)
		registry_note(s->registry, c, NOTE_WAIT_END);
	return 0;
}

/* Returns true if an admin's session shows a log that is part of the server's. */
static bool shows_ours(const struct caller *session)
{
	const struct member *m = registry_member(session->cluster, session->key_sha256);

	return m && m->role == ROLE_ADMIN && mlog_has_head(session->cluster->log, &session->shown);
}

void may_order_shown(struct caller *session, const struct wire_head *head)
{
	struct signal_server *s = session->server;
	struct cluster *c = session->cluster;
	const struct member *m = registry_member(c, session->key_sha256);
	struct err err = { 0 };
	bool ours;

	session->shown.seq = head->seq;
	memcpy(session->shown.hash, head->hash, HASH_LEN);
	ours = shows_ours(session);
	c->admin_shown |= ours;
	if (!m || m->role != ROLE_ADMIN || waits(s, c, &err) <= 0)
		return;
	if (ours)
		begin_to_end(s, c);
	else
		say(s, c,
		    " still waits: the admin %s holds records that this server lacks and could "
		    "not take",
		    m->name);
}

void may_order_grew(struct signal_server *s, struct cluster *c)
{
	struct err err = { 0 };

	if (c->wait_until != 0 || waits(s, c, &err) <= 0)
		return;
	list_for_each(it, &s->sessions) {
		const struct caller *session = list_entry(it, struct caller, in_server);

		if (session->cluster != c || !shows_ours(session))
			continue;
		c->admin_shown = true;
		begin_to_end(s, c);
		return;
	}
}

/* --- time ------------------------------------------------------------------------------------- */

static void try_to_end(struct signal_server *s, struct cluster *c)
{
	struct err err = { 0 };

	if (may_end(s, c) && waits(s, c, &err) > 0)
		registry_note(s->registry, c, NOTE_WAIT_END);
}

void may_order_tick(struct signal_server *s)
{
	struct cluster *c;

	for (size_t pos = 0; s->any_waits && (c = registry_next(s->registry, &pos));)
		try_to_end(s, c);
	if (s->any_waits && !registry_has_notes(s->registry))
		s->any_waits = db_waiting_count(s->db, NULL) != 0;
	if (registry_has_notes(s->registry) && clock_now(s->host) >= s->notes_at)
		writes_soon(s);
}
