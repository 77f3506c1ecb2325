/* SPDX-License-Identifier: MIT */
/*
 * What the overlay does to the host's network: the device's address, a host route to each member,
 * an unreachable route behind them so that packets for absent members never leave by the default
 * route, and a fence around the addresses that are routed to the device.
 */
#ifndef MLSH_OVERLAY_NETSETUP_H
#define MLSH_OVERLAY_NETSETUP_H

#include "membership/mlog.h"
#include "os/fence.h"
#include "os/netconf.h"

#define NETSETUP_SIGNAL_MAX 8

struct netsetup {
	struct host *h;
	unsigned ifindex;
	struct fence *fence;
	ip4 self;
	struct prefix4 backstop;	/* bits 0: none */
	struct prefix4 conflict;	/* the one that was left out; bits 0: none */
	ip4 signal[NETSETUP_SIGNAL_MAX];	/* the signal server's, as far as is known */
	size_t n_signal, signal_at;
};

/*
 * Brings the device up with our address. On failure nothing is left behind but the device's own.
 * -EADDRINUSE: the address is one that the host uses itself. `fence`, around the device, stays the
 * caller's.
 */
int netsetup_start(struct netsetup *n, struct host *h, unsigned ifindex, struct fence *fence,
		   const struct mlog *log, ip4 self, struct err *err) MUST_CHECK;
/* -EADDRINUSE, -EEXIST: the host uses the address itself, and keeps it. */
int netsetup_route(struct netsetup *n, ip4 member, struct err *err) MUST_CHECK;
/*
 * Addresses of the signal server, from DNS and so from anybody: a backstop that covers one of them
 * goes, and no further member gets a route to one. Routes that members have stay: what is sent to
 * them must not leave in the clear because somebody lies about a name. netsetup_backstop follows.
 */
void netsetup_signal(struct netsetup *n, const struct addr *addrs, size_t n_addrs);
/*
 * The backstop follows the roster. What would cover the host's own networks is left out, and
 * `ret_warning` (of `cap` bytes, "" otherwise) says so, once for each prefix.
 */
int netsetup_backstop(struct netsetup *n, const struct mlog *log, char *ret_warning, size_t cap,
		      struct err *err) MUST_CHECK;
/* Undoes what does not vanish with the device. */
void netsetup_stop(struct netsetup *n);

#endif
