/* SPDX-License-Identifier: MIT */
/* Two raw nodes with sessions at a simulated server, and relay channels between them. */
#ifndef MLSH_RELAY_KIT_H
#define MLSH_RELAY_KIT_H

#include "signal/caller.h"
#include "signal/config.h"
#include "signal_steps.h"

#define PACKET 1200
#define FRAME (RELAY_OVERHEAD + PACKET)

extern struct sig chan_g;
extern struct raw *chan_a, *chan_b;

void chan_begin_rates(uint64_t node_rate, uint64_t cluster_rate);
void chan_begin(void);
void chan_end(void);
struct relay_stats chan_stats(void);

enum refusal chan_open_id(struct raw *r, const struct node_id *id, struct relay_end *ret);

enum refusal chan_open_to(struct raw *r, const struct raw *other, struct relay_end *ret);

/* A channel from a to b: the end of a in the reply, that of b in the event. */
void chan_new(struct relay_end *ret_a, struct relay_end *ret_b);

struct addr chan_server(void);
void chan_fill(uint8_t frame[FRAME], uint8_t first);
void chan_send_raw(struct raw *r, const void *data, size_t len);
void chan_send_frame(struct raw *r, const struct relay_end *e, uint32_t counter, size_t len);

/* The last frame that r has: with this counter and length, whole, from the server. */
void chan_arrived(const struct raw *r, const struct relay_end *e, uint32_t counter, size_t len);

#endif
