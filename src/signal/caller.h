/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * One connection of a node (a caller), and the server that all of them share. Private to this
 * folder. From above to below: server.c has the socket and the time, batch.c runs what writes to
 * the database, request.c decides what is allowed, session.c, history.c and others answer requests,
 * places.c has sessions begin and end, events.c tells others, caller.c closes.
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
	CALLER_FORMER,	 /* was a member, or has a former key: may read how that ended */
	CALLER_ADMITTED, /* has become a member */
	CALLER_SESSION	 /* a member with a session */
};

/* A stream whose request is not complete yet. */
struct open_request {
	int64_t stream;
	uint64_t since; /* clock; 0: the slot is free */
};

struct caller {
	struct list in_server; /* among the strangers or the sessions */
	struct signal_server *server;
	struct quic_conn *quic;
	enum caller_phase phase;
	bool closing;
	struct list in_closed; /* among the closing callers whose session has yet to end */
	bool connected;	       /* may be freed at any time */
	bool known;	       /* its key is that of a member of some cluster */
	struct addr source;    /* where it came from */
	size_t same_source; /* strangers of its source, itself included; only valid for strangers */
	struct addr remote; /* its address, as it was last told */
	uint64_t deadline;  /* clock: closed at this time; TIME_NEVER for sessions */
	enum signal_close close_as; /* with this code */
	const char *close_phrase;   /* and this phrase */
	uint8_t key[KEY_LEN];	    /* of the other side's certificate */
	uint8_t key_sha256[HASH_LEN];
	struct node_id key_node; /* the node id of this key */
	struct node_id node;	 /* of the member, once the cluster is known; else key_node */
	struct cluster *cluster; /* named by hello */
	struct mlog *import;	 /* CALLER_SETUP: a log of another server, the part that has come */
	size_t import_bytes;
	bool importing;	  /* it counts in n_imports of the server */
	bool import_done; /* the log is whole and is stored with this batch, as import_id */
	uint8_t import_id[HASH_LEN];
	struct open_request open[REQUESTS_OPEN_MAX];
	unsigned charged;      /* requests charged to its source */
	unsigned charged_node; /* requests charged to it as a member */
	unsigned rate_refusals;
	bool in_vain;	     /* it made us play a log again for an invalid recovery */
	struct bucket rate;  /* of the requests of a session, and of an admitted node for the log */
	struct head shown;   /* of its log, when its session began: see may_order.h */
	uint64_t session_id; /* CALLER_SESSION: grows with each session of this server */
	int64_t events;	     /* stream of events, or NO_STREAM */
	struct list in_cluster; /* among the subscribers, while there is one */
	uint64_t told;		/* cursor of the presence it was told */
	struct list relay_ends; /* CALLER_SESSION: its ends of channels */
	size_t n_relay_ends;
	struct bucket relay_rate;  /* bytes that it may send over the relay */
	struct bucket relay_share; /* its part of a rate that others use as well */
	struct share_user relay_use;
	uint64_t relay_told, relay_told_at; /* the rate that it was last told, and when */
	bool echo_on;			    /* it may use the second port, with these keys */
	struct probe_keys echo_keys;
	struct bucket echo_rate;
	uint64_t echo_counter; /* of the last ping that was answered */
};

struct signal_server {
	struct host *host;
	struct db *db;
	struct registry *registry;
	struct mark *mark;
	bool any_waits;		   /* a cluster waits, since the database was restored */
	struct ratelimit *sources; /* of callers that are not members, by their address */
	struct ratelimit *members; /* of members without a session, by their id */
	struct relay *relay;
	struct echo *echo;	       /* NULL without a second port */
	struct recall *recall;	       /* of sessions, after a crash */
	struct manager *manager;       /* NULL without a service manager */
	struct identity *own_identity; /* from the database; NULL: the operator's */
	const struct identity *identity;
	struct server_keys keys;
	struct prefix4 subnet;			/* of clusters that name no subnet */
	char first_token[SETUP_TOKEN_TEXT_MAX]; /* or "" */
	struct quic_socket *socket;
	struct list strangers, sessions;
	size_t n_strangers, n_sessions, n_imports;
	size_t n_removals; /* held without an order, of all clusters */
	uint64_t last_session_id;
	struct timer *tick;
	struct list closed;
	struct deferred *end_closed; /* ends the sessions of those in `closed` */
	struct deferred *flush;	     /* tells presence to the clusters in `dirty`, at once */
	struct timer *gather;	     /* tells the same a moment later, with what comes meanwhile */
	struct list dirty;
	struct timer *stop_timer;
	struct deferred *stopped;
	bool stopping;
	loop_fn stop_done;
	void *stop_ctx;
	struct list writes;	      /* requests that wait for the database */
	struct list writing, written; /* of this batch; committed and not answered yet */
	size_t n_writes;	      /* in all three lists */
	uint64_t write_at;	      /* clock: no transaction before */
	struct timer *write_timer;
	struct deferred *write_soon;
	struct timer *answer_timer;
	uint64_t checkpoint_since; /* clock: since when the checkpoint is put off; 0 if it is not */
	struct timer *checkpoint_timer;
	uint64_t notes_at; /* clock: notes that could not be written are tried again then */
	struct log_limit stranger_lines, write_lines, read_lines, checkpoint_lines, trace_lines;
	/* Do all sessions come from one private address? */
	struct {
		struct addr from;    /* of the first session; unset before that */
		struct node_id node; /* whose it was */
		bool known;	     /* they do not, or the operator was told */
	} one_source;
	struct signal_server_stats stats;
	struct wire_presence presence[PRESENCE_PER_EVENT_MAX];
	uint8_t message[FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX];
};

/* --- service.c -------------------------------------------------------------------------------- */

void server_service_open(struct signal_server *s);

/* --- caller.c --------------------------------------------------------------------------------- */

/* Finds the member whose key the caller has, or whose former key. */
void caller_identify(struct caller *c, const struct mlog *log);
/*
 * Returns true if the token is that of the caller's node. A member that another server has admitted
 * needs no token here: its key, which is in force in the log, is enough.
 */
bool caller_token_ok(const struct caller *c, const uint8_t token[HASH_LEN]);
void caller_token(const struct caller *c, uint8_t ret[HASH_LEN]);
/*
 * Closes a connection: the caller gets no event and no reply any more. What it has as a session
 * (presence, subscription, channels) ends behind this turn's other work: others are told of it, and
 * some of them may have to be closed for it, too. The caller is freed later.
 */
void caller_close(struct caller *c, enum signal_close why, const char *phrase);
/*
 * Logs one message at the level trace; `way` is "->" or "<-". All callers share one limit on lines.
 */
void caller_trace(struct caller *c, const char *way, const char *what, const char *result);

/* --- server.c --------------------------------------------------------------------------------- */

/*
 * Open makes the socket and everything that lives on it. Close takes what a failed open has left.
 */
int server_socket_open(struct signal_server *s, const struct signal_config *c, struct err *err)
	MUST_CHECK;
void server_socket_close(struct signal_server *s);

/* --- certificate.c ---------------------------------------------------------------------------- */

/*
 * Logs at the start whether the nodes of the clusters accept the server's key, and what to do if
 * not.
 */
void certificate_check(const struct signal_server *s);

/* --- request.c -------------------------------------------------------------------------------- */

/* Handles one complete message on a stream: answers it, now or later, or closes the connection. */
void request_handle(struct caller *c, int64_t stream, struct span message);
/* Runs a request if the phase of the caller still allows it. */
int request_run(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err);
/* Does what follows from a request that has succeeded and was committed. */
int request_accepted(struct caller *c, enum signal_request_type type, struct signal_reply *reply,
		     struct err *err);
/* Sends the answer, which is a refusal if `result` is negative. Wipes the secrets of the reply. */
void request_answered(struct caller *c, int64_t stream, enum signal_request_type type, int result,
		      struct signal_reply *reply, const struct err *err);
/*
 * Answers a request. Returns 0 with the fields of the reply set, or a negative errno with the
 * refusal in err->reason (0 stands for REFUSAL_BAD_ENTRY).
 */
typedef int (*request_fn)(struct caller *c, const struct signal_request *rq,
			  struct signal_reply *reply, struct err *err);

/* setup.c */
/* Finds the code of a setup token. Refuses an unknown one. */
int code_find(struct caller *c, struct span text, struct code_info *ret, struct err *err)
	MUST_CHECK;
/* Refuses a code that is used or has expired. */
int code_open(const struct code_info *code, struct err *err) MUST_CHECK;
/* Refuses an unknown setup token before the request waits with others. */
int check_setup(struct caller *c, const struct signal_request *rq, struct err *err);
int answer_setup_offer(struct caller *c, const struct signal_request *rq,
		       struct signal_reply *reply, struct err *err);
int answer_setup(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err);
/* import.c */
int answer_import(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err);
int import_accepted(struct caller *c, struct signal_reply *reply, struct err *err);
void import_drop(struct caller *c); /* does nothing if there is no import */
/* admit.c */
int answer_admit(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err);
/* The admission is in the log: the caller counts as admitted. */
int admit_accepted(struct caller *c, struct signal_reply *reply, struct err *err);
/* history.c */
int answer_log(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
	       struct err *err);
int answer_append(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err);
/*
 * Puts an entry into the log, unless it is there already or the server waits for an admin since it
 * was restored. *ret is the head at its record. `e` is the decoded form of `bytes`.
 */
int caller_order(struct caller *c, const struct entry *e, struct span bytes, struct wire_head *ret,
		 struct err *err) MUST_CHECK;
int append_accepted(struct caller *c, struct signal_reply *reply, struct err *err);
int answer_recover(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		   struct err *err);
/* Refuses a caller that is not and was not a member, before the request waits with others. */
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

/* The log of the cluster has changed: ends the sessions of former members and of former keys. */
void members_changed(struct cluster *c);
/* Ends all sessions of the cluster if its log names another server now. */
void members_moved(struct signal_server *s, struct cluster *c);
/* Says why the caller, which has the token of a member, gets no session. Returns -EACCES. */
int members_refuse(const struct caller *c, const struct mlog *log, struct err *err);
/* Returns how many records of the log the caller may read: all, unless it is a former member. */
uint64_t members_may_read(const struct caller *c, const struct mlog *log);

/* --- removals.c ------------------------------------------------------------------------------- */

/* The server cannot put an entry of the caller in order: passes it on if it is a removal. */
void removals_keep(struct caller *c, struct span entry);
/* Sends the caller all removals that the cluster holds. */
void removals_tell(struct caller *c);
/* The log of the cluster has changed: forgets removals that are in it, or void. */
void removals_changed(struct signal_server *s, struct cluster *c);

/* --- beacons.c -------------------------------------------------------------------------------- */

int answer_beacon(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err);
/* Sends the caller all beacons that the cluster has. */
void beacons_tell(struct caller *c);
/* A removal is held: forgets the beacons of its targets. */
void beacons_denied(struct cluster *c);
/* The log of the cluster has changed: forgets the beacons of former admins. */
void beacons_changed(struct cluster *c);

/* --- batch.c ---------------------------------------------------------------------------------- */

int batch_open(struct signal_server *s) MUST_CHECK; /* -ENOMEM */
void batch_close(struct signal_server *s);

/* --- events.c --------------------------------------------------------------------------------- */

/* Sends the records from `first` on to all subscribers of the cluster. */
void events_log(struct cluster *c, uint64_t first);
/*
 * Sends the caller the last record (if it lacks earlier ones it sees a gap), and presence since
 * c->told.
 */
void events_catch_up(struct caller *c, bool reset);
/* Presence of the cluster has changed: tells its subscribers, at once or a little later. */
void events_presence_changed(struct signal_server *s, struct cluster *c);
void events_flush(struct signal_server *s);
void events_observed(struct caller *c);
/* Tell the caller that a channel to `node` was opened, or closed. */
void events_relay(struct caller *c, const struct node_id *node, const struct relay_end *end);
void events_relay_closed(struct caller *c, const struct node_id *node,
			 const uint8_t channel[RELAY_CHANNEL_LEN]);
void events_removal(struct caller *c, struct span entry);
void events_beacon(struct caller *c, struct span beacon);
void events_shutdown(struct caller *c, uint32_t retry_after_s);

/* Returns the head at one record, which must be in the log. */
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
