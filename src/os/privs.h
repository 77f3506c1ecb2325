/* SPDX-License-Identifier: MIT */
/* Giving up privileges, before the first byte from the network is read. */
#ifndef MLSH_OS_PRIVS_H
#define MLSH_OS_PRIVS_H

#include "os/host.h"

enum privs_role {
	/*
	 * Keeps CAP_NET_ADMIN (TUN, routes) and CAP_NET_BIND_SERVICE (DNS on 53). Stays uid 0, the
	 * owner of its state.
	 */
	PRIVS_DAEMON,
	PRIVS_SIGNAL,	/* keeps nothing */
	PRIVS_CLI	/* keeps nothing */
};

/*
 * Drops every capability that the role does not need from all sets, bounding set included, sets
 * no_new_privs, makes the process undumpable and installs a seccomp filter of the system calls the
 * role uses. Irreversible. Without any privilege it only does what an ordinary user may. -EPERM
 * with a message when the kernel refuses.
 */
int privs_drop(struct host *h, enum privs_role role, struct err *err) MUST_CHECK;
/*
 * Does the process have what a tunnel needs (CAP_NET_ADMIN, /dev/net/tun)? The message says what is
 * missing.
 */
int privs_check_tunnel(struct host *h, struct err *err) MUST_CHECK;

#endif
