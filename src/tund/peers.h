/* SPDX-License-Identifier: MIT */
/*
 * What a tunnel needs to find its peers without the server after a restart: its UDP port, what its
 * NAT was found to do, and their addresses, in <state dir>/<cluster>.peers
 * (docs/protocol/05-local.md). Nothing in it is secret or believed: a peer proves itself by its key
 * wherever it is found.
 */
#ifndef MLSH_TUND_PEERS_H
#define MLSH_TUND_PEERS_H

#include "overlay/overlay.h"

#define PEERS_SUFFIX ".peers" /* of the file in the state folder */
#define PEERS_FILE_MAX 262144 /* bytes: OVERLAY_HINTS_MAX peers with CANDIDATES_MAX addresses */
#define PEERS_PORT_MIN 1

struct peers_file {
	uint8_t cluster_id[HASH_LEN];
	uint16_t port;
	bool has_nat;
	struct nat_memory nat; /* of that port's NAT */
	size_t n;
	struct peer_hint peer[];
};

/* Room for n peers, all zero; the caller frees. NULL without memory. */
struct peers_file *peers_file_new(size_t n);

/* For the fuzzer and the tests, too. -ENOSPC; -EBADMSG, -EPROTONOSUPPORT (newer), -ENOMEM. */
ptrdiff_t peers_file_encode(const struct peers_file *f, void *buf, size_t cap) MUST_CHECK;
int peers_file_decode(struct span in, struct peers_file **ret) MUST_CHECK;

/*
 * -ENOENT when there is none, or it is of another cluster of this name; -EBADMSG with a message
 * when it is damaged, -EPROTONOSUPPORT when a newer version wrote it. The caller frees.
 */
int peers_file_load(struct host *h, const char *state_dir, const char *cluster,
		    const uint8_t cluster_id[HASH_LEN], struct err *err, struct peers_file **ret)
	MUST_CHECK;

/* Removes the file; 0 also when it is not there. */
int peers_file_remove(struct host *h, const char *state_dir, const char *cluster) MUST_CHECK;

/* To the new overlay, which was asked for the same port. */
void peers_file_give(const struct peers_file *f, struct overlay *o);

/* --- keeping it up to date -------------------------------------------------------------------- */

struct peers_keeper;

/*
 * Looks once a minute, and soon after peers_keeper_touch, and writes when something has changed:
 * after a few writes at most one a minute. The overlay outlives it. -ENOMEM.
 */
int peers_keeper_new(struct host *h, const char *state_dir, const char *cluster,
		     const uint8_t cluster_id[HASH_LEN], const struct overlay *o,
		     struct peers_keeper **ret) MUST_CHECK;
/* Something may have changed. */
void peers_keeper_touch(struct peers_keeper *k);
/* Writes a last time. NULL allowed. */
void peers_keeper_free(struct peers_keeper *k);

#endif
