/* SPDX-License-Identifier: MIT */
/*
 * The known paths of one connection with a peer: where they go, what is known about them, which one
 * is in use and whether it is in doubt. Pure: no clock, no sockets; reach.c sends the frames.
 */
#ifndef MLSH_OVERLAY_PATHSET_H
#define MLSH_OVERLAY_PATHSET_H

#include "base/addr.h"
#include "overlay/reach/mtu_search.h"
#include "overlay/reach/punch.h"

#define PATHS_MAX 12
#define PATH_NONCES 8 /* pings under way */
#define PATH_NONCE_LIFE (5 * NS_PER_S)
#define PATH_PROOF_LIFE (45 * NS_PER_S) /* without an echo, three pings at 15 s apart */
#define PATH_ECHOES_WANTED 3		/* before a path is moved to */
#define PATH_CHANGE_GAP (5 * NS_PER_S)	/* between voluntary changes */

enum path_kind { PATH_LAN, PATH_IP6, PATH_PUBLIC, PATH_RELAY };

struct path {
	uint64_t label; /* 0: the place is free */
	enum path_kind kind;
	struct addr to, local; /* a relay's: the server */
	bool listed;	       /* by it or the server; else pings came from there */
	bool proven;	       /* our ping was answered from there */
	bool theirs;	       /* they say the same */
	bool lost;	       /* it was in use and died; until it answers again */
	unsigned echoes;       /* since it was last given up */
	unsigned missed;       /* pings since the last echo */
	uint64_t rtt;	       /* smoothed; 0 if unknown */
	uint64_t last_ping, last_echo;
	uint32_t pings, pongs; /* ever */
	uint32_t heard;	       /* pings of theirs that came from there */
	struct punch punch;
	struct {
		uint64_t nonce, at; /* at 0 if unused */
	} sent[PATH_NONCES];
	unsigned next_sent;
	struct mtu mtu; /* behind a relay's header, if it is the relay */
};

/* Of the path in use. All zero: none. */
struct doubt {
	uint64_t since; /* 0 if not in doubt */
	bool forced;	/* only its own echo ends it, not what comes by QUIC */
	bool dead;
	unsigned sent;
	uint64_t next; /* urgent ping, or the verdict */
};

struct pathset {
	struct path path[PATHS_MAX];
	uint64_t current; /* label of the path in use */
	struct doubt doubt;
	uint64_t changed_at; /* the last change of the path in use */
	/* packets of the connection from an unproven address, since the last from the right one */
	struct addr stray;
	uint64_t stray_since; /* 0 if there is no stray */
};

struct path *pathset_of_label(struct pathset *ps, uint64_t label);	/* NULL if unknown */
struct path *pathset_of_addr(struct pathset *ps, const struct addr *a); /* direct ones only */
struct path *pathset_relay(struct pathset *ps);
struct path *pathset_current(struct pathset *ps);
bool pathset_is_direct(struct pathset *ps); /* the path in use: alive, and not the relay */
/*
 * A new path; when all places are taken, that of the worst one neither proven nor in use.
 * NULL if all of them matter more.
 */
struct path *pathset_add(struct pathset *ps, uint64_t label, enum path_kind kind,
			 const struct addr *to);
void path_remove(struct path *p);

void path_pinged(struct path *p, uint64_t nonce, uint64_t now);
/* A pong came from there: false when no such ping was sent there lately. */
bool path_echo(struct path *p, uint64_t nonce, uint64_t now);
/* It is not to be used until it has answered again. */
void path_disprove(struct path *p);

#endif
