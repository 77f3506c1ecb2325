/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * A second UDP port (docs/protocol/06-paths.md, "NATs"). If the server sees a member there at
 * another address than that of its session, the member knows that its NAT maps by destination. The
 * port sends one datagram for one. A third port, which the system chooses and no node is told,
 * sends unasked pings to the address of a session: they tell about the NAT's filter. They do not
 * come from the second port, because a NAT that remembers them would give the node's own ping
 * another mapping.
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
 * `bind` is the server's own address. The second port is `port` or, if that is 0, the one above
 * that of `bind`, so that a firewall can let it pass. If that is taken the system chooses one.
 */
int echo_open(struct host *h, const struct addr *bind, uint16_t port, struct err *err,
	      struct echo **ret) MUST_CHECK;
void echo_close(struct echo *e); /* NULL allowed */
/* A session begins: derives its keys while TLS can export them. -ENOTCONN. */
int echo_derive(struct caller *c) MUST_CHECK;
/*
 * A session asks for the second port: it may use it from now on, and is pinged from the third one.
 * Returns the second port, or 0 if the session cannot use it.
 */
uint16_t echo_begin(struct echo *e, struct caller *c);
/* The session ends. */
void echo_forget(struct echo *e, struct caller *c);

#endif
