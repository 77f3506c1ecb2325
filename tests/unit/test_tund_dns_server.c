/* SPDX-License-Identifier: MIT */
/*
 * Where the zone's DNS server listens, in a network namespace: at ports of its own behind the
 * fence, and beside other resolvers at port 53 where there is no fence.
 */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "dns_kit.h"
#include "os/netconf.h"
#include "os/tun.h"
#include "os_deny.h"
#include "os_unit.h"

static struct host *host;
static struct kit zone;
static struct tun *tun;
static struct fence *fence;
static struct dns_server *server;

static void on_fence(void *ctx)
{
	(void)ctx;
}

static void on_change(void *ctx)
{
	(void)ctx;
	loop_stop(host);
}

static bool setup(bool has_filter)
{
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = 1400 };
	struct err err = { 0 };
	int rc;

	if (!os_unit_namespace())
		return false;
	if (!os_unit_command("ip link set lo up")) {
		os_unit_skip("needs iproute2");
		return false;
	}
	host = os_unit_host();
	zone = dnskit_zone_open();
	rc = tun_open(host, &cfg, os_unit_stop, host, &err, &tun);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(netconf_link_up(host, tun_ifindex(tun), NULL), 0);
	ck_assert_int_eq(netconf_addr_add(host, tun_ifindex(tun), KIT_NET + 1, 32, NULL), 0);
	if (!has_filter)
		os_deny(EPROTONOSUPPORT, SCMP_SYS(socket), 2, NETLINK_NETFILTER);
	fence = fence_new(host, tun_name(tun), on_fence, NULL);
	ck_assert_ptr_nonnull(fence);
	return true;
}

static void server_up(enum dns_server_state expected)
{
	struct dns_server_config cfg = {
		.names = dnskit_zone_names(&zone),
		.fence = fence,
		.device = tun_name(tun),
		.changed = on_change,
	};

	server = dns_server_new(host, &cfg);
	ck_assert_ptr_nonnull(server);
	ck_assert_msg(dns_server_state_get(server) == expected, "%d: %s",
		      dns_server_state_get(server), dns_server_detail(server));
}

static void teardown(void)
{
	dns_server_free(server);
	fence_free(fence);
	tun_close(tun);
	kit_close(&zone);
	host_free(host);
}

static struct sockaddr_in name_of(uint32_t ip)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(53),
				     .sin_addr = { htonl(ip) } };
}

/* Another program at port 53 of all addresses (0), or of one; negative: it does not get it. */
static int other_at(uint32_t ip, int kind, bool reuse)
{
	struct sockaddr_in name = name_of(ip);
	int on = reuse, fd = socket(AF_INET, kind, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0 &&
	    (kind == SOCK_DGRAM || listen(fd, 1) == 0))
		return fd;
	close(fd);
	return -1;
}

/* Asks for node1's address as any program of this host does. */
static void expect_answer(void)
{
	struct sockaddr_in to = name_of(KIT_NET + 1);
	struct message q = dnskit_query("node1.homelab", A), m = { .len = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ssize_t n = -1;

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(send(fd, q.data, q.len, 0), (ssize_t)q.len);
	for (int i = 0; n < 0 && i < 500; i++) {
		os_unit_run_for(host, NS_PER_MS);
		n = recv(fd, m.data, sizeof(m.data), 0);
	}
	ck_assert_int_gt(n, 0);
	m.len = (size_t)n;
	struct answer a = dnskit_take_apart(&m);
	ck_assert_uint_eq(a.rcode, NOERROR);
	ck_assert_uint_eq(load_be32(a.m.data + a.record[0].at), KIT_NET + 2);
	close(fd);
}

START_TEST(behind_the_fence_nobody_is_in_the_way)
{
	if (!setup(true))
		return;
	if (fence_state_get(fence) != FENCE_UP) {
		os_unit_skip("this kernel has no nf_tables");
		return;
	}
	int alone = other_at(0, SOCK_DGRAM, false);
	server_up(DNS_SERVER_ON);
	ck_assert_str_eq(dns_server_detail(server), "");
	expect_answer();
	close(alone);
	alone = other_at(0, SOCK_DGRAM, false);
	ck_assert_int_ge(alone, 0);
	int tcp = other_at(0, SOCK_STREAM, true);
	ck_assert_int_ge(tcp, 0);
	expect_answer();
	dns_server_fence_changed(server, fence); /* made again: at other ports */
	ck_assert_int_eq(dns_server_state_get(server), DNS_SERVER_ON);
	expect_answer();
	close(alone);
	close(tcp);
	teardown();
}
END_TEST

START_TEST(without_a_fence_the_port_is_shared)
{
	if (!setup(false))
		return;
	int before = other_at(0, SOCK_DGRAM, true);
	server_up(DNS_SERVER_UDP);
	ck_assert_uint_ne(strlen(dns_server_detail(server)), 0);
	expect_answer();
	close(before);
	int after = other_at(0, SOCK_DGRAM, true), tcp = other_at(0, SOCK_STREAM, true);
	ck_assert_int_ge(after, 0);
	ck_assert_int_ge(tcp, 0);
	expect_answer();
	/* one that takes our very address, as bind-dynamic of dnsmasq does, gets nothing of ours */
	int same = other_at(KIT_NET + 1, SOCK_DGRAM, true);
	ck_assert_int_ge(same, 0);
	expect_answer();
	close(after);
	close(tcp);
	close(same);
	teardown();
}
END_TEST

START_TEST(a_port_that_is_taken_is_tried_again)
{
	if (!setup(false))
		return;
	int alone = other_at(0, SOCK_DGRAM, false);
	server_up(DNS_SERVER_OFF);
	ck_assert_ptr_nonnull(strstr(dns_server_detail(server), "another program"));
	close(alone);
	os_unit_run(host, "the port to be taken");
	ck_assert_int_eq(dns_server_state_get(server), DNS_SERVER_UDP);
	expect_answer();
	teardown();
}
END_TEST

/* Without a fence, what comes in by another interface is not for it. */
START_TEST(only_the_device_is_served)
{
	if (!setup(false))
		return;
	server_up(DNS_SERVER_UDP);
	expect_answer();
	/* the same address on another interface, asked from there */
	ck_assert(os_unit_command("ip link add eth0 type veth peer name far0 && "
				  "ip link set eth0 up && ip addr add 192.0.2.1/24 dev eth0"));
	struct sockaddr_in to = name_of(KIT_NET + 1);
	struct message q = dnskit_query("node1.homelab", A);
	uint8_t byte;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	ck_assert(os_unit_command("ip addr del 100.96.0.1/32 dev mlsh0 && "
				  "ip addr add 100.96.0.1/32 dev eth0"));
	ck_assert_int_eq(sendto(fd, q.data, q.len, 0, (struct sockaddr *)&to, sizeof(to)),
			 (ssize_t)q.len);
	os_unit_run_for(host, 50 * NS_PER_MS);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
	close(fd);
	teardown();
}
END_TEST

UNIT_MAIN("tund/dns_server", behind_the_fence_nobody_is_in_the_way,
	  without_a_fence_the_port_is_shared, a_port_that_is_taken_is_tried_again,
	  only_the_device_is_served)
