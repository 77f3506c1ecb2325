/* SPDX-License-Identifier: MIT */
/*
 * A node's session with its signal server: resolves, connects over the node's own socket, proves
 * membership, brings both logs to the same length, subscribes, and keeps it so: reconnects with
 * jitter and exponential back-off (first retry within 200 ms, at most 5 s; reset only after a
 * useful session), DNS and the last good address at the same time, another try at once when the
 * network changes, a socket of its own when the node's gets no answer any more. Believes nothing of
 * what the server says about membership: records go through the mlog, and nothing but a record says
 * that this node was removed.
 */
#ifndef MLSH_CLIENT_SESSION_H
#define MLSH_CLIENT_SESSION_H

#include "client/cluster_file.h"
#include "client/hops.h"
#include "membership/deny.h"
#include "proto/probe.h"
#include "proto/relay.h"
#include "proto/signal.h"
#include "quic/quic.h"

struct session;

enum session_state { SESSION_CONNECTING, SESSION_UP, SESSION_RECONNECTING, SESSION_STOPPED };

/* Called from the loop. The session may be freed in `state` and `stopped` only. */
struct session_ops {
	/* State, or the reason of the last failure, changed. */
	void (*state)(void *ctx);
	/* Records of the server's were taken into the log: the owner saves it and looks again. */
	void (*log_grew)(void *ctx);
	/*
	 * The server shows a removal without order; a view. Nothing of it is checked: what is
	 * refused counts against the server. May be NULL.
	 */
	enum removal_shown (*removal)(void *ctx, struct span entry);
	/* The server shows a beacon; a view, of which nothing is checked. May be NULL. */
	void (*beacon)(void *ctx, struct span beacon);
	/*
	 * Records of the server's are dated too far ahead and are held back: the first of them.
	 * They are asked for again. May be NULL.
	 */
	void (*held)(void *ctx, const struct mlog_held *held);
	/* Proof that two logs exist; views. */
	void (*fork)(void *ctx, const struct log_proof *proof);
	/* Presence of one member. Member NULL: from now on all are offline until said otherwise. */
	void (*presence)(void *ctx, const struct member *member, bool online,
			 const struct wire_candidates *c);
	/* The address that the server sees the node's socket at. */
	void (*observed)(void *ctx, const struct addr *a, const struct addr *server);
	/*
	 * The relay channel to a member, asked for by us or by them, in place of any before: `end`
	 * is ours, and belongs to the caller. The same end again changes nothing (counters go on).
	 * End NULL: the channel is gone or was refused, `why` says the reason; with member NULL all
	 * channels are gone, since the session has ended. May be NULL itself.
	 */
	void (*relay)(void *ctx, const struct member *member, const struct relay_end *end,
		      const struct err *why);
	/*
	 * The server's second port. With `keys`: it is about to be asked for, and pings may come
	 * from there; then, without, where it is. Only for the node's own socket. May be NULL.
	 */
	void (*echo)(void *ctx, const struct probe_keys *keys, const struct addr *server,
		     uint16_t port);
	/*
	 * What the server's name resolved to, before any of it is tried. May be NULL. Nothing
	 * vouches for it: DNS may lie.
	 */
	void (*server)(void *ctx, const struct addr *addrs, size_t n);
	/* The log says that this node is no member any more: the session has stopped for good. */
	void (*stopped)(void *ctx, const struct err *err);
};

struct session_status {
	enum session_state state;
	uint64_t since;		/* clock_now of the last change of state */
	uint64_t last_verified; /* clock_now when the server was last heard; 0 before that */
	uint64_t rtt_ns;
	struct addr server, observed; /* unset when unknown */
	struct place moved;	      /* where the server sent us; host "": nowhere */
	uint64_t features;	      /* the server's bits in its last hello */
	bool spare;		      /* from a port of its own: no relay */
	char group[32];		      /* key exchange */
	struct err last_err; /* why the last attempt failed, or a fork; code 0 before any */
};

/*
 * Starts at once. `log` belongs to the owner, who frees it after the session; `socket` must have
 * been opened with the identity, and both outlive the session.
 */
int session_new(struct host *h, struct quic_socket *socket, const struct cluster_file *cluster,
		const struct identity *id, struct mlog *log, const struct session_ops *ops,
		void *ctx, struct err *err, struct session **ret) MUST_CHECK;
void session_free(struct session *s); /* says bye; NULL allowed */
/* What to publish as our candidates from now on (the observed address is added by the owner). */
void session_set_candidates(struct session *s, const struct wire_candidates *c);
/* The network changed, or the machine woke: try again now. */
void session_kick(struct session *s);
/* A person asks for the session: tries at once, even if the last answer was to be waited out; once
 * in five seconds. A session that is up is asked whether the server is still there. */
void session_ask(struct session *s);
/* Asks the server's second port again where it sees us: ops->echo tells. No session: nothing. */
void session_echo(struct session *s);
/* Our log grew from elsewhere (a peer): push to the server what it lacks. */
void session_log_grew(struct session *s);

/*
 * Asks the server for a relay channel to this member: ops->relay tells, never from within this
 * call. Asking again while it is under way does nothing. Also to be called for a new channel when
 * ours has used RELAY_RENEW_AT counters. -ENOTCONN: no session now (ask again once it is up);
 * -ENOBUFS: too many channels.
 */
int session_relay_open(struct session *s, const struct member *member) MUST_CHECK;

/*
 * Has the server put an entry of our own in order (cancel). `make` makes it, on `head`, and again
 * on a newer one if the server says that it is out of date; it may have had enough (its error is
 * the result). `done` is called once, when the record is in our log or there will be none, unless
 * the session is freed before. -EBUSY when too many are waiting.
 */
typedef int (*session_make_fn)(void *ctx, const struct head *head, struct entry_bytes *ret,
			       struct err *err);
typedef void (*session_done_fn)(void *ctx, const struct err *err);
int session_append(struct session *s, session_make_fn make, session_done_fn done, void *ctx,
		   struct err *err) MUST_CHECK;
/*
 * Takes back what session_append was given with this `done` and `ctx`: `done` is not called.
 * Returns true if the server may have it, and so may order it all the same.
 */
bool session_withdraw(struct session *s, session_done_fn done, const void *ctx);
/* The time by which dates of records are judged now (log_clock_now_s). */
uint64_t session_now_s(const struct session *s);
/* Has this node all records that the server says it has? Then records that come are new ones. */
bool session_is_current(const struct session *s);
/* Shows the server a beacon. -ENOTCONN: there is no session now. */
int session_beacon(struct session *s, struct span beacon) MUST_CHECK;
void session_status_get(const struct session *s, struct session_status *ret);
/* The address of the server that answered our hello; a view. NULL without one; `s` may be NULL. */
const struct addr *session_server(const struct session *s);

#endif
