/* SPDX-License-Identifier: MIT */
/*
 * Split DNS: tells the host's resolver to ask our server for one zone and nothing else, again when
 * the resolver has restarted. Never changes which name servers the host has for the rest.
 */
#ifndef MLSH_OS_SPLITDNS_H
#define MLSH_OS_SPLITDNS_H

#include "base/addr.h"
#include "os/loop.h"

struct splitdns;

enum splitdns_state {
	SPLITDNS_PENDING, /* asked, no answer yet */
	SPLITDNS_ACTIVE,
	SPLITDNS_UNAVAILABLE, /* the host has no resolver that can do it: tell the user */
	SPLITDNS_REFUSED      /* the resolver said no */
};

/*
 * Asks for `zone` on the interface to be resolved by `server`, port 53. Asynchronous; `changed`
 * after each change of state.
 */
int splitdns_start(struct host *h, unsigned ifindex, const char *zone, ip4 server, loop_fn changed,
		   void *ctx, struct err *err, struct splitdns **ret) MUST_CHECK;
enum splitdns_state splitdns_state_get(const struct splitdns *s);
/* Why it is not active: one line, or "". */
const char *splitdns_detail(const struct splitdns *s);
void splitdns_stop(struct splitdns *s); /* reverts the link (bounded wait), frees; NULL allowed */

#endif
