/* SPDX-License-Identifier: MIT */
/*
 * A cluster on its way from its user to the daemon: the contents of its files, never descriptors or
 * paths, in pieces that the daemon acknowledges (docs/protocol/05-local.md). So a file that cannot
 * be read makes its owner's command wait, and not the daemon. The cluster file goes decoded: the
 * daemon has no parser for it.
 */
#ifndef MLSH_CLIENT_HANDOVER_H
#define MLSH_CLIENT_HANDOVER_H

#include "client/store.h"
#include "os/local.h"
#include "proto/control.h"

struct handover {
	struct buf file[CONTROL_FILES];
	uint64_t sent; /* of all files, one behind the other */
};

/*
 * Reads and decodes the cluster's files. -ENOENT for a cluster that this user does not have;
 * otherwise as file_read_private and store_identity. The caller frees.
 */
int handover_read(struct host *h, const struct store *s, const char *cluster, struct handover *ret,
		  struct err *err) MUST_CHECK;
void handover_free(struct handover *o); /* wipes; zeroed allowed */
/* The request that begins it. */
struct control_request handover_request(const struct handover *o, const char *cluster);
/*
 * Sends what an acknowledgement of `received` bytes allows. -EBADMSG if it acknowledges more than
 * was sent; otherwise as local_send.
 */
int handover_send(struct handover *o, struct local_conn *c, uint64_t received) MUST_CHECK;

#endif
