/* SPDX-License-Identifier: MIT */
/* The messages that make the fence's table, fill its sets and read its counters. */
#include "os/linux/fence_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define PRIORITY (-350)
#define SET_OVERLAY "overlay"
#define SET_INSIDE "inside"
#define CHAIN_BEFORE "fence"
#define CHAIN_IN "fence_in"
#define CHAIN "outside"
#define CHAIN_ABOUT "about"
#define IFNAME_BYTES 16	   /* IFNAMSIZ */
#define ELEMENTS_MAX 256   /* in a message */
#define LOOPBACK_IFINDEX 1 /* in every network namespace */
#define IP_SOURCE 12	   /* RFC 791 section 3.1 */
#define IP_DESTINATION 16
#define ICMP_TYPE 0  /* RFC 792 */
#define ICMP_ABOUT 8 /* the header of the packet that an error is about */
#define PORT_FROM 0  /* of UDP and TCP alike: RFC 768, RFC 9293 section 3.1 */
#define PORT_TO 2
#define UDP_CHECKSUM 6
#define TCP_CHECKSUM 16

/* For nft(8), which shows by it what a set is of: types, and the byte order of the elements. */
#define TYPE_IPV4_ADDR 7
#define TYPE_IFACE_INDEX 20
#define USERDATA_BYTE_ORDER 0
#define HOST_ORDER 1
#define NETWORK_ORDER 2

static void put_u32(struct nlmsghdr *m, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(m, type, htonl(v));
}

/* ---- the table ---- */

static void add_set(struct fence_table *t, struct nft_batch *b, const char *name, uint32_t type,
		    uint32_t order, uint32_t id)
{
	uint8_t userdata[6] = { USERDATA_BYTE_ORDER, sizeof(order) };
	struct nlmsghdr *m = nft_batch_add(b, NFT_MSG_NEWSET, NLM_F_CREATE, &t->seq);

	mnl_attr_put_strz(m, NFTA_SET_TABLE, t->name);
	mnl_attr_put_strz(m, NFTA_SET_NAME, name);
	put_u32(m, NFTA_SET_FLAGS, 0);
	put_u32(m, NFTA_SET_KEY_TYPE, type);
	put_u32(m, NFTA_SET_KEY_LEN, 4);
	put_u32(m, NFTA_SET_ID, id);
	memcpy(userdata + 2, &order, sizeof(order));
	mnl_attr_put(m, NFTA_SET_USERDATA, sizeof(userdata), userdata);
}

/* `hook` negative: a chain that others jump to. A chain that is there already stays as it is. */
static void add_chain(struct fence_table *t, struct nft_batch *b, const char *name, int hook,
		      int priority)
{
	struct nlmsghdr *m = nft_batch_add(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, &t->seq);
	struct nlattr *nest;

	mnl_attr_put_strz(m, NFTA_CHAIN_TABLE, t->name);
	mnl_attr_put_strz(m, NFTA_CHAIN_NAME, name);
	if (hook < 0)
		return;
	nest = mnl_attr_nest_start(m, NFTA_CHAIN_HOOK);
	put_u32(m, NFTA_HOOK_HOOKNUM, (uint32_t)hook);
	put_u32(m, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	mnl_attr_nest_end(m, nest);
	mnl_attr_put_strz(m, NFTA_CHAIN_TYPE, "filter");
	put_u32(m, NFTA_CHAIN_POLICY, NF_ACCEPT);
}

/* The next rule of a chain; mnl_attr_nest_end ends `*ret`. */
static struct nlmsghdr *rule_of(struct fence_table *t, struct nft_batch *b, const char *chain,
				struct nlattr **ret)
{
	struct nlmsghdr *m = nft_batch_add(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
					   &t->seq);

	*ret = nft_rule_begin(m, t->name, chain);
	return m;
}

static struct nlmsghdr *rule(struct fence_table *t, struct nft_batch *b, struct nlattr **ret)
{
	return rule_of(t, b, CHAIN, ret);
}

static void add_rule_device(struct fence_table *t, struct nft_batch *b)
{
	char name[IFNAME_BYTES] = "";
	struct nlattr *list;
	struct nlmsghdr *m = rule(t, b, &list);

	snprintf(name, sizeof(name), "%s", t->name);
	nft_meta_load(m, NFT_META_IIFNAME);
	nft_compare(m, NFT_CMP_EQ, name, sizeof(name));
	nft_verdict(m, NF_ACCEPT);
	mnl_attr_nest_end(m, list);
}

static void add_rule_loopback(struct fence_table *t, struct nft_batch *b)
{
	uint32_t loopback = LOOPBACK_IFINDEX;
	struct nlattr *list;
	struct nlmsghdr *m = rule(t, b, &list);

	nft_meta_load(m, NFT_META_IIF);
	nft_compare(m, NFT_CMP_EQ, &loopback, sizeof(loopback));
	nft_verdict(m, NF_ACCEPT);
	mnl_attr_nest_end(m, list);
}

static void add_rule_inside(struct fence_table *t, struct nft_batch *b)
{
	struct nlattr *list;
	struct nlmsghdr *m = rule(t, b, &list);

	nft_meta_load(m, NFT_META_IIF);
	nft_look_up(m, SET_INSIDE);
	nft_verdict(m, NF_ACCEPT);
	mnl_attr_nest_end(m, list);
}

static void load_address(struct nlmsghdr *m, uint32_t offset)
{
	uint8_t v4 = NFPROTO_IPV4;

	nft_meta_load(m, NFT_META_NFPROTO);
	nft_compare(m, NFT_CMP_EQ, &v4, sizeof(v4));
	nft_payload_load(m, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof(ip4));
}

static void add_rule_drop(struct fence_table *t, struct nft_batch *b, uint32_t offset)
{
	struct nlattr *list;
	struct nlmsghdr *m = rule(t, b, &list);

	load_address(m, offset);
	nft_look_up(m, SET_OVERLAY);
	nft_count(m);
	nft_verdict(m, NF_DROP);
	mnl_attr_nest_end(m, list);
}

static void add_rule_all(struct fence_table *t, struct nft_batch *b, const char *from,
			 const char *to)
{
	struct nlattr *list;
	struct nlmsghdr *m = rule_of(t, b, from, &list);

	nft_jump(m, to);
	mnl_attr_nest_end(m, list);
}

static void add_rule_error(struct fence_table *t, struct nft_batch *b, uint8_t type)
{
	uint8_t v4 = NFPROTO_IPV4, icmp = IPPROTO_ICMP;
	struct nlattr *list;
	struct nlmsghdr *m = rule(t, b, &list);

	nft_meta_load(m, NFT_META_NFPROTO);
	nft_compare(m, NFT_CMP_EQ, &v4, sizeof(v4));
	nft_meta_load(m, NFT_META_L4PROTO);
	nft_compare(m, NFT_CMP_EQ, &icmp, sizeof(icmp));
	nft_payload_load(m, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_TYPE, sizeof(type));
	nft_compare(m, NFT_CMP_EQ, &type, sizeof(type));
	nft_jump(m, CHAIN_ABOUT);
	mnl_attr_nest_end(m, list);
}

static void add_rule_about(struct fence_table *t, struct nft_batch *b, uint32_t offset)
{
	struct nlattr *list;
	struct nlmsghdr *m = rule_of(t, b, CHAIN_ABOUT, &list);

	nft_payload_load(m, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_ABOUT + offset, sizeof(ip4));
	nft_look_up(m, SET_OVERLAY);
	nft_count(m);
	nft_verdict(m, NF_DROP);
	mnl_attr_nest_end(m, list);
}

/* Nobody but the device has to say something of packets between members. */
static void add_rules_errors(struct fence_table *t, struct nft_batch *b)
{
	static const uint8_t errors[] = { ICMP_DEST_UNREACH, ICMP_SOURCE_QUENCH, ICMP_REDIRECT,
					  ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB };

	add_rule_about(t, b, IP_SOURCE);
	add_rule_about(t, b, IP_DESTINATION);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		add_rule_error(t, b, errors[i]);
}

static int make(struct fence_table *t, bool own)
{
	struct nft_batch b;
	struct nlmsghdr *m;

	nft_batch_begin(&b, &t->seq);
	m = nft_batch_add(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, &t->seq);
	mnl_attr_put_strz(m, NFTA_TABLE_NAME, t->name);
	put_u32(m, NFTA_TABLE_FLAGS, own ? NFT_TABLE_F_OWNER : 0);
	add_set(t, &b, SET_OVERLAY, TYPE_IPV4_ADDR, NETWORK_ORDER, 1);
	add_set(t, &b, SET_INSIDE, TYPE_IFACE_INDEX, HOST_ORDER, 2);
	add_chain(t, &b, CHAIN, -1, 0);
	add_chain(t, &b, CHAIN_ABOUT, -1, 0);
	add_chain(t, &b, CHAIN_BEFORE, NF_INET_PRE_ROUTING, PRIORITY);
	add_chain(t, &b, CHAIN_IN, NF_INET_LOCAL_IN, PRIORITY);
	add_rule_all(t, &b, CHAIN_BEFORE, CHAIN);
	add_rule_all(t, &b, CHAIN_IN, CHAIN);
	add_rule_device(t, &b);
	add_rule_loopback(t, &b);
	add_rule_drop(t, &b, IP_SOURCE);
	add_rule_inside(t, &b);
	add_rule_drop(t, &b, IP_DESTINATION);
	add_rules_errors(t, &b);
	return nft_batch_commit(t->socket, &b, &t->seq);
}

void fence_table_remove(struct fence_table *t)
{
	struct nft_batch b;
	struct nlmsghdr *m;

	nft_batch_begin(&b, &t->seq);
	m = nft_batch_add(&b, NFT_MSG_DELTABLE, 0, &t->seq);
	mnl_attr_put_strz(m, NFTA_TABLE_NAME, t->name);
	(void)!nft_batch_commit(t->socket, &b, &t->seq); /* mostly there is nothing to remove */
}

int fence_table_make(struct fence_table *t, bool may_own)
{
	int r = -EOPNOTSUPP;

	fence_table_remove(t);
	if (may_own)
		r = make(t, true);
	t->owned = r == 0;
	/* What an older kernel says of a flag that it does not know. */
	if (r == -EOPNOTSUPP || r == -EINVAL)
		r = make(t, false);
	return r;
}

/* ---- a server's port ---- */

static void add_rule_jump(struct fence_table *t, struct nft_batch *b, const char *from,
			  const char *to, uint32_t offset, ip4 address)
{
	uint32_t ip = htonl(address);
	struct nlattr *list;
	struct nlmsghdr *m = rule_of(t, b, from, &list);

	load_address(m, offset);
	nft_compare(m, NFT_CMP_EQ, &ip, sizeof(ip));
	nft_jump(m, to);
	mnl_attr_nest_end(m, list);
}

static void add_rule_port(struct fence_table *t, struct nft_batch *b, const char *chain,
			  uint8_t protocol, uint32_t offset, uint16_t from, uint16_t to)
{
	uint8_t port[2];
	struct nlattr *list;
	struct nlmsghdr *m = rule_of(t, b, chain, &list);

	store_be16(port, from);
	nft_meta_load(m, NFT_META_L4PROTO);
	nft_compare(m, NFT_CMP_EQ, &protocol, sizeof(protocol));
	nft_payload_load(m, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(port));
	nft_compare(m, NFT_CMP_EQ, port, sizeof(port));
	nft_payload_set16(m, offset, to, protocol == IPPROTO_UDP ? UDP_CHECKSUM : TCP_CHECKSUM);
	mnl_attr_nest_end(m, list);
}

static void clear_chain(struct fence_table *t, struct nft_batch *b, const char *chain)
{
	struct nlmsghdr *m = nft_batch_add(b, NFT_MSG_DELRULE, 0, &t->seq);

	mnl_attr_put_strz(m, NFTA_RULE_TABLE, t->name);
	mnl_attr_put_strz(m, NFTA_RULE_CHAIN, chain);
}

int fence_table_redirect(struct fence_table *t, const struct fence_redirect *r)
{
	static const char *const chains[] = { "port", "back", "port_in", "port_out" };
	static const int hook[] = { -1, -1, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT };
	static const int priority[] = { 0, 0, -PRIORITY, PRIORITY };
	struct nft_batch b;

	nft_batch_begin(&b, &t->seq);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
		add_chain(t, &b, chains[i], hook[i], priority[i]);
		clear_chain(t, &b, chains[i]);
	}
	add_rule_port(t, &b, "port", IPPROTO_UDP, PORT_TO, r->port, r->udp);
	add_rule_port(t, &b, "port", IPPROTO_TCP, PORT_TO, r->port, r->tcp);
	add_rule_port(t, &b, "back", IPPROTO_UDP, PORT_FROM, r->udp, r->port);
	add_rule_port(t, &b, "back", IPPROTO_TCP, PORT_FROM, r->tcp, r->port);
	add_rule_jump(t, &b, "port_in", "port", IP_DESTINATION, r->address);
	add_rule_jump(t, &b, "port_out", "back", IP_SOURCE, r->address);
	return nft_batch_commit(t->socket, &b, &t->seq);
}

/* ---- its sets ---- */

static struct nlmsghdr *elements_begin(struct fence_table *t, struct nft_batch *b, bool add,
				       const char *set)
{
	struct nlmsghdr *m = nft_batch_add(b, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
					   add ? NLM_F_CREATE : 0, &t->seq);

	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_TABLE, t->name);
	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_SET, set);
	return m;
}

static void put_element(struct nlmsghdr *m, const void *data, size_t len)
{
	struct nlattr *element = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	struct nlattr *key = mnl_attr_nest_start(m, NFTA_SET_ELEM_KEY);

	mnl_attr_put(m, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(m, key);
	mnl_attr_nest_end(m, element);
}

int fence_table_addresses(struct fence_table *t, const ip4 *at, size_t n, bool add)
{
	int r = 0;

	for (size_t done = 0; r == 0 && done < n; done += MIN(n - done, (size_t)ELEMENTS_MAX)) {
		struct nft_batch b;
		struct nlmsghdr *m;
		struct nlattr *list;

		nft_batch_begin(&b, &t->seq);
		m = elements_begin(t, &b, add, SET_OVERLAY);
		list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t i = done; i < n && i < done + ELEMENTS_MAX; i++) {
			uint32_t ip = htonl(at[i]);

			put_element(m, &ip, sizeof(ip));
		}
		mnl_attr_nest_end(m, list);
		r = nft_batch_commit(t->socket, &b, &t->seq);
	}
	return r;
}

int fence_table_inside(struct fence_table *t, const unsigned *ifindex, size_t n)
{
	struct nft_batch b;
	struct nlmsghdr *m;
	struct nlattr *list;

	nft_batch_begin(&b, &t->seq);
	(void)elements_begin(t, &b, false, SET_INSIDE); /* all */
	if (n) {
		m = elements_begin(t, &b, true, SET_INSIDE);
		list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t i = 0; i < n; i++)
			put_element(m, &ifindex[i], sizeof(ifindex[i]));
		mnl_attr_nest_end(m, list);
	}
	return nft_batch_commit(t->socket, &b, &t->seq);
}

/* ---- its counters ---- */

static uint64_t packets_of(const struct nlattr *expression)
{
	const struct nlattr *e[NFTA_EXPR_DATA + 1], *c[NFTA_COUNTER_PACKETS + 1];
	uint64_t v;

	netlink_nested(expression, e, ARRAY_LEN(e));
	if (!e[NFTA_EXPR_NAME] || !e[NFTA_EXPR_DATA] ||
	    strcmp(mnl_attr_get_str(e[NFTA_EXPR_NAME]), "counter") != 0)
		return 0;
	netlink_nested(e[NFTA_EXPR_DATA], c, ARRAY_LEN(c));
	if (!c[NFTA_COUNTER_PACKETS] ||
	    mnl_attr_get_payload_len(c[NFTA_COUNTER_PACKETS]) != sizeof(v))
		return 0;
	memcpy(&v, mnl_attr_get_payload(c[NFTA_COUNTER_PACKETS]), sizeof(v));
	return be64toh(v);
}

static int on_rule(void *ctx, const struct nlmsghdr *entry)
{
	const struct nlattr *a[NFTA_RULE_EXPRESSIONS + 1];
	const struct nlattr *expression;

	netlink_attributes(entry, sizeof(struct nfgenmsg), a, ARRAY_LEN(a));
	if (!a[NFTA_RULE_EXPRESSIONS])
		return 0;
	mnl_attr_for_each_nested(expression, a[NFTA_RULE_EXPRESSIONS])
		*(uint64_t *)ctx += packets_of(expression);
	return 0;
}

uint64_t fence_table_dropped(struct fence_table *t)
{
	uint64_t n = 0;

	return nft_dump(t->socket, NFT_MSG_GETRULE, t->name, on_rule, &n, &t->seq) < 0 ? 0 : n;
}
