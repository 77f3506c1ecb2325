/* SPDX-License-Identifier: MIT */
/* A host in a network namespace of its own, for the tests of os/netconf.h. */
#ifndef MLSH_TESTS_OS_NET_H
#define MLSH_TESTS_OS_NET_H

#include <net/if.h>
#include <sys/ioctl.h>

#include "os/netconf.h"
#include "os/tun.h"
#include "os_unit.h"

extern struct host *net_host;
extern struct netif_addr net_list[64];

bool net_setup(void);
void net_ip(const char *arguments);

/* Waits until the kernel has found an interface's carrier, which takes it up to a second. */
void net_running(const char *ifname);

struct prefix4 net_prefix(const char *text);
const struct netif_addr *net_find(const char *ifname, bool v4);
struct tun *net_tun_up(const char *address);

#endif
