/* SPDX-License-Identifier: MIT */
/*
 * The table of network interfaces. What an interface is for follows from its driver and its place
 * (port of a bridge, hardware below it), never from its name.
 */
#include "os/linux/links.h"

#include <net/if_arp.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/if.h>

#include "os/linux/netlink.h"

#define NESTING_MAX 4 /* a VLAN on a bond in a bridge, and one more */

static void copy_text(const struct nlattr *a, char *out, size_t cap)
{
	if (a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
		snprintf(out, cap, "%s", mnl_attr_get_str(a));
}

static bool has_device(const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	return access(path, F_OK) == 0;
}

static int on_link(void *ctx, const struct nlmsghdr *entry)
{
	struct links *l = ctx;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[IFLA_CARRIER_CHANGES + 1], *kind[IFLA_INFO_KIND + 1];
	if (entry->nlmsg_type != RTM_NEWLINK)
		return 0;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 32;
		struct link *more = cap > LINKS_MAX ? NULL
						    : reallocarray(l->at, cap, sizeof(*more));
		if (!more)
			return cap > LINKS_MAX ? -E2BIG : -ENOMEM;
		l->at = more;
		l->cap = cap;
	}
	netlink_attributes(entry, sizeof(*info), a, ARRAY_LEN(a));
	netlink_nested(a[IFLA_LINKINFO], kind, ARRAY_LEN(kind));
	struct link *link = &l->at[l->n++];
	*link = (struct link){
		.index = (unsigned)info->ifi_index,
		.master = netlink_u32(a[IFLA_MASTER]),
		.hardware = info->ifi_type,
		.flags = info->ifi_flags,
		.mtu_bytes = netlink_u32(a[IFLA_MTU]),
		.carrier_changes = netlink_u32(a[IFLA_CARRIER_CHANGES]),
	};
	copy_text(a[IFLA_IFNAME], link->name, sizeof(link->name));
	copy_text(kind[IFLA_INFO_KIND], link->driver, sizeof(link->driver));
	return 0;
}

int links_load(struct links *l)
{
	*l = (struct links){ 0 };
	int r = netlink_dump(RTM_GETLINK, AF_UNSPEC, on_link, l);
	for (size_t i = 0; r == 0 && i < l->n; i++)
		l->at[i].is_device = has_device(l->at[i].name);
	return r;
}

void links_fini(struct links *l)
{
	free(l->at);
	*l = (struct links){ 0 };
}

const struct link *links_find(const struct links *l, unsigned index)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].index == index)
			return &l->at[i];
	return NULL;
}

static bool is_one_of(const char *driver, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(driver, list[i]) == 0)
			return true;
	return false;
}

/* TUN and TAP share a driver. A TAP carries Ethernet: it is an uplink like any other. */
bool link_is_tun(const struct link *link)
{
	return link && strcmp(link->driver, "tun") == 0 && link->hardware != ARPHRD_ETHER;
}

static bool is_bridge(const struct link *link)
{
	return link && strcmp(link->driver, "bridge") == 0;
}

static bool is_port_of_bridge(const struct links *l, const struct link *link)
{
	return link->master && is_bridge(links_find(l, link->master));
}

/* What packets of other machines come in through, whatever it is called. */
static enum netif_kind kind_alone(const struct link *link)
{
	static const char *const tunnels[] = {
		"wireguard", "ipip", "sit",	"gre",	"gretap", "ip6tnl", "ip6gre",
		"ip6gretap", "vti",  "vti6",	"xfrm", "vxlan",  "geneve", "erspan",
		"ip6erspan", "gtp",  "bareudp", "ovpn", "fou",	  "amt",
	};
	/* A macvlan or ipvlan is how many containers get onto the real network. */
	static const char *const links_to_hardware[] = {
		"veth",	 "vlan", "macvlan", "macvtap",	   "ipvlan", "ipvtap",
		"bond",	 "team", "macsec",  "ppp",	   "wwan",   "rmnet",
		"ipoib", "hsr",	 "dsa",	    "openvswitch", "batadv",
	};
	if (link->flags & IFF_LOOPBACK)
		return NETIF_LOOPBACK;
	if (link_is_tun(link) || is_one_of(link->driver, tunnels, ARRAY_LEN(tunnels)))
		return NETIF_TUNNEL;
	if (is_one_of(link->driver, links_to_hardware, ARRAY_LEN(links_to_hardware)))
		return NETIF_PHYSICAL;
	if (link->is_device)
		return NETIF_PHYSICAL;
	/*
	 * Without a driver of its own kind it is hardware, even where /sys belongs to another
	 * network namespace.
	 */
	if (link->driver[0] == '\0' &&
	    (link->hardware == ARPHRD_ETHER || link->hardware == ARPHRD_PPP ||
	     link->hardware == ARPHRD_RAWIP || link->hardware == ARPHRD_INFINIBAND))
		return NETIF_PHYSICAL;
	if (link->driver[0] == '\0' &&
	    (link->hardware == ARPHRD_NONE || link->hardware == ARPHRD_TUNNEL ||
	     link->hardware == ARPHRD_TUNNEL6 || link->hardware == ARPHRD_SIT))
		return NETIF_TUNNEL;
	return NETIF_OTHER;
}

/* Is there hardware among the ports, so that the bridge is the machine's own way out? */
static bool has_hardware_port(const struct links *l, unsigned bridge, unsigned depth)
{
	for (size_t i = 0; depth < NESTING_MAX && i < l->n; i++) {
		const struct link *port = &l->at[i];
		if (port->master != bridge)
			continue;
		if (is_bridge(port) ? has_hardware_port(l, port->index, depth + 1)
				    : strcmp(port->driver, "veth") != 0 &&
					      kind_alone(port) == NETIF_PHYSICAL)
			return true;
	}
	return false;
}

enum netif_kind links_kind(const struct links *l, const struct link *link)
{
	if (is_bridge(link))
		return has_hardware_port(l, link->index, 0) ? NETIF_PHYSICAL : NETIF_CONTAINER;
	if (is_port_of_bridge(l, link) &&
	    (strcmp(link->driver, "veth") == 0 || kind_alone(link) != NETIF_PHYSICAL))
		return NETIF_CONTAINER;
	return kind_alone(link);
}

/* Unlike for links_kind a tunnel counts: a VXLAN brings the packets of other machines. */
static bool is_way_out(const struct links *l, const struct link *port)
{
	enum netif_kind kind = kind_alone(port);

	if (is_bridge(port))
		return has_hardware_port(l, port->index, 0);
	return strcmp(port->driver, "veth") != 0 &&
	       (kind == NETIF_PHYSICAL || kind == NETIF_TUNNEL);
}

bool links_is_inside(const struct links *l, const struct link *link)
{
	if (!is_bridge(link) || link->master)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].master == link->index && is_way_out(l, &l->at[i]))
			return false;
	return true;
}
