/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * After a crash of the server its nodes would notice at their next keep-alive only. So the server
 * keeps a list of its sessions in a file beside the database. The next process ends each of those
 * connections with a stateless reset, and the nodes return at once. The list is a hint: it is not
 * synced, and may be missing or damaged. Then the nodes return at their keep-alives.
 */
#ifndef MLSH_SIGNAL_RECALL_H
#define MLSH_SIGNAL_RECALL_H

#include "membership/entry.h"
#include "quic/quic.h"

#define RECALL_SUFFIX ".sessions" /* behind the database's name */
#define RECALL_FILE_MAX (64 + 104 * SIGNAL_CONNS_MAX)

struct recall;
struct signal_server;

struct recall_item {
	uint8_t cluster_id[HASH_LEN];
	struct node_id node;
	struct quic_revocation how;
};

struct recall_list {
	size_t n;
	struct recall_item item[];
};

/* Returns the number of bytes written. -ENOSPC. */
ptrdiff_t recall_encode(const struct recall_list *l, void *buf, size_t cap) MUST_CHECK;
/* -EBADMSG, -ENOMEM. The caller frees *ret. */
int recall_decode(struct span in, struct recall_list **ret) MUST_CHECK;

/*
 * Reads the list of an earlier process and begins to call those nodes, spread over time. The server
 * must have its registry and its socket. -ENOMEM.
 */
int recall_new(struct signal_server *s, const char *db_path, struct recall **ret) MUST_CHECK;
/* A session has begun, ended or changed its address: the file follows soon. */
void recall_changed(struct recall *r);
/* The sessions have been told that the server stops: the next process calls nobody. */
void recall_stop(struct recall *r);
void recall_free(struct recall *r); /* leaves the file, as a crash does; NULL allowed */

#endif
