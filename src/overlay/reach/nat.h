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

struct surroundings;

#define NAT_VIEWS_MAX 8

/* A server or peer outside says at which address it sees our socket. */
struct nat_view {
	struct addr from, seen;
};

/*
 * What the last check of the filtering found: our pings have opened the way for its port, through
 * the NAT's mapping of our UDP port, for longer than a restart takes.
 */
struct nat_memory {
	struct addr echo, observed; /* the server's second port; where the server saw us */
	uint64_t wall_s;	    /* when: clock_wall_s */
	enum nat_filtering filtering;
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
	struct nat_memory last;
	uint64_t last_at; /* when that was; 0 before the first one */
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

/* Functions that return an unsigned return effects (reach/effects.h). */

/* The server sees us at another address, or we are in another network: nothing is known. */
unsigned nat_reset(struct surroundings *s) MUST_CHECK;
/*
 * Our port at the outer address: where the NAT maps by destination nobody sees us there, but a
 * person may have forwarded it. Unset: no need to guess.
 */
struct addr nat_by_hand(const struct surroundings *s);
/* What the others are told: with a port that the gateway maps, the NAT does not matter. */
struct nat_kind nat_told(const struct surroundings *s);
/* A peer at `from` sees us at `seen`. */
unsigned nat_seen(struct surroundings *s, const struct addr *from, const struct addr *seen,
		  uint64_t now) MUST_CHECK;
/* When the last check was over; 0 before that. */
uint64_t nat_last_at(const struct surroundings *s);

/* A check begins: these are the keys, and the server's address, whose second port follows. */
void nat_check_begin(struct surroundings *s, const struct probe_keys *keys,
		     const struct addr *server);
/* The server at this address says where its second port is. */
void nat_check_port(struct surroundings *s, const struct addr *server, uint16_t port);
/* True if the frame belongs to the check. */
bool nat_received(struct surroundings *s, struct span frame, const struct addr *from);
/* The check's timer has expired. */
unsigned nat_run(struct surroundings *s) MUST_CHECK;
/* What is to be kept of the last check over a restart. Returns false if there was none. */
bool nat_memory_get(const struct surroundings *s, struct nat_memory *ret);
void nat_memory_set(struct surroundings *s, const struct nat_memory *m);

#endif
