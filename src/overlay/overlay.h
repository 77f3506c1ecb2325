/* SPDX-License-Identifier: MIT */
/*
 * One cluster's tunnels: the node's UDP socket, its TUN, a peer for every other member, and the
 * packet path between them. Knows nothing of the client: presence and candidates are told to it,
 * log entries from peers are told to its owner.
 */
#ifndef MLSH_OVERLAY_OVERLAY_H
#define MLSH_OVERLAY_OVERLAY_H

#include "membership/deny.h"
#include "os/netconf.h"
#include "os/tun.h"
#include "overlay/datapath/count.h"
#include "overlay/reach/mapper.h"
#include "overlay/reach/nat.h"
#include "overlay/netsetup.h"
#include "proto/peer.h"
#include "proto/probe.h"
#include "proto/relay.h"
#include "quic/quic.h"

struct overlay;

enum peer_path { PEER_PATH_NONE, PEER_PATH_DIRECT, PEER_PATH_RELAY };

/* None of these may free the overlay. */
struct overlay_ops {
	/* The fence is up, or down: see overlay_fence. NULL allowed. */
	void (*fence_changed)(void *ctx);
	/* Records that a peer showed were taken into the log. The overlay has seen them itself. */
	void (*log_grew)(void *ctx);
	/* The latest date that a record of a peer may have now. NULL allowed: any date. */
	uint64_t (*latest_s)(void *ctx);
	/* The first record of a peer's that is dated later and was held back. May be NULL. */
	void (*held)(void *ctx, const struct mlog_held *held, const struct member *from);
	/* A peer showed proof that two logs exist. */
	void (*fork)(void *ctx, const struct log_proof *proof, const struct member *from);
	/* Our own candidates changed (interfaces, observed by peers). */
	void (*candidates)(void *ctx, const struct wire_candidates *c);
	/*
	 * A relay channel to this member is wanted: overlay_relay tells. Returns false
	 * if nobody can be asked now; overlay_relay_possible tells when. May be NULL.
	 */
	bool (*relay_wanted)(void *ctx, const struct member *m);
	/* The server's second port should be asked again where it sees us. May be NULL. */
	void (*echo_wanted)(void *ctx);
	/*
	 * The server that there is a session with: frames of channels that are not known yet are
	 * kept for a moment when they come from there. Returns NULL without a session. The
	 * op may be NULL.
	 */
	const struct addr *(*relay_server)(void *ctx);
	/* A tunnel came up, went down or changed its path. */
	void (*peer_changed)(void *ctx, const struct member *m);
	/* The answer to a ping, one of overlay_ping or any other. May be NULL. */
	void (*pong)(void *ctx, const struct member *m, uint64_t nonce, enum peer_path path,
		     const struct addr *from);
	/* The host's links, addresses or routes changed; the overlay has seen it. May be NULL. */
	void (*network_changed)(void *ctx);
	/* What overlay_repairs_get and overlay_conflict tell changed. May be NULL. */
	void (*network_state)(void *ctx);
	/* Other software deleted our interface, and another one took its place. May be NULL. */
	void (*device_changed)(void *ctx);
	/*
	 * Does a removal without order deny this member? overlay_denials_changed follows when the
	 * answer is another one. NULL allowed: then nobody is denied.
	 */
	bool (*denied)(void *ctx, const struct member *m);
	/* As struct netsetup has them: clusters on this host that are senior, and junior ones. */
	bool (*senior)(void *ctx, ip4 ip, char *what);
	void (*claim)(void *ctx, ip4 ip);
	/*
	 * A peer shows a removal without order; a view. Nothing of it is checked: what is refused
	 * counts against the peer. May be NULL, with removal_next.
	 */
	enum removal_shown (*removal)(void *ctx, const struct member *from, struct span entry);
	/* Those that this node holds, to be shown to peers: as denials_next. */
	struct span (*removal_next)(void *ctx, uint64_t *serial);
	/* A peer shows a beacon; a view, of which nothing is checked. NULL allowed, also below. */
	void (*beacon)(void *ctx, const struct member *from, struct span beacon);
	/* Those that this node holds, to be shown to peers: as beacons_next. */
	struct span (*beacon_next)(void *ctx, uint64_t *serial);
	/*
	 * By the log this node is not a member any more (`in` false): the overlay is about to take
	 * back what it did to the host; the interface and the fence go. Or it is one again, and has
	 * another interface and fence. May be NULL.
	 */
	void (*membership)(void *ctx, bool in);
};

struct overlay_config {
	const struct identity *identity;
	struct mlog *log;	       /* the owner's; outlives the overlay */
	const struct member *self;     /* in the log; a former member: as ops->membership says */
	struct addr bind;	       /* unset: any address, any port */
	uint16_t port;		       /* to take again if it is free; 0 if unknown */
	uint16_t fixed_port;	       /* this one, or -EADDRINUSE; 0 if `port` counts */
	bool no_port_mapping;	       /* the gateway is not asked for one */
	unsigned device, spare_device; /* its interface's number: as struct tun_config has them */
	const struct overlay_ops *ops;
	void *ctx;
};

#define OVERLAY_WARNING_MAX NETSETUP_LINE_MAX
#define OVERLAY_EAGER_MAX 64 /* members up to which tunnels are built without being asked for */

/*
 * Opens the socket and the TUN, sets its address, MTU, routes to the members and the unreachable
 * backstop (only what the host does not use itself: `ret_warning` of OVERLAY_WARNING_MAX bytes says
 * what was left out first, "" if nothing; the rest is logged). All of it is kept so: what other
 * software takes away is put back. overlay_free undoes everything.
 */
int overlay_new(struct host *h, const struct overlay_config *cfg, char *ret_warning,
		struct err *err, struct overlay **ret) MUST_CHECK;
/*
 * Bye to all peers, while there is still a relay to say it over. Only overlay_free may follow.
 * NULL allowed.
 */
void overlay_close(struct overlay *o);
void overlay_free(struct overlay *o); /* NULL allowed */

struct quic_socket *overlay_socket(struct overlay *o);
const char *overlay_ifname(const struct overlay *o);
unsigned overlay_ifindex(const struct overlay *o);
struct fence *overlay_fence(const struct overlay *o); /* NULL if this node is not a member */

/*
 * The log grew: new members get a peer and a route, those that left are taken out of everything in
 * this turn of the loop, and peers that lack entries are sent them. A node that left itself keeps
 * its socket and nothing else.
 */
void overlay_log_grew(struct overlay *o);
/*
 * ops->denied gives other answers now. From this turn of the loop on, members that are denied have
 * no tunnel, no route and no relay, and a connection for messages of the log only.
 */
void overlay_denials_changed(struct overlay *o);
/* A senior cluster takes this address: our route to it goes at once, and `status` says so soon. */
void overlay_yield(struct overlay *o, ip4 ip);
/* ops->senior may give other answers now. */
void overlay_seniors_changed(struct overlay *o);
/* This node holds another removal without order: shows it to all peers. */
void overlay_removal(struct overlay *o);
/* This node holds another beacon: shows it to all peers. */
void overlay_beacon(struct overlay *o);
/* Asks all peers with a tunnel for records that this node lacks. Returns how many were asked. */
size_t overlay_ask_log(struct overlay *o);
/*
 * Presence and candidates of a member, as told by the server. Candidates of a member that is
 * offline are kept: a living tunnel is not closed, and the last addresses are tried again.
 */
void overlay_presence(struct overlay *o, const struct member *m, bool online,
		      const struct wire_candidates *c);
void overlay_presence_reset(struct overlay *o);
/*
 * The relay channel to a member, asked for by us or by them: our end of it and where its server is.
 * With NULL, or without a server, there is no channel any more. The same end again only changes the
 * server's address.
 */
void overlay_relay(struct overlay *o, const struct member *m, const struct relay_end *end,
		   const struct addr *server);
void overlay_relay_reset(struct overlay *o); /* no channel to anybody */
/* There is a session with the server now: channels that are wanted are asked for. */
void overlay_relay_possible(struct overlay *o);
/*
 * The address that the server sees us at becomes a candidate, unless something in front of the
 * server rewrites addresses. `server`: its address as we know it; NULL if it is unknown.
 */
void overlay_observed(struct overlay *o, const struct addr *a, const struct addr *server);
/* The signal server's second port: as session_ops.echo tells it. */
void overlay_echo(struct overlay *o, const struct probe_keys *keys, const struct addr *server,
		  uint16_t port);
/* What the signal server's name resolved to: kept reachable, see netsetup_signal. */
void overlay_signal_addrs(struct overlay *o, const struct addr *addrs, size_t n);
/* Interfaces changed or the machine woke. */
void overlay_network_changed(struct overlay *o);
void overlay_candidates_get(const struct overlay *o, struct wire_candidates *ret);

#define OVERLAY_HINTS_MAX 1024

/* Where a peer may be found without a server, the most likely address first. */
struct peer_hint {
	struct node_id id;
	struct wire_candidates at;
};

/* To be kept over a restart: at most `max`, met peers first. Returns how many. */
size_t overlay_hints_get(const struct overlay *o, struct peer_hint *out, size_t max);
/*
 * What was kept: tried at once, as far as candidates may be tried at all, until the peers say
 * better. Ignores nodes that are not members (any more).
 */
void overlay_hints_set(struct overlay *o, const struct peer_hint *in, size_t n);

enum peer_state {
	PEER_IDLE,	 /* there is no tunnel, and never was one */
	PEER_CONNECTING, /* candidates are being tried */
	PEER_UP,
	PEER_LOST /* there was a tunnel */
};
const char *peer_state_name(enum peer_state s); /* "idle", "connecting", "connected", ... */

struct peer_status {
	const struct member *member;
	enum peer_state state;
	enum peer_path path;
	struct addr endpoint; /* of the path in use; or unset */
	uint64_t rtt_ns;
	uint64_t last_heard;				     /* clock_now; or 0 */
	uint64_t up_since;				     /* 0 if it is not up */
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets; /* inner */
	char group[32];					     /* key exchange */
	bool online;					     /* what the server says */
	bool greeted;	   /* it has said hello since the overlay was made, with */
	uint64_t features; /* these feature bits */
	char detail[128];  /* why there is no tunnel, for a person; or "" */
};

enum peer_path_kind { PEER_PATH_LAN, PEER_PATH_IP6, PEER_PATH_PUBLIC, PEER_PATH_SERVER };

/* One way to a peer, tried or in use. */
struct peer_path_status {
	enum peer_path_kind kind;
	struct addr to; /* the peer's address, or the relay's server */
	bool in_use;
	bool named;		     /* by the peer, or by the server as the peer's */
	bool proven, proven_by_them; /* an echo came lately; they say the same */
	bool lost;		     /* was in use, died, and has not answered since */
	uint32_t pings, pongs;
	uint32_t heard;	    /* pings of theirs that came from there */
	struct addr local;  /* where those came to; or unset */
	uint64_t rtt_ns;    /* 0 if unknown */
	uint64_t last_echo; /* clock_now; or 0 */
	size_t mtu_bytes;   /* largest datagram (behind a relay's header) that passes */
};

/*
 * Is what is shown of all tunnels known to be true, as of the last two seconds? Those that nothing
 * was heard from are tested: again after some ms, it is, within a second.
 */
bool overlay_look(struct overlay *o);

/* How our part of the host's network fares: what other software took away, and is it back? */
struct overlay_repairs {
	uint64_t count, last;		 /* how often; clock_now of the last time */
	char what[64];			 /* what, then: "address, routes" */
	bool broken;			 /* something is missing: packets may not pass */
	char missing[64];		 /* what, or "" */
	char failure[NETSETUP_LINE_MAX]; /* why it cannot be put back, or "" */
	uint64_t next_ns;		 /* until the next attempt */
};

void overlay_repairs_get(const struct overlay *o, struct overlay_repairs *ret);
/* The i-th sentence about what the host uses itself of our addresses; NULL if there are no more. */
const char *overlay_conflict(const struct overlay *o, size_t i);
/* Does the host send packets for this member to us? */
bool overlay_routes_to(const struct overlay *o, const struct member *m);

void overlay_status_get(const struct overlay *o, struct overlay_status *ret);
/* The mapping of our port by the gateway. */
void overlay_mapping_status(const struct overlay *o, struct mapper_status *ret);
/* Returns false if the member is unknown or our own. */
bool overlay_peer_status(const struct overlay *o, const struct member *m, struct peer_status *ret);
/* The paths of a tunnel that is up: how many were filled in. */
size_t overlay_peer_paths(const struct overlay *o, const struct member *m,
			  struct peer_path_status *out, size_t max);
/* How many ports were tried that its NAT might give next. */
size_t overlay_peer_guessed_ports(const struct overlay *o, const struct member *m);

/*
 * Sends a ping by the path in use: ops->pong tells of the answer. -ENOTCONN: there is no tunnel;
 * one is begun. -ENOENT: unknown, or our own.
 */
int overlay_ping(struct overlay *o, const struct member *m, uint64_t *ret_nonce) MUST_CHECK;

/* What is between us and the internet, as far as others have told. */
struct overlay_nat {
	struct nat_kind kind;
	struct nat_kind told; /* to others: a mapped port counts as an easy NAT */
	bool checking;	      /* the answer is under way */
	bool in_turn;	      /* its ports can be foretold */
	size_t observers;     /* whose word it rests on */
	bool rewritten;	      /* the server sees us at an address that cannot be ours */
};
void overlay_nat_get(const struct overlay *o, struct overlay_nat *ret);
/* To be kept over a restart. Returns false if there was no check. */
bool overlay_nat_memory(const struct overlay *o, struct nat_memory *ret);
/* What was kept; only for the same UDP port. */
void overlay_nat_remember(struct overlay *o, const struct nat_memory *m);
/* The NAT that the peer says it has. Returns false if the member is unknown or our own. */
bool overlay_peer_nat(const struct overlay *o, const struct member *m, struct nat_kind *ret);

#endif
