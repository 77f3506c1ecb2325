/* SPDX-License-Identifier: MIT */
/* What the files of peering share, and offer to those above. */
#ifndef MLSH_OVERLAY_PEERING_H
#define MLSH_OVERLAY_PEERING_H

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"
#include "membership/deny.h"
#include "membership/search.h"
#include "os/loop.h"
#include "overlay/reach/candidate.h"
#include "overlay/reach/surroundings.h"
#include "overlay/overlay.h"
#include "overlay/peering/label_map.h"
#include "overlay/peering/peer_fsm.h"
#include "overlay/reach/reach.h"
#include "overlay/datapath/dest.h"
#include "overlay/peering/effects.h"
#include "proto/relay.h"

#define PEER_LINKS_MAX (CANDIDATES_MAX + 3)
#define PEER_WAITING_TIME (2 * NS_PER_S)
#define ATTEMPT_FLIGHT 2400			  /* bytes that begin a handshake: two datagrams */
#define PEER_ATTEMPTS_BURST (24 * ATTEMPT_FLIGHT) /* to addresses that proved nothing */
#define PEER_ATTEMPTS_PER_S (ATTEMPT_FLIGHT / 10)
#define PEER_CONTROL_TIMEOUT (5 * NS_PER_S)
#define PEER_KNOCK_TRUST (5 * NS_PER_S) /* a younger tunnel may have crossed a knock */
#define WATCH_PERIOD (500 * NS_PER_MS)

struct peer;
struct reach;

/* A connection with a peer: one of several until one of them has the control stream. */
struct link {
	struct peer *peer;
	struct quic_conn *conn; /* NULL: the place is free */
	path_label label;	/* of its first path, and where that goes: */
	bool relayed;
	bool proven;	      /* the peer has been at `to` before */
	uint64_t admitted_at; /* when its last flight elsewhere began; TIME_NEVER */
	struct addr to, local;
	uint64_t begun;	   /* by us */
	uint64_t deadline; /* for the control stream and its hello; TIME_NEVER */
	int64_t control;   /* stream; -1: none yet */
	bool log_only;	   /* log_link.c: no tunnel */
	bool key_before;   /* the other side shows the key that it had before */
	bool connected, hello_sent, hello_got;
	/* membership log */
	uint64_t shown_removal;	   /* of those without order: the last that they were shown */
	uint64_t shown_beacon;	   /* the same of beacons */
	uint64_t their_generation; /* of their log, as far as is known */
	uint64_t their_next;	   /* first record that they lack; UINT64_MAX: not known */
	uint32_t candidates_sent, candidates_heard; /* messages */
	bool asked;				    /* a log_request is under way, */
	uint64_t asked_from;			    /* from here */
	struct log_search search;		    /* for the record in which the logs part */
	bool log_stopped;	/* their log is not to be believed or not understood */
	uint64_t reopen_at;	/* when a claimed recovery is next looked at in spite of that */
	struct bucket messages; /* that came */
	struct bucket says;	/* that go out and may be left out */
};

struct peer {
	struct peering *o;
	const struct member *member;
	struct dest dest;     /* what the packet path knows of it */
	uint64_t log_link_at; /* when the last connection for the log only began; 0: never */
	struct list in_overlay;
	bool initiator; /* ours is the lower address */
	bool wanted;	/* eager, or somebody sent a packet */
	bool online;	/* says the server */
	enum peer_phase phase;
	struct link links[PEER_LINKS_MAX];
	struct link *active; /* the one with the control stream */
	struct wire_candidates from_server, from_peer;
	struct wire_candidates stored; /* from before our restart; until it says better */
	struct wire_candidates knock;  /* where it last called from */
	struct addr last_good;	       /* of a direct path */
	struct addr called_from;       /* proven by its last knock's handshake */
	struct nat_kind nat;	       /* what it says of its own */
	uint64_t features;	       /* the bits of its last hello */
	bool greeted;		       /* there was one */
	struct relay_path relay;
	struct reach_budgets budgets;
	struct bucket attempts; /* bytes of handshakes to addresses that proved nothing */
	struct bucket hearsay;	/* addresses that it sees us at */
	struct bucket removals; /* without order, that are refused */
	struct reach *reach;	/* of the active link, once both hellos are through */
	/* attempts */
	struct wire_candidates plan;
	size_t next;	   /* in plan */
	size_t n_met;	   /* in plan: the first ones, where it called from or was */
	uint64_t next_at;  /* PEERING_RACING: the next one's turn */
	uint64_t retry_at; /* PEERING_WAITING and LEFT: the next attempt */
	uint64_t began_at, asked_at;
	uint64_t restart_hint_at;   /* the last hint that it may have restarted; 0: never */
	uint64_t restart_tested_at; /* when the tunnel was tested for it */
	uint64_t restart_test_at;   /* when it will be; TIME_NEVER: no test is due */
	uint64_t silent_at;	    /* since when it does not answer the test; TIME_NEVER */
	unsigned failures;
	struct timer *timer;
	/* packets */
	uint64_t waiting_until; /* packets that wait for a tunnel; TIME_NEVER: none */
	/* for people */
	uint64_t up_since, last_heard;
	uint64_t used_at, packets_seen; /* as of the last look */
	uint64_t suspect_since;		/* in PEERING_SUSPECT: when our network changed */
	char group[32];
	char detail[128];
	struct log_limit log_limit, told_limit;
	enum peer_path told_path; /* as the log has it (tell.c) */
};

/* What all peers of a cluster share. The owner of the overlay has one of it. */
struct peering {
	struct host *h;
	struct mlog *log;
	const struct member *self;
	const struct overlay_ops *ops;
	void *ctx;
	struct quic_socket *socket;
	const struct quic_conn_ops *link_ops; /* of all connections with peers */
	struct datapath dp;
	struct list peers;
	struct list expelled; /* peers that are out of everything, not freed yet */
	struct deferred *bury;
	struct quic_router router;
	struct label_map labels;
	struct map *channels;		       /* of relays -> peer */
	struct map *tags;		       /* of probes -> peer */
	void (*log_learnt)(struct peering *o); /* records of a peer were appended */
	struct timer *watch;		       /* looks for dead tunnels */
	struct deferred *relay_work;
	struct surroundings around;
	bool closing;
	/* Scratch for control messages: encoding and decoding happen one at a time. */
	struct peer_message message;
	uint8_t out[FRAME_PREFIX_LEN + PEER_MESSAGE_MAX];
};

extern const struct quic_profile peer_profile;

/* Are tunnels built without being asked for? */
static inline bool peering_is_eager(const struct peering *o)
{
	return roster_count(mlog_roster(o->log), ROSTER_CURRENT) <= OVERLAY_EAGER_MAX;
}

/* --- find.c ---------------------------------------------------------------------------------- */

struct peer *peer_of_address(const struct peering *o, ip4 address); /* NULL: nobody's */
struct peer *peer_of_member(const struct peering *o,
			    const struct member *m); /* NULL: it has none */

/* --- log_link.c ------------------------------------------------------------------------------ */

/* May a node with this key have a connection for messages of the log, and nothing else? */
bool log_link_allowed(const struct peering *o, const uint8_t key_sha256[HASH_LEN]);
/* Such a connection that the other side began. Returns false if it is refused. */
bool log_link_accept(struct peering *o, struct quic_conn *c, const struct quic_conn_ops **ret_ops,
		     void **ret_ctx);

/* --- path.c ---------------------------------------------------------------------------------- */

/*
 * May a datagram of `len` bytes of this link go out? Handshakes to addresses that have proven
 * nothing have a budget; without it a flight is dropped, as if it were lost.
 */
bool path_admit(struct link *l, size_t len);
/* Is there budget to begin a handshake with the peer at this address? Proven ones need none. */
bool path_affordable(struct peer *p, const struct addr *to);
/* Our network is another one: what went into the old one in vain does not count any more. */
void path_budgets_renew(struct peering *o);
/* Begins a connection to an address, or over the relay if `to` is NULL; sets the link's path. */
int path_connect(struct link *l, const struct addr *to) MUST_CHECK;
/* The first path of a connection that the other side began. Returns false if it is unknown. */
bool path_accepted(struct link *l, const struct quic_conn *c);
enum peer_path path_of(const struct link *l, struct addr *ret_endpoint);
/* The other side's real address, if the connection's path is a direct one. */
bool path_remote(const struct peering *o, const struct quic_conn *c, struct addr *ret);

/*
 * There is a hint that the peer has restarted: tests whether it still knows our tunnel, at once or
 * a second after the test before.
 */
void peer_maybe_restarted(struct peer *p);
/* The test that had to wait is due. */
void peer_test_restart(struct peer *p);

/* --- push.c ---------------------------------------------------------------------------------- */

/* Where the relay channel to the peer leads. Returns false if there is no channel. */
bool relay_route(const struct peer *p, struct quic_endpoint *ret);
/* Where packets of this connection go on the path of this label. Returns false if it is gone. */
bool link_route(const struct link *l, path_label label, struct quic_endpoint *ret);
/* Tells the packet path where packets to this peer go now, and how large they may be. */
void peer_push(struct peer *p);
bool peer_is_pushed(const struct peer *p); /* for assertions */
/*
 * The largest datagram that the path in use is known to carry: of what goes behind a relay's
 * header, if it is the relay. 1200 at least; 0: there is no tunnel. May change with every packet
 * that is received. For the packet path: neither allocates nor asks for the time.
 */
size_t peer_path_mtu(const struct peer *p);

/* --- router.c -------------------------------------------------------------------------------- */

void router_init(struct peering *o);
/* Records of the tunnel came from this address, and before from another one. */
void peer_heard_at(struct peer *p, const struct addr *from);

/* --- link_events.c --------------------------------------------------------------------------- */

extern const struct quic_conn_ops link_ops;

/* --- relay.c --------------------------------------------------------------------------------- */

/* Asks the owner for a channel if there is none and it was not asked lately. */
void relay_want(struct peer *p);
void relay_forget(struct peer *p);
/* Asks for another channel where the counter of the one in use runs out. */
void relay_renew(struct peering *o);

/* --- peer_state.c ---------------------------------------------------------------------------- */

/* What people see of the phase. */
enum peer_state peer_state(const struct peer *p);
static inline bool peer_is_up(const struct peer *p)
{
	return peering_is_up(p->phase);
}
/* Arms the timer for what comes next. */
void peer_schedule(struct peer *p);

/* --- peer_step.c ----------------------------------------------------------------------------- */

/* What an event brings to its effects. */
struct peer_occasion {
	const char *why;	 /* for a person; NULL where nothing is explained */
	struct link *link;	 /* the connection that was chosen, or said hello */
	const struct addr *from; /* of a knock, if we can call there; else NULL */
	bool by_relay;		 /* the knock came by the relay */
};

/* Something happened: the peer's next phase, and what follows. `by` may be NULL. */
void peer_step(struct peer *p, enum peer_event ev, const struct peer_occasion *by);

/* --- peer.c ---------------------------------------------------------------------------------- */

/* -ENOMEM */
int peer_new(struct peering *o, const struct member *m, struct peer **ret) MUST_CHECK;
void peer_close(struct peer *p); /* says bye; only peer_free may follow */
void peer_free(struct peer *p);
void peer_watch(struct peer *p, uint64_t now);
/* The member has another key in force. */
void peer_rekeyed(struct peer *p);
/* Tells the owner that the peer's tunnel has changed, and logs whether it is up and which way it
 * goes; a peer that flaps does not flood the log. */
void peer_tell(struct peer *p);
/* Only logs, for changes that come with time: a path that died, or is back. */
void peer_tell_log(struct peer *p);
void peer_tell_init(struct peer *p);

/*
 * The member left. Takes the peer out of everything, whatever state it is in. It is freed at the
 * end of this turn. Doing it again changes nothing.
 */
void peer_expel(struct peer *p);
void expelled_free(void *peering);
/* A removal without order denies the member: the same, but it stays a peer that may come back. */
void peer_bar(struct peer *p);
void peer_unbar(struct peer *p);

/* A tunnel is wanted: begins if there is none. */
void peer_want(struct peer *p);
/* Something changed that may help: try now. */
void peer_kick(struct peer *p);
/* We are new and have an address of it: it may believe in a tunnel that was, and not begin. */
void peer_remembered(struct peer *p);

/* --- expel.c --------------------------------------------------------------------------------- */

/*
 * Closes the peer's connections, half-open ones too, and forgets their keys, packets that wait, its
 * relay channel, its route, and what it said of us.
 */
void peer_take_out(struct peer *p, const char *why);

/* --- attempts.c ------------------------------------------------------------------------------ */

enum attempt { ATTEMPT_NOTHING, ATTEMPT_DIRECT, ATTEMPT_RELAY };

/* Connections of ours that are under way. */
size_t attempts_running(const struct peer *p);
/* Plans an attempt; over the relay it begins. Returns how it goes on: by its addresses first. */
enum attempt attempts_prepare(struct peer *p);
void attempts_begin(struct peer *p);
/* The relay is ahead: the addresses' turn comes later. */
void attempts_lead(struct peer *p);
/*
 * The next address's turn. Returns NULL if something is under way, or why nothing is: `why` if no
 * address was left.
 */
const char *attempts_next(struct peer *p, const char *why);
/* New addresses join the race. */
void attempts_join(struct peer *p);
/* Tries where its knock came from. */
void attempts_call_back(struct peer *p, const struct addr *from);
/* Over the relay. Returns false if no connection has begun. */
bool attempts_try_relay(struct peer *p);
/* Closes our other knocks: they would keep us from knocking again. */
void attempts_end_knocks(struct peer *p);
/* When the next attempt begins: after a pause, longer with each failure; */
void attempts_back_off(struct peer *p);
/* at once, if it is wanted; */
void attempts_at_once(struct peer *p);
/* as soon as it may, the peer's turn first; */
void attempts_sooner(struct peer *p);
/* after hardly a turn of the peer's. */
void attempts_soon(struct peer *p);

/* --- knock.c --------------------------------------------------------------------------------- */

/* A connection that the peer began. Returns false if it is refused, or was a knock. */
bool peer_accept(struct peer *p, struct quic_conn *c, const struct quic_conn_ops **ret_ops,
		 void **ret_ctx);

/* --- link.c ---------------------------------------------------------------------------------- */

struct link *link_place(struct peer *p); /* a free one, or NULL */
/* Closes the connection and frees the place. */
void link_close(struct link *l, uint64_t app_error, const char *phrase);

/* What the links tell the peer (peer.c). */
void peer_link_up(struct link *l); /* both hellos are through */
void peer_link_gone(struct peer *p, struct link *l, const struct quic_event *ev);
void peer_link_chosen(struct link *l); /* it has the control stream: closes the others */

/* The other side broke the protocol: closed, and not tried again soon. */
void link_malformed(struct link *l, const char *what);

enum peer_loss {
	PEER_LOST_FAULT,  /* one side broke something: again after attempts_delay */
	PEER_LOST_SILENT, /* no answer: at once after a useful tunnel, else the same */
	PEER_LOST_ALIVE	  /* the peer proved that it lives without our tunnel: at once */
};

#define PEER_OTHER_VERSION "it speaks another version of mlsh: upgrade it, or this node"
/* There is no tunnel any more: `why`, for a person; when the next attempt follows. */
void peer_lost(struct peer *p, const char *why, enum peer_loss loss);

/* --- control_send.c -------------------------------------------------------------------------- */

/* Returns an error if the stream takes no more. `m` may be the overlay's own message. */
int control_send(struct link *l, const struct peer_message *m) MUST_CHECK;
/* What proves to the other side that a hello belongs to this connection. */
int control_binding(struct link *l, uint8_t out[32]) MUST_CHECK;
/* Sends our hello. */
int control_start(struct link *l) MUST_CHECK;
void control_candidates(struct link *l);
void control_observed(struct link *l);
void control_punch(struct link *l, uint8_t hops);
/* Returns false if it is left out for now. */
bool control_opened(struct link *l) MUST_CHECK;
void control_nat(struct link *l);
void control_ports(struct link *l);

/* --- control.c ------------------------------------------------------------------------------- */

void control_readable(struct link *l);

/* --- log_send.c ------------------------------------------------------------------------------ */

/* Shows the removals without order that were not shown yet, as far as the stream takes them. */
void control_removals(struct link *l);
/* Shows the beacons that were not shown yet, as far as the stream takes them. */
void control_beacons(struct link *l);
/* Asks for records behind our head, unless some are asked for already. */
void control_ask_log(struct link *l);
/* Sends records that the other side lacks, as far as the stream takes them, then removals. */
void control_push(struct link *l);
/* Asks for the records from `from` on. */
void peer_log_ask(struct link *l, uint64_t from);
/* Sends the records from `from` on that fit a message: how many is in the overlay's own message. */
int log_send_page(struct link *l, uint64_t from) MUST_CHECK;

/* --- peer_log.c ------------------------------------------------------------------------------ */

/* Their record `seq` does not follow ours: asks where the two logs part. */
void peer_log_search(struct link *l, uint64_t seq);
/* Answers a request for records. */
void peer_log_requested(struct link *l, const struct peer_message *m);
/*
 * Takes what they showed of their log. Returns false if it has brought nothing that our log lacked.
 * The link may be gone then.
 */
bool peer_log_shown(struct link *l, const struct wire_entries *e, bool solicited);
/* Takes a removal without order. The link may be gone afterwards: it may be of this very peer. */
void peer_log_removal(struct link *l, struct span entry);

#endif
