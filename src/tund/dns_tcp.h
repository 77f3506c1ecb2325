/* SPDX-License-Identifier: MIT */
/*
 * DNS over TCP (RFC 7766): messages behind two bytes of length, several in a row. What a client can
 * make us keep is bounded: connections, bytes of each, and the time that it does not ask.
 */
#ifndef MLSH_TUND_DNS_TCP_H
#define MLSH_TUND_DNS_TCP_H

#include "tund/dns.h"

#define DNS_TCP_CONNS_MAX 64
#define DNS_TCP_QUERY_MAX 2048		/* a longer one ends the connection */
#define DNS_TCP_IDLE_NS (10 * NS_PER_S) /* without a whole query (RFC 7766 section 6.2.3) */

struct dns_tcp;

/*
 * Listens at `bind`, port 0 for any. When all connections are taken, a new one takes the place of
 * the client's that has most of them: of the one that has not asked for longest.
 */
int dns_tcp_new(struct host *h, const struct addr *bind, const struct dns_names *names,
		struct err *err, struct dns_tcp **ret) MUST_CHECK;
uint16_t dns_tcp_port(const struct dns_tcp *d);
void dns_tcp_free(struct dns_tcp *d); /* NULL allowed */

#endif
