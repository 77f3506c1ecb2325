/* SPDX-License-Identifier: MIT */
/*
 * Nets and boxes: how a datagram finds its way. Every machine is in one net, by default the public
 * one. A private net has a box (a router, NAT or firewall) to the net outside of it.
 *
 * A datagram to an address that is not in the sender's net goes through the box at once and so on
 * outwards; then it crosses the link to where it found its destination; there, after the link's
 * delay, it goes inwards through the boxes that own the address, to a machine. Each box is a router
 * that counts in a datagram's hops, and so are some more between any two addresses of the public
 * net.
 */
#ifndef MLSH_OS_SIM_NET_H
#define MLSH_OS_SIM_NET_H

#include "base/addr.h"
#include "base/list.h"
#include "os/host.h"

struct world;
struct machine;
struct net;

struct packet {
	struct addr src, dst;
	uint8_t ecn;
	uint8_t hops; /* routers that still pass it on, this one included; 0 for no limit */
	uint8_t *data;
	size_t len;
};

struct box_ops {
	/* From inside to an address not inside. May change the packet; false swallows it. */
	bool (*out)(void *ctx, struct packet *p);
	/* From outside to one of its addresses. May change the packet; false swallows it. */
	bool (*in)(void *ctx, struct packet *p);
	/*
	 * Which inner address would get it, without changing anything: the parameters of the link
	 * between two machines hold through boxes, too. NULL, or false: nobody, default link.
	 */
	bool (*peek)(void *ctx, const struct packet *p, struct addr *ret_inner);
	void (*free)(void *ctx); /* when the world ends; may be NULL */
};

/* What an address in a net belongs to: a machine, or the box of the net `behind`. */
struct endpoint {
	unsigned id;
	struct machine *machine;
	struct net *behind;
};

/* NULL for `outside`: the public net. */
struct net *world_net(struct world *w, struct net *outside, const struct box_ops *ops, void *ctx);
struct net *world_public_net(struct world *w);
/* Routers between two addresses of the public net; 0 if all are in one segment. */
void world_hops(struct world *w, unsigned n);
struct world *net_world(struct net *n);
/* An address of the net's box in the net outside. -EEXIST. */
int world_net_addr(struct net *n, const struct addr *outer) MUST_CHECK;
/* Where the machines of a net find their default gateway; 0: nowhere, as at first. */
void world_net_gateway(struct net *n, ip4 gateway);
ip4 net_gateway(const struct net *n);
/* As world_host, in a private net. */
struct host *world_host_in(struct net *n, const char *name, ip4 ip);
/* Moves the machine to another net, where it has only this address, or no address for 0. */
void world_host_move(struct host *h, struct net *n, ip4 ip);

/* --- for the world's own files --- */

/* Returns the machine in this very net that has the address, or NULL. */
struct machine *net_machine(const struct net *n, const struct addr *a);
int net_claim(struct net *n, const struct addr *a, struct endpoint *e) MUST_CHECK; /* -EEXIST */
void net_release(struct net *n, const struct addr *a, const struct endpoint *e);
void nets_free(struct world *w);
/* Sends a datagram on its way; takes nothing over. `from` NULL: injected. */
void net_send(struct host *from, struct machine *m, const struct packet *p);
/* May it pass the machine's own interface? If not, the sender gets EMSGSIZE. */
bool net_fits_interface(struct machine *m, const struct addr *to, size_t len);
struct link *link_between(struct machine *from, const struct endpoint *to);
void links_free(struct machine *m);
struct event;
void net_packet_drop(struct event *e); /* a datagram that is still on its way */

#endif
