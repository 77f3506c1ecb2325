/* SPDX-License-Identifier: AGPL-3.0-only */
/* The places of connections: among the strangers of the server, or among its sessions. */
#ifndef MLSH_SIGNAL_PLACES_H
#define MLSH_SIGNAL_PLACES_H

#include "signal/caller.h"

/* Returns how many strangers come from this address, or from its IPv6 network. */
size_t strangers_of(const struct signal_server *s, const struct addr *source);
/* Gives the caller a place among the strangers: it is not authenticated, or no longer. */
void caller_is_stranger(struct caller *c);
/* The caller has become the session of a member. */
void caller_is_session(struct caller *c);
/* The caller is no longer the session of a member. It may read the log until it is closed, soon. */
void caller_is_former(struct caller *c, enum signal_close why, const char *phrase);
/* Ends what the caller has as a session: its presence, its subscription, its channels. */
void caller_end_session(struct caller *c);
/* Takes the caller out of its place. */
void caller_unlist(struct caller *c);

#endif
