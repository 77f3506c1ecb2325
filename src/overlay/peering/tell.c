/* SPDX-License-Identifier: MIT */
/* Changes of a peer's tunnel that others want to know of: the owner of the overlay, and the log. */
#include "overlay/peering/peering.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/reach/reach.h"

#define LINES_BURST 6 /* of one peer; then one each ten seconds */
#define LINES_PERIOD (10 * NS_PER_S)

const char *peer_state_name(enum peer_state s)
{
	static const char *const names[] = { "idle", "connecting", "connected", "reconnecting" };

	return names[s];
}

void peer_tell_init(struct peer *p)
{
	p->told_path = PEER_PATH_NONE;
	p->told_limit = (struct log_limit){ .period_ns = LINES_PERIOD, .burst = LINES_BURST };
}

static void log_change(struct peer *p, enum peer_path path, const struct addr *at)
{
	const char *cluster = mlog_genesis(p->g->log)->name, *name = p->member->name;
	const struct log *log = host_log(p->g->h);
	uint64_t now = clock_now(p->g->h);
	char text[ADDR_TEXT_MAX];

	if (path == PEER_PATH_DIRECT)
		log_limited(log, &p->told_limit, now, LOG_LEVEL_INFO,
			    "%s: %s: the tunnel is direct now, to %s", cluster, name,
			    addr_format(at, text));
	else if (path == PEER_PATH_RELAY)
		log_limited(log, &p->told_limit, now, LOG_LEVEL_INFO,
			    "%s: %s: the tunnel goes over the relay now", cluster, name);
	else
		log_limited(log, &p->told_limit, now, LOG_LEVEL_INFO,
			    "%s: %s: the tunnel is gone: %s", cluster, name,
			    p->detail[0] ? p->detail : "no answer");
}

void peer_tell_log(struct peer *p)
{
	struct addr at = { 0 };
	enum peer_path path = PEER_PATH_NONE;

	if (peer_is_up(p) && p->active && p->active->conn && !reach_is_dead(p->reach))
		path = path_of(p->active, &at);
	if (path != p->told_path)
		log_change(p, path, &at);
	p->told_path = path;
}

void peer_tell(struct peer *p)
{
	if (p->g->closing)
		return;
	peer_tell_log(p);
	p->g->ops->peer_changed(p->g->ctx, p->member);
}
