/* SPDX-License-Identifier: MIT */
/* A host in a network namespace of its own, for the tests of os/netconf.h. */
#ifndef MLSH_TESTS_OS_NET_H
#define MLSH_TESTS_OS_NET_H

#include <net/if.h>
#include <sys/ioctl.h>

#include "os/netconf.h"
#include "os/tun.h"
#include "os_unit.h"

static struct host *host;
static struct netif_addr list[64];

static inline bool setup(void)
{
	if (!os_unit_namespace())
		return false;
	if (!os_unit_command("ip link set lo up && mount --make-rprivate /")) {
		os_unit_skip("needs iproute2");
		return false;
	}
	host = os_unit_host();
	return true;
}

static inline void ip(const char *arguments)
{
	char command[256];
	snprintf(command, sizeof(command), "ip %s", arguments);
	ck_assert_msg(os_unit_command(command), "%s", command);
}

/* Waits until the kernel has found an interface's carrier, which takes it up to a second. */
static inline void ip_running(const char *ifname)
{
	struct ifreq r = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	for (int tries = 0; !(r.ifr_flags & IFF_RUNNING); tries++) {
		ck_assert_msg(tries < 1000, "%s has no carrier", ifname);
		os_unit_run_for(host, 10 * NS_PER_MS);
		ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &r), 0);
	}
	close(fd);
}

static inline struct prefix4 prefix(const char *text)
{
	struct prefix4 p = { 0, 0 };
	ck_assert_int_eq(prefix4_parse(text, &p, NULL), 0);
	return p;
}

static inline const struct netif_addr *find(const char *ifname, bool v4)
{
	int n = netif_list(host, list, ARRAY_LEN(list));
	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++)
		if (strcmp(list[i].ifname, ifname) == 0 && addr_is_v4(&list[i].addr) == v4)
			return &list[i];
	return NULL;
}

static inline struct tun *tun_up(const char *address)
{
	struct tun *t = NULL;
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = 1400 };
	ip4 a = 0;
	ck_assert_int_eq(ip4_parse(address, &a), 0);
	ck_assert_int_eq(tun_open(host, &cfg, os_unit_stop, host, NULL, &t), 0);
	ck_assert_int_eq(netconf_link_up(host, tun_ifindex(t), NULL), 0);
	ck_assert_int_eq(netconf_addr_add(host, tun_ifindex(t), a, 32, NULL), 0);
	ck_assert_int_eq(netconf_addr_add(host, tun_ifindex(t), a, 32, NULL), 0); /* twice */
	return t;
}

#endif
