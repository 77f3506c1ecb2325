/* SPDX-License-Identifier: MIT */
/* What the files of the session share. */
#ifndef MLSH_CLIENT_SESSION_INTERNAL_H
#define MLSH_CLIENT_SESSION_INTERNAL_H

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"
#include "client/log_clock.h"
#include "client/rpc.h"
#include "client/session.h"
#include "client/session_fsm.h"
#include "membership/search.h"

#define SESSION_TICK NS_PER_S
#define SESSION_APPENDS_MAX 16
#define SESSION_STASH_MAX 64
#define SESSION_RELAYS_MAX RELAY_CHANNELS_PER_SESSION
#define SESSION_RELAYS_ASKED_MAX 4 /* of the requests that may be open at once */

enum asked { ASKED_NOTHING, ASKED_LOG, ASKED_PUSH, ASKED_APPEND };

/* Presence of a node whose admit record has not come yet. */
struct stashed {
	struct node_id id;
	bool online;
	struct wire_candidates candidates;
};

struct append {
	struct list link;
	session_make_fn make;
	session_done_fn done; /* NULL if it was withdrawn while the server was asked */
	void *ctx;
	struct entry_bytes entry; /* as it was sent last; len 0 before that */
	bool asked;		  /* the reply is under way */
	unsigned tries;
};

/* The relay channel to one member: wanted, asked for, or there. */
struct session_channel {
	struct list link; /* among those to be asked for, while it is wanted */
	struct session *session;
	struct node_id id;
	bool asked; /* the reply is under way */
	bool open;  /* `channel` is ours */
	bool told;  /* by an event, since it was asked for */
	uint8_t channel[RELAY_CHANNEL_LEN];
};

struct session {
	struct host *host;
	struct quic_socket *socket; /* the node's */
	struct quic_socket *spare;  /* a socket of our own, while the node's gets no answer */
	struct quic_socket *spent;  /* a former spare: closed from `reap` */
	struct deferred *reap;
	struct deferred *decide; /* about these, which other files found: */
	bool server_moved;	 /* the log names another server */
	bool rebind;		 /* the session is to leave its spare socket */
	bool out;		 /* by the log this node is no member any more: at once */
	struct cluster_file cluster;
	const struct identity *identity;
	struct mlog *log;
	const struct session_ops *ops;
	void *ctx;

	/* connection (session_run.c) */
	enum session_phase phase; /* set by session_happens only */
	enum session_state state;
	uint64_t since;
	struct err last_err;
	struct rpc *rpc;     /* from PHASE_DIALING to PHASE_UP */
	struct timer *retry; /* PHASE_WAITING, PHASE_HELD */
	struct timer *tick;  /* with a connection */
	struct deferred *notify;
	bool notify_state, notify_stopped;
	struct log_limit log_limit;
	unsigned failures;   /* since the last useful session */
	uint64_t hold_until; /* of PHASE_HELD: no attempt before, unless a person asks */
	uint64_t ask_next;   /* no attempt before because a person asks */
	uint64_t dial_began, up_since, last_tick, impatient_until;
	bool was_up;	       /* ever */
	struct err former_err; /* PHASE_PROVING, PHASE_RETURNING: what the server said */
	struct addr last_good, observed;
	uint64_t features; /* the server's */
	uint64_t last_verified;
	struct err end_err; /* why it stopped */

	/* where the server is (session_place.c) */
	struct place moved;	 /* where it sent us last; host "": nowhere */
	unsigned moved_failures; /* there, since it last answered */
	struct hops_day hops_day;

	/* log (session_sync.c) */
	enum asked asked; /* the request about the log that is under way */
	bool fetch_wanted;
	bool fetch_scans; /* what the last fetch asked for, and from where */
	uint64_t fetch_from;
	bool push_refused; /* on this connection */
	bool push_held;	   /* dated ahead of the server's clock: again with the heartbeat */
	bool push_back;	   /* next, with as much before a recovery as one message holds */
	bool pushed_back;  /* that was tried on this connection */
	bool has_server_head;
	struct wire_head server_head;
	bool forked;  /* by this connection's evidence */
	bool current; /* on this connection all was fetched since it was subscribed */
	struct log_clock clock;
	struct mlog_held held;	    /* of the records that were shown last */
	struct log_search search;   /* for the record in which the logs part */
	uint8_t reported[HASH_LEN]; /* the last record that was reported as a fork */
	uint64_t next_heartbeat;
	struct list appends;
	size_t n_appends;

	/* presence and candidates (session_events.c) */
	struct wire_candidates candidates;
	bool candidates_dirty, candidates_busy;
	uint64_t candidates_sent;
	uint8_t epoch[EPOCH_LEN];
	uint64_t cursor;
	struct roster_cursor roster; /* what the session has seen of it */
	struct stashed *stash;
	size_t n_stash;

	/* relay channels (session_relay.c) */
	struct map *relays;	   /* NODE_ID_LEN -> session_channel */
	struct list relays_wanted; /* to be asked for, oldest first */
	size_t n_relays_asked;
	uint64_t relays_pause_until; /* the server asked us to wait */
	struct deferred *relays_ask;
	struct bucket removals;		  /* without order, that are refused */
	uint64_t next_rebind, rebind_gap; /* 0: at once; the last wait */
};

/* --- session_run.c ---------------------------------------------------------------------------- */

/* What goes with an event; unset where it has no use. */
struct occasion {
	const struct err
		*err;	/* LOST, HOLD, MOVED, REBIND, LEFT: why; FETCHED of a former member */
	uint64_t wait;	/* HOLD: ns */
	bool restarted; /* LOST, HOLD: the server is there again */
	const struct signal_reply *reply; /* READY, ACCEPTED, DENIED, DENIED_BY_BOTH */
};

/* Steps the table and carries out the effects: the one place where the phase changes. */
void session_happens(struct session *s, enum session_event event, const struct occasion *o);
void session_note_heard(struct session *s);  /* PHASE_PUSHING to PHASE_UP */
void session_note_useful(struct session *s); /* PHASE_UP */
/* Does what is to be done next, after the log, the server or the owner brought something. */
void session_go_on(struct session *s);
/* s->decide: the log names another server, or the session is to leave a port of its own. */
void session_decide(void *ctx);

/* --- session_link.c --------------------------------------------------------------------------- */

/* Is there a connection that was greeted and not given up? */
bool session_is_linked(const struct session *s);
/* Gives the connection up: its end follows from the loop. Does nothing without a connection. */
void session_lost(struct session *s, const struct err *err);
void session_lost_for(struct session *s, const struct err *err, uint64_t wait);
/* The server refused a request: what follows from it. */
void session_refused(struct session *s, const struct signal_reply *reply);
/* Sends; failing to is the end of the connection. Returns true if it was sent. */
bool session_request(struct session *s, const struct signal_request *m, rpc_reply_fn fn);

/* --- session_tell.c --------------------------------------------------------------------------- */

int tell_init(struct session *s) MUST_CHECK;
/* The phase has changed: writes it down, and tells the owner of another state. */
void tell_phase(struct session *s, enum session_phase from, enum session_event why);
void tell_stopped(struct session *s, const struct err *err);
/* What status shows as the reason of trouble; the same again is not told again. */
void session_set_err(struct session *s, const struct err *err);

/* --- session_dial.c --------------------------------------------------------------------------- */

/* Begins an attempt: makes s->rpc. */
int session_dial(struct session *s, const struct rpc_ops *ops, struct err *err) MUST_CHECK;

/* --- session_place.c -------------------------------------------------------------------------- */

/* Where to dial: where the server sent us, or where the cluster's file says. */
struct place place_to_dial(const struct session *s);
/* The log has grown: if it names another server now, the session goes there. */
void place_follow(struct session *s);
/* Forgets where the server was that the session leaves. */
void place_changed(struct session *s);
/* Keeps the token that the server gave, if this node has no token. */
void place_token(struct session *s, const uint8_t token[HASH_LEN]);
/* A server has answered there. */
void place_reached(struct session *s, const struct place *at);
/* The connection ended, for this reason, or did not come about. */
void place_lost(struct session *s, enum refusal why);

/* --- session_sync.c --------------------------------------------------------------------------- */

/* On a new connection. */
void sync_reset(struct session *s);
void sync_head(struct session *s, const struct wire_head *head);
/*
 * What is to be asked about the log next, in `m` (with the token in it). Returns false if there is
 * nothing; then PHASE_PUSHING, PHASE_FETCHING and those of a former member are over.
 */
bool sync_next(struct session *s, struct signal_request *m);
bool sync_is_busy(const struct session *s); /* the reply is under way */
/* The reply to what sync_next gave. */
void sync_reply(struct session *s, const struct signal_reply *reply);
/* When its time has come: is the server's log still ours? What waited for that is sent again. */
void sync_heartbeat(struct session *s);
void sync_event(struct session *s, const struct signal_event *ev);

/* --- session_take.c --------------------------------------------------------------------------- */

/*
 * Takes records that the server shows. Returns false if the connection was given up, or if this
 * node is no member any more (s->out).
 */
bool take_records(struct session *s, const struct wire_entries *records);
/* The log has grown, whoever brought it. Returns false if this node is no member any more. */
bool take_follow(struct session *s);
/* The server's record `seq` does not follow ours. Returns false if the connection was given up. */
bool take_parted(struct session *s, uint64_t seq);
/* The server's log cannot be joined with ours, though nothing proves that it lies. */
void take_bad_log(struct session *s, const char *why);
/* The server shows a removal that nobody has ordered. */
void take_shown_removal(struct session *s, struct span entry);

/* --- session_append.c ------------------------------------------------------------------------- */

/* Puts the first entry, of which there is one, into `m`. Returns false if it need not be sent. */
bool append_next(struct session *s, struct signal_request *m);
void append_reply(struct session *s, const struct signal_reply *reply);
/* Without a connection: tells those whose entry is in the log by now. */
void append_ordered(struct session *s);
/* Tells those who wait for an entry of theirs. */
void append_stopped(struct session *s, const struct err *err);
void append_free(struct session *s);

/* --- session_events.c ------------------------------------------------------------------------- */

void session_events_presence(struct session *s, const struct signal_event *ev);
void session_events_observed(struct session *s, const struct addr *a);
void session_events_shutdown(struct session *s, uint32_t retry_after_s);
/* Presence that was waiting for records. */
void session_events_log_grew(struct session *s);
void session_events_publish(struct session *s);

/* --- session_former.c ------------------------------------------------------------------------- */

bool former_is_member(const struct session *s);
/* The log that the server showed has this node as a member: what status shows. */
void former_explain(const struct session *s, struct err *err);

/* --- session_relay.c -------------------------------------------------------------------------- */

int relays_init(struct session *s) MUST_CHECK;
void relays_fini(struct session *s);
/* The member has left: forgets the channel to it. */
void relays_member_left(struct session *s, const struct node_id *id);
/* The connection has ended, and with it all channels. */
void relays_lost(struct session *s, const struct err *err);
/* Asks for what is wanted, as far as that is possible now. */
void relays_pump(struct session *s);
void relays_event(struct session *s, const struct signal_event *ev);
/* The member's channel is gone. */
void relays_closed_event(struct session *s, const struct signal_event *ev);

#endif
