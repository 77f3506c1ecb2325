/* SPDX-License-Identifier: MIT */
/*
 * A simulated world: hosts, links and one clock in one process, repeatable from a seed. Implements the os headers at
 * link time in place of src/os/linux. Time stands still while code runs and jumps to the next event.
 */
#ifndef MLSH_OS_SIM_WORLD_H
#define MLSH_OS_SIM_WORLD_H

#include "base/addr.h"
#include "os/host.h"

struct world;

struct world *world_new(uint64_t seed);
void world_free(struct world *w); /* frees the hosts too */
/* A host with an interface `eth0` and this address; a default path to every other host's address. */
struct host *world_host(struct world *w, const char *name, ip4 ip);
/* Further addresses, IPv6 ones too. */
int world_host_addr(struct host *h, const struct addr *a, const char *ifname) MUST_CHECK;

/* What happens to packets from a to b (one way); the default is 5 ms, no loss, MTU 1500. */
struct link_params {
	uint64_t delay_ns, jitter_ns;
	double loss;		/* 0..1 */
	uint64_t rate_bps;	/* 0: unlimited */
	size_t queue_bytes;
	unsigned mtu_bytes;
	bool down;
};
void world_link(struct world *w, struct host *a, struct host *b, struct link_params p);

/*
 * A hook that sees (and may change or swallow) every datagram on its way: for captures, tampering and hostile networks.
 * Return false to drop.
 */
typedef bool (*world_tap_fn)(void *ctx, struct host *from, const struct addr *src, const struct addr *dst, uint8_t *data,
			     size_t *len);
void world_tap(struct world *w, world_tap_fn fn, void *ctx);

uint64_t world_now(struct world *w);
/* Runs events until the time has come, or until `done` (may be NULL) says so; returns whether it did. */
bool world_run(struct world *w, uint64_t for_ns, bool (*done)(void *ctx), void *ctx);
/* SHA-256-free running digest (FNV-1a) of everything that happened: equal for equal seeds. */
uint64_t world_digest(const struct world *w);
/* Seed and the last events, to standard error: called when a test fails. */
void world_dump(const struct world *w);

/* Names for resolve_start in this world. */
int world_dns_set(struct world *w, const char *name, const struct addr *a) MUST_CHECK;

/* The TUN of a host, from outside: injects a packet as if the host's stack had sent it; takes the next one written to it. */
int world_tun_inject(struct host *h, unsigned index, const void *packet, size_t len) MUST_CHECK;
/* 1 and the packet (at most `cap` bytes), or 0. */
int world_tun_take(struct host *h, unsigned index, void *packet, size_t cap, size_t *ret_len) MUST_CHECK;
/* Kills every timer, socket, TUN and callback of the host, as kill -9 does; its files stay. The owner's objects are leaked on purpose to an arena freed with the world. */
void world_host_crash(struct host *h);

#endif
