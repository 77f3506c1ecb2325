/* SPDX-License-Identifier: MIT */
/*
 * One connected cluster: its overlay, its signal session, its DNS and the host's resolver, put
 * together. Each tunnel has a UDP socket, a TUN and an identity of its own, so that clusters can
 * not be confused with one another.
 */
#ifndef MLSH_TUND_TUNNEL_H
#define MLSH_TUND_TUNNEL_H

#include "client/log_file.h"
#include "client/session.h"
#include "overlay/overlay.h"
#include "client/invites.h"
#include "tund/let_back.h"
#include "tund/peers.h"
#include "tund/submit.h"
#include "tund/zone.h"

struct list;
struct ping;
struct ping_config;
struct dated_status;
struct fresh_status;
struct tunnel;

enum tunnel_state {
	TUNNEL_CONNECTING,
	TUNNEL_CONNECTED,
	TUNNEL_RECONNECTING,
	TUNNEL_STOPPED,
	/* The server is reached, but our interface, address or routes are missing. */
	TUNNEL_INTERRUPTED
};

/* What a tunnel is made from; tunnel_new takes the pieces over. */
struct tunnel_parts {
	struct cluster_file cluster;
	struct identity *identity;
	struct mlog *log;
	struct log_place saved; /* how much of the log the daemon's file has */
};

struct tunnel_ops {
	/* The state changed, or something worth showing. */
	void (*changed)(void *ctx, struct tunnel *t);
	/* The log grew: to be saved. */
	void (*log_grew)(void *ctx, struct tunnel *t);
	/* The removals without order that it holds changed: to be saved. May be NULL. */
	void (*denials_changed)(void *ctx, struct tunnel *t);
	/* Proof against the server, or of a code that was misused: to be kept; views. */
	void (*proof)(void *ctx, struct tunnel *t, const struct log_proof *proof);
	/* As overlay_ops has them. May be NULL. */
	bool (*senior)(void *ctx, ip4 ip, char *what);
	void (*claim)(void *ctx, ip4 ip);
	/* The list of our open invites changed: to be saved. */
	void (*invites_changed)(void *ctx, struct tunnel *t);
	/* Who a recovery let back in changed: to be saved. */
	void (*let_back_changed)(void *ctx, struct tunnel *t);
};

/* Checks that the parts belong together (identity, log, cluster file, our own membership): -EINVAL
 * with a message. */
int tunnel_parts_check(const struct tunnel_parts *p, struct err *err) MUST_CHECK;
/* Is the node a member by the log? -EACCES with a sentence about how it left. */
int tunnel_parts_member(const struct tunnel_parts *p, struct err *err) MUST_CHECK;
void tunnel_parts_free(struct tunnel_parts *p); /* wipes; zeroed allowed */

struct tunnel_options {
	const struct invite_list *invites;    /* copied; NULL if no invite is open */
	const struct let_back_list *let_back; /* copied; NULL if nobody was */
	const struct peers_file *known;	      /* of its peers from before; NULL if unknown */
	uint16_t fixed_port;		      /* of its UDP socket: this one or none. 0 for any */
	bool no_port_mapping;		      /* the gateway is not asked to map our port */
	unsigned device, spare_device;	      /* of its interface: as struct tun_config has them */
};

/* Starts everything; on success the parts are the tunnel's. */
int tunnel_new(struct host *h, struct tunnel_parts *p, const struct tunnel_options *options,
	       const struct tunnel_ops *ops, void *ctx, struct err *err, struct tunnel **ret)
	MUST_CHECK;
/* Stops everything and undoes what was done to the host. NULL allowed. */
void tunnel_free(struct tunnel *t);
/* What was proven before the tunnel was made, when the log was of this generation, unless that has
 * ended. */
void tunnel_recall_fork(struct tunnel *t, enum proof_kind kind, uint64_t generation);

enum tunnel_state tunnel_state_get(const struct tunnel *t);
const char *tunnel_state_name(enum tunnel_state s);
const struct cluster_file *tunnel_cluster(const struct tunnel *t);
struct mlog *tunnel_log(const struct tunnel *t);
struct overlay *tunnel_overlay(const struct tunnel *t);
struct session *tunnel_session(const struct tunnel *t);
const struct member *tunnel_self(const struct tunnel *t);
/*
 * Takes a removal that no server has ordered, from anybody: its targets are denied from now on.
 * Returns 1, or 0 if it is known, ordered or changes nothing; negative as denials_add.
 */
int tunnel_deny(struct tunnel *t, struct span entry, struct err *err) MUST_CHECK;
const struct denials *tunnel_denials(const struct tunnel *t);
/* By the log this node is not a member any more: tunnel_failure says how. */
bool tunnel_left(const struct tunnel *t);
/* Does it run with this key, and not an earlier or a later one? */
bool tunnel_has_key(const struct tunnel *t, const struct identity *id);
const struct invite_list *tunnel_invites(const struct tunnel *t);
uint64_t tunnel_started(const struct tunnel *t);
/* One line each, or "". */
const char *tunnel_warning(const struct tunnel *t); /* what the host's network forbids now */
/* What of the kind is proven and was not ended by a recovery since. */
const char *tunnel_fork(const struct tunnel *t, enum proof_kind kind);
const struct let_back *tunnel_let_back(const struct tunnel *t);
const char *tunnel_failure(const struct tunnel *t); /* why it stopped for good */
const char *tunnel_waiting(const struct tunnel *t); /* why removals still wait for their order */
/* How fresh the log is. */
void tunnel_fresh(const struct tunnel *t, struct fresh_status *ret);
/* Records that were held back, or that came late. */
void tunnel_dated(const struct tunnel *t, struct dated_status *ret);
struct zone_status tunnel_zone(const struct tunnel *t);
/* Pings a member: overlay and member of the config are filled in here. Belongs to the caller, and
 * may outlive the tunnel. -ENOENT: no such node, or ourselves. */
int tunnel_ping(struct host *h, struct tunnel *t, const char *node, const struct ping_config *cfg,
		struct err *err, struct ping **ret) MUST_CHECK;
struct list *tunnel_pings(struct tunnel *t);
/* Has an entry ordered; all of `cfg` but done and ctx is filled in here. As submit_new. */
int tunnel_submit(struct host *h, struct tunnel *t, struct span entry,
		  const struct submit_config *cfg, struct err *err, struct submit **ret) MUST_CHECK;
/* Another node of the cluster by its name: -ENOENT with a message. */
int tunnel_find_node(const struct tunnel *t, const char *node, struct err *err,
		     const struct member **ret) MUST_CHECK;
/* The server's name has been resolved since the tunnel was started. */
bool tunnel_server_known(const struct tunnel *t);
/* Remembers an invite that was made here, to tell who used it. -ENOSPC when there are too many. */
int tunnel_invite_made(struct tunnel *t, const struct invite_note *n) MUST_CHECK;

#endif
