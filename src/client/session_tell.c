/* SPDX-License-Identifier: MIT */
/* What the owner is told of the session: its state, the reason of trouble, its end. */
#include <stdio.h>
#include <string.h>

#include "client/session_internal.h"

static void on_notify(void *ctx)
{
	struct session *s = ctx;
	bool stopped = s->notify_stopped;

	if (s->notify_state) {
		s->notify_state = false;
		if (stopped) /* only after the other call, in which s may be freed */
			deferred_call(s->notify);
		s->ops->state(s->ctx);
		return;
	}
	s->notify_stopped = false;
	if (stopped)
		s->ops->stopped(s->ctx, &s->end_err);
}

int tell_init(struct session *s)
{
	s->notify = deferred_new(s->host, on_notify, s);
	return s->notify ? 0 : -ENOMEM;
}

static void tell_state(struct session *s)
{
	s->notify_state = true;
	deferred_call(s->notify);
}

static enum session_state state_of(const struct session *s)
{
	switch (s->phase) {
	case PHASE_UP:
		return SESSION_UP;
	case PHASE_STOPPED:
		return SESSION_STOPPED;
	case PHASE_WAITING:
	case PHASE_HELD:
	case PHASE_DIALING:
	case PHASE_PUSHING:
	case PHASE_OPENING:
	case PHASE_FETCHING:
	case PHASE_PROVING:
	case PHASE_RETURNING:
	case PHASE_SUBSCRIBING:
	case N_PHASES:
		break;
	}
	return s->was_up ? SESSION_RECONNECTING : SESSION_CONNECTING;
}

void tell_phase(struct session *s, enum session_phase from, enum session_event why)
{
	enum session_state before = s->state;
	char who[LABEL_MAX + sizeof(": signal session")];

	s->was_up |= s->phase == PHASE_UP;
	s->state = state_of(s);
	snprintf(who, sizeof(who), "%s: signal session", s->cluster.cluster);
	fsm_log(&session_fsm, host_log(s->host),
		s->state == before ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, who, from, s->phase, why);
	if (s->state == before)
		return;
	s->since = clock_now(s->host);
	tell_state(s);
}

void tell_stopped(struct session *s, const struct err *err)
{
	s->end_err = *err;
	s->notify_stopped = true;
	deferred_call(s->notify);
}

void session_set_err(struct session *s, const struct err *err)
{
	if (s->last_err.code == err->code && strcmp(s->last_err.text, err->text) == 0)
		return;
	s->last_err = *err;
	if (err->code)
		log_limited(host_log(s->host), &s->log_limit, clock_now(s->host), LOG_LEVEL_WARN,
			    "%s: %s", s->cluster.cluster, err->text);
	tell_state(s);
}
