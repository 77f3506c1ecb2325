/* SPDX-License-Identifier: MIT */
/* The membership log between peers (docs/protocol/02-membership-log.md). */
#ifndef MLSH_OVERLAY_PEERING_PEER_LOG_H
#define MLSH_OVERLAY_PEERING_PEER_LOG_H

#include "overlay/peering/peering.h"

/* --- log_link.c ------------------------------------------------------------------------------- */

/* May a node with this key have a connection for messages of the log, and nothing else? */
bool log_link_allowed(const struct peering *g, const uint8_t key_sha256[HASH_LEN]);
/* Such a connection that the other side began. Returns false if it is refused. */
bool log_link_accept(struct peering *g, struct quic_conn *c, const struct quic_conn_ops **ret_ops,
		     void **ret_ctx);

/* --- log_send.c ------------------------------------------------------------------------------- */

/* Shows the removals without order that were not shown yet, as far as the stream takes them. */
void control_removals(struct link *l);
/* Shows the beacons that were not shown yet, as far as the stream takes them. */
void control_beacons(struct link *l);
/* Asks for records behind our head, unless some are asked for already. */
void control_ask_log(struct link *l);
/* Sends records that the other side lacks, as far as the stream takes them, then removals. */
void control_push(struct link *l);
/* Asks for the records from `from` on. */
void peer_log_ask(struct link *l, uint64_t from);
/* Sends the records from `from` on that fit a message: how many is in the overlay's own message. */
int log_send_page(struct link *l, uint64_t from) MUST_CHECK;

/* --- peer_log.c ------------------------------------------------------------------------------- */

/* Their record `seq` does not follow ours: asks where the two logs part. */
void peer_log_search(struct link *l, uint64_t seq);
/* Answers a request for records. */
void peer_log_requested(struct link *l, const struct peer_message *m);
/*
 * Takes what they showed of their log. Returns false if it has brought nothing that our log lacked.
 * The link may be gone then.
 */
bool peer_log_shown(struct link *l, const struct wire_entries *e, bool solicited);
/* Takes a removal without order. The link may be gone afterwards: it may be of this very peer. */
void peer_log_removal(struct link *l, struct span entry);

#endif
