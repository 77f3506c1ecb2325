/* SPDX-License-Identifier: MIT */
/* A server with one cluster, whose first node has a session. */
#ifndef MLSH_TESTS_SIGNAL_FOUNDER_H
#define MLSH_TESTS_SIGNAL_FOUNDER_H

#include "signal_steps.h"

static struct sig g;
static struct raw *founder;

static inline void begin(void)
{
	sig_start(&g);
	founder = raw_founder(&g);
}

static inline void end(void)
{
	raw_free(founder);
	sig_stop(&g);
}

#endif
