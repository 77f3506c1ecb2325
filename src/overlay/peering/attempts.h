/* SPDX-License-Identifier: MIT */
/* Attempts to reach a peer: what is tried, and when. */
#ifndef MLSH_OVERLAY_PEERING_ATTEMPTS_H
#define MLSH_OVERLAY_PEERING_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>

struct addr;
struct peer;

enum attempt { ATTEMPT_NOTHING, ATTEMPT_DIRECT, ATTEMPT_RELAY };

/* Connections of ours that are under way. */
size_t attempts_running(const struct peer *p);
/* Plans an attempt; over the relay it begins. Returns how it goes on: by its addresses first. */
enum attempt attempts_prepare(struct peer *p);
void attempts_begin(struct peer *p);
/* The relay is ahead: the addresses' turn comes later. */
void attempts_lead(struct peer *p);
/*
 * The next address's turn. Returns NULL if something is under way, or why nothing is: `why` if no
 * address was left.
 */
const char *attempts_next(struct peer *p, const char *why);
/* New addresses join the race. */
void attempts_join(struct peer *p);
/* Tries where its knock came from. */
void attempts_call_back(struct peer *p, const struct addr *from);
/* Over the relay. Returns false if no connection has begun. */
bool attempts_try_relay(struct peer *p);
/* Closes our other knocks: they would keep us from knocking again. */
void attempts_end_knocks(struct peer *p);
/* When the next attempt begins: after a pause, longer with each failure; */
void attempts_back_off(struct peer *p);
/* at once, if it is wanted; */
void attempts_at_once(struct peer *p);
/* as soon as it may, the peer's turn first; */
void attempts_sooner(struct peer *p);
/* after hardly a turn of the peer's. */
void attempts_soon(struct peer *p);

#endif
