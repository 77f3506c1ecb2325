/* SPDX-License-Identifier: MIT */
/*
 * The host's network, in a namespace of its own: what interfaces are, conflicts, routes and their
 * removal.
 */
#include <sys/mount.h>

#include "os_net.h"

/* ---- the gateway ---- */

START_TEST(the_gateway_is_that_of_the_first_default_route)
{
	struct gateway g = { .ip = 0 };
	struct tun *t;

	if (!net_setup())
		return;
	ck_assert_int_eq(netconf_gateway(net_host, &g), -ENOENT);
	net_ip("link add eth0 type veth peer name far0");
	net_ip("link add eth1 type veth peer name far1");
	net_ip("link set eth0 up && ip link set far0 up");
	net_ip("link set eth1 up && ip link set far1 up");
	net_ip("addr add 192.168.7.20/24 dev eth0");
	net_ip("addr add 192.168.7.21/24 dev eth0");
	net_ip("addr add 10.9.0.2/16 dev eth1");
	net_ip("route add 198.51.100.0/24 via 192.168.7.1"); /* not for everything */
	net_ip("route add unreachable default metric 1");
	ck_assert_int_eq(netconf_gateway(net_host, &g), -ENOENT);
	net_ip("route add default via 10.9.0.1 metric 200");
	ck_assert_int_eq(netconf_gateway(net_host, &g), 0);
	ck_assert_uint_eq(g.ip, 0x0a090001);
	ck_assert_uint_eq(g.source, 0x0a090002);
	ck_assert_uint_eq(g.ifindex, if_nametoindex("eth1"));
	net_ip("route add default via 192.168.7.1 metric 100");
	ck_assert_int_eq(netconf_gateway(net_host, &g), 0);
	ck_assert_uint_eq(g.ip, 0xc0a80701);
	ck_assert_uint_eq(g.source, 0xc0a80714);
	ck_assert_uint_eq(g.ifindex, if_nametoindex("eth0"));
	/* the other end of a tunnel is no router of ours */
	t = net_tun_up("100.64.0.1");
	net_ip("route add 100.64.0.9 dev mlsh0 && ip route add default via 100.64.0.9 dev mlsh0");
	ck_assert_int_eq(netconf_gateway(net_host, &g), 0);
	ck_assert_uint_eq(g.ip, 0xc0a80701);
	tun_close(t);
	/* one of several next hops */
	net_ip("route del default metric 100 && ip route del default metric 200");
	net_ip("route add default nexthop via 192.168.7.5 nexthop via 10.9.0.1");
	ck_assert_int_eq(netconf_gateway(net_host, &g), 0);
	ck_assert_uint_eq(g.ip, 0xc0a80705);
	host_free(net_host);
}
END_TEST

/* ---- what interfaces are ---- */

START_TEST(list_works_for_anybody)
{
	struct host *h = os_unit_host();
	int n = netif_list(h, net_list, ARRAY_LEN(net_list));
	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++) {
		ck_assert_uint_ne(net_list[i].ifindex, 0);
		ck_assert_uint_gt(strlen(net_list[i].ifname), 0);
		ck_assert_uint_eq(net_list[i].addr.port, 0);
		ck_assert(net_list[i].kind != NETIF_LOOPBACK ||
			  strcmp(net_list[i].ifname, "lo") == 0);
	}
	ck_assert_int_le(netif_list(h, net_list, 1), 1);
	host_free(h);
}
END_TEST

START_TEST(kinds_follow_from_what_an_interface_is)
{
	if (!net_setup())
		return;
	/*
	 * A veth as the way out of a container; two as ports of an engine's bridge, misleadingly
	 * named.
	 */
	net_ip("link add eth0 type veth peer name outside");
	net_ip("addr add 192.0.2.1/24 dev eth0");
	net_ip("link set eth0 up");
	net_ip("link set outside up");
	net_ip("link add lan type bridge");
	net_ip("addr add 172.17.0.1/16 dev lan");
	net_ip("link add eth7 type veth peer name inside");
	net_ip("link set eth7 master lan");
	net_ip("addr add 172.17.0.2/16 dev eth7");
	struct tun *t = net_tun_up("100.64.0.1");

	net_running("eth0");
	ck_assert_int_eq(net_find("lo", true)->kind, NETIF_LOOPBACK);
	const struct netif_addr *a = net_find("eth0", true);
	ck_assert_int_eq(a->kind, NETIF_PHYSICAL);
	ck_assert_uint_eq(a->prefix_bits, 24);
	ck_assert_uint_eq(a->ifindex, if_nametoindex("eth0"));
	ck_assert_uint_eq(addr_ip4(&a->addr), 0xc0000201);
	ck_assert(a->up && !a->temporary && !a->deprecated);
	ck_assert_int_eq(net_find("lan", true)->kind, NETIF_CONTAINER);
	ck_assert_int_eq(net_find("eth7", true)->kind, NETIF_CONTAINER);
	ck_assert_int_eq(net_find("mlsh0", true)->kind, NETIF_TUNNEL);
	ck_assert_uint_eq(net_find("mlsh0", true)->prefix_bits, 32);
	ck_assert_ptr_null(net_find("mlsh0", false)); /* no link-local address */
	net_ip("link set eth0 down");
	ck_assert(!net_find("eth0", true)->up);
	tun_close(t);
	host_free(net_host);
}
END_TEST

START_TEST(bridge_over_a_real_port_is_the_way_out)
{
	if (!net_setup())
		return;
	net_ip("link add br0 type bridge");
	net_ip("addr add 192.0.2.1/24 dev br0");
	ck_assert_int_eq(net_find("br0", true)->kind, NETIF_CONTAINER);
	net_ip("link add v0 type veth peer name v1");
	net_ip("link set v0 master br0");
	ck_assert_int_eq(net_find("br0", true)->kind, NETIF_CONTAINER);
	if (os_unit_command("ip link add vlan5 link v1 type vlan id 5 2>/dev/null")) {
		net_ip("link set vlan5 master br0");
		ck_assert_int_eq(net_find("br0", true)->kind, NETIF_PHYSICAL);
	} else {
		os_unit_skip("this kernel has no VLANs to stand for hardware");
	}
	host_free(net_host);
}
END_TEST

/* A rootless container's or a bridged VPN's uplink; a TUN has the same driver. */
START_TEST(tap_is_an_interface_like_any_other)
{
	if (!net_setup())
		return;
	net_ip("tuntap add dev tap5 mode tap && ip tuntap add dev tun5 mode tun");
	net_ip("addr add 192.0.2.5/24 dev tap5 && ip addr add 198.51.100.5/24 dev tun5");
	net_ip("link set tap5 up && ip link set tun5 up");
	ck_assert_int_eq(net_find("tap5", true)->kind, NETIF_OTHER);
	ck_assert_int_eq(net_find("tun5", true)->kind, NETIF_TUNNEL);
	net_ip("route add default via 192.0.2.1");
	ck_assert(net_find("tap5", true)->uplink && !net_find("tun5", true)->uplink);
	net_ip("link add br5 type bridge && ip link set tap5 master br5"); /* a virtual machine's */
	ck_assert_int_eq(net_find("tap5", true)->kind, NETIF_CONTAINER);
	host_free(net_host);
}
END_TEST

START_TEST(uplink_is_listed_whatever_else_there_is)
{
	struct netif_addr few[4];

	if (!net_setup())
		return;
	net_ip("link add br0 type bridge && ip link set br0 up");
	for (int i = 0; i < 80; i++) {
		char command[64];

		snprintf(command, sizeof(command), "addr add 172.17.%d.1/24 dev br0", i);
		net_ip(command);
	}
	net_ip("link add eth0 type veth peer name far0 && ip link set far0 up");
	net_ip("addr add 192.0.2.7/24 dev eth0 && ip link set eth0 up");
	net_ip("route add default via 192.0.2.1 && ip link set far0 up");
	net_running("eth0");
	int n = netif_list(net_host, few, ARRAY_LEN(few));
	ck_assert_int_eq(n, ARRAY_LEN(few));
	ck_assert_str_eq(few[0].ifname, "eth0");
	ck_assert(few[0].uplink && !few[1].uplink);
	ck_assert_int_eq(netif_list(net_host, net_list, ARRAY_LEN(net_list)), ARRAY_LEN(net_list));
	ck_assert_str_eq(net_list[0].ifname, "eth0");
	host_free(net_host);
}
END_TEST

START_TEST(addresses_of_ipv6)
{
	if (!net_setup())
		return;
	net_ip("link add eth0 type veth peer name outside");
	net_ip("link set outside up");
	net_ip("link set eth0 addrgenmode none up");
	if (!os_unit_command("ip addr add 2001:db8::5/64 dev eth0 nodad 2>/dev/null")) {
		os_unit_skip("no IPv6 here");
		return;
	}
	const struct netif_addr *a = net_find("eth0", false);
	ck_assert_uint_eq(a->prefix_bits, 64);
	ck_assert_uint_eq(a->addr.scope, 0);
	ck_assert(!a->deprecated && !a->temporary);
	net_ip("addr change 2001:db8::5/64 dev eth0 preferred_lft 0 valid_lft 100");
	ck_assert(net_find("eth0", false)->deprecated);
	net_ip("addr flush dev eth0");
	net_ip("addr add 2001:db8::6/64 dev eth0"); /* its duplicates are still being looked for */
	ck_assert(net_find("eth0", false)->deprecated);
	net_ip("addr flush dev eth0");
	net_ip("addr add fe80::7/64 dev eth0 nodad");
	ck_assert_uint_eq(net_find("eth0", false)->addr.scope, if_nametoindex("eth0"));
	host_free(net_host);
}
END_TEST

/* ---- routes ---- */

START_TEST(routes_are_added_and_removed)
{
	if (!net_setup())
		return;
	struct tun *t = net_tun_up("100.64.0.1");
	unsigned i = tun_ifindex(t);
	struct prefix4 peer = net_prefix("100.64.0.9/32"), backstop = net_prefix("100.64.0.0/24");
	for (int twice = 0; twice < 2; twice++) {
		ck_assert_int_eq(netconf_route_add(net_host, i, peer, 0x64400001, NULL), 0);
		ck_assert_int_eq(netconf_route_add(net_host, 0, backstop, 0, NULL), 0);
	}
	ck_assert(os_unit_command("ip route show proto 109 | grep -q "
				  "'^100.64.0.9 dev mlsh0 scope link src 100.64.0.1'"));
	ck_assert(os_unit_command("ip route show proto 109 | grep -q '^unreachable 100.64.0'"));
	ck_assert(os_unit_command("ip route get 100.64.0.9 | grep -q mlsh0"));
	ck_assert(!os_unit_command("ip route get 100.64.0.10 2>/dev/null"));
	ck_assert_int_eq(netconf_route_del(net_host, i, net_prefix("100.64.0.9/32")), 0);
	ck_assert_int_eq(netconf_route_del(net_host, i, net_prefix("100.64.0.9/32")), -ESRCH);
	ck_assert_int_eq(netconf_route_del(net_host, 0, net_prefix("100.64.0.0/24")), 0);
	ck_assert(!os_unit_command("ip route show proto 109 | grep -q ."));
	tun_close(t);
	host_free(net_host);
}
END_TEST

/* What the owner of the machine set up is neither replaced nor removed. */
START_TEST(foreign_routes_are_left_alone)
{
	if (!net_setup())
		return;
	struct err err = { 0 };
	struct tun *t = net_tun_up("100.64.0.1");
	unsigned i = tun_ifindex(t);
	net_ip("route add 100.64.0.9 dev lo");
	ck_assert_int_eq(netconf_route_add(net_host, i, net_prefix("100.64.0.9/32"), 0, &err),
			 -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "100.64.0.9"));
	ck_assert_int_eq(netconf_route_del(net_host, i, net_prefix("100.64.0.9/32")), -ESRCH);
	net_ip("route add 100.64.0.10 dev mlsh0");
	ck_assert_int_eq(netconf_route_del(net_host, i, net_prefix("100.64.0.10/32")), -ESRCH);
	ck_assert(os_unit_command("ip route get 100.64.0.9 | grep -q 'dev lo'"));
	ck_assert_int_eq(netconf_cleanup(net_host, NULL), 0);
	ck_assert(os_unit_command("ip route show | grep -q '^100.64.0.10 dev mlsh0'"));
	ck_assert_int_lt(netconf_route_add(net_host, 9999, net_prefix("100.64.0.9/32"), 0, &err),
			 0);
	ck_assert_int_lt(netconf_link_up(net_host, 9999, &err), 0);
	ck_assert_int_lt(netconf_addr_add(net_host, 9999, 1, 32, &err), 0);
	tun_close(t);
	host_free(net_host);
}
END_TEST

START_TEST(cleanup_after_a_crash)
{
	if (!net_setup())
		return;
	struct tun *dead = net_tun_up("100.64.0.1");
	struct tun *alive = net_tun_up("198.18.0.1");
	unsigned i = tun_ifindex(dead), j = tun_ifindex(alive);
	ck_assert_int_eq(netconf_route_add(net_host, i, net_prefix("100.64.0.9/32"), 0, NULL), 0);
	ck_assert_int_eq(netconf_route_add(net_host, 0, net_prefix("100.64.0.0/24"), 0, NULL), 0);
	ck_assert_int_eq(netconf_route_add(net_host, j, net_prefix("198.18.0.9/32"), 0, NULL), 0);
	ck_assert_int_eq(netconf_route_add(net_host, 0, net_prefix("198.18.0.0/24"), 0, NULL), 0);
	net_ip("route add 203.0.113.0/24 dev lo proto 109"); /* tagged, but through no TUN */
	tun_close(dead); /* as the kernel does when its process dies */
	ck_assert_int_eq(netconf_cleanup(net_host, NULL), 0);
	ck_assert(os_unit_command("test \"$(ip route show proto 109 | wc -l)\" = 2"));
	ck_assert(os_unit_command("ip route show proto 109 | grep -q '^unreachable 198.18.0'"));
	ck_assert(os_unit_command("ip route show proto 109 | grep -q '^198.18.0.9 dev mlsh1'"));
	tun_close(alive);
	ck_assert_int_eq(netconf_cleanup(net_host, NULL), 0);
	ck_assert(!os_unit_command("ip route show proto 109 | grep -q ."));
	host_free(net_host);
}
END_TEST

/* ---- conflicts ---- */

static bool conflicts(const char *p, const char *expected)
{
	char what[64] = "nothing";
	int r = netconf_conflict(net_host, net_prefix(p), what);
	ck_assert_int_ge(r, 0);
	if (r)
		ck_assert_msg(expected && strcmp(what, expected) == 0, "%s: %s", p, what);
	else
		ck_assert_str_eq(what, "nothing");
	return r;
}

START_TEST(conflicts_with_the_hosts_own_networks)
{
	if (!net_setup())
		return;
	net_ip("link add eth0 type veth peer name outside");
	net_ip("link set outside up");
	net_ip("addr add 10.1.2.3/24 dev eth0");
	net_ip("link set eth0 up");
	net_ip("route add default via 10.1.2.1");
	net_ip("route add 172.20.0.0/16 via 10.1.2.77");
	ck_assert(conflicts("10.1.2.0/25", "network 10.1.2.0/24 on eth0"));
	ck_assert(conflicts("10.0.0.0/8", "network 10.1.2.0/24 on eth0"));
	ck_assert(conflicts("172.20.5.0/24", "route 172.20.0.0/16 on eth0"));
	ck_assert(!conflicts("10.1.3.0/24", NULL));
	ck_assert(!conflicts("100.64.0.0/10", NULL)); /* the default route is no conflict */
	net_ip("route replace default via 100.64.0.1 dev eth0 onlink"); /* a carrier's NAT */
	ck_assert(conflicts("100.64.0.0/10", "gateway 100.64.0.1"));
	ck_assert(!conflicts("100.65.0.0/16", NULL));
	net_ip("route replace default nexthop via 100.66.0.1 dev eth0 onlink "
	       "nexthop via 100.67.0.1 dev eth0 onlink");
	ck_assert(conflicts("100.66.0.0/16", "gateway 100.66.0.1"));
	ck_assert(conflicts("100.67.0.0/16", "gateway 100.67.0.1"));
	net_ip("route add 198.18.5.0/24 dev eth0 table 52"); /* as other overlays do */
	ck_assert(conflicts("198.18.0.0/15", "route 198.18.5.0/24 on eth0"));
	host_free(net_host);
}
END_TEST

START_TEST(no_conflict_with_ourselves)
{
	if (!net_setup())
		return;
	struct tun *t = net_tun_up("100.64.0.1");
	unsigned i = tun_ifindex(t);
	ck_assert_int_eq(netconf_route_add(net_host, i, net_prefix("100.64.0.9/32"), 0, NULL), 0);
	ck_assert_int_eq(netconf_route_add(net_host, 0, net_prefix("100.64.0.0/24"), 0, NULL), 0);
	ck_assert(!conflicts("100.64.0.0/24", NULL)); /* nor with another tunnel of ours */
	tun_close(t);
	host_free(net_host);
}
END_TEST

static bool used(const char *address, unsigned ignore, const char *expected)
{
	char what[64] = "nothing";
	ip4 a = 0;
	ck_assert_int_eq(ip4_parse(address, &a), 0);
	int r = netconf_address_used(net_host, a, ignore, false, what);
	ck_assert_int_ge(r, 0);
	ck_assert_msg(strcmp(what, r ? expected : "nothing") == 0, "%s: %s", address, what);
	return r;
}

/* An overlay of other software in 100.64.0.0/10 (Tailscale) claims all of it. */
START_TEST(another_overlay_claims_the_shared_range)
{
	char what[NETUSE_WHAT_MAX];

	if (!net_setup())
		return;
	net_ip("tuntap add dev tailscale0 mode tun");
	net_ip("addr add 100.101.102.103/32 dev tailscale0");
	net_ip("link set tailscale0 up");
	ck_assert_int_eq(netconf_conflict(net_host, net_prefix("100.80.0.0/16"), what), 1);
	ck_assert_str_eq(what, "tailscale0, which claims 100.64.0.0/10");
	ck_assert_int_eq(netconf_conflict(net_host, net_prefix("10.80.0.0/16"), what), 0);
	host_free(net_host);
}
END_TEST

START_TEST(conflict_with_a_resolver)
{
	if (!net_setup())
		return;
	char path[] = "/tmp/mlsh-test-resolv-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "# nameserver 100.64.9.9\nsearch x\n  nameserver\t100.65.0.53\n"
				   "nameserver 2001:db8::1\nnameserver garbage\n";
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	ck_assert_int_eq(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
	ck_assert(conflicts("100.65.0.0/16", "name server 100.65.0.53"));
	ck_assert(!conflicts("100.64.0.0/16", NULL));
	ck_assert(used("100.65.0.53", 0, "a name server of this host"));
	ck_assert(!used("100.65.0.54", 0, NULL));
	/* A user who points the resolver at a node of their own can connect it again. */
	char what[64];
	ck_assert_int_eq(netconf_address_used(net_host, 0x64410035, 0, true, what), 0);
	struct tun *t = net_tun_up("100.65.0.53");
	ck_assert(!conflicts("100.65.0.0/16", NULL));
	tun_close(t);
	unlink(path);
	host_free(net_host);
}
END_TEST

START_TEST(addresses_that_the_host_uses)
{
	if (!net_setup())
		return;
	struct tun *t = net_tun_up("100.64.0.1");
	unsigned i = tun_ifindex(t);
	net_ip("link add eth0 type veth peer name outside");
	net_ip("link set outside up");
	net_ip("addr add 10.1.2.3/24 dev eth0");
	net_ip("link set eth0 up");
	net_ip("route add default via 10.1.2.1");
	net_ip("route add 172.20.0.9 dev eth0 metric 7");
	net_ip("route add 172.21.0.0/24 nexthop via 10.1.2.8 nexthop via 10.1.2.9");
	ck_assert_int_eq(netconf_route_add(net_host, i, net_prefix("100.64.0.9/32"), 0, NULL), 0);
	ck_assert(used("10.1.2.3", i, "this host's own on eth0"));
	ck_assert(used("10.1.2.1", i, "a gateway of this host"));
	ck_assert(used("10.1.2.9", i, "a gateway of this host"));
	ck_assert(used("172.20.0.9", i, "the destination of a route of this host"));
	ck_assert(!used("10.1.2.4", i, NULL)); /* its network is no matter */
	ck_assert(!used("172.21.0.0", i, NULL));
	ck_assert(!used("100.64.0.9", i, NULL)); /* nor are routes of ours */
	ck_assert(!used("100.64.0.1", i, NULL));
	ck_assert(used("100.64.0.1", 0, "this host's own on mlsh0"));
	tun_close(t);
	host_free(net_host);
}
END_TEST

UNIT_MAIN("os/netconf", the_gateway_is_that_of_the_first_default_route, list_works_for_anybody,
	  kinds_follow_from_what_an_interface_is, bridge_over_a_real_port_is_the_way_out,
	  tap_is_an_interface_like_any_other, uplink_is_listed_whatever_else_there_is,
	  addresses_of_ipv6, routes_are_added_and_removed, foreign_routes_are_left_alone,
	  cleanup_after_a_crash, conflicts_with_the_hosts_own_networks, no_conflict_with_ourselves,
	  conflict_with_a_resolver, another_overlay_claims_the_shared_range,
	  addresses_that_the_host_uses)
