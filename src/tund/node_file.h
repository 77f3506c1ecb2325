/* SPDX-License-Identifier: MIT */
/*
 * The daemon's own copy of what a user handed over of a cluster, except the membership log: one
 * file, `<cluster>.node`, so that fields and key change together or not at all
 * (docs/protocol/05-local.md).
 */
#ifndef MLSH_TUND_NODE_FILE_H
#define MLSH_TUND_NODE_FILE_H

#include "proto/cluster.h"

#define NODE_FILE_MAX 20480    /* bytes of the file */
#define NODE_FILE_PEM_MAX 8192 /* bytes of the certificate, and of the key */

/* Views: what they point to belongs to the caller. */
struct node_file {
	struct span cluster;   /* as cluster_encode makes it */
	struct span cert, key; /* PEM, as identity_to_pem makes it */
};

/* Returns the number of bytes; -ENOSPC. */
ptrdiff_t node_file_encode(const struct node_file *f, void *buf, size_t cap) MUST_CHECK;
/*
 * -EPROTONOSUPPORT: of a newer version; -EBADMSG: damaged, which the checksum at its end tells.
 * The result points into `in`. What the parts hold is not looked at.
 */
int node_file_decode(struct span in, struct node_file *ret) MUST_CHECK;

#endif
