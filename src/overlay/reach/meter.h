/* SPDX-License-Identifier: MIT */
/*
 * What is sent to addresses that have proven nothing. Members and the server name addresses, and
 * may name somebody else's: a bystander gets a bounded number of bytes, however many of them do.
 * Pure: time comes in as a parameter.
 */
#ifndef MLSH_OVERLAY_METER_H
#define MLSH_OVERLAY_METER_H

#include "base/addr.h"
#include "base/bucket.h"

#define METER_BUCKETS 256
#define METER_BURST_BYTES (128u << 10)
#define METER_BYTES_PER_S 256

/*
 * A bucket of bytes for each IPv4 address and each IPv6 /64. Those that fall together share one;
 * which do is under a key of this process, so that nobody can choose.
 */
struct meter {
	uint8_t key[16];
	struct bucket bucket[METER_BUCKETS];
};

void meter_init(struct meter *m, const uint8_t key[16], uint64_t now);
void meter_renew(struct meter *m, uint64_t now); /* all of it is full again */
bool meter_has(struct meter *m, const struct addr *to, size_t bytes, uint64_t now);
/* Takes them if they are there. */
bool meter_take(struct meter *m, const struct addr *to, size_t bytes, uint64_t now);
/* A member has proven that it is there: what was sent in vain before does not count any more. */
void meter_proven(struct meter *m, const struct addr *at, uint64_t now);

#endif
