/* SPDX-License-Identifier: MIT */
/*
 * What a node knows of the network around it: at which addresses others can reach it, what is
 * between it and the internet, and how much it may still send to addresses that proved nothing. One
 * of each overlay; all its tunnels share it.
 */
#ifndef MLSH_OVERLAY_SURROUNDINGS_H
#define MLSH_OVERLAY_SURROUNDINGS_H

#include "overlay/reach/candidate.h"
#include "overlay/reach/mapper.h"
#include "overlay/reach/meter.h"
#include "overlay/reach/nat.h"

struct surroundings {
	struct wire_candidates own;
	struct wire_candidates home; /* those of our interfaces */
	struct mapper *mapper;	     /* NULL: turned off */
	struct addr observed;	     /* by the server */
	bool at_home;		     /* which is an address of this machine */
	bool rewritten;		     /* the server sees another one: `observed` is unset */
	struct nat_state nat;
	struct addr observed_by_peer[2];
	const void *observed_from[2]; /* the peers that said so: to compare, and nothing else */
	struct timer *news_later;
	struct bucket hearsay;	 /* news of what peers and NATs make of our address */
	struct bucket news;	 /* changes of them that peers are told of */
	struct bucket pings;	 /* of rounds */
	struct bucket pongs;	 /* to addresses that are not proven */
	struct meter unproven;	 /* bytes to addresses that proved nothing */
	uint64_t unproven_since; /* when that budget began, on the network of then */
};

#endif
