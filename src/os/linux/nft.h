/* SPDX-License-Identifier: MIT */
/*
 * Requests to the kernel's packet filter (nf_tables, over nfnetlink), on libmnl: batches of changes
 * that happen all or not at all, and the expressions that a rule is made of.
 */
#ifndef MLSH_OS_LINUX_NFT_H
#define MLSH_OS_LINUX_NFT_H

#include <libmnl/libmnl.h>
#include <netinet/in.h> /* before the next one, which would bring its own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/macros.h"
#include "os/linux/netlink.h"

#define NFT_BATCH_BYTES 32768
#define NFT_REG NFT_REG32_00 /* the register that all rules here use */

struct nft_batch {
	uint8_t data[NFT_BATCH_BYTES];
	size_t len;
	uint32_t first, last;  /* sequence numbers */
	struct nlmsghdr *open; /* the message being built */
};

/*
 * A socket for changes. A table that it makes with NFT_TABLE_F_OWNER is its own and ends with it.
 * NULL with errno; mnl_socket_close ends it.
 */
struct mnl_socket *nft_open(void);

/* `*seq` counts on from batch to batch of one socket. */
void nft_batch_begin(struct nft_batch *b, uint32_t *seq);
/*
 * The next change: NFT_MSG_..., with NLM_F_CREATE and the like. A message has at most 8 KiB, and a
 * batch has room for 40 small ones or one large one.
 */
struct nlmsghdr *nft_batch_add(struct nft_batch *b, uint16_t type, uint16_t flags, uint32_t *seq);
/* Sends it and waits for the kernel's word: 0, or the negative errno of the first failure. */
int nft_batch_commit(struct mnl_socket *s, struct nft_batch *b, uint32_t *seq) MUST_CHECK;

/* Every entry of a dump, e.g. NFT_MSG_GETTABLE; `table` NULL: of all tables. */
int nft_dump(struct mnl_socket *s, uint16_t type, const char *table, netlink_entry_fn fn, void *ctx,
	     uint32_t *seq) MUST_CHECK;

/* ---- expressions of the rule being built; each works on NFT_REG ---- */

/* Begins the list of expressions; mnl_attr_nest_end ends it. */
struct nlattr *nft_rule_begin(struct nlmsghdr *m, const char *table, const char *chain);
void nft_meta_load(struct nlmsghdr *m, uint32_t key); /* NFT_META_... */
void nft_payload_load(struct nlmsghdr *m, uint32_t base, uint32_t offset, uint32_t len);
/* The rule goes on if the register holds (not: `op`, NFT_CMP_...) these bytes. */
void nft_compare(struct nlmsghdr *m, uint32_t op, const void *data, size_t len);
void nft_look_up(struct nlmsghdr *m, const char *set); /* The rule goes on if the set has it. */
void nft_count(struct nlmsghdr *m);
void nft_verdict(struct nlmsghdr *m, int verdict); /* NF_ACCEPT, NF_DROP */
void nft_jump(struct nlmsghdr *m, const char *chain);
/* Writes two bytes of the transport header, and mends its checksum at `checksum`. */
void nft_payload_set16(struct nlmsghdr *m, uint32_t offset, uint16_t value, uint32_t checksum);

#endif
