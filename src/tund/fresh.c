/* SPDX-License-Identifier: MIT */
/* Beacons: this node's own, and what those of others say of its log. */
#include "tund/fresh.h"

#include "identity/identity.h"

#include <inttypes.h>

#define SIGN_EVERY (3600 * NS_PER_S)
#define SIGN_SOON NS_PER_S	  /* after the log changed, and up to twice as much more */
#define SIGN_GAP (60 * NS_PER_S)  /* between two, at least */
#define SHOW_AFTER (5 * NS_PER_S) /* a new session's server has shown what it holds by then */
#define LOOK_GAP (10 * NS_PER_S)
#define UNSEEN_AFTER (60 * NS_PER_S)

/* By our clock, or the log's if that is later: a clock that was never set is no measure. */
static uint64_t now_s(const struct fresh *f)
{
	return MAX((uint64_t)MAX(clock_wall_s(f->host), 0), mlog_last_time_s(f->log));
}

static const struct member *member_of(const struct fresh *f, const struct node_id *id)
{
	return roster_by_id(mlog_roster(f->log), id, ROSTER_CURRENT);
}

/* --- what is lacking -------------------------------------------------------------------------- */

static void say_unseen(struct fresh *f, const struct beacon *b)
{
	const struct member *m = member_of(f, &b->author);

	f->unseen = true;
	log_limited(host_log(f->host), &f->limit, clock_now(f->host), LOG_LEVEL_WARN,
		    "%s: %s has record %" PRIu64 " of the membership log, and neither the signal "
		    "server nor a peer shows it to this node",
		    mlog_genesis(f->log)->name, m ? m->name : "an admin", b->order.seq);
	f->changed(f->ctx);
}

static void look(struct fresh *f)
{
	uint64_t now = clock_now(f->host);
	struct beacon b;

	if (!beacons_lacking(f->held, f->log, &b)) {
		bool was = f->unseen;

		f->unseen = false;
		f->lacking_since = 0;
		timer_set(f->look, TIME_NEVER);
		if (was)
			f->changed(f->ctx);
		return;
	}
	if (f->lacking_since == 0)
		f->lacking_since = now;
	if (!f->unseen && now - f->lacking_since >= UNSEEN_AFTER)
		say_unseen(f, &b);
	if (f->overlay)
		(void)overlay_ask_log(f->overlay);
	timer_set_in(f->look, f->unseen ? UNSEEN_AFTER : LOOK_GAP);
}

static void on_look(void *ctx)
{
	look(ctx);
}

/* --- the server ------------------------------------------------------------------------------- */

/* What the server may lack: the newest, unless it has shown that, or a newer one. */
static void on_show(void *ctx)
{
	struct fresh *f = ctx;
	struct span bytes;
	uint64_t serial = 0;
	struct beacon newest, b;

	if (!f->session || !beacons_newest(f->held, &newest) || newest.time_s <= f->server_shown_s)
		return;
	while ((bytes = beacons_next(f->held, &serial)).len > 0)
		if (beacon_decode(bytes, &b, NULL) == 0 &&
		    node_id_equal(&b.author, &newest.author) &&
		    session_beacon(f->session, bytes) == 0)
			f->server_shown_s = newest.time_s;
}

void fresh_session(struct fresh *f, struct session *s)
{
	if (s && !f->session) {
		f->server_shown_s = 0;
		timer_set_in(f->show, SHOW_AFTER);
	}
	f->session = s;
}

/* --- taking and making ------------------------------------------------------------------------ */

static int take(struct fresh *f, struct span bytes, struct err *err)
{
	int rc = beacons_add(f->held, f->log, bytes, now_s(f), err);

	if (rc <= 0)
		return rc;
	if (f->overlay)
		overlay_beacon(f->overlay);
	if (!f->unseen)
		look(f);
	f->changed(f->ctx);
	return rc;
}

void fresh_shown(struct fresh *f, const struct member *from, struct span bytes)
{
	struct beacon b;

	if (take(f, bytes, NULL) >= 0 && !from && beacon_decode(bytes, &b, NULL) == 0)
		f->server_shown_s = MAX(f->server_shown_s, b.time_s);
}

/* A node whose clock is far behind the log has no date to give. */
static void sign(struct fresh *f, const struct member *self)
{
	uint64_t wall_s = (uint64_t)MAX(clock_wall_s(f->host), 0);
	struct beacon_bytes b;

	if (wall_s + BEACON_AHEAD_MAX_S < mlog_last_time_s(f->log) ||
	    beacon_make(f->log, &self->id, identity_signer(f->identity), wall_s, &b) < 0)
		return;
	f->signed_at = clock_now(f->host);
	if (take(f, span_of(b.data, b.len), NULL) == 1)
		on_show(f);
}

static const struct member *admin_self(const struct fresh *f)
{
	const struct member *m = member_of(f, &f->self);

	return m && m->role == ROLE_ADMIN && memcmp(m->key, identity_key(f->identity), KEY_LEN) == 0
		       ? m
		       : NULL;
}

static void on_sign(void *ctx)
{
	struct fresh *f = ctx;
	const struct member *self = admin_self(f);

	if (!self)
		return;
	sign(f, self);
	timer_set_in(f->sign, SIGN_EVERY - random_below(f->host, SIGN_EVERY / 8));
}

/* Not all admins at once. */
static void sign_soon(struct fresh *f)
{
	uint64_t at = clock_now(f->host) + SIGN_SOON + random_below(f->host, 2 * SIGN_SOON);

	if (f->signed_at)
		at = MAX(at, f->signed_at + SIGN_GAP);
	if (admin_self(f))
		timer_set(f->sign, at);
}

void fresh_log_grew(struct fresh *f)
{
	beacons_update(f->held, f->log);
	look(f);
	sign_soon(f);
}

/* --- making and ending ------------------------------------------------------------------------ */

int fresh_init(struct fresh *f)
{
	f->limit = (struct log_limit){ .burst = 3, .period_ns = SIGN_EVERY };
	f->held = beacons_new();
	f->sign = timer_new(f->host, on_sign, f);
	f->look = timer_new(f->host, on_look, f);
	f->show = timer_new(f->host, on_show, f);
	if (f->held && f->sign && f->look && f->show)
		return 0;
	fresh_fini(f);
	return -ENOMEM;
}

void fresh_fini(struct fresh *f)
{
	timer_free(f->sign);
	timer_free(f->look);
	timer_free(f->show);
	beacons_free(f->held);
	f->sign = f->look = f->show = NULL;
	f->held = NULL;
}

void fresh_begin(struct fresh *f, struct overlay *o)
{
	f->overlay = o;
	sign_soon(f);
}

void fresh_status_get(const struct fresh *f, struct fresh_status *ret)
{
	struct beacon b;

	*ret = (struct fresh_status){ .by = NULL };
	if (!beacons_newest(f->held, &b))
		return;
	ret->by = member_of(f, &b.author);
	ret->time_s = b.time_s;
	if (!f->unseen || !beacons_lacking(f->held, f->log, &b))
		return;
	ret->unseen_by = member_of(f, &b.author);
	ret->unseen_seq = b.order.seq;
	ret->unseen_since = f->lacking_since;
}
