/* SPDX-License-Identifier: MIT */
/* The raw clients of the simulated tests, over this machine's own sockets. */
#include "real_sim.h"

#include "../tests/sim/signal_sim.c"
#include "../tests/sim/signal_steps.c"
