/* SPDX-License-Identifier: MIT */
/* Waiting times between attempts: exponential, bounded, with jitter. */
#include "client/backoff.h"

uint64_t backoff_delay(unsigned failures, uint64_t random)
{
	uint64_t whole = BACKOFF_FIRST_MAX;

	for (unsigned i = 1; i < failures && whole < BACKOFF_MAX; i++)
		whole *= 2;
	whole = MIN(whole, BACKOFF_MAX);
	return whole / 2 + random % (whole / 2 + 1);
}

uint64_t backoff_asked(uint64_t asked, uint64_t random)
{
	return asked + random % MAX(asked / 4, NS_PER_S);
}
