/* SPDX-License-Identifier: MIT */
/* Removals that wait for their order. */
#include "tund/waiting.h"

int waiting_init(struct waiting *w)
{
	w->held = denials_new();
	return w->held ? 0 : -ENOMEM;
}

void waiting_fini(struct waiting *w)
{
	denials_free(w->held);
	w->held = NULL;
}

static int make_held(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct waiting *w = ctx;
	struct span entry = denials_entry(w->held, w->submit_at);

	(void)head;
	if (entry.len == 0)
		return err_set(err, -EALREADY, "the removal is ordered, or over");
	memcpy(ret->data, entry.data, entry.len);
	ret->len = entry.len;
	return 0;
}

static void submit_next(struct waiting *w);

static void on_submitted(void *ctx, const struct err *err)
{
	struct waiting *w = ctx;

	w->submitting = false;
	w->submit_at += err != NULL; /* one that was ordered has left the list */
	submit_next(w);
}

/* Any holder may have one ordered. What the server refuses is tried again with the next session. */
static void submit_next(struct waiting *w)
{
	struct err err = { 0 };

	if (w->submitting || !w->session || denials_entry(w->held, w->submit_at).len == 0)
		return;
	w->submitting = session_append(w->session, make_held, on_submitted, w, &err) == 0;
}

void waiting_session(struct waiting *w, struct session *s)
{
	if (s && !w->session)
		w->submit_at = w->submitting ? w->submit_at : 0;
	w->session = s;
	submit_next(w);
}

void waiting_forget_session(struct waiting *w)
{
	w->session = NULL;
	w->submitting = false;
}

static void held_changed(struct waiting *w)
{
	overlay_denials_changed(w->overlay);
	w->changed(w->ctx);
}

/* The bytes may lie in what the other side of a connection sent, which may end here. */
int waiting_take(struct waiting *w, struct span entry, struct err *err)
{
	struct entry_bytes copy;
	int rc;

	if (entry.len > sizeof(copy.data))
		return err_set(err, -EBADMSG, "the removal is too long");
	memcpy(copy.data, entry.data, entry.len);
	copy.len = entry.len;
	rc = denials_add(w->held, w->log, span_of(copy.data, copy.len), err);
	if (rc != 1)
		return rc;
	overlay_removal(w->overlay, span_of(copy.data, copy.len)); /* its target hears of it, too */
	held_changed(w);
	submit_next(w);
	return rc;
}

bool waiting_denies(const struct waiting *w, const struct member *m)
{
	return denials_denied(w->held, &m->id);
}

void waiting_log_grew(struct waiting *w)
{
	if (denials_update(w->held, w->log) == 0)
		return;
	w->submit_at = 0;
	held_changed(w);
}
