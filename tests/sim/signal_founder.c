/* SPDX-License-Identifier: MIT */
/* A server with one cluster, whose first node has a session. */
#include "signal_founder.h"

struct sig founder_g;
struct raw *founder;

void founder_begin(void)
{
	sig_start(&founder_g);
	founder = raw_founder(&founder_g);
}

void founder_end(void)
{
	raw_free(founder);
	sig_stop(&founder_g);
}
