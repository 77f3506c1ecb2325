/* SPDX-License-Identifier: MIT */
/*
 * What os/tun.h, os/netconf.h, os/fence.h and os/splitdns.h promise: a device of ours, with its
 * address, routes and guards.
 */
#include "os/fence.h"
#include "os/netconf.h"
#include "os/splitdns.h"
#include "os/tun.h"
#include "os/udp.h"
#include "port_kit.h"

#define SELF 0x64600001u   /* 100.96.0.1 */
#define MEMBER 0x64600002u /* 100.96.0.2 */

static const struct prefix4 subnet = { 0x64600000u, 16 }, member = { MEMBER, 32 };

static struct host *h;
static struct tun *tun;
static struct netwatch *watch;
static unsigned changed, touched, readable;
static uint8_t buffer[TUN_READ_BYTES];

static void on_readable(void *ctx)
{
	(void)ctx;
	readable++;
	tun_pause(tun, true); /* or it is called again and again */
}

static void on_changed(void *ctx)
{
	(void)ctx;
	changed++;
}

static void on_touched(void *ctx)
{
	(void)ctx;
	touched++;
}

static struct tun *device_open(unsigned number)
{
	const struct tun_config cfg = { .name_prefix = NETCONF_DEVICE,
					.number = number,
					.mtu_bytes = 1400 };
	struct tun *t = NULL;

	PORT_OK(tun_open(h, &cfg, on_readable, NULL, NULL, &t));
	return t;
}

/* A device with our address, a route to the member, and a watch on both. Returns false if not. */
static bool begin(void)
{
	const struct netwatch_config cfg = { .subnet = subnet,
					     .changed = on_changed,
					     .touched = on_touched };

	if (!port_network())
		return false;
	h = port_begin();
	tun = device_open(0);
	PORT_OK(netconf_link_up(h, tun_ifindex(tun), NULL));
	PORT_OK(netconf_addr_add(h, tun_ifindex(tun), SELF, 32, NULL));
	PORT_OK(netconf_route_add(h, tun_ifindex(tun), member, SELF, NULL));
	watch = netwatch_new(h, &cfg);
	ck_assert_ptr_nonnull(watch);
	PORT_OK(netwatch_own(watch, tun_ifindex(tun), SELF));
	return true;
}

static void end(void)
{
	netwatch_free(watch);
	netwatch_free(NULL);
	tun_close(tun);
	tun_close(NULL);
	port_end();
}

static const struct netown *look(void)
{
	const struct netuses *uses = NULL;
	const struct netown *own = NULL;

	PORT_OK(netwatch_look(watch, &uses, &own));
	return own;
}

static const struct netif_addr *find_address(ip4 ip)
{
	static struct netif_addr list[64];
	const struct addr wanted = addr_v4(ip, 0);
	int n = netif_list(h, list, ARRAY_LEN(list));

	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++)
		if (addr_same_ip(&list[i].addr, &wanted))
			return &list[i];
	return NULL;
}

START_TEST(a_device_has_a_name_and_begins_down)
{
	if (!port_network())
		return;
	h = port_begin();
	tun = device_open(3);
	struct tun *second = device_open(3);
	ck_assert_str_eq(tun_name(tun), NETCONF_DEVICE "3");
	ck_assert_int_eq(strncmp(tun_name(second), NETCONF_DEVICE, strlen(NETCONF_DEVICE)), 0);
	ck_assert_str_ne(tun_name(second), tun_name(tun));
	ck_assert_uint_ne(tun_ifindex(second), tun_ifindex(tun));
	ck_assert_uint_ne(tun_ifindex(tun), 0);
	ck_assert(tun_can_join(tun, TUN_GSO_NONE));
	ck_assert_ptr_null(find_address(SELF));
	PORT_OK(netconf_addr_add(h, tun_ifindex(tun), SELF, 32, NULL));
	const struct netif_addr *a = find_address(SELF);
	ck_assert_ptr_nonnull(a);
	ck_assert(!a->up);
	PORT_OK(netconf_link_up(h, tun_ifindex(tun), NULL));
	a = find_address(SELF);
	ck_assert(a && a->up);
	ck_assert_uint_eq(a->ifindex, tun_ifindex(tun));
	ck_assert_uint_eq(a->prefix_bits, 32);
	ck_assert_uint_eq(a->addr.port, 0);
	ck_assert_int_eq(a->kind, NETIF_TUNNEL);
	ck_assert_str_eq(a->ifname, tun_name(tun));
	tun_close(second);
	tun_close(tun);
	ck_assert_ptr_null(find_address(SELF)); /* with the device */
	port_end();
}
END_TEST

static struct {
	struct udp *udp;
	uint8_t data[64];
	size_t len, n;
	struct addr from;
} socket_of_ours;

static void on_datagram(void *ctx)
{
	struct udp_rx rx[1];

	(void)ctx;
	if (udp_recv(socket_of_ours.udp, rx, 1) == 0)
		return;
	ck_assert_uint_le(rx[0].len, sizeof(socket_of_ours.data));
	memcpy(socket_of_ours.data, rx[0].data, rx[0].len);
	socket_of_ours.len = rx[0].len;
	socket_of_ours.from = rx[0].from;
	socket_of_ours.n++;
}

static bool is_readable(void *ctx)
{
	(void)ctx;
	return readable > 0;
}

static bool has_datagram(void *ctx)
{
	(void)ctx;
	return socket_of_ours.n > 0;
}

/* The next IPv4 packet of the device, others (IPv6) passed over. */
static bool read_v4(struct tun_packet *p)
{
	int r;

	while ((r = tun_read(tun, buffer, p)) > 0)
		if (p->data[0] >> 4 == 4)
			return true;
	PORT_OK(r);
	return false;
}

static bool packet_comes(void *ctx)
{
	return read_v4(ctx);
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

START_TEST(packets_go_out_and_come_in)
{
	struct tun_packet p;

	if (!begin())
		return;
	PORT_OK(udp_open(h, &(struct udp_config){ .bind = addr_v4(SELF, 0) }, on_datagram, NULL,
			 NULL, &socket_of_ours.udp));
	const struct udp_tx tx = { .data = (const uint8_t *)"hello",
				   .len = 5,
				   .segment = 5,
				   .to = addr_v4(MEMBER, 7777) };
	ck_assert_uint_eq(udp_send(socket_of_ours.udp, &tx, 1), 1);
	port_wait(is_readable, NULL, "a readable device");
	port_wait(packet_comes, &p, "the packet");
	ck_assert(p.data >= buffer && p.data + p.len <= buffer + sizeof(buffer));
	ck_assert_uint_eq(p.len, 20 + 8 + 5);
	ck_assert_mem_eq(p.data + 12, ((uint8_t[]){ 100, 96, 0, 1, 100, 96, 0, 2 }), 8);
	ck_assert_mem_eq(p.data + 28, "hello", 5);
	ck_assert_int_eq(p.gso, TUN_GSO_NONE);
	ck_assert(!read_v4(&(struct tun_packet){ 0 })); /* nothing more */
	/* Back it comes: the sums are those of the same words in another order. */
	memmove(buffer + TUN_HEADROOM, p.data, p.len);
	p.data = buffer + TUN_HEADROOM;
	swap(p.data + 12, p.data + 16, 4);
	swap(p.data + 20, p.data + 22, 2);
	PORT_OK(tun_write(tun, &p));
	port_wait(has_datagram, NULL, "what was written to the device");
	ck_assert_uint_eq(socket_of_ours.len, 5);
	ck_assert_mem_eq(socket_of_ours.data, "hello", 5);
	const struct addr from = addr_v4(MEMBER, 7777);
	ck_assert(addr_equal(&socket_of_ours.from, &from));
	udp_close(socket_of_ours.udp);
	end();
}
END_TEST

START_TEST(a_paused_device_is_not_readable)
{
	struct tun_packet p;

	if (!begin())
		return;
	PORT_OK(udp_open(h, &(struct udp_config){ .bind = addr_v4(SELF, 0) }, on_datagram, NULL,
			 NULL, &socket_of_ours.udp));
	port_pass(5 * NS_PER_MS);
	while (tun_read(tun, buffer, &p) > 0)
		;
	readable = 0;
	tun_pause(tun, true);
	const struct udp_tx tx = {
		.data = (const uint8_t *)"x", .len = 1, .segment = 1, .to = addr_v4(MEMBER, 7)
	};
	ck_assert_uint_eq(udp_send(socket_of_ours.udp, &tx, 1), 1);
	port_pass(20 * NS_PER_MS);
	ck_assert_uint_eq(readable, 0);
	tun_pause(tun, false); /* what waits is told */
	port_wait(is_readable, NULL, "a readable device");
	ck_assert(read_v4(&p));
	udp_close(socket_of_ours.udp);
	end();
}
END_TEST

static bool was_touched(void *ctx)
{
	(void)ctx;
	return touched > 0;
}

START_TEST(what_is_ours_is_seen)
{
	if (!begin())
		return;
	const struct netown *own = look();
	ck_assert(own->link && own->up && own->address && !own->rules);
	ck_assert_uint_eq(own->mtu_bytes, 1400);
	ck_assert_str_eq(own->ifname, tun_name(tun));
	ck_assert_uint_eq(own->n_routes, 1);
	ck_assert(netown_has(own, NETROUTE_MEMBER, member));
	ck_assert(!netown_has(own, NETROUTE_BACKSTOP, subnet));
	PORT_OK(netconf_route_add(h, 0, subnet, 0, NULL));
	PORT_OK(netconf_rules_add(h, subnet, NULL));
	PORT_OK(netconf_guard_add(h, MEMBER, NULL));
	PORT_OK(netconf_link_mtu(h, tun_ifindex(tun), 1300, NULL));
	own = look(); /* all that happened before is in it */
	ck_assert(own->rules && netown_has(own, NETROUTE_BACKSTOP, subnet) &&
		  netown_has(own, NETROUTE_GUARD, member));
	ck_assert_uint_eq(own->n_routes, 3);
	ck_assert_uint_eq(own->mtu_bytes, 1300);
	for (size_t i = 1; i < own->n_routes; i++)
		ck_assert_int_lt(netown_compare(&own->routes[i - 1], &own->routes[i]), 0);
	PORT_OK(netconf_guard_del(h, MEMBER));
	PORT_OK(netconf_route_del(h, tun_ifindex(tun), member));
	PORT_OK(netconf_link_rename(h, tun_ifindex(tun), "port9", NULL));
	own = look();
	ck_assert_uint_eq(own->n_routes, 1);
	ck_assert_str_eq(own->ifname, "port9");
	end();
}
END_TEST

START_TEST(what_others_take_away_is_told)
{
	if (!begin())
		return;
	PORT_OK(netconf_rules_add(h, subnet, NULL));
	PORT_OK(netconf_guard_add(h, MEMBER, NULL));
	(void)look();
	port_pass(300 * NS_PER_MS);
	touched = changed = 0;
	(void)look();
	port_flush_routes(h);
	port_wait(was_touched, NULL, "the word that routes are gone");
	const struct netown *own = look();
	ck_assert(!netown_has(own, NETROUTE_MEMBER, member));
	ck_assert(netown_has(own, NETROUTE_GUARD, member)); /* outlives it */
	PORT_OK(netconf_route_add(h, tun_ifindex(tun), member, SELF, NULL));
	ck_assert(netown_has(look(), NETROUTE_MEMBER, member));
	touched = 0;
	tun_close(tun);
	tun = NULL;
	port_wait(was_touched, NULL, "the word that the device is gone");
	own = look();
	ck_assert(!own->link && !own->address && !netown_has(own, NETROUTE_MEMBER, member));
	/* What is left without the device goes before the next start. */
	PORT_OK(netconf_cleanup(h, NULL));
	own = look();
	ck_assert(!own->rules);
	ck_assert_uint_eq(own->n_routes, 0);
	end();
}
END_TEST

START_TEST(adding_again_is_no_error)
{
	if (!begin())
		return;
	for (int i = 0; i < 2; i++) {
		PORT_OK(netconf_link_up(h, tun_ifindex(tun), NULL));
		PORT_OK(netconf_addr_add(h, tun_ifindex(tun), SELF, 32, NULL));
		PORT_OK(netconf_route_add(h, tun_ifindex(tun), member, SELF, NULL));
		PORT_OK(netconf_route_add(h, 0, subnet, 0, NULL));
		PORT_OK(netconf_rules_add(h, subnet, NULL));
		PORT_OK(netconf_guard_add(h, MEMBER, NULL));
	}
	ck_assert_uint_eq(look()->n_routes, 3);
	PORT_OK(netconf_cleanup(h, NULL)); /* the device lives: all stays */
	ck_assert(netown_has(look(), NETROUTE_MEMBER, member));
	ck_assert(netown_has(look(), NETROUTE_GUARD, member));
	/* Unknown devices are errors with a sentence. */
	struct err err = { 0 };
	ck_assert_int_lt(netconf_link_up(h, 4711, &err), 0);
	ck_assert_uint_gt(strlen(err.text), 0);
	ck_assert_int_lt(netconf_addr_add(h, 4711, SELF, 32, &err), 0);
	ck_assert_int_lt(netconf_route_add(h, 4711, member, SELF, &err), 0);
	end();
}
END_TEST

START_TEST(our_own_devices_are_no_conflict)
{
	char what[NETUSE_WHAT_MAX] = "";

	if (!begin())
		return;
	ck_assert_int_eq(netconf_conflict(h, subnet, what), 0);
	ck_assert_int_eq(netconf_address_used(h, SELF, 0, false, what), 1);
	ck_assert_uint_gt(strlen(what), 0);
	ck_assert_int_eq(netconf_address_used(h, SELF, tun_ifindex(tun), false, what), 0);
	ck_assert_int_eq(netconf_address_used(h, MEMBER, 0, false, what), 0);
	end();
}
END_TEST

/* The state and the words for it go together, whatever the system has. */
START_TEST(a_fence_says_how_it_stands)
{
	if (!begin())
		return;
	struct fence *f = fence_new(h, tun_name(tun), on_changed, NULL);
	ck_assert_ptr_nonnull(f);
	enum fence_state state = fence_state_get(f);
	ck_assert_int_eq(state == FENCE_UP, strlen(fence_detail(f)) == 0);
	ck_assert_uint_eq(fence_dropped(f), 0);
	PORT_OK(fence_address(f, MEMBER, true));
	PORT_OK(fence_address(f, MEMBER, true));
	fence_flush(f);
	ck_assert_int_eq(fence_state_get(f), state);
	PORT_OK(fence_address(f, MEMBER, false));
	fence_network_changed(f);
	port_pass(5 * NS_PER_MS);
	ck_assert_int_eq(fence_state_get(f), state);
	fence_free(f);
	fence_free(NULL);
	end();
}
END_TEST

static struct splitdns *dns;

static bool is_decided(void *ctx)
{
	(void)ctx;
	return splitdns_state_get(dns) != SPLITDNS_PENDING;
}

START_TEST(split_dns_says_how_it_stands)
{
	if (!begin())
		return;
	PORT_OK(splitdns_start(h, tun_ifindex(tun), "homelab", SELF, on_changed, NULL, NULL, &dns));
	port_wait(is_decided, NULL, "the resolver's answer");
	ck_assert_int_eq(splitdns_state_get(dns) == SPLITDNS_ACTIVE,
			 strlen(splitdns_detail(dns)) == 0);
	splitdns_stop(dns);
	splitdns_stop(NULL);
	end();
}
END_TEST

UNIT_MAIN("port/net", a_device_has_a_name_and_begins_down, packets_go_out_and_come_in,
	  a_paused_device_is_not_readable, what_is_ours_is_seen, what_others_take_away_is_told,
	  adding_again_is_no_error, our_own_devices_are_no_conflict, a_fence_says_how_it_stands,
	  split_dns_says_how_it_stands)
