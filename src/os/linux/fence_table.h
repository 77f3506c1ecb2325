/* SPDX-License-Identifier: MIT */
/*
 * The fence's table of nf_tables, "inet mlsh0" for the device mlsh0:
 *
 *     set overlay { type ipv4_addr }          the fenced addresses
 *     set inside { type iface_index }         bridges of this host's containers
 *     chain fence { type filter hook prerouting priority -350; jump outside }
 *     chain fence_in { type filter hook input priority -350; jump outside }
 *     chain outside {
 *         iifname "mlsh0" accept
 *         iif "lo" accept
 *         ip saddr @overlay counter drop
 *         iif @inside accept
 *         ip daddr @overlay counter drop
 *         icmp type destination-unreachable jump about     and the other errors, each
 *     }
 *     chain about { @th,160,32 @overlay counter drop; @th,192,32 @overlay counter drop }
 *
 * and, once asked for (fence_table_redirect), for a server of ours at the ports 40001 and 40002:
 *
 *     chain port_in { type filter hook input priority 350; ip daddr 100.64.0.1 jump port }
 *     chain port { udp dport 53 udp dport set 40001; tcp dport 53 tcp dport set 40002 }
 *     chain port_out { type filter hook output priority -350; ip saddr 100.64.0.1 jump back }
 *     chain back { udp sport 40001 udp sport set 53; tcp sport 40002 tcp sport set 53 }
 *
 * The first is behind everything that others do to a packet that comes in, the second before all
 * that they do to an answer: their rules, connection tracking and tcpdump see port 53.
 *
 * -350 is before the tables of others ("raw" is -300) and before connection tracking. The second
 * hook sees what the first cannot: the addresses of a packet that its options route on through this
 * host (LSRR), and an ICMP error that came in fragments, which are put together before the first
 * only where connections are tracked.
 */
#ifndef MLSH_OS_LINUX_FENCE_TABLE_H
#define MLSH_OS_LINUX_FENCE_TABLE_H

#include "os/fence.h"
#include "os/linux/nft.h"

struct fence_table {
	struct mnl_socket *socket;
	uint32_t seq;
	char name[16]; /* of the table and of the device */
	bool owned;    /* nobody else can change it, and it ends with the socket */
};

struct fence_redirect {
	ip4 address;
	uint16_t port, udp, tcp;
};

/*
 * Makes the table, in place of one that an earlier process left. On kernels before 5.12 it cannot
 * be owned: then anybody with the right may change it, and fence_table_remove has to be called.
 */
int fence_table_make(struct fence_table *t, bool may_own) MUST_CHECK;
void fence_table_remove(struct fence_table *t);
/* Adds addresses to the set, or takes them out, all of them or (on failure) some. */
int fence_table_addresses(struct fence_table *t, const ip4 *at, size_t n, bool add) MUST_CHECK;
/* These interfaces are inside, no others. At most 128. */
int fence_table_inside(struct fence_table *t, const unsigned *ifindex, size_t n) MUST_CHECK;
/* Redirects this, and nothing else. */
int fence_table_redirect(struct fence_table *t, const struct fence_redirect *r) MUST_CHECK;
/* Packets dropped by the rules; 0 if the kernel does not tell. */
uint64_t fence_table_dropped(struct fence_table *t);

#endif
