/* SPDX-License-Identifier: MIT */
/*
 * The paths of a tunnel alone, without QUIC and without a peer: a scene in which the tests are the
 * other side, and take the effects.
 */
#ifndef MLSH_TESTS_REACH_SCENE_H
#define MLSH_TESTS_REACH_SCENE_H

#include "overlay/reach/reach.h"

#include "sim.h"

#define SCENE_IP IP(192, 168, 1, 2)
#define SCENE_SENT_MAX 1024

/* A frame that reach has sent. */
struct sent {
	struct probe f;
	struct addr to;
	uint8_t hops;
	bool relay;
};

struct scene {
	struct world *w;
	struct host *h;
	struct surroundings around;
	struct datapath dp; /* only for the destination to point at */
	struct relay_path relay;
	struct dest dest;
	struct reach_budgets budgets;
	struct wire_candidates from_peer, from_server;
	struct addr was_at;
	struct probe_keys keys;
	struct liveness conn;
	uint64_t last_label;
	struct reach *r;
	struct sent sent[SCENE_SENT_MAX];
	size_t n_sent;
	unsigned bits;		/* of all effects since the scene was last cleared */
	struct reach_effects e; /* the last that had any */
	uint64_t counter;	/* of the peer's pings */
};

/* Addresses of the peer: in our LAN, and on the internet. */
struct addr scene_lan(uint16_t port);
struct addr scene_outside(uint16_t port);
/* The server, whose relay it is, too. */
struct addr scene_server(void);
/* A node without tunnels, and one with a tunnel, in one of the roles, whose handshake went to `to`;
 * NULL: over the relay. */
void scene_begin_node(struct scene *s);
void scene_begin(struct scene *s, bool client, const struct addr *to);
void scene_end(struct scene *s);
/* What was sent, and the effects, until now. */
void scene_forget(struct scene *s);
/* A run, as the timer makes them, too. */
void scene_run(struct scene *s);
/* Takes the effects into the scene. */
void scene_take(struct scene *s);
/* A frame of the other side arrives, under this key. Returns false if reach would not have it. */
bool scene_arrives(struct scene *s, const struct probe *f, const uint8_t *key,
		   const struct addr *from);
/* The other side pings, from there (NULL: over the relay). Returns the nonce. */
uint64_t scene_pings(struct scene *s, const struct addr *from, uint8_t flags);
/* It answers a ping of ours, which it saw coming from `seen`. */
void scene_pongs(struct scene *s, const struct sent *to_ping, const struct addr *from,
		 uint8_t flags, struct addr seen);
/* Our last frame to there, of this type; NULL before the first one. `to` NULL: over the relay. */
const struct sent *scene_last_to(const struct scene *s, const struct addr *to,
				 enum probe_type type);
/* Our frames to there. */
size_t scene_count_to(const struct scene *s, const struct addr *to);
/* Our pings that said that we doubt the path in use. */
size_t scene_count_urgent(const struct scene *s);
/* For so long the peer answers each ping of ours to `to`, a millisecond later. */
void scene_answers_for(struct scene *s, const struct addr *to, uint64_t ns);
/* The peer names this address and no other one: there is a round. */
void scene_name(struct scene *s, struct addr a);
/* The path in use. */
const struct path *scene_current(struct scene *s);

#endif
