/* SPDX-License-Identifier: MIT */
/* Batches and expressions of nf_tables (linux/netfilter/nf_tables.h, nfnetlink.h). */
#include "os/linux/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/bytes.h"
#include "os/linux/netlink.h"

struct mnl_socket *nft_open(void)
{
	return netlink_open(NETLINK_NETFILTER);
}

/* ---- batches ---- */

static struct nlmsghdr *message_begin(void *at, uint16_t type, uint16_t flags, uint8_t family,
				      uint16_t resource, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(resource);
	return h;
}

/* The message being built is whole: the next one begins behind it. */
static void message_close(struct nft_batch *b)
{
	if (b->open)
		b->len += MNL_ALIGN(b->open->nlmsg_len);
	b->open = NULL;
}

void nft_batch_begin(struct nft_batch *b, uint32_t *seq)
{
	b->len = 0;
	b->first = ++*seq;
	b->open = message_begin(b->data, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES,
				b->first);
}

struct nlmsghdr *nft_batch_add(struct nft_batch *b, uint16_t type, uint16_t flags, uint32_t *seq)
{
	message_close(b);
	b->last = ++*seq;
	b->open = message_begin(b->data + b->len, NFNL_SUBSYS_NFTABLES << 8 | type, flags,
				NFPROTO_INET, 0, b->last);
	return b->open;
}

/* True once the kernel has said all about the batch; `*ret` is its first failure. */
static bool answer_read(const struct nft_batch *b, const uint8_t *data, size_t len, int *ret)
{
	bool done = false;
	int left = (int)len;

	for (const struct nlmsghdr *h = (const void *)data; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - b->first > b->last - b->first)
			continue;
		if (e->error && !*ret)
			*ret = e->error;
		done |= h->nlmsg_seq == b->last || (h->nlmsg_seq == b->first && e->error);
	}
	return done;
}

int nft_batch_commit(struct mnl_socket *s, struct nft_batch *b, uint32_t *seq)
{
	uint8_t answer[16384];
	int r = 0;

	b->open->nlmsg_flags |= NLM_F_ACK; /* failures are told unasked */
	message_close(b);
	b->open = message_begin(b->data + b->len, NFNL_MSG_BATCH_END, 0, AF_UNSPEC,
				NFNL_SUBSYS_NFTABLES, ++*seq);
	message_close(b);
	if (mnl_socket_sendto(s, b->data, b->len) < 0)
		return -errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(s, answer, sizeof(answer));

		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (answer_read(b, answer, (size_t)n, &r))
			return r;
	}
}

struct dump {
	netlink_entry_fn fn;
	void *ctx;
	int error;
};

static int on_entry(const struct nlmsghdr *entry, void *ctx)
{
	struct dump *d = ctx;

	d->error = d->fn(d->ctx, entry);
	return d->error < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

int nft_dump(struct mnl_socket *s, uint16_t type, const char *table, netlink_entry_fn fn, void *ctx,
	     uint32_t *seq)
{
	uint8_t buffer[32768];
	struct dump d = { .fn = fn, .ctx = ctx };
	struct nlmsghdr *h = message_begin(buffer, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_DUMP,
					   NFPROTO_INET, 0, ++*seq);
	int r = MNL_CB_OK;

	/* In each kind of message the first attribute names the table. */
	if (table)
		mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	if (mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(s, buffer, sizeof(buffer));

		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		r = mnl_cb_run(buffer, (size_t)n, *seq, mnl_socket_get_portid(s), on_entry, &d);
	}
	return r < 0 ? (d.error < 0 ? d.error : -errno) : 0;
}

/* ---- expressions ---- */

struct nlattr *nft_rule_begin(struct nlmsghdr *m, const char *table, const char *chain)
{
	mnl_attr_put_strz(m, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(m, NFTA_RULE_CHAIN, chain);
	return mnl_attr_nest_start(m, NFTA_RULE_EXPRESSIONS);
}

struct expression {
	struct nlattr *element, *data;
};

static struct expression expression_begin(struct nlmsghdr *m, const char *name)
{
	struct expression e = { .element = mnl_attr_nest_start(m, NFTA_LIST_ELEM) };

	mnl_attr_put_strz(m, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(m, NFTA_EXPR_DATA);
	return e;
}

static void expression_end(struct nlmsghdr *m, struct expression e)
{
	mnl_attr_nest_end(m, e.data);
	mnl_attr_nest_end(m, e.element);
}

static void put_u32(struct nlmsghdr *m, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(m, type, htonl(v));
}

static void put_value(struct nlmsghdr *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(m, type);

	mnl_attr_put(m, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(m, nest);
}

void nft_meta_load(struct nlmsghdr *m, uint32_t key)
{
	struct expression e = expression_begin(m, "meta");

	put_u32(m, NFTA_META_DREG, NFT_REG);
	put_u32(m, NFTA_META_KEY, key);
	expression_end(m, e);
}

void nft_payload_load(struct nlmsghdr *m, uint32_t base, uint32_t offset, uint32_t len)
{
	struct expression e = expression_begin(m, "payload");

	put_u32(m, NFTA_PAYLOAD_DREG, NFT_REG);
	put_u32(m, NFTA_PAYLOAD_BASE, base);
	put_u32(m, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(m, NFTA_PAYLOAD_LEN, len);
	expression_end(m, e);
}

void nft_compare(struct nlmsghdr *m, uint32_t op, const void *data, size_t len)
{
	struct expression e = expression_begin(m, "cmp");

	put_u32(m, NFTA_CMP_SREG, NFT_REG);
	put_u32(m, NFTA_CMP_OP, op);
	put_value(m, NFTA_CMP_DATA, data, len);
	expression_end(m, e);
}

void nft_look_up(struct nlmsghdr *m, const char *set)
{
	struct expression e = expression_begin(m, "lookup");

	put_u32(m, NFTA_LOOKUP_SREG, NFT_REG);
	mnl_attr_put_strz(m, NFTA_LOOKUP_SET, set);
	expression_end(m, e);
}

void nft_count(struct nlmsghdr *m)
{
	expression_end(m, expression_begin(m, "counter"));
}

static void verdict(struct nlmsghdr *m, int code, const char *chain)
{
	struct expression e = expression_begin(m, "immediate");
	struct nlattr *data, *nest;

	put_u32(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(m, NFTA_IMMEDIATE_DATA);
	nest = mnl_attr_nest_start(m, NFTA_DATA_VERDICT);
	put_u32(m, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		mnl_attr_put_strz(m, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(m, nest);
	mnl_attr_nest_end(m, data);
	expression_end(m, e);
}

void nft_verdict(struct nlmsghdr *m, int code)
{
	verdict(m, code, NULL);
}

void nft_jump(struct nlmsghdr *m, const char *chain)
{
	verdict(m, NFT_JUMP, chain);
}

void nft_payload_set16(struct nlmsghdr *m, uint32_t offset, uint16_t value, uint32_t checksum)
{
	struct expression e = expression_begin(m, "immediate");
	uint8_t bytes[2];

	store_be16(bytes, value);
	put_u32(m, NFTA_IMMEDIATE_DREG, NFT_REG);
	put_value(m, NFTA_IMMEDIATE_DATA, bytes, sizeof(bytes));
	expression_end(m, e);
	e = expression_begin(m, "payload");
	put_u32(m, NFTA_PAYLOAD_SREG, NFT_REG);
	put_u32(m, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put_u32(m, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(m, NFTA_PAYLOAD_LEN, sizeof(bytes));
	put_u32(m, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	put_u32(m, NFTA_PAYLOAD_CSUM_OFFSET, checksum);
	expression_end(m, e);
}
