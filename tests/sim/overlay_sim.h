/* SPDX-License-Identifier: MIT */
/*
 * A fleet of overlays in a simulated world: nodes of one cluster with a common log, presence handed
 * from node to node by the test as a signal server would, and packets put into and taken out of
 * their TUNs.
 */
#ifndef MLSH_TESTS_OVERLAY_SIM_H
#define MLSH_TESTS_OVERLAY_SIM_H

#include "../unit/log_kit.h"
#include "crypto/init.h"
#include "overlay/internal.h"
#include "sim.h"

#define FLEET_NODES 8
#define FLEET_SERVER addr_v4(IP(203, 0, 113, 1), 4433) /* it relays nothing */

struct fleet;

struct fleet_node {
	struct fleet *fleet;
	struct host *h;
	struct identity *id;
	struct mlog *log;
	const struct member *self;
	struct overlay *o;
	char warning[OVERLAY_WARNING_MAX];
	unsigned grew, forks, changes, devices, states, outs, ins;
	uint64_t fork_seq;
	bool denies[FLEET_NODES];  /* which nodes a removal without order denies, by index */
	enum removal_shown judges; /* of removals that peers show */
	unsigned shown;		   /* such, that were looked at */
	uint64_t latest_s;	   /* records dated later are held back; or 0 */
	unsigned held;		   /* messages of which some was */
};

struct fleet {
	struct world *w;
	struct kit kit;
	struct fleet_node node[FLEET_NODES];
	size_t n;
	struct addr server; /* FLEET_SERVER */
	bool server_down;   /* nobody hears of anybody's presence */
};

void fleet_tell(struct fleet_node *about, struct fleet_node *to);

/* What a server does when a node's candidates change. */
void fleet_announce(struct fleet_node *about);

struct mlog *fleet_copy_log(const struct mlog *from, size_t records);

/* The node learns record `seq` of a log, as from a server; its overlay is not told. */
void fleet_learn(struct fleet_node *n, const struct mlog *from, uint64_t seq);

void fleet_start(struct fleet_node *n);
void fleet_stop(struct fleet_node *n);

/* The process is killed; another one begins, with the log as it was. */
void fleet_restart(struct fleet_node *n);

/* Nodes and their logs, not started. */
void fleet_init(struct fleet *m, size_t n);

void fleet_new(struct fleet *m, size_t n);
void fleet_free(struct fleet *m);

/* --- looking --- */

struct peer_status fleet_peer(const struct fleet_node *a, const struct fleet_node *b);
bool fleet_linked(const struct fleet_node *a, const struct fleet_node *b);
bool fleet_all_up(void *ctx);
void fleet_wait_up(struct fleet *m, uint64_t ns);
uint64_t fleet_drops(const struct fleet_node *n, enum overlay_drop d);
uint64_t fleet_all_drops(const struct fleet_node *n);

/* --- packets --- */

uint8_t fleet_byte(unsigned seed, size_t i);

/* A UDP packet of `len` bytes in all, payload patterned by `seed`, checksums complete. */
void fleet_udp(uint8_t *p, size_t len, ip4 src, ip4 dst, unsigned seed);

void fleet_send(struct fleet_node *from, const struct fleet_node *to, size_t len, unsigned seed);

/* Is the next packet that came out of `to` the one that fleet_send made? */
bool fleet_received(const struct fleet_node *from, struct fleet_node *to, size_t len,
		    unsigned seed);

bool fleet_tun_silent(struct fleet_node *n);

#endif
