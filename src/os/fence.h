/* SPDX-License-Identifier: MIT */
/*
 * The fence: overlay addresses exist behind our device only. A host may take a packet for any of
 * its addresses on any interface, so a stranger on the LAN could reach what listens at an overlay
 * address, and could send packets with a member's address as their source.
 *
 * The host drops, before it routes them, packets *from* a fenced address that did not come in
 * through the device, and packets *to* one that did not come in through the device or from a
 * container or virtual machine of this host. So it does with ICMP errors about packets from or to a
 * fenced address, by which a stranger could cut connections and shrink packets. The loopback
 * interface is excepted. Addresses that are not fenced are not touched: another network may use the
 * same range.
 *
 * It ends with the process, and other software cannot change it where the system can see to that.
 */
#ifndef MLSH_OS_FENCE_H
#define MLSH_OS_FENCE_H

#include "base/addr.h"
#include "os/loop.h"

struct fence;

enum fence_state {
	FENCE_UP,
	FENCE_UNAVAILABLE, /* the system has no packet filter that we can use */
	FENCE_REFUSED	   /* it has one, which said no */
};

/*
 * Puts the fence around `device` (its name, at most 15 bytes); no address is fenced yet. A fence
 * that cannot be put up is tried again each minute. `changed` is called when the state is another
 * than at the return of this call, never from within a call. NULL only when memory is gone.
 */
struct fence *fence_new(struct host *h, const char *device, loop_fn changed, void *ctx);
/* Takes the fence down. NULL allowed. */
void fence_free(struct fence *f);
/*
 * From the end of this turn of the loop on the address is fenced, or no longer fenced. Saying the
 * same again costs nothing. -ENOMEM.
 */
int fence_address(struct fence *f, ip4 address, bool fenced) MUST_CHECK;
/*
 * Addresses that are to be fenced are so when this returns, if the system lets them: for a caller
 * who gives the host such an address, or a route to it, in this turn of the loop.
 */
void fence_flush(struct fence *f);
/*
 * What this host, its containers, or others through the device send to `port` of the address goes
 * to the port `udp` or `tcp` of it, and what is answered from there comes from `port`. So a server
 * of ours is reached at a port that another program listens at, or wants to, at all addresses.
 * One a fence: the last one counts. -EOPNOTSUPP: the fence is not up, or cannot do this.
 */
int fence_redirect(struct fence *f, ip4 address, uint16_t port, uint16_t udp, uint16_t tcp)
	MUST_CHECK;
/* Interfaces came or went: a container's, perhaps. */
void fence_network_changed(struct fence *f);

enum fence_state fence_state_get(const struct fence *f);
/* Why it is not up, and what to do about it: one line, or "". */
const char *fence_detail(const struct fence *f);
/* Packets dropped since the fence was put up; 0 if the system does not tell. */
uint64_t fence_dropped(struct fence *f);

#endif
