/* SPDX-License-Identifier: MIT */
/*
 * What is between this node and the internet (docs/protocol/06-paths.md, "NATs"): where others see
 * us, and what follows from it. Over IPv4 only.
 */
#ifndef MLSH_OVERLAY_NAT_H
#define MLSH_OVERLAY_NAT_H

#include "os/loop.h"
#include "proto/peer.h"
#include "proto/probe.h"

struct overlay;
struct udp_rx;

#define NAT_VIEWS_MAX 8

/* A server or peer outside says at which address it sees our socket. */
struct nat_view {
	struct addr from, seen;
};

/* The check with the server's second port. */
struct nat_check {
	struct probe_keys keys;
	struct addr server, echo; /* its address, and that of the second port */
	bool running;
	bool known; /* where the second port is */
	bool answered;
	bool heard; /* an unasked ping came, from a port that nobody was told */
	uint64_t nonce;
	uint64_t counter; /* of the last ping, ever */
	unsigned sent;
	struct timer *timer;
	/* The last one that came to an end: our pings have opened the way for that port. */
	struct {
		struct addr echo, observed;
		uint64_t at;	 /* 0: there was none */
		uint64_t wall_s; /* the same instant, for after a restart */
		enum nat_filtering filtering;
	} last;
};

struct nat_state {
	struct nat_check check;
	struct nat_view view[NAT_VIEWS_MAX];
	size_t n_views, next_view;
	struct nat_kind kind;
	/* Our NAT gives its ports in turn, and this is where the second port saw us last. */
	bool in_turn;
	bool varies; /* it maps by destination: the server's two ports say so */
	struct addr last_port;
};

/*
 * Pure. The first view is the server's, by our session. `at_home`: it sees us at an address of this
 * machine.
 */
enum nat_mapping nat_mapping_of(const struct nat_view *v, size_t n, bool at_home);

/*
 * Does something in front of the server (a container's published port, a proxy, a router that
 * hairpins) put another source address into our datagrams? A server with a public address sees
 * clients at public addresses, and not at its own. Pure; not for addresses of this machine.
 */
bool nat_is_rewritten(const struct addr *observed, const struct addr *server);

/* The server sees us at another address, or we are in another network: nothing is known. */
void nat_reset(struct overlay *o);
/*
 * Our port at the outer address: where the NAT maps by destination nobody sees us there, but a
 * person may have forwarded it. Unset: no need to guess.
 */
struct addr nat_by_hand(const struct overlay *o);
/* What the others are told: with a port that the gateway maps, the NAT does not matter. */
struct nat_kind nat_told(const struct overlay *o);
void nat_tell(struct overlay *o); /* all peers */
/* A peer at `from` sees us at `seen`. */
void nat_seen(struct overlay *o, const struct addr *from, const struct addr *seen);
/* When the last check was over; 0: never. */
uint64_t nat_last_at(const struct overlay *o);
/* True if the frame belongs to the check. */
bool nat_received(struct overlay *o, struct span frame, const struct udp_rx *rx);
void nat_run(void *overlay); /* the timer's */

#endif
