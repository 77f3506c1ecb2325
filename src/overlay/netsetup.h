/* SPDX-License-Identifier: MIT */
/*
 * What the overlay does to the host's network: the device's address, a host route to each member,
 * and an unreachable route behind them so that packets for absent members never leave by the
 * default route.
 */
#ifndef MLSH_OVERLAY_NETSETUP_H
#define MLSH_OVERLAY_NETSETUP_H

#include "membership/mlog.h"
#include "os/netconf.h"

struct netsetup {
	struct host *h;
	unsigned ifindex;
	ip4 self;
	struct prefix4 backstop;	/* bits 0: none */
	struct prefix4 conflict;	/* the one that was left out; bits 0: none */
};

/* The smallest prefix that covers every member's address, /24 at least, within the subnet. */
struct prefix4 netsetup_cover(const struct mlog *log);

/* Brings the device up with our address. On failure nothing is left behind but the device's own. */
int netsetup_start(struct netsetup *n, struct host *h, unsigned ifindex, ip4 self,
		   struct err *err) MUST_CHECK;
int netsetup_route(struct netsetup *n, ip4 member, struct err *err) MUST_CHECK;
/*
 * The backstop follows the roster. What would cover the host's own networks is left out, and
 * `ret_warning` (of `cap` bytes, "" otherwise) says so, once for each prefix.
 */
int netsetup_backstop(struct netsetup *n, const struct mlog *log, char *ret_warning, size_t cap,
		      struct err *err) MUST_CHECK;
/* Undoes what does not vanish with the device. */
void netsetup_stop(struct netsetup *n);

#endif
