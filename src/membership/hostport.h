/* SPDX-License-Identifier: MIT */
/* Where a server is: a name or an address, with a port, in one normal form. */
#ifndef MLSH_MEMBERSHIP_HOSTPORT_H
#define MLSH_MEMBERSHIP_HOSTPORT_H

#include "base/bytes.h"
#include "base/err.h"
#include "proto/limits.h"

/*
 * "host", "host:port", "1.2.3.4", "[v6]:port", bare v6: for --signal-host and the URL. Yields
 * names in lower case and addresses in their canonical form. -EINVAL.
 */
int hostport_parse(const char *text, uint16_t default_port, char ret_host[HOST_TEXT_MAX + 1],
		   uint16_t *ret_port, struct err *err) MUST_CHECK;
/* Which machines a host in its normal form leads to the same server, by its form alone. */
enum host_reach {
	HOST_REACH_ALL,	    /* all, as far as its form says */
	HOST_REACH_NETWORK, /* those in the same private network: 192.168.1.5, server.lan */
	HOST_REACH_LINK,    /* those at the same link: 169.254.1.1, server.local */
	HOST_REACH_SELF	    /* it leads each machine to itself: localhost, 127.0.0.1, :: */
};
enum host_reach host_reach(const char *host);
/* Is the name that of the zone, or of something in it? Never for an address. */
bool host_in_zone(const char *host, const char *zone);
/* Is `host` in the form that hostport_parse returns? */
bool host_is_normal(const char *host);

#endif
