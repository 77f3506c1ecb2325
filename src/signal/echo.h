/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * A second UDP port (docs/protocol/06-paths.md, "NATs"): a member that is seen there from another
 * address than by its session knows that its NAT maps by destination. It sends one datagram for
 * one, and to the address of a session.
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
 * A session asks: it may use the port from now on, and is pinged from there unasked. The port, or 0
 * when there is none for it.
 */
uint16_t echo_begin(struct echo *e, struct caller *c);
/* The session ends. */
void echo_forget(struct echo *e, struct caller *c);

#endif
