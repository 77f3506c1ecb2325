/* SPDX-License-Identifier: MIT */
/*
 * What the overlay does to the host's network: the device's name, MTU and address, a host route and
 * a guard for each member, an unreachable route behind them, so that packets for members never
 * leave by the default route, and a fence around what is routed to the device. netsetup_sync
 * compares what there should be with what there is, and makes it so: at the start, when members
 * come, when the host's own networks change, and when other software took something away.
 */
#ifndef MLSH_OVERLAY_NETSETUP_H
#define MLSH_OVERLAY_NETSETUP_H

#include "membership/mlog.h"
#include "os/fence.h"
#include "os/netconf.h"

#define NETSETUP_SIGNAL_MAX 8
#define NETSETUP_CONFLICTS_MAX 8
#define NETSETUP_LINE_MAX 256

struct netsetup_member {
	const struct member *member; /* NULL if it left and nothing of it is there */
	ip4 ip;
	bool routed, fenced;
};

struct netsetup_device {
	unsigned ifindex, mtu_bytes;
	char ifname[16];
	struct fence *fence; /* around it; stays the caller's */
};

struct netsetup {
	struct host *h;
	struct netwatch *watch;
	struct netsetup_device device;
	ip4 self;
	bool self_fenced;
	struct prefix4 subnet;
	unsigned had;			 /* enum netsetup_part: what was there once */
	struct netsetup_member *members; /* by member->index */
	size_t n_members;
	struct roster_cursor roster; /* what they follow from */
	/* Members without a route for now; set by the caller. NULL if there are none. */
	bool (*denied)(void *ctx, const struct member *m);
	/*
	 * Does a cluster that is senior to this one have the address? It keeps it, and `what`
	 * (NETUSE_WHAT_MAX) says whose it is. NULL if there are no other clusters.
	 */
	bool (*senior)(void *ctx, ip4 ip, char *what);
	/* We are about to take the address: junior clusters are to give it up. May be NULL. */
	void (*claim)(void *ctx, ip4 ip);
	void *ctx;			 /* of the three */
	struct prefix4 backstop;	 /* bits 0 if there is no backstop */
	ip4 signal[NETSETUP_SIGNAL_MAX]; /* the signal server's, as DNS has it */
	ip4 proven;			 /* where it proved to be; 0 before that */
	size_t n_signal, signal_at;
};

/* Parts that other software can take away. */
enum netsetup_part {
	NETSETUP_NAME = 1,
	NETSETUP_MTU = 2,
	NETSETUP_UP = 4,
	NETSETUP_ADDRESS = 8,
	NETSETUP_RULES = 16,
	NETSETUP_ROUTES = 32, /* to members, their guards, the backstop */
	NETSETUP_DEVICE = 64  /* the interface itself; put back by the overlay */
};

struct netsetup_report {
	unsigned restored; /* parts that were gone and are there again */
	unsigned missing;  /* parts that are gone, and were not or could not be put back */
	char failure[NETSETUP_LINE_MAX]; /* why not, or "" */
	/* What the host uses itself, and what that costs: a sentence each. */
	char conflicts[NETSETUP_CONFLICTS_MAX][NETSETUP_LINE_MAX];
	size_t n_conflicts, n_more;
};

/*
 * Remembers what there should be and checks our own address; sets nothing up. `n` is all zero, or
 * was stopped. -EEXIST: the host itself or a senior cluster uses the address. netsetup_stop
 * afterwards.
 */
int netsetup_start(struct netsetup *n, struct host *h, struct netwatch *watch,
		   const struct netsetup_device *device, const struct mlog *log, ip4 self,
		   struct err *err) MUST_CHECK;
/* The device was made again: everything on it is gone. */
int netsetup_replace(struct netsetup *n, const struct netsetup_device *device) MUST_CHECK;
/*
 * Addresses of the signal server, from DNS and so from anybody: the backstop never covers one of
 * them, which would keep the server from proving itself there. Members get their routes all the
 * same: what is sent to them must not leave in the clear because somebody lies about a name.
 * netsetup_sync follows.
 */
void netsetup_signal(struct netsetup *n, const struct addr *addrs, size_t n_addrs);
/*
 * The signal server proved to be at this address. A member that comes later gets no route to it,
 * one that has a route keeps it.
 */
void netsetup_signal_proven(struct netsetup *n, const struct addr *a);
/*
 * Makes it so. Without `restore` what other software took away stays away for now. The host's own
 * gateways, name servers, addresses and networks win: what would cover them is removed, and comes
 * back when they are gone. -ENODEV: the device is gone.
 */
int netsetup_sync(struct netsetup *n, const struct mlog *log, bool restore,
		  struct netsetup_report *ret) MUST_CHECK;
/*
 * Gives the address up to a senior cluster, at once: its route and its place in the fence. The
 * guard stays, and is the senior's. Returns whether there was a route or a place in the fence.
 */
bool netsetup_yield(struct netsetup *n, ip4 ip);
/* Does the host send packets for this member to us? */
bool netsetup_routes(const struct netsetup *n, const struct member *m);
/* Undoes what does not vanish with the device; frees. The signal server's addresses stay known. */
void netsetup_stop(struct netsetup *n);

#endif
