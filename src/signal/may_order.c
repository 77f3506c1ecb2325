/* SPDX-License-Identifier: AGPL-3.0-only */
/* Clusters of a restored database wait for an admin. */
#include "signal/may_order.h"

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

int may_order(struct signal_server *s, const struct cluster *c, struct err *err)
{
	int r = waits(s, c, err);

	if (r < 0) {
		log_error(host_log(s->host), "%s", err->text);
		return deny(err, r, REFUSAL_INTERNAL, "The server could not read its database.");
	}
	if (r > 0)
		return deny(err, -EBUSY, REFUSAL_RESTORED,
			    "The server was restored from a backup and waits for an admin of this "
			    "cluster to connect: `mlsh connect` on an admin's machine.");
	return 0;
}

/* A failure is tried again by the next admin's session, or the same one's. */
static void end_wait(struct signal_server *s, const struct cluster *c, const char *who)
{
	struct err err = { 0 };
	const char *name = mlog_genesis(c->log)->name;

	if (db_waiting_end(s->db, c->id, &err) < 0)
		log_warn(host_log(s->host), "cluster %s still waits: %s", name, err.text);
	else
		log_info(
			host_log(s->host),
			"cluster %s: the admin %s has shown its log; the server goes on from there",
			name, who);
}

void may_order_shown(struct signal_server *s, const struct cluster *c, const struct mlog *log,
		     const struct member *member, const struct wire_head *head)
{
	struct head shown = { .seq = head->seq };
	struct err err = { 0 };

	if (member->role != ROLE_ADMIN || waits(s, c, &err) <= 0)
		return;
	memcpy(shown.hash, head->hash, sizeof(shown.hash));
	if (mlog_has_head(log, &shown))
		end_wait(s, c, member->name);
	else
		log_warn(host_log(s->host),
			 "cluster %s still waits: the admin %s holds records that this server "
			 "lacks and could not take",
			 mlog_genesis(log)->name, member->name);
}
