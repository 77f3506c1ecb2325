/* SPDX-License-Identifier: MIT */
/*
 * What a node knows of the network around it: at which addresses others can reach it, what is
 * between it and the internet, and how much it may still send to addresses that proved nothing. One
 * of each overlay; all its tunnels share it.
 */
#ifndef MLSH_OVERLAY_SURROUNDINGS_H
#define MLSH_OVERLAY_SURROUNDINGS_H

#include "base/bucket.h"
#include "os/loop.h"
#include "overlay/reach/candidate.h"
#include "overlay/reach/mapper.h"
#include "overlay/reach/meter.h"
#include "overlay/reach/nat.h"
#include "overlay/reach/probe_send.h"

struct surroundings {
	struct host *h;
	struct prefix4 subnet; /* of the overlay */
	uint16_t port;	       /* of our socket */
	struct probe_way way;
	uint64_t *last_label;	     /* of paths: the next one is one more */
	struct wire_candidates own;  /* what is told, with addresses that others say we have */
	struct wire_candidates home; /* those of our interfaces: this node is there for sure */
	struct mapper *mapper;	     /* NULL: turned off */
	struct addr observed;	     /* by the server */
	bool at_home;		     /* which is an address of this machine */
	bool rewritten;		     /* the server sees another one: `observed` is unset */
	struct nat_state nat;
	struct addr observed_by_peer[2];
	const void *observed_from[2]; /* the peers that said so: to compare, and nothing else */
	struct timer *news_later;     /* its owner's: to look again */
	struct bucket reported;	      /* of updates of what peers and NATs make of our address */
	struct bucket news;	      /* changes of them that peers are told of */
	struct bucket pings;	      /* of rounds */
	struct bucket pongs;	      /* to addresses that are not proven */
	struct meter unproven;	      /* bytes to addresses that proved nothing */
	uint64_t unproven_since;      /* when that budget began, on the network of then */
};

/* The owner sets what needs its socket, labels and timers: port, way, last_label, the timers. */
void surroundings_init(struct surroundings *s, struct host *h, struct prefix4 subnet);
void surroundings_fini(struct surroundings *s);
/*
 * Looks at our interfaces, and puts together what we are told about ourselves. Returns true if our
 * candidates have changed: the server and the peers must be told. A change that comes too soon
 * after others is left to the timer.
 */
bool surroundings_look(struct surroundings *s);
/*
 * The server at `server` (NULL if unknown) sees us at `a`. Returns true if that is not what it saw
 * before: after a look, nat_reset must follow.
 */
bool surroundings_observed(struct surroundings *s, const struct addr *a, const struct addr *server)
	MUST_CHECK;
/*
 * The peer `who` says where it sees us; `budget` is for what it says. Returns true if a look must
 * follow.
 */
bool surroundings_observed_by(struct surroundings *s, const void *who, struct bucket *budget,
			      const struct addr *a) MUST_CHECK;
/* Where `who` saw us is no candidate of ours any more. Returns true if a look must follow. */
bool surroundings_forget(struct surroundings *s, const void *who) MUST_CHECK;
/* We are in another network: nobody has seen us there yet. Returns effects. */
unsigned surroundings_moved(struct surroundings *s) MUST_CHECK;

#endif
