/* SPDX-License-Identifier: AGPL-3.0-only */
/* Greeting, and the session of a member. */
#include "proto/candidates.h"
#include "signal/may_order.h"
#include "signal/places.h"

int answer_hello(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err)
{
	static const uint8_t none[HASH_LEN];
	struct signal_server *s = c->server;
	struct mlog *log;
	int r;

	reply->time_s = (uint64_t)clock_wall_s(s->host);
	reply->features = SIGNAL_FEATURES;
	reply->observed = c->remote;
	if (memcmp(rq->cluster_id, none, sizeof(none)) == 0) {
		c->phase = CALLER_SETUP;
		return 0;
	}
	c->cluster = registry_find(s->registry, rq->cluster_id);
	if (!c->cluster)
		return refuse(err, -ENOENT, REFUSAL_CLUSTER_UNKNOWN,
			      "This server does not know the cluster.");
	r = registry_log(s->registry, c->cluster, &log, err);
	if (r < 0)
		return r;
	caller_identify(c, log);
	reply->has_head = true;
	reply->head = mlog_wire_head(log);
	c->phase = CALLER_GREETED;
	return 0;
}

/* The caller is online with these candidates. Closes an older session of the same node. */
static int session_present(struct caller *c, const struct wire_candidates *in, struct err *err)
{
	struct wire_candidates candidates = { .n = 0 };
	void *old = NULL;

	candidates_filter(in, NULL, c->cluster->subnet, &candidates);
	if (presence_set(c->cluster->presence, &c->node, c->session_id, c, &candidates, &old) < 0)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
	if (old)
		caller_close(old, SIGNAL_CLOSE_REPLACED, "a newer session of this node");
	events_presence_changed(c->server, c->cluster);
	return 0;
}

int answer_session(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		   struct err *err)
{
	struct signal_server *s = c->server;
	const struct member *member;
	struct mlog *log;
	int r = registry_log(s->registry, c->cluster, &log, err);

	if (r < 0)
		return r;
	if (!caller_token_ok(c, rq->node_token))
		return refuse(err, -EACCES, REFUSAL_BAD_TOKEN, "The node token is not valid here.");
	member = registry_member(c->cluster, c->key_sha256);
	if (!member) {
		c->phase = CALLER_FORMER;
		return members_refuse(c, log, err);
	}
	if (registry_standing(s->registry, c->cluster) == STANDING_AWAY) {
		c->phase = CALLER_FORMER;
		return registry_deny_foreign(s->registry, c->cluster, err);
	}
	if (echo_derive(c) < 0)
		return refuse(err, -ENOTCONN, REFUSAL_INTERNAL, "The keys could not be derived.");
	may_order_shown(c, &rq->head);
	c->session_id = ++s->last_session_id;
	r = session_present(c, &rq->candidates, err);
	if (r < 0)
		return r;
	ratelimit_give_back(s->sources, &c->remote, c->charged);
	ratelimit_give_back_node(s->members, &c->key_node, c->charged_node);
	c->charged = c->charged_node = 0;
	quic_conn_drop_tls(c->quic); /* nothing else is exported */
	caller_is_session(c);
	relay_begin(s->relay, c);
	reply->head = mlog_wire_head(log);
	caller_token(c, reply->node_token);
	log_debug(host_log(s->host), "session %llu: %s of cluster %s",
		  (unsigned long long)c->session_id, member->name, mlog_genesis(log)->name);
	return 0;
}

int answer_candidates(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		      struct err *err)
{
	(void)reply;
	return session_present(c, &rq->candidates, err);
}

int answer_subscribe(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		     struct err *err)
{
	struct presence *p = c->cluster->presence;
	bool resumed = memcmp(rq->epoch, presence_epoch(p), EPOCH_LEN) == 0 &&
		       rq->cursor <= presence_cursor(p);

	if (c->events != NO_STREAM)
		return refuse(err, -EALREADY, REFUSAL_NOT_ALLOWED, "There is a stream of events.");
	if (quic_stream_open(c->quic, false, &c->events) < 0)
		return refuse(err, -EAGAIN, REFUSAL_NOT_ALLOWED,
			      "The connection allows no stream for events.");
	list_append(&c->cluster->subscribers, &c->in_cluster);
	c->told = resumed ? rq->cursor : 0;
	events_catch_up(c, !resumed);
	removals_tell(c);
	beacons_tell(c);
	relay_tell_all(c);
	memcpy(reply->epoch, presence_epoch(p), EPOCH_LEN);
	return 0;
}

int answer_relay_open(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		      struct err *err)
{
	const struct presence_item *item;
	struct node_id id;

	memcpy(id.bytes, rq->node_id, NODE_ID_LEN);
	if (node_id_equal(&id, &c->node))
		return refuse(err, -EINVAL, REFUSAL_NOT_ALLOWED,
			      "A node needs no relay to itself.");
	item = presence_get(c->cluster->presence, &id);
	if (!item || !presence_online(item))
		return refuse(err, -ENOTCONN, REFUSAL_NOT_MEMBER,
			      "That node has no session with this server now.");
	return relay_open(c->server->relay, c, item->session, &reply->relay, err);
}

int answer_echo(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err)
{
	(void)rq;
	(void)err;
	reply->echo_port = echo_begin(c->server->echo, c);
	return 0;
}
