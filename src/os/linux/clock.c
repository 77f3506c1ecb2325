/* SPDX-License-Identifier: MIT */
/* The clock that counts the time that the machine slept, and the one on the wall. */
#include <time.h>

#include "os/linux/internal.h"

uint64_t clock_now(struct host *h)
{
	return h->now_ns;
}

uint64_t clock_refresh(struct host *h)
{
	struct timespec ts;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	h->now_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	return h->now_ns;
}

int64_t clock_wall_s(struct host *h)
{
	(void)h;
	return (int64_t)time(NULL);
}
