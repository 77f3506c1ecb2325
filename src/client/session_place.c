/* SPDX-License-Identifier: MIT */
/*
 * Where the server is: by the log, by the cluster's file, or where it has sent this node. The last
 * is kept for the life of the session, not on disk, and given up when nothing answers there.
 */
#include "client/follow.h"
#include "client/session_internal.h"

#define MOVED_FAILURES_MAX 3 /* then the place in the cluster's file is asked again */

static struct place configured(const struct session *s)
{
	return place_of(s->cluster.signal_host, s->cluster.signal_port);
}

void place_changed(struct session *s)
{
	s->moved = (struct place){ .port = 0 };
	s->last_good = (struct addr){ 0 };
}

/* For a server that the cluster has moved to, the node has no token at first. */
void place_token(struct session *s, const uint8_t token[HASH_LEN])
{
	static const uint8_t none[HASH_LEN];

	if (secret_equal(s->cluster.node_token, none, sizeof(none)))
		memcpy(s->cluster.node_token, token, HASH_LEN);
}

void place_follow(struct session *s)
{
	if (!follow_log(&s->cluster, s->log))
		return;
	s->server_moved = true;
	deferred_call(s->decide);
}

struct place place_to_dial(const struct session *s)
{
	return s->moved.host[0] ? s->moved : configured(s);
}

static void place_set(struct session *s, const struct place *to)
{
	struct place home = configured(s);
	char text[PLACE_TEXT_MAX];

	s->moved_failures = 0;
	s->moved = place_equal(to, &home) ? (struct place){ .port = 0 } : *to;
	log_info(host_log(s->host), "%s: the signal server is looked for at %s", s->cluster.cluster,
		 place_format(to, text));
}

void place_reached(struct session *s, const struct place *at)
{
	struct place before = place_to_dial(s);

	s->moved_failures = 0;
	if (!place_equal(at, &before))
		place_set(s, at);
}

void place_lost(struct session *s, enum refusal why)
{
	struct place home = configured(s);

	if (!s->moved.host[0] || why == REFUSAL_BUSY || why == REFUSAL_RATE)
		return;
	if (++s->moved_failures < MOVED_FAILURES_MAX && why != REFUSAL_MOVED &&
	    why != REFUSAL_FINGERPRINT)
		return;
	place_set(s, &home);
	s->last_good = (struct addr){ 0 };
}
