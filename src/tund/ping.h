/* SPDX-License-Identifier: MIT */
/*
 * `mlsh ping` at work in the daemon: pings by the path in use, one after another, and word of each
 * answer and each change of the path as it happens.
 */
#ifndef MLSH_TUND_PING_H
#define MLSH_TUND_PING_H

#include "base/list.h"
#include "overlay/overlay.h"

#define PING_COUNT_MAX 100000
#define PING_INTERVAL_MIN (200 * NS_PER_MS)

struct ping;

enum ping_event_type {
	PING_ANSWER,
	PING_SILENCE, /* no answer in time; no tunnel: path NONE */
	PING_PATH,    /* the path in use is another one now */
	PING_END      /* the last event: the ping may be freed */
};

struct ping_event {
	enum ping_event_type type;
	unsigned seq; /* from 1 */
	enum peer_path path;
	struct addr endpoint;
	uint64_t rtt_ns;	 /* answer */
	unsigned sent, answered; /* so far */
};

struct ping_config {
	struct overlay *overlay;
	const struct member *member;
	unsigned count;
	uint64_t interval_ns;
	bool until_direct; /* also ends with the first answer by a direct path */
	/* May free the ping with PING_END only. */
	void (*event)(void *ctx, const struct ping_event *ev);
	void *ctx;
};

/* Begins from the loop. `all`: the tunnel's list of them. -ENOMEM. */
int ping_new(struct host *h, const struct ping_config *cfg, struct list *all, struct ping **ret)
	MUST_CHECK;
void ping_free(struct ping *p); /* no event; NULL allowed */

/* What the overlay tells the tunnel. */
void pings_answered(struct list *all, const struct member *m, uint64_t nonce, enum peer_path path,
		    const struct addr *from);
void pings_path_changed(struct list *all, const struct member *m);
/* The member left: those to it end. */
void pings_end_member(struct list *all, const struct member *m);
/* The tunnel ends: each has its PING_END. */
void pings_end(struct list *all);

#endif
