/* SPDX-License-Identifier: MIT */
/* Services of a simulated machine that exchange_start reaches from within the same net. */
#ifndef MLSH_OS_SIM_SERVICE_H
#define MLSH_OS_SIM_SERVICE_H

#include "os/sim/world.h"

struct service;

/* The answer to a question: its length, at most `cap`. */
typedef size_t (*service_fn)(void *ctx, const struct addr *from, struct span request, uint8_t *out,
			     size_t cap);

struct service *service_new(struct host *h, uint16_t port, service_fn fn, void *ctx);
void service_free(struct service *s); /* before the world; NULL allowed */

#endif
