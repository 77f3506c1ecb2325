/* SPDX-License-Identifier: MIT */
/*
 * NATs for the simulated world, of every kind that RFC 4787 tells apart: how mappings depend on
 * where a packet goes (section 4.1), who may answer (section 5), ports (4.2), hairpinning (6),
 * how long a mapping lives (4.3). With `mapping` and `filtering` endpoint independent, a firewall
 * without translation is a NAT of one host.
 */
#ifndef MLSH_OS_SIM_NAT_H
#define MLSH_OS_SIM_NAT_H

#include "os/sim/net.h"

enum nat_depends {
	NAT_ENDPOINT_INDEPENDENT,
	NAT_ADDRESS_DEPENDENT,
	NAT_ADDRESS_AND_PORT_DEPENDENT
};

struct nat_config {
	enum nat_depends mapping, filtering;
	bool preserve_port; /* the inner port if it is free; else a random one */
	/*
	 * As Linux does it (connection tracking with a masquerade and no firewall): each pair of an
	 * inner and an outside address is a flow with a mapping of its own, which lets in that
	 * outside address and port only. A datagram from outside that belongs to no flow is the
	 * router's own and is remembered as a flow, too, so that no mapping to this outside address
	 * can have its port. Flows with packets in both directions live four times as long.
	 *
	 * The port is that of the inner address's newest flow, else the inner one (preserve_port)
	 * or one by chance for each inner address; if that is not free, one by chance. So a flow
	 * that had to take another port takes later ones with it. With `mapping` by address and
	 * port it is always one by chance. `filtering` means nothing then.
	 */
	bool by_flow;
	bool drops;	     /* by_flow, with a firewall: strangers are not remembered */
	bool in_turn;	     /* each mapping gets the next port that is free */
	bool hairpin;	     /* inside may reach inside by the outer address */
	uint64_t timeout_ns; /* of a mapping without outbound traffic; 0 for no limit */
	size_t max_mappings; /* the oldest goes first; 0: 1024 */
};

struct nat;

/* A private net behind a NAT with this address in the net `outside` (NULL: the public one). */
struct nat *nat_new(struct world *w, struct net *outside, const struct nat_config *cfg, ip4 outer);
struct net *nat_net(struct nat *n);
/* As after a power cut: all mappings are gone, forwarded ports stay if they were set by hand. */
void nat_reboot(struct nat *n);
/* The provider gives another outer address; mappings are gone. -EEXIST. */
int nat_renumber(struct nat *n, ip4 outer) MUST_CHECK;
/* Forwards an outer port for good, as a person or PCP would. -EADDRINUSE. */
int nat_forward(struct nat *n, uint16_t outer_port, const struct addr *inner) MUST_CHECK;
/* -ENOENT. */
int nat_unforward(struct nat *n, uint16_t outer_port) MUST_CHECK;
ip4 nat_outer(const struct nat *n);
/* UDP to and from this outside address only, as in a network that blocks it; 0 for no limit. */
void nat_only(struct nat *n, ip4 outside);
size_t nat_mappings(const struct nat *n);

#endif
