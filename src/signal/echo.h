/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * A second UDP port (docs/protocol/06-paths.md, "NATs"): a member that the server sees there at
 * another address than that of its session knows that its NAT maps by destination. The port sends
 * one datagram for one. A third one, which the system chooses and no node is told, sends pings
 * unasked to the address of a session: they tell about the filter. They do not come from the
 * second port, because a NAT that remembers them would give the node's own ping another mapping.
 */
#ifndef MLSH_SIGNAL_ECHO_H
#define MLSH_SIGNAL_ECHO_H

#include "base/addr.h"
#include "base/err.h"
#include "base/macros.h"
#include "os/host.h"

struct caller;
struct echo;

/*
 * `bind`: the server's own address. The port is the next one, so that a firewall can let it pass;
 * if that is taken, one that the system chooses; or `port`, if it is not 0.
 */
int echo_open(struct host *h, const struct addr *bind, uint16_t port, struct err *err,
	      struct echo **ret) MUST_CHECK;
void echo_close(struct echo *e); /* NULL allowed */
/* A session begins: its keys, while TLS is there to export them. -ENOTCONN. */
int echo_derive(struct caller *c) MUST_CHECK;
/*
 * A session asks: it may use the second port from now on, and is pinged from the third one. Returns
 * the second port, or 0 if the session cannot have it.
 */
uint16_t echo_begin(struct echo *e, struct caller *c);
/* The session ends. */
void echo_forget(struct echo *e, struct caller *c);

#endif
