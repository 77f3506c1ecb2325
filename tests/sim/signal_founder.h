/* SPDX-License-Identifier: MIT */
/* A server with one cluster, whose first node has a session. */
#ifndef MLSH_TESTS_SIGNAL_FOUNDER_H
#define MLSH_TESTS_SIGNAL_FOUNDER_H

#include "signal_steps.h"

extern struct sig founder_g;
extern struct raw *founder;

void founder_begin(void);
void founder_end(void);

#endif
