/* SPDX-License-Identifier: MIT */
/*
 * Why packets for a peer go the way they go, and what a person could change: decided from a record
 * of facts. Pure.
 */
#ifndef MLSH_TUND_WHY_H
#define MLSH_TUND_WHY_H

#include "overlay/overlay.h"

enum why_reason {
	WHY_DIRECT_LAN,
	WHY_DIRECT_IP6,
	WHY_DIRECT_PUBLIC,
	/* no tunnel: */
	WHY_IDLE,      /* nobody has asked for one; the peer is online */
	WHY_NO_SERVER, /* no session with the server, and no known address answers */
	WHY_OFFLINE,   /* the peer has no session */
	WHY_CONNECTING,
	WHY_OWN_PORT, /* no relay, since our session had to take another port */
	WHY_NO_ANSWER,
	/* the relay: */
	WHY_SETTLING,	  /* a direct path answers already */
	WHY_TRYING,	  /* it is too early to say */
	WHY_LOST,	  /* a direct path was in use and died a moment ago */
	WHY_NO_ADDRESS,	  /* the peer names none that may be tried */
	WHY_OTHER_FAMILY, /* it names addresses of the one kind that we have not */
	WHY_OTHER_LAN,	  /* it names private addresses of another network only */
	WHY_HIDDEN,	  /* we name private addresses only: the server is in our network */
	WHY_REWRITTEN,	  /* the server cannot tell it and us where we are seen */
	WHY_HARD_NATS,	  /* no packet can meet one of the other side */
	WHY_SAME_ROUTER,  /* behind the same address, but not in one LAN */
	WHY_ONE_WAY,	  /* its pings come, ours are not answered */
	WHY_BLOCKED,	  /* NATs would let it through: something else does not */
	WHY_UNKNOWN,	  /* what the NATs do is not known */
	WHY_REASONS
};

struct why_facts {
	const char *peer, *cluster; /* their names */
	enum peer_state state;
	enum peer_path path;
	uint64_t now, up_since;
	bool session_up;      /* ours, with the signal server */
	bool session_spare;   /* from another port than the node's */
	bool online;	      /* the peer's, says the server */
	bool tried;	      /* an attempt without a tunnel has failed */
	bool have_ip6;	      /* we offer an IPv6 address */
	bool no_ip4;	      /* and no IPv4 address */
	bool hidden;	      /* we offer private addresses only */
	struct addr observed; /* where the server sees us; unset: unknown */
	bool rewritten;	      /* which is an address of its own network */
	struct nat_kind ours, theirs;
	bool foretold; /* the hard NAT's ports come in turn, and are guessed */
	const struct peer_path_status *paths;
	size_t n_paths;
};

enum nat_meeting { NATS_MEET, NATS_MISS, NATS_UNKNOWN };
/* Can two nodes behind such NATs reach each other by sending at the same time? */
enum nat_meeting nats_meet(struct nat_kind a, struct nat_kind b);

enum why_reason why_decide(const struct why_facts *f);
const char *why_reason_name(enum why_reason r); /* for machines: "hard-nats" */

#define WHY_TEXT_MAX 400
#define WHY_ADVICE_MAX 4
#define WHY_ADVICE_LEN 240
struct why {
	enum why_reason reason;
	char text[WHY_TEXT_MAX];		     /* a sentence or two */
	char advice[WHY_ADVICE_MAX][WHY_ADVICE_LEN]; /* what may be changed; "": no more */
};
void why_explain(const struct why_facts *f, struct why *ret);

/* What became of one path, in a few words. */
const char *why_verdict(const struct peer_path_status *p);

/* --- the machine's own connection, for `mlsh netcheck` ---------------------------------------- */

struct netcheck_facts {
	const char *cluster; /* its name */
	bool network;	     /* an interface that is up has an address */
	bool session_up;
	int err_reason;	   /* enum refusal of the last failure, or 0 */
	bool err_local;	   /* the kernel of this machine refused to send */
	bool server_known; /* its name resolved */
	bool mapped;	   /* the gateway maps a port to us */
	struct nat_kind nat;
	bool in_turn;	      /* its ports can be foretold */
	bool rewritten;	      /* the server sees an address of its own network */
	struct addr observed; /* which is this one */
};
/* What it means for direct tunnels. */
void netcheck_explain(const struct netcheck_facts *f, struct why *ret);

#endif
