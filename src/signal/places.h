/* SPDX-License-Identifier: AGPL-3.0-only */
/* The places of connections: among the strangers of the server, or among its sessions. */
#ifndef MLSH_SIGNAL_PLACES_H
#define MLSH_SIGNAL_PLACES_H

#include "signal/caller.h"

/* How many strangers come from this address, or from its IPv6 network? */
size_t strangers_of(const struct signal_server *s, const struct addr *source);
/* It is not authenticated, or no longer: gives it a place among the strangers. */
void caller_is_stranger(struct caller *c);
/* It has become a member's session. */
void caller_is_session(struct caller *c);
/* It is a member's session no longer; it may read the log until it is closed, soon. */
void caller_is_former(struct caller *c, enum signal_close why, const char *phrase);
/* Ends what it has as a session: its presence, its subscription, its channels. */
void caller_end_session(struct caller *c);
/* Gives up its place. */
void caller_unlist(struct caller *c);

#endif
