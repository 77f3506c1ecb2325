/* SPDX-License-Identifier: MIT */
/* What ICMP says of the datagrams of a UDP socket, from its queue of errors (IP_RECVERR, ip(7)). */
#ifndef MLSH_OS_LINUX_UDP_ICMP_H
#define MLSH_OS_LINUX_UDP_ICMP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "os/udp_notes.h"

union name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline struct addr addr_of_name(const union name *name)
{
	if (name->any.sa_family == AF_INET)
		return addr_v4(ntohl(name->v4.sin_addr.s_addr), ntohs(name->v4.sin_port));
	struct addr a = addr_v6(name->v6.sin6_addr.s6_addr, ntohs(name->v6.sin6_port));
	a.scope = name->v6.sin6_scope_id; /* the kernel sets it for link-local addresses only */
	return a;
}

/* Returns false if this kernel has no such queue. */
bool udp_icmp_listen(int fd, bool v6);
/* Notes all that has come. */
void udp_icmp_take(int fd, struct udp_notes *notes, uint64_t now);
/* Before a send, which would report what ICMP said of an earlier one and not be done. */
void udp_icmp_clear(int fd);

#endif
