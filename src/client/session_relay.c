/* SPDX-License-Identifier: MIT */
/*
 * Relay channels to members (docs/protocol/06-paths.md, "Relay"): asked for a few at a time, and
 * what the server says about them. The owner has the keys. Only the ids are kept here, so that the
 * end of a channel is not taken for the end of its successor.
 */
#include <stdlib.h>

#include "client/refuse.h"
#include "client/session_internal.h"

#define PAUSE_AFTER_RATE NS_PER_S
#define REBIND_FIRST (30 * NS_PER_S) /* between attempts that fail; doubled each time */
#define REBIND_MAX (600 * NS_PER_S)

/* --- channels that are known ------------------------------------------------------------------ */

static struct session_channel *channel_get(const struct session *s, const struct node_id *id)
{
	return map_get(s->relays, id->bytes);
}

/* Returns NULL if there are too many, or if memory is gone. */
static struct session_channel *channel_add(struct session *s, const struct node_id *id)
{
	struct session_channel *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->session = s;
	r->id = *id;
	if (map_put(s->relays, id->bytes, r) < 0) {
		free(r);
		return NULL;
	}
	return r;
}

static void channel_free(struct session_channel *r)
{
	struct session *s = r->session;

	if (r->asked)
		s->n_relays_asked--;
	list_remove(&r->link);
	map_remove(s->relays, r->id.bytes);
	free(r);
}

static void forget_all(struct session *s)
{
	void *r;

	for (size_t pos = 0; map_next(s->relays, &pos, &r);)
		channel_free(r);
}

static void tell(struct session *s, const struct member *m, const struct relay_end *end,
		 const struct err *why)
{
	if (s->ops->relay)
		s->ops->relay(s->ctx, m, end, why);
}

/* The channel to this member is there (again). */
static void channel_opened(struct session_channel *r, const struct relay_end *end)
{
	struct session *s = r->session;
	const struct member *m = roster_by_id(mlog_roster(s->log), &r->id, ROSTER_CURRENT);

	memcpy(r->channel, end->channel, RELAY_CHANNEL_LEN);
	r->open = true;
	if (m)
		tell(s, m, end, NULL);
}

/* The member has no channel any more. Nothing of `r` may be touched afterwards. */
static void channel_gone(struct session_channel *r, const struct err *why)
{
	struct session *s = r->session;
	const struct member *m = roster_by_id(mlog_roster(s->log), &r->id, ROSTER_CURRENT);

	channel_free(r);
	if (m)
		tell(s, m, NULL, why);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void want(struct session_channel *r)
{
	struct session *s = r->session;

	if (r->asked || !list_empty(&r->link))
		return;
	list_append(&s->relays_wanted, &r->link);
	deferred_call(s->relays_ask);
}

static void on_reply(void *ctx, const struct signal_reply *reply)
{
	struct session_channel *r = ctx;
	struct session *s = r->session;
	struct err why = { 0 };

	r->asked = false;
	s->n_relays_asked--;
	deferred_call(s->relays_ask); /* the next one's turn */
	if (!roster_by_id(mlog_roster(s->log), &r->id, ROSTER_CURRENT)) {
		channel_free(r); /* the member left meanwhile */
		return;
	}
	if (reply->refusal == REFUSAL_RATE) {
		s->relays_pause_until = clock_now(s->host) + PAUSE_AFTER_RATE;
		want(r);
	} else if (reply->refusal == REFUSAL_NOT_MEMBER) {
		(void)refuse(&why, 0, REFUSAL_NOT_MEMBER, "it has no session with the server now");
		channel_gone(r, &why);
	} else if (reply->refusal != REFUSAL_NONE) {
		rpc_refusal(s->rpc, reply, &why);
		channel_gone(r, &why);
	} else if (r->told &&
		   (!r->open || memcmp(r->channel, reply->relay.channel, RELAY_CHANNEL_LEN) != 0)) {
		/* An event overtook the reply, or the reply the event: ask which one is newer. */
		want(r);
	} else {
		channel_opened(r, &reply->relay);
	}
}

static bool in_session(const struct session *s)
{
	return session_is_linked(s) && s->phase == PHASE_UP;
}

/* Returns false if the connection was given up, or takes no more requests for now. */
static bool ask(struct session_channel *r)
{
	struct signal_request m = { .type = SIGNAL_RELAY_OPEN };
	struct session *s = r->session;
	struct err err = { 0 };
	int code;

	memcpy(m.node_id, r->id.bytes, NODE_ID_LEN);
	code = rpc_request(s->rpc, &m, on_reply, r);
	if (code == -EAGAIN)
		return false; /* with the next tick */
	if (code < 0) {
		err_set(&err, code, "cannot send to the signal server %s: %s",
			s->cluster.signal_host, strerror(-code));
		session_lost(s, &err);
		return false;
	}
	list_remove(&r->link);
	r->asked = true;
	r->told = false;
	s->n_relays_asked++;
	return true;
}

void relays_pump(struct session *s)
{
	while (in_session(s) && !list_empty(&s->relays_wanted) &&
	       s->n_relays_asked < SESSION_RELAYS_ASKED_MAX &&
	       clock_now(s->host) >= s->relays_pause_until) {
		if (!ask(list_entry(s->relays_wanted.next, struct session_channel, link)))
			return;
	}
}

/*
 * The relay knows a node by the address of its session, which is another one than the node's while
 * the session has a socket of its own. Now and then it tries to come back.
 */
static void try_rebind(struct session *s)
{
	uint64_t now = clock_now(s->host);

	if (s->rebind || now < s->next_rebind)
		return;
	s->rebind_gap = MIN(MAX(2 * s->rebind_gap, REBIND_FIRST), REBIND_MAX);
	s->next_rebind = now + s->rebind_gap;
	s->rebind = true;
	deferred_call(s->decide);
}

int session_relay_open(struct session *s, const struct member *member)
{
	struct session_channel *r;

	if (!in_session(s) || !member_is_current(member))
		return -ENOTCONN;
	if (s->spare) {
		try_rebind(s);
		return -ENOTCONN;
	}
	r = channel_get(s, &member->id);
	if (!r)
		r = channel_add(s, &member->id);
	if (!r)
		return -ENOBUFS;
	want(r);
	return 0;
}

/* --- what the server tells -------------------------------------------------------------------- */

void relays_event(struct session *s, const struct signal_event *ev)
{
	struct session_channel *r;
	struct node_id id;

	memcpy(id.bytes, ev->node_id, NODE_ID_LEN);
	if (s->spare || !roster_by_id(mlog_roster(s->log), &id, ROSTER_CURRENT))
		return; /* a channel that is needed is asked for */
	r = channel_get(s, &id);
	if (!r)
		r = channel_add(s, &id);
	if (!r)
		return;
	r->told = true;
	channel_opened(r, &ev->relay);
}

void relays_closed_event(struct session *s, const struct signal_event *ev)
{
	struct session_channel *r;
	struct node_id id;
	struct err why = { 0 };

	memcpy(id.bytes, ev->node_id, NODE_ID_LEN);
	r = channel_get(s, &id);
	if (!r)
		return;
	r->told = true;
	if (!r->open || memcmp(r->channel, ev->relay.channel, RELAY_CHANNEL_LEN) != 0)
		return; /* of an earlier one */
	r->open = false;
	if (r->asked || !list_empty(&r->link))
		return; /* the answer to that is what counts */
	err_set(&why, -ENOTCONN, "the other side's session at the signal server has ended");
	channel_gone(r, &why);
}

void relays_member_left(struct session *s, const struct node_id *id)
{
	struct session_channel *r = channel_get(s, id);

	if (r && !r->asked) /* or the answer has to find it */
		channel_free(r);
}

void relays_lost(struct session *s, const struct err *err)
{
	bool any = map_count(s->relays) > 0;

	forget_all(s);
	s->relays_pause_until = 0;
	if (any)
		tell(s, NULL, NULL, err);
}

static void on_ask(void *ctx)
{
	relays_pump(ctx);
}

/* --- the whole -------------------------------------------------------------------------------- */

int relays_init(struct session *s)
{
	uint8_t seed[16];

	list_init(&s->relays_wanted);
	random_fill(s->host, seed, sizeof(seed));
	s->relays = map_new(seed, NODE_ID_LEN, SESSION_RELAYS_MAX);
	s->relays_ask = deferred_new(s->host, on_ask, s);
	return s->relays && s->relays_ask ? 0 : -ENOMEM;
}

void relays_fini(struct session *s)
{
	if (s->relays)
		forget_all(s);
	map_free(s->relays);
	deferred_free(s->relays_ask);
}
