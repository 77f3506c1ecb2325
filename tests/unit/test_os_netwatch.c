/* SPDX-License-Identifier: MIT */
/* The watch of the host's network: which changes are told, and what holds after them. */
#include "os_net.h"

static struct netwatch *watch(loop_fn changed, loop_fn touched, void *ctx)
{
	struct netwatch_config cfg = {
		.changed = changed, .touched = touched, .ctx = ctx, .subnet = { 0x64400000, 10 }
	};
	struct netwatch *w = netwatch_new(net_host, &cfg);

	ck_assert_ptr_nonnull(w);
	return w;
}

static void count(void *ctx)
{
	++*(unsigned *)ctx;
}

/* How often the watch has called after some change, once it has had time to. */
static unsigned told(unsigned *calls)
{
	os_unit_run_for(net_host, 500 * NS_PER_MS);
	unsigned n = *calls;
	*calls = 0;
	return n;
}

/* A veth with addresses, its carrier found at both ends. */
static void ethernet_up(void)
{
	net_ip("link add eth0 type veth peer name outside");
	net_ip("link set outside up");
	net_ip("link set eth0 addrgenmode none up");
	net_ip("addr add 198.51.100.1/24 dev outside");
	net_ip("addr add 192.0.2.1/24 dev eth0 valid_lft 1000 preferred_lft 1000");
	net_running("eth0");
	net_running("outside");
}

START_TEST(changes_are_told_once)
{
	if (!net_setup())
		return;
	unsigned calls = 0;
	ethernet_up();
	struct netwatch *w = watch(count, NULL, &calls);
	ck_assert_ptr_nonnull(w);
	ck_assert_uint_eq(told(&calls), 0); /* the state at the start is no change */
	net_ip("addr add 192.0.2.2/24 dev eth0");
	net_ip("route add default via 192.0.2.254");
	ck_assert_uint_eq(told(&calls), 1);
	net_ip("route del default");
	ck_assert_uint_eq(told(&calls), 1);
	netwatch_free(w);
	netwatch_free(NULL);
	host_free(net_host);
}
END_TEST

START_TEST(carrier_that_is_back_at_once_is_told)
{
	if (!net_setup())
		return;
	ethernet_up();
	struct netwatch *w = watch(os_unit_stop, NULL, net_host);
	/* perhaps into another network */
	net_ip("link set outside down && ip link set outside up");
	os_unit_run(net_host, "the change");
	netwatch_free(w);
	host_free(net_host);
}
END_TEST

/* What the kernel tells of a link with many names does not fit into the buffer of the watch. */
START_TEST(change_that_is_told_at_length_is_not_missed)
{
	if (!net_setup())
		return;
	ethernet_up();
	net_ip("-6 addr flush dev outside"); /* nothing else is told meanwhile */
	ck_assert(os_unit_command("for i in $(seq 100); do printf 'link property add dev eth0 "
				  "altname name%0100d\\n' $i; done | ip -batch -"));
	struct netwatch *w = watch(os_unit_stop, NULL, net_host);
	net_ip("link set eth0 mtu 1400");
	os_unit_run(net_host, "the change");
	netwatch_free(w);
	host_free(net_host);
}
END_TEST

START_TEST(what_is_no_change_is_not_told)
{
	if (!net_setup())
		return;
	unsigned calls = 0;
	ethernet_up();
	struct netwatch *w = watch(count, NULL, &calls);
	/* a renewed lease */
	net_ip("addr change 192.0.2.1/24 dev eth0 valid_lft 2000 preferred_lft 2000");
	ck_assert_uint_eq(told(&calls), 0);
	struct tun *t = net_tun_up("100.64.0.1");
	unsigned i = tun_ifindex(t);
	ck_assert_int_eq(netconf_route_add(net_host, i, net_prefix("100.64.0.9/32"), 0, NULL), 0);
	ck_assert_int_eq(netconf_route_add(net_host, 0, net_prefix("100.64.0.0/24"), 0, NULL), 0);
	ck_assert_uint_eq(told(&calls), 0);
	tun_close(t);
	ck_assert_int_eq(netconf_cleanup(net_host, NULL), 0);
	ck_assert_uint_eq(told(&calls), 0);
	/* there and gone within the debounce */
	net_ip("route add 203.0.113.0/24 dev eth0 && ip route del 203.0.113.0/24 dev eth0");
	ck_assert_uint_eq(told(&calls), 0);
	netwatch_free(w);
	host_free(net_host);
}
END_TEST

struct watched {
	struct netwatch *watch;
};

static void free_watch(void *ctx)
{
	struct watched *w = ctx;
	netwatch_free(w->watch);
	w->watch = NULL;
	loop_stop(net_host);
}

/* ---- what is ours, and what the host uses of the subnet ---- */

struct looks {
	struct netwatch *w;
	struct tun *tun;
	unsigned calls;
};

static void on_changed(void *ctx)
{
	(void)ctx;
}

static void on_touched(void *ctx)
{
	((struct looks *)ctx)->calls++;
}

static const struct netown *own_now(struct looks *l)
{
	const struct netuses *uses;
	const struct netown *own;

	ck_assert_int_eq(netwatch_look(l->w, &uses, &own), 0);
	return own;
}

static bool own_routed(struct looks *l)
{
	const struct netown *own = own_now(l);

	return netown_has(own, NETROUTE_MEMBER, net_prefix("100.64.0.9/32")) &&
	       netown_has(own, NETROUTE_BACKSTOP, net_prefix("100.64.0.0/24")) &&
	       netown_has(own, NETROUTE_GUARD, net_prefix("100.64.0.9/32"));
}

static void own_up(struct looks *l)
{
	unsigned i;

	l->tun = net_tun_up("100.64.0.1");
	i = tun_ifindex(l->tun);
	l->w = watch(on_changed, on_touched, l);
	ck_assert_int_eq(netwatch_own(l->w, i, 0x64400001), 0);
	ck_assert_int_eq(netconf_route_add(net_host, i, net_prefix("100.64.0.9/32"), 0x64400001,
					   NULL),
			 0);
	ck_assert_int_eq(netconf_route_add(net_host, 0, net_prefix("100.64.0.0/24"), 0, NULL), 0);
	ck_assert_int_eq(netconf_guard_add(net_host, 0x64400009, NULL), 0);
	ck_assert_int_eq(netconf_rules_add(net_host, net_prefix("100.64.0.0/10"), NULL), 0);
	ck_assert(own_routed(l)); /* what we did ourselves is in it at once */
}

static void own_down(struct looks *l)
{
	netwatch_free(l->w);
	tun_close(l->tun);
	ck_assert_int_eq(netconf_cleanup(net_host, NULL), 0);
	ck_assert(!os_unit_command("ip rule | grep -q 5190"));
	ck_assert(!os_unit_command("ip route show table 10964 2>/dev/null | grep -q ."));
	host_free(net_host);
}

static bool is_touched(struct looks *l)
{
	l->calls = 0;
	for (int i = 0; i < 200 && !l->calls; i++)
		os_unit_run_for(net_host, 5 * NS_PER_MS);
	return l->calls > 0;
}

START_TEST(what_is_taken_away_is_seen)
{
	struct looks l = { .calls = 0 };

	if (!net_setup())
		return;
	own_up(&l);
	ck_assert(own_now(&l)->rules && own_now(&l)->up && own_now(&l)->address);
	ck_assert_uint_eq(own_now(&l)->mtu_bytes, 1400);
	net_ip("route flush proto 109");
	ck_assert(is_touched(&l) && !own_routed(&l));
	ck_assert(netown_has(own_now(&l), NETROUTE_GUARD, net_prefix("100.64.0.9/32")));
	net_ip("rule del pref 5191");
	ck_assert(is_touched(&l) && !own_now(&l)->rules);
	net_ip("addr flush dev mlsh0");
	ck_assert(is_touched(&l) && !own_now(&l)->address);
	net_ip("link set mlsh0 mtu 9000");
	ck_assert(is_touched(&l) && own_now(&l)->mtu_bytes == 9000);
	net_ip("link set mlsh0 down");
	ck_assert(is_touched(&l) && !own_now(&l)->up);
	net_ip("link set mlsh0 name other0");
	ck_assert(is_touched(&l) && strcmp(own_now(&l)->ifname, "other0") == 0);
	ck_assert_int_eq(netconf_link_rename(net_host, tun_ifindex(l.tun), "mlsh0", NULL), 0);
	ck_assert_str_eq(own_now(&l)->ifname, "mlsh0");
	net_ip("link del mlsh0");
	ck_assert(is_touched(&l) && !own_now(&l)->link);
	own_down(&l);
}
END_TEST

/* Neither the default route nor a wider one of a VPN takes what is for a member. */
START_TEST(guard_outlives_the_routes)
{
	struct looks l = { .calls = 0 };

	if (!net_setup())
		return;
	ethernet_up();
	net_ip("route add default via 192.0.2.254");
	own_up(&l);
	ck_assert(os_unit_command("ip route get 100.64.0.9 | grep -q mlsh0"));
	net_ip("route flush proto 109");
	ck_assert(!os_unit_command("ip route get 100.64.0.9 2>/dev/null"));
	ck_assert(os_unit_command("ip route get 100.64.0.8 | grep -q eth0"));
	net_ip("route add 100.64.0.0/16 via 192.0.2.77");
	ck_assert(!os_unit_command("ip route get 100.64.0.9 2>/dev/null"));
	ck_assert_int_eq(netconf_guard_del(net_host, 0x64400009), 0);
	ck_assert(os_unit_command("ip route get 100.64.0.9 | grep -q 192.0.2.77"));
	own_down(&l);
}
END_TEST

static void uses_get(struct looks *l, const char *p, char what[NETUSE_WHAT_MAX])
{
	const struct netuses *uses;
	const struct netown *own;

	snprintf(what, NETUSE_WHAT_MAX, "nothing");
	ck_assert_int_eq(netwatch_look(l->w, &uses, &own), 0);
	netuses_conflict(uses, net_prefix(p), what);
}

static void uses_now(struct looks *l, const char *p, const char *expected)
{
	char what[NETUSE_WHAT_MAX];

	uses_get(l, p, what);
	ck_assert_msg(strcmp(what, expected) == 0, "%s: %s, not %s", p, what, expected);
}

/* The same, once the loop has run for a while. */
static void uses_soon(struct looks *l, const char *p, const char *expected)
{
	char what[NETUSE_WHAT_MAX] = "";

	for (int i = 0; i < 4000 && strcmp(what, expected) != 0; i++) {
		os_unit_run_for(net_host, 5 * NS_PER_MS);
		uses_get(l, p, what);
	}
	uses_now(l, p, expected);
}

START_TEST(networks_that_come_later_are_seen_and_go_again)
{
	struct looks l = { .calls = 0 };

	if (!net_setup())
		return;
	ethernet_up();
	own_up(&l);
	uses_now(&l, "100.64.0.0/16", "nothing");
	net_ip("route add 100.64.7.0/24 via 192.0.2.254");
	uses_now(&l, "100.64.0.0/16", "route 100.64.7.0/24 on eth0"); /* at once */
	uses_now(&l, "100.65.0.0/16", "nothing");
	net_ip("route del 100.64.7.0/24 via 192.0.2.254");
	uses_now(&l, "100.64.0.0/16", "nothing");
	net_ip("route add 0.0.0.0/1 via 192.0.2.254"); /* a VPN for everything */
	uses_now(&l, "100.64.0.0/16", "nothing");
	net_ip("route add 203.0.113.0/24 via 100.64.3.3 dev eth0 onlink");
	uses_now(&l, "100.64.0.0/16", "gateway 100.64.3.3");
	net_ip("link add br0 type bridge && ip addr add 100.64.9.1/24 dev br0");
	net_ip("link set br0 up");
	net_ip("route del 203.0.113.0/24 && ip link set eth0 mtu 1499");
	uses_soon(&l, "100.64.0.0/16", "network 100.64.9.0/24 on br0");
	/* the kernel removes its routes without a word */
	net_ip("link add dum0 type bridge && ip link set dum0 up");
	net_ip("addr add 192.0.3.1/24 dev dum0 && ip route add 100.70.0.0/16 dev dum0");
	uses_soon(&l, "100.70.0.0/16", "route 100.70.0.0/16 on dum0");
	net_ip("link del dum0");
	uses_soon(&l, "100.70.0.0/16", "nothing");
	own_down(&l);
}
END_TEST

static struct addr far_away;

static size_t destinations(void *ctx, struct addr *out, size_t max)
{
	(void)ctx;
	(void)max;
	out[0] = far_away;
	return 1;
}

/* A full table of routes comes and goes: none of it concerns us, but the route to a peer does. */
START_TEST(routes_that_do_not_concern_us_cost_nothing)
{
	unsigned calls = 0;
	struct netwatch_config cfg = { .changed = count,
				       .destinations = destinations,
				       .ctx = &calls,
				       .subnet = { 0x64400000, 10 } };

	if (!net_setup())
		return;
	ethernet_up();
	far_away = addr_v4(0xc6336407, 4433); /* 198.51.100.7 */
	struct netwatch *w = netwatch_new(net_host, &cfg);
	ck_assert(os_unit_command("for i in $(seq 0 255); do for j in 1 2 3 4 5 6 7 8; do "
				  "echo route add 20.$i.$j.0/24 via 192.0.2.254; done; done | "
				  "ip -batch -"));
	ck_assert_uint_eq(told(&calls), 0);
	net_ip("route add 198.51.100.0/25 via 192.0.2.254");
	ck_assert_uint_eq(told(&calls), 1);
	net_ip("route add 198.51.100.128/25 via 192.0.2.254");
	ck_assert_uint_eq(told(&calls), 0);
	net_ip("route del 198.51.100.0/25");
	ck_assert_uint_eq(told(&calls), 1);
	netwatch_free(w);
	host_free(net_host);
}
END_TEST

/* More changes at once than the socket holds: what was lost is read again, in pieces. */
START_TEST(lost_messages_are_made_up_for)
{
	struct looks l = { .calls = 0 };

	if (!net_setup())
		return;
	ethernet_up();
	own_up(&l);
	ck_assert(os_unit_command("for i in $(seq 0 124); do for j in $(seq 0 239); do "
				  "echo route add 20.$i.$j.0/24 via 192.0.2.254; done; done | "
				  "ip -batch -"));
	net_ip("route add 100.64.7.0/24 via 192.0.2.254");
	uses_now(&l, "100.64.0.0/16", "nothing"); /* it is among the lost ones */
	uses_soon(&l, "100.64.0.0/16", "route 100.64.7.0/24 on eth0");
	ck_assert(own_routed(&l));
	own_down(&l);
}
END_TEST

START_TEST(watch_is_freed_in_its_callback)
{
	if (!net_setup())
		return;
	struct watched w = { 0 };
	w.watch = watch(free_watch, NULL, &w);
	net_ip("link add eth0 type veth peer name outside");
	os_unit_run(net_host, "the change");
	ck_assert_ptr_null(w.watch);
	host_free(net_host);
}
END_TEST

UNIT_MAIN("os/netwatch", changes_are_told_once, carrier_that_is_back_at_once_is_told,
	  change_that_is_told_at_length_is_not_missed, what_is_no_change_is_not_told,
	  what_is_taken_away_is_seen, guard_outlives_the_routes,
	  networks_that_come_later_are_seen_and_go_again,
	  routes_that_do_not_concern_us_cost_nothing, lost_messages_are_made_up_for,
	  watch_is_freed_in_its_callback)
