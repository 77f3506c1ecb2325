/* SPDX-License-Identifier: MIT */
/*
 * Open invites: those that were used or have run out are struck off. One node is promoted at a
 * time, while there is a server to put the entry in order; its note stays until that has happened.
 */
#include "tund/open_invites.h"

#include <stdlib.h>

#include "client/govern.h"

#define AGAIN (60 * NS_PER_S) /* after a promotion that failed */
#define LOOK_MAX_S 3600	      /* the wall clock may be set meanwhile */
#define LATE_S 600	      /* a server's clock may be so much behind ours */

struct open_invites {
	struct host *h;
	struct open_invites_config cfg;
	struct session *session;
	struct timer *timer;
	struct invite_list list;
	uint8_t promoting[NONCE_LEN];
	bool running;
	struct log_limit failures; /* lines about promotions that failed */
};

static void changed(struct open_invites *v)
{
	if (v->cfg.changed)
		v->cfg.changed(v->cfg.ctx);
}

/* --- who used one ----------------------------------------------------------------------------- */

static const struct member *member_of(const struct open_invites *v, const struct node_id *id)
{
	return roster_by_id(mlog_roster(v->cfg.log), id, ROSTER_CURRENT);
}

/* The node that is to be made an admin; NULL without one, or if there is no need any more. */
static const struct member *to_promote(const struct open_invites *v, const struct invite_note *n)
{
	const struct member *m = n->promote ? mlog_invite_redeemer(v->cfg.log, n->nonce) : NULL;
	const struct member *self = member_of(v, &v->cfg.cluster->node_id);

	if (!m || !member_is_current(m) || !self || self->role != ROLE_ADMIN)
		return NULL;
	/* It was one, and somebody decided otherwise. */
	return m->role == ROLE_NODE && m->role_seq == m->joined_seq ? m : NULL;
}

static void tell_used(const struct open_invites *v, const struct invite_note *n)
{
	const char *cluster = v->cfg.cluster->cluster;
	const struct member *m = mlog_invite_redeemer(v->cfg.log, n->nonce);

	if (m && m->invited_role == ROLE_ADMIN && !n->promote)
		log_info(host_log(v->h),
			 "%s: %s joined with your invite for an admin; `mlsh promote %s.%s` makes "
			 "it one",
			 cluster, m->name, m->name, cluster);
	else if (m)
		log_info(host_log(v->h), "%s: %s joined with your invite", cluster, m->name);
}

/* Strikes off those that were used or cancelled, except those of nodes that are to be promoted. */
static bool clear_used(struct open_invites *v)
{
	bool any = false;

	for (size_t i = 0; i < v->list.n;) {
		struct invite_note n = v->list.item[i];

		if (!mlog_invite_used(v->cfg.log, n.nonce) || to_promote(v, &n)) {
			i++;
			continue;
		}
		tell_used(v, &n);
		invites_remove(&v->list, n.nonce);
		any = true;
	}
	return any;
}

void open_invites_log_grew(struct open_invites *v)
{
	if (clear_used(v))
		changed(v);
	timer_set_in(v->timer, 0);
}

/* --- promoting -------------------------------------------------------------------------------- */

static int make_promote(void *ctx, const struct head *head, struct entry_bytes *ret,
			struct err *err)
{
	struct open_invites *v = ctx;
	struct govern author = { .log = v->cfg.log,
				 .identity = v->cfg.identity,
				 .now_s = (uint64_t)MAX(clock_wall_s(v->h), 0) };
	struct invite_note n = { .promote = true };
	const struct member *m;

	(void)head; /* of that log */
	memcpy(n.nonce, v->promoting, NONCE_LEN);
	m = to_promote(v, &n); /* a plain node, so that there is something to be made */
	if (!m)
		return err_set(err, -EALREADY, "no node waits to be promoted any more");
	return govern_promote(&author, m, ret, err);
}

static void on_promote_done(void *ctx, const struct err *err)
{
	struct open_invites *v = ctx;

	v->running = false;
	if (err && err->code != -EALREADY)
		log_limited(host_log(v->h), &v->failures, clock_now(v->h), LOG_LEVEL_WARN,
			    "%s: a node that joined is not an admin yet: %s",
			    v->cfg.cluster->cluster, err->text);
	else if (clear_used(v))
		changed(v);
	timer_set_in(v->timer, err ? AGAIN : 0);
}

static const struct invite_note *next_to_promote(const struct open_invites *v)
{
	for (size_t i = 0; i < v->list.n; i++)
		if (to_promote(v, &v->list.item[i]))
			return &v->list.item[i];
	return NULL;
}

static void on_timer(void *ctx)
{
	struct open_invites *v = ctx;
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(v->h), 0);
	const struct invite_note *n = next_to_promote(v);
	struct err err = { 0 };

	if (v->running)
		return;
	if (!n) {
		if (invites_drop_expired(&v->list, now_s < LATE_S ? 0 : now_s - LATE_S))
			changed(v);
		if (v->list.n)
			timer_set_in(v->timer, LOOK_MAX_S * NS_PER_S);
		return;
	}
	memcpy(v->promoting, n->nonce, NONCE_LEN);
	v->running = v->session &&
		     session_append(v->session, make_promote, on_promote_done, v, &err) == 0;
	if (!v->running)
		timer_set_in(v->timer, AGAIN);
}

/* --- the list --------------------------------------------------------------------------------- */

int open_invites_add(struct open_invites *v, const struct invite_note *n)
{
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(v->h), 0);
	int rc = 0;

	if (!mlog_invite_used(v->cfg.log, n->nonce) || to_promote(v, n))
		rc = invites_add(&v->list, n);
	if (rc == -ENOSPC && invites_drop_expired(&v->list, now_s))
		rc = invites_add(&v->list, n);
	if (rc < 0)
		return rc;
	changed(v);
	timer_set_in(v->timer, 0);
	return 0;
}

void open_invites_session(struct open_invites *v, struct session *s)
{
	v->session = s;
	if (s)
		timer_set_in(v->timer, 0);
}

const struct invite_list *open_invites_list(const struct open_invites *v)
{
	return &v->list;
}

int open_invites_new(struct host *h, const struct open_invites_config *cfg,
		     struct open_invites **ret)
{
	struct open_invites *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->h = h;
	v->failures = (struct log_limit){ .burst = 3, .period_ns = 600 * NS_PER_S };
	v->cfg = *cfg;
	if (cfg->list)
		v->list = *cfg->list;
	v->timer = timer_new(h, on_timer, v);
	if (!v->timer) {
		free(v);
		return -ENOMEM;
	}
	*ret = v;
	return 0;
}

void open_invites_free(struct open_invites *v)
{
	if (!v)
		return;
	timer_free(v->timer);
	free(v);
}
