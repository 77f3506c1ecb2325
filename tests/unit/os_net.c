/* SPDX-License-Identifier: MIT */
/* A host in a network namespace of its own. */
#include "os_net.h"

struct host *net_host;
struct netif_addr net_list[64];

bool net_setup(void)
{
	if (!os_unit_namespace())
		return false;
	if (!os_unit_command("ip link set lo up && mount --make-rprivate /")) {
		os_unit_skip("needs iproute2");
		return false;
	}
	net_host = os_unit_host();
	return true;
}

void net_ip(const char *arguments)
{
	char command[256];
	snprintf(command, sizeof(command), "ip %s", arguments);
	ck_assert_msg(os_unit_command(command), "%s", command);
}

void net_running(const char *ifname)
{
	struct ifreq r = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	for (int tries = 0; !(r.ifr_flags & IFF_RUNNING); tries++) {
		ck_assert_msg(tries < 1000, "%s has no carrier", ifname);
		os_unit_run_for(net_host, 10 * NS_PER_MS);
		ck_assert_int_eq(ioctl(fd, SIOCGIFFLAGS, &r), 0);
	}
	close(fd);
}

struct prefix4 net_prefix(const char *text)
{
	struct prefix4 p = { 0, 0 };
	ck_assert_int_eq(prefix4_parse(text, &p, NULL), 0);
	return p;
}

const struct netif_addr *net_find(const char *ifname, bool v4)
{
	int n = netif_list(net_host, net_list, ARRAY_LEN(net_list));
	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++)
		if (strcmp(net_list[i].ifname, ifname) == 0 && addr_is_v4(&net_list[i].addr) == v4)
			return &net_list[i];
	return NULL;
}

struct tun *net_tun_up(const char *address)
{
	struct tun *t = NULL;
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = 1400 };
	ip4 a = 0;
	ck_assert_int_eq(ip4_parse(address, &a), 0);
	ck_assert_int_eq(tun_open(net_host, &cfg, os_unit_stop, net_host, NULL, &t), 0);
	ck_assert_int_eq(netconf_link_up(net_host, tun_ifindex(t), NULL), 0);
	ck_assert_int_eq(netconf_addr_add(net_host, tun_ifindex(t), a, 32, NULL), 0);
	ck_assert_int_eq(netconf_addr_add(net_host, tun_ifindex(t), a, 32, NULL), 0); /* twice */
	return t;
}
