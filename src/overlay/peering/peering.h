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
#include "proto/relay.h"

#define PEER_LINKS_MAX (CANDIDATES_MAX + 3)

struct peer;
struct reach;

/* A connection with a peer: one of several until one of them has the control stream. */
struct link {
	struct peer *peer;
	struct quic_conn *conn; /* NULL: the place is free */
	path_label label;	/* of its first path, and where that goes: */
	bool relayed;
	bool proven;	      /* the peer has been at `to` before */
	bool retried;	      /* a flight has answered its Retry */
	uint64_t admitted_at; /* when its last flight elsewhere began; TIME_NEVER */
	struct addr to, local;
	uint64_t begun;	   /* by us */
	uint64_t deadline; /* for the control stream and its hello; TIME_NEVER */
	int64_t control;   /* stream; -1 before it is open */
	bool log_only;	   /* log_link.c: no tunnel */
	bool key_before;   /* the other side shows the key that it had before */
	bool connected, hello_sent, hello_got;
	/* membership log */
	uint64_t shown_removal;	   /* of those without order: the last that they were shown */
	uint64_t shown_beacon;	   /* the same of beacons */
	uint64_t their_generation; /* of their log, as far as is known */
	uint64_t their_next;	   /* first record that they lack; UINT64_MAX if unknown */
	uint32_t candidates_sent, candidates_heard; /* messages */
	bool asked;				    /* a log_request is under way, */
	uint64_t asked_from;			    /* from here */
	struct log_search search;		    /* for the record in which the logs part */
	bool log_stopped;	   /* their log is not to be believed or not understood */
	uint64_t reopen_at;	   /* when a claimed recovery is next looked at in spite of that */
	struct bucket messages;	   /* that the other side may send */
	struct bucket send_budget; /* of messages that may be left out */
};

struct peer {
	struct peering *g;
	const struct member *member;
	struct dest dest;     /* what the packet path knows of it */
	uint64_t log_link_at; /* when the last connection for the log only began; 0 before that */
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
	struct addr was_at;	       /* the same, or before our restart the first one stored */
	struct addr called_from;       /* proven by its last knock's handshake */
	struct nat_kind nat;	       /* what it says of its own */
	uint64_t features;	       /* the bits of its last hello */
	bool greeted;		       /* there was one */
	struct relay_path relay;
	struct reach_budgets budgets;
	struct bucket attempts; /* bytes of handshakes to addresses that proved nothing */
	struct bucket reported; /* of addresses that the peer sees us at */
	struct bucket removals; /* without order, that are refused */
	struct reach *reach;	/* of the active link, once both hellos are through */
	/* attempts */
	struct wire_candidates plan;
	size_t next;	   /* in plan */
	size_t n_met;	   /* in plan: the first ones, where it called from or was */
	uint64_t next_at;  /* PEERING_RACING: the next one's turn */
	uint64_t retry_at; /* PEERING_WAITING and LEFT: the next attempt */
	uint64_t began_at, asked_at;
	uint64_t restart_hint_at;   /* the last hint that it may have restarted; 0 before that */
	uint64_t restart_tested_at; /* when the tunnel was tested for it */
	uint64_t restart_test_at;   /* when it will be; TIME_NEVER if no test is due */
	uint64_t silent_at;	    /* since when it does not answer the test; TIME_NEVER */
	unsigned failures;
	struct timer *timer;
	/* packets */
	uint64_t waiting_until; /* packets that wait for a tunnel; or TIME_NEVER */
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
	void (*log_learnt)(struct peering *g); /* records of a peer were appended */
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
static inline bool peering_is_eager(const struct peering *g)
{
	return roster_count(mlog_roster(g->log), ROSTER_CURRENT) <= OVERLAY_EAGER_MAX;
}

/* --- find.c ----------------------------------------------------------------------------------- */

struct peer *peer_of_address(const struct peering *g, ip4 address); /* NULL if it is nobody's */
struct peer *peer_of_member(const struct peering *g,
			    const struct member *m); /* NULL if it has none */

#endif
