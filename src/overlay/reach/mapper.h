/* SPDX-License-Identifier: MIT */
/*
 * Asks the default gateway to map a port of its own to our UDP port, by PCP, NAT-PMP or UPnP, and
 * keeps the mapping: renewed at half of its lifetime, asked for again when the network or the
 * gateway changed or the gateway forgot it, taken away at the end. What the gateway says becomes a
 * candidate and nothing else: peers prove it with probes like any other.
 */
#ifndef MLSH_OVERLAY_MAPPER_H
#define MLSH_OVERLAY_MAPPER_H

#include "os/netconf.h"

struct mapper;

struct mapper_config {
	uint16_t port;		/* our UDP port */
	struct prefix4 overlay; /* nothing in there is believed */
	/* The mapped address is another, or gone. Not from within the functions below. */
	void (*changed)(void *ctx);
	void *ctx;
};

enum mapper_state {
	MAPPER_OFF,	 /* turned off */
	MAPPER_UNNEEDED, /* no gateway, or our address is public */
	MAPPER_ASKING,
	MAPPER_MAPPED,
	MAPPER_NONE /* the gateway gives none: asked again later */
};

enum mapper_method { MAPPER_PCP, MAPPER_NATPMP, MAPPER_UPNP, MAPPER_METHODS };

struct mapper_status {
	enum mapper_state state;
	enum mapper_method method; /* MAPPED */
	struct addr external;	   /* MAPPED, else unset */
	uint64_t left_ns;	   /* MAPPED: until it ends, if it is not renewed */
	ip4 gateway;		   /* 0 if unknown */
	char detail[96];	   /* why there is none; or "" */
};

/* Begins in the next turn of the loop. -ENOMEM */
int mapper_new(struct host *h, const struct mapper_config *cfg, struct mapper **ret) MUST_CHECK;
/*
 * Tells the gateway that the port is no longer wanted; with UPnP it waits for the answer, half a
 * second at most. NULL allowed.
 */
void mapper_free(struct mapper *m);
/* Interfaces, addresses or routes changed: looks for the gateway again. */
void mapper_network_changed(struct mapper *m);
/* The world sees us elsewhere: has the gateway forgotten us? */
void mapper_doubt(struct mapper *m);
/* Returns false without a mapping. */
bool mapper_external(const struct mapper *m, struct addr *ret);
void mapper_status_get(const struct mapper *m, struct mapper_status *ret);
const char *mapper_method_name(enum mapper_method m); /* "pcp", ... */
const char *mapper_state_name(enum mapper_state s);   /* "off", "unneeded", "asking", ... */

#endif
