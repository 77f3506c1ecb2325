/* SPDX-License-Identifier: MIT */
/*
 * What a node knows of its cluster, as bytes: how mlsh hands the contents of a cluster file to the
 * daemon, and how the daemon keeps them (docs/protocol/05-local.md). The file itself is TOML, which
 * only mlsh reads and writes (client/cluster_file.h).
 */
#ifndef MLSH_PROTO_CLUSTER_H
#define MLSH_PROTO_CLUSTER_H

#include "base/addr.h"
#include "base/ids.h"
#include "base/label.h"
#include "proto/limits.h"

#define CLUSTER_BYTES_MAX 640 /* of one encoding */

struct cluster_file {
	char cluster[LABEL_MAX + 1];
	uint8_t cluster_id[HASH_LEN];
	char node_name[LABEL_MAX + 1];
	struct node_id node_id; /* must be the identity's */
	ip4 address;
	struct prefix4 subnet;
	char signal_host[HOST_TEXT_MAX + 1];
	uint16_t signal_port;
	uint8_t signal_cert[HASH_LEN]; /* from the token or the invite */
	uint8_t signal_key[HASH_LEN];  /* of genesis: a renewed certificate with it is accepted */
	uint8_t node_token[HASH_LEN];
};

/* Returns the number of bytes; -ENOSPC. The bytes hold a secret: the caller wipes them. */
ptrdiff_t cluster_encode(const struct cluster_file *f, void *buf, size_t cap) MUST_CHECK;
/*
 * Accepts exactly what cluster_encode makes. The names are labels, the subnet is one that overlay
 * addresses may come from, the address is in it, and the port is not 0. That the host is in its
 * normal form is left to tunnel_parts_check. -EPROTONOSUPPORT: of a newer version; -EBADMSG: all
 * else. `ret` is set on success only.
 */
int cluster_decode(struct span in, struct cluster_file *ret) MUST_CHECK;
/* Returns true if all fields are equal. */
bool cluster_equal(const struct cluster_file *a, const struct cluster_file *b);

#endif
