/* SPDX-License-Identifier: MIT */
/* Nodes of client_kit.h in session: what a session tells its owner, and whole meshes of them. */
#ifndef MLSH_TESTS_CLIENT_SESSION_KIT_H
#define MLSH_TESTS_CLIENT_SESSION_KIT_H

#include "client_kit.h"

/* A record that somebody else's log has is shown to the node. */
void kit_show(struct kit_node *n, struct span record);

/* Is the entry in record `seq` this one, byte for byte? */
bool kit_has_entry(const struct mlog *l, uint64_t seq, const struct entry_bytes *e);

/* From the node's files, as a daemon would. */
void kit_node_up(struct kit_node *n);

struct session_status kit_status(struct kit_node *n);
bool kit_is_up(void *ctx);
bool kit_is_not_up(void *ctx);

/* Waits for the session to be up, this long at most. */
#define KIT_UP_WITHIN(n, ns)                                                                       \
	do {                                                                                       \
		if (!world_run((n)->kit->w, (ns), kit_is_up, (n))) {                               \
			world_dump((n)->kit->w);                                                   \
			ck_abort_msg("%s: %s", (n)->name, kit_status(n).last_err.text);            \
		}                                                                                  \
	} while (0)

/* Does n believe that `of` is online? */
bool kit_sees(struct kit_node *n, struct kit_node *of);

/* By an invite that was made just now, to the end. */
void kit_join_by(struct kit_node *n, struct kit_node *sponsor);

/* A tap: a NAT drops whatever goes to or comes from one port, that of the address `dead`. */
bool kit_port_is_dead(void *dead, struct host *from, const struct addr *src, const struct addr *dst,
		      uint8_t *data, size_t *len);

/* A server with a cluster of `n` nodes, all joined, none connected. */
void kit_mesh(struct kit *k, size_t n);

void kit_all_up(struct kit *k);

#endif
