/* SPDX-License-Identifier: MIT */
/*
 * Asks the default gateway by UPnP to map our port: finds its description, reads where its control
 * point is, and calls it. One wish at a time; the mapper decides when. Only the gateway's own
 * address is believed, for each of the three.
 */
#ifndef MLSH_OVERLAY_IGD_H
#define MLSH_OVERLAY_IGD_H

#include "os/netconf.h"

struct igd;

/*
 * `external` is NULL if it failed, and `why` says how (NULL without an answer). Not from within
 * igd_ask.
 */
typedef void (*igd_fn)(void *ctx, const struct addr *external, uint32_t lifetime_s,
		       const char *why);

/* -ENOMEM */
int igd_new(struct host *h, uint16_t port, igd_fn done, void *ctx, struct igd **ret) MUST_CHECK;
void igd_free(struct igd *g); /* NULL allowed */
/* `external_port`: the one wanted. Asks in place of what was asked before. */
void igd_ask(struct igd *g, const struct gateway *gateway, uint16_t external_port);
/* What was asked is no longer of interest, and the gateway may be another. */
void igd_forget(struct igd *g);
/*
 * Takes away what was mapped, or may have been; not while something is asked. `taken_over`: another
 * protocol has this outer port now; 0 if unknown.
 */
void igd_unwanted(struct igd *g, uint16_t taken_over);
/* The same at the end, at any time: waits for it, half a second at most. */
void igd_unmap(struct igd *g);

#endif
