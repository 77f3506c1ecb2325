/* SPDX-License-Identifier: MIT */
/* A tunnel's fields, for the files that it is made of. */
#ifndef MLSH_TUND_TUNNEL_INTERNAL_H
#define MLSH_TUND_TUNNEL_INTERNAL_H

#include "base/list.h"
#include "tund/fresh.h"
#include "tund/let_back.h"
#include "tund/open_invites.h"
#include "tund/tunnel.h"
#include "tund/waiting.h"

struct tunnel {
	struct host *host;
	struct tunnel_parts parts;
	const struct member *self;
	struct overlay *overlay;
	struct session *session;
	struct timer *ask_again;
	struct zone zone;
	struct open_invites *invites;
	struct roster_cursor roster; /* what this file has seen of it */
	struct waiting waiting;	     /* removals without order */
	struct fresh fresh;	     /* beacons */
	bool failed, session_up, server_known;
	bool left; /* this node is not a member any more */
	struct list pings, submits;
	uint64_t started;
	struct log_limit fork_limit;
	char fork[800], failure[480];
	struct let_back let_back;
	const struct tunnel_ops *ops;
	void *ctx;
};

#endif
