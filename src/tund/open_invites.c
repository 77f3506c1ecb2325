/* SPDX-License-Identifier: MIT */
/* Open invites: one is cancelled at a time, while there is a server to put the entry in order. */
#include "tund/open_invites.h"

#include <stdlib.h>

#define AGAIN (60 * NS_PER_S) /* after a cancel that failed */
#define LOOK_MAX_S 3600	      /* the wall clock may be set meanwhile */

struct open_invites {
	struct host *h;
	struct open_invites_config cfg;
	struct session *session;
	struct timer *timer;
	struct invite_list list;
	uint8_t cancelling[NONCE_LEN];
	bool running;
};

static void changed(struct open_invites *v)
{
	if (v->cfg.changed)
		v->cfg.changed(v->cfg.ctx);
}

void open_invites_log_grew(struct open_invites *v)
{
	bool any = false;

	for (size_t i = 0; i < v->list.n;) {
		uint8_t nonce[NONCE_LEN];

		memcpy(nonce, v->list.item[i].nonce, NONCE_LEN);
		if (!mlog_invite_used(v->cfg.log, nonce)) {
			i++;
			continue;
		}
		const struct member *m = mlog_invite_redeemer(v->cfg.log, nonce);
		if (m)
			log_info(host_log(v->h), "%s: %s joined with your invite",
				 v->cfg.cluster->cluster, m->name);
		invites_remove(&v->list, nonce);
		any = true;
	}
	if (any)
		changed(v);
}

static int make_cancel(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct open_invites *v = ctx;
	struct signer self = { .identity = v->cfg.identity };
	struct entry e = { .type = ENTRY_CANCEL,
			   .time_s = (uint64_t)MAX(clock_wall_s(v->h), 0),
			   .author = v->cfg.cluster->node_id,
			   .base = *head,
			   .cancel.what = CANCEL_INVITE };

	if (mlog_invite_used(v->cfg.log, v->cancelling))
		return err_set(err, -EALREADY, "the invite was used or cancelled meanwhile");
	memcpy(e.cancel.nonce, v->cancelling, NONCE_LEN);
	return entry_make(&e, v->cfg.cluster->cluster_id, &self, NULL, ret, err);
}

static void on_cancel_done(void *ctx, const struct err *err)
{
	struct open_invites *v = ctx;

	v->running = false;
	if (err && err->code != -EALREADY)
		log_debug(host_log(v->h), "invite not cancelled yet: %s", err->text);
	else
		invites_remove(&v->list, v->cancelling);
	changed(v);
	timer_set_in(v->timer, err ? AGAIN : 0);
}

/* Cancels the next invite that has run out. */
static void on_timer(void *ctx)
{
	struct open_invites *v = ctx;
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(v->h), 0);
	const struct invite_note *n = invites_expired(&v->list, now_s);
	struct err err = { 0 };

	if (v->running)
		return;
	if (!n) {
		uint64_t wait_s = MIN(invites_next_s(&v->list, now_s), LOOK_MAX_S);

		if (v->list.n)
			timer_set_in(v->timer, MAX(wait_s, 1) * NS_PER_S);
		return;
	}
	memcpy(v->cancelling, n->nonce, NONCE_LEN);
	v->running = v->session &&
		     session_append(v->session, make_cancel, on_cancel_done, v, &err) == 0;
	if (!v->running)
		timer_set_in(v->timer, AGAIN);
}

int open_invites_add(struct open_invites *v, const struct invite_note *n)
{
	int rc = mlog_invite_used(v->cfg.log, n->nonce) ? 0 : invites_add(&v->list, n);

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
