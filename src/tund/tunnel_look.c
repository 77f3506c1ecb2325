/* SPDX-License-Identifier: MIT */
/* What others may know of a tunnel. */
#include "base/assert.h"
#include "identity/identity.h"
#include "tund/tunnel_internal.h"

struct list *tunnel_pings(struct tunnel *t)
{
	return &t->pings;
}

bool tunnel_server_known(const struct tunnel *t)
{
	return t->server_known;
}

enum tunnel_state tunnel_state_get(const struct tunnel *t)
{
	struct session_status s;
	struct overlay_repairs repairs;

	if (t->failed)
		return TUNNEL_STOPPED;
	session_status_get(t->session, &s);
	overlay_repairs_get(t->overlay, &repairs);
	switch (s.state) {
	case SESSION_UP:
		return repairs.broken ? TUNNEL_INTERRUPTED : TUNNEL_CONNECTED;
	case SESSION_RECONNECTING:
		return TUNNEL_RECONNECTING;
	case SESSION_STOPPED:
		return TUNNEL_STOPPED;
	case SESSION_CONNECTING:
		return TUNNEL_CONNECTING;
	}
	UNREACHABLE();
}

const char *tunnel_state_name(enum tunnel_state s)
{
	static const char *const names[] = { "connecting", "connected", "reconnecting", "stopped",
					     "interrupted" };

	return names[s];
}

const struct cluster_file *tunnel_cluster(const struct tunnel *t)
{
	return &t->parts.cluster;
}

struct mlog *tunnel_log(const struct tunnel *t)
{
	return t->parts.log;
}

struct overlay *tunnel_overlay(const struct tunnel *t)
{
	return t->overlay;
}

struct session *tunnel_session(const struct tunnel *t)
{
	return t->session;
}

const struct member *tunnel_self(const struct tunnel *t)
{
	return t->self;
}

const struct denials *tunnel_denials(const struct tunnel *t)
{
	return t->waiting.held;
}

bool tunnel_has_key(const struct tunnel *t, const struct identity *id)
{
	return memcmp(identity_key_sha256(t->parts.identity), identity_key_sha256(id), HASH_LEN) ==
	       0;
}

bool tunnel_left(const struct tunnel *t)
{
	return t->left;
}

const struct invite_list *tunnel_invites(const struct tunnel *t)
{
	return open_invites_list(t->invites);
}

uint64_t tunnel_started(const struct tunnel *t)
{
	return t->started;
}

const char *tunnel_warning(const struct tunnel *t)
{
	const char *line = overlay_conflict(t->overlay, 0);

	return line ? line : "";
}

const struct let_back *tunnel_let_back(const struct tunnel *t)
{
	return &t->let_back;
}

const char *tunnel_fork(const struct tunnel *t, enum proof_kind kind)
{
	return t->fork[kind];
}

const char *tunnel_waiting(const struct tunnel *t)
{
	return t->waiting.session ? t->waiting.why : "there is no session with the signal server";
}

const char *tunnel_failure(const struct tunnel *t)
{
	return t->failure;
}

struct zone_status tunnel_zone(const struct tunnel *t)
{
	return zone_status_get(&t->zone);
}

void tunnel_fresh(const struct tunnel *t, struct fresh_status *ret)
{
	fresh_status_get(&t->fresh, ret);
}

void tunnel_dated(const struct tunnel *t, struct dated_status *ret)
{
	dated_status_get(&t->dated, ret);
}
