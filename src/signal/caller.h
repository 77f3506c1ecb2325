/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * One connection of a node, and the server that all connections share. Private to this folder:
 * server.c performs, request.c decides what is allowed, the others answer requests.
 */
#ifndef MLSH_SIGNAL_CALLER_H
#define MLSH_SIGNAL_CALLER_H

#include "base/bucket.h"
#include "os/loop.h"
#include "os/manager.h"
#include "proto/probe.h"
#include "quic/quic.h"
#include "signal/echo.h"
#include "signal/ratelimit.h"
#include "signal/recall.h"
#include "signal/registry.h"
#include "signal/relay.h"
#include "signal/server.h"

#define REQUESTS_OPEN_MAX 8 /* streams of one connection at once */
#define NO_STREAM (-1)
#define WRITES_WAITING_MAX 512 /* requests that wait for the database, of all connections */

/* How far a connection has come (docs/protocol/03-signal.md, "Phases"). */
enum caller_phase {
	CALLER_NEW,	 /* nothing said yet */
	CALLER_SETUP,	 /* greeted without a cluster */
	CALLER_GREETED,	 /* greeted for a cluster */
	CALLER_FORMER,	 /* was a member, or has the key of before: may read how that ended */
	CALLER_ADMITTED, /* has become a member */
	CALLER_SESSION	 /* a member with a session */
};

/* A stream whose request is not complete yet. */
struct open_request {
	int64_t stream;
	uint64_t since; /* clock; 0: slot is free */
};

struct caller {
	struct list in_server; /* among the strangers or the sessions */
	struct signal_server *server;
	struct quic_conn *quic;
	enum caller_phase phase;
	bool closing;
	struct list in_closed; /* among those that are closing and whose session has yet to end */
	bool connected;	       /* may be freed at any time */
	bool known;	       /* its key is a member's of some cluster */
	struct addr source;    /* where it came from */
	size_t same_source;    /* strangers of its source, itself included; while it is one */
	struct addr remote;    /* where it comes from, as last told */
	uint64_t deadline;     /* clock: closed then; TIME_NEVER for sessions */
	enum signal_close close_as; /* with this, */
	const char *close_phrase;   /* and this */
	uint8_t key[KEY_LEN];	    /* of the other side's certificate */
	uint8_t key_sha256[HASH_LEN];
	struct node_id key_node; /* the node id of this key */
	struct node_id node;	 /* the member's, once the cluster is known; else the same */
	struct cluster *cluster; /* named by hello */
	struct mlog *import;	 /* CALLER_SETUP: a log of another server, as far as it came */
	size_t import_bytes;
	bool importing;	  /* it counts among those of the server */
	bool import_done; /* it is whole: stored with this batch, as this cluster: */
	uint8_t import_id[HASH_LEN];
	struct open_request open[REQUESTS_OPEN_MAX];
	unsigned charged;      /* requests that its source paid for, */
	unsigned charged_node; /* and those that it paid for as a member */
	unsigned rate_refusals;
	bool in_vain;		/* it had a log played again for a recovery that broke a rule */
	struct bucket rate;	/* of a session's requests, and of an admitted one's for the log */
	struct head shown;	/* of its log, when its session began: see may_order.h */
	uint64_t session_id;	/* CALLER_SESSION: grows with each session of this server */
	int64_t events;		/* stream of events, or NO_STREAM */
	struct list in_cluster; /* among the subscribers, while there is one */
	uint64_t told;		/* cursor of the presence it was told */
	struct list relay_ends; /* CALLER_SESSION: its ends of channels */
	size_t n_relay_ends;
	struct bucket relay_rate;  /* bytes that it may send over the relay */
	struct bucket relay_share; /* its part of what others want as well */
	struct share_user relay_use;
	uint64_t relay_told, relay_told_at; /* the rate that it was told, and when */
	bool echo_on;			    /* it may use the second port, with these: */
	struct probe_keys echo_keys;
	struct bucket echo_rate;
	uint64_t echo_counter; /* of the last ping that was answered */
};

struct signal_server {
	struct host *host;
	struct db *db;
	struct registry *registry;
	struct mark *mark;
	bool any_waits;		   /* a cluster does, since the database was restored */
	struct ratelimit *sources; /* of strangers, by their address */
	struct ratelimit *members; /* without a session yet, by their id */
	struct relay *relay;
	struct echo *echo;	       /* NULL: no second port */
	struct recall *recall;	       /* of sessions, after a crash */
	struct manager *manager;       /* NULL without a service manager */
	struct identity *own_identity; /* from the database; NULL: the operator's */
	const struct identity *identity;
	struct server_keys keys;
	struct prefix4 subnet;			/* of clusters that name none */
	char first_token[SETUP_TOKEN_TEXT_MAX]; /* or "" */
	struct quic_socket *socket;
	struct list strangers, sessions;
	size_t n_strangers, n_sessions, n_imports;
	size_t n_removals; /* without order, of all clusters */
	uint64_t last_session_id;
	struct timer *tick;
	struct list closed;
	struct deferred *end_closed; /* ends the sessions of those in `closed` */
	struct deferred *flush;	     /* tells presence to the clusters in `dirty`, now */
	struct timer *gather;	     /* the same, with what comes meanwhile */
	struct list dirty;
	struct timer *stop_timer;
	struct deferred *stopped;
	bool stopping;
	loop_fn stop_done;
	void *stop_ctx;
	struct list writes;	      /* requests that wait for the database */
	struct list writing, written; /* of this batch; committed, yet to be answered */
	size_t n_writes;	      /* in all three */
	uint64_t write_at;	      /* clock: no transaction before */
	struct timer *write_timer;
	struct deferred *write_soon;
	struct timer *answer_timer;
	uint64_t checkpoint_since; /* clock: since when it is put off; 0: it is not */
	struct timer *checkpoint_timer;
	uint64_t notes_at; /* clock: the notes that could not be written are tried again */
	struct log_limit stranger_lines, write_lines, read_lines, checkpoint_lines, trace_lines;
	/* Do all sessions come from one private address? */
	struct {
		struct addr from;    /* of the first one; unset: there was none */
		struct node_id node; /* whose it was */
		bool known;	     /* they do not, or it has been said */
	} one_source;
	struct signal_server_stats stats;
	struct wire_presence presence[PRESENCE_PER_EVENT_MAX];
	uint8_t message[FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX];
};

/* --- service.c -------------------------------------------------------------------------------- */

void server_service_open(struct signal_server *s);

/* --- caller.c --------------------------------------------------------------------------------- */

/* Whose key is it, or was it? */
void caller_identify(struct caller *c, const struct mlog *log);
/*
 * Does the token belong to this connection's node? A member that another server has admitted needs
 * none here: its key, which is in force in the log, is enough.
 */
bool caller_token_ok(const struct caller *c, const uint8_t token[HASH_LEN]);
void caller_token(const struct caller *c, uint8_t ret[HASH_LEN]);
/*
 * Ends a connection: it gets no event and no reply any more. What it has as a session (presence,
 * subscription, channels) ends behind this turn's other work, since that tells others, which may
 * have to be closed for it, too. It is freed later.
 */
void caller_close(struct caller *c, enum signal_close why, const char *phrase);
/* A line at the level trace about one message; `way` is "->" or "<-". Strangers' count, too. */
void caller_trace(struct caller *c, const char *way, const char *what, const char *result);

/* --- server.c --------------------------------------------------------------------------------- */

/* The socket and everything that lives on it; close takes what open left half-built. */
int server_socket_open(struct signal_server *s, const struct signal_config *c, struct err *err)
	MUST_CHECK;
void server_socket_close(struct signal_server *s);
/* --- certificate.c ---------------------------------------------------------------------------- */

/* Says at the start whether the clusters' nodes accept the server's key, and what to do if not. */
void certificate_check(const struct signal_server *s);

/* --- request.c -------------------------------------------------------------------------------- */

/* One complete message on a stream: answered, now or later, or the connection is closed. */
void request_handle(struct caller *c, int64_t stream, struct span message);
/* Finds the answer to a request that may be made now. */
int request_run(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err);
/* What follows from a request that has succeeded, and was committed. */
int request_accepted(struct caller *c, enum signal_request_type type, struct signal_reply *reply,
		     struct err *err);
/* Sends the answer, a refusal if `result` is negative. Wipes the reply's secrets. */
void request_answered(struct caller *c, int64_t stream, enum signal_request_type type, int result,
		      struct signal_reply *reply, const struct err *err);
/*
 * Answers to requests: 0 with the reply's fields set, or negative with the refusal in err->reason
 * (0 stands for REFUSAL_BAD_ENTRY).
 */
typedef int (*request_fn)(struct caller *c, const struct signal_request *rq,
			  struct signal_reply *reply, struct err *err);

/* setup.c */
/* Finds a setup token's code; refuses one that nobody made. */
int code_find(struct caller *c, struct span text, struct code_info *ret, struct err *err)
	MUST_CHECK;
/* Refuses a code that is used or has expired. */
int code_open(const struct code_info *code, struct err *err) MUST_CHECK;
/* Refuses a setup token that this server has not made, before the request waits with others. */
int check_setup(struct caller *c, const struct signal_request *rq, struct err *err);
int answer_setup_offer(struct caller *c, const struct signal_request *rq,
		       struct signal_reply *reply, struct err *err);
int answer_setup(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err);
/* import.c */
int answer_import(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err);
int import_accepted(struct caller *c, struct signal_reply *reply, struct err *err);
void import_drop(struct caller *c); /* nothing if there is none */
/* admit.c */
int answer_admit(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err);
/* The admission counts. */
int admit_accepted(struct caller *c, struct signal_reply *reply, struct err *err);
/* history.c */
int answer_log(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
	       struct err *err);
int answer_append(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err);
/*
 * Puts an entry into the log, unless it is there already or the server waits for an admin since it
 * was restored. *ret: of its record. `e` is what `bytes` was decoded to.
 */
int caller_order(struct caller *c, const struct entry *e, struct span bytes, struct wire_head *ret,
		 struct err *err) MUST_CHECK;
int append_accepted(struct caller *c, struct signal_reply *reply, struct err *err);
int answer_recover(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		   struct err *err);
/* Is the caller a member? Asked before the request waits with others. */
int check_push(struct caller *c, const struct signal_request *rq, struct err *err);
int answer_push(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err);
/* session.c */
int answer_hello(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err);
int answer_session(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		   struct err *err);
int answer_candidates(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		      struct err *err);
int answer_subscribe(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		     struct err *err);
int answer_relay_open(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		      struct err *err);
int answer_echo(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err);

/* --- members.c -------------------------------------------------------------------------------- */

/* The log of the cluster has changed: who is a member no longer has no session any more. */
void members_changed(struct cluster *c);
/* If the log names another server now: all sessions end. */
void members_moved(struct signal_server *s, struct cluster *c);
/* Why the caller, which has the token of a member, gets no session. -EACCES. */
int members_refuse(const struct caller *c, const struct mlog *log, struct err *err);
/* How many records of the log may the caller read? All, unless it is a member no longer. */
uint64_t members_may_read(const struct caller *c, const struct mlog *log);

/* --- removals.c ------------------------------------------------------------------------------- */

/* The server cannot put an entry of the caller's in order: passes it on if it denies somebody. */
void removals_keep(struct caller *c, struct span entry);
/* To one: all that the cluster has. */
void removals_tell(struct caller *c);
/* The log of the cluster has changed: what is in it, or void, is forgotten. */
void removals_changed(struct signal_server *s, struct cluster *c);

/* --- beacons.c -------------------------------------------------------------------------------- */

int answer_beacon(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err);
/* To one: all that the cluster has. */
void beacons_tell(struct caller *c);
/* A removal is held: those of its targets are forgotten. */
void beacons_denied(struct cluster *c);
/* The log of the cluster has changed: those of former admins are forgotten. */
void beacons_changed(struct cluster *c);

/* --- batch.c ---------------------------------------------------------------------------------- */

int batch_open(struct signal_server *s) MUST_CHECK; /* -ENOMEM */
void batch_close(struct signal_server *s);

/* --- events.c --------------------------------------------------------------------------------- */

/* The records from `first` on to all subscribers of the cluster. */
void events_log(struct cluster *c, uint64_t first);
/* To one: the last record (who lacks some before it sees a gap), and presence since c->told. */
void events_catch_up(struct caller *c, bool reset);
/* Presence of the cluster has changed: told to its subscribers, at once or a little later. */
void events_presence_changed(struct signal_server *s, struct cluster *c);
void events_flush(struct signal_server *s);
void events_observed(struct caller *c);
/* A channel to `node` is there; is there no more. */
void events_relay(struct caller *c, const struct node_id *node, const struct relay_end *end);
void events_relay_closed(struct caller *c, const struct node_id *node,
			 const uint8_t channel[RELAY_CHANNEL_LEN]);
void events_removal(struct caller *c, struct span entry);
void events_beacon(struct caller *c, struct span beacon);
void events_shutdown(struct caller *c, uint32_t retry_after_s);

/* The head at one record, which is in the log. */
static inline struct wire_head wire_head_at(const struct mlog *l, uint64_t seq)
{
	struct wire_head w = { .seq = seq };
	struct record r;

	if (record_decode(mlog_record(l, seq), &r, NULL) == 0) {
		w.generation = r.order.generation;
		memcpy(w.hash, r.hash, sizeof(w.hash));
	}
	return w;
}

#endif
