/* SPDX-License-Identifier: MIT */
/*
 * The local socket between `mlsh` and `mlshtund`: messages with boundaries, and the user at the
 * other end as the system knows it. Nothing else passes: what a sender attaches to a message never
 * enters the receiving process.
 */
#ifndef MLSH_OS_LOCAL_H
#define MLSH_OS_LOCAL_H

#include "base/bytes.h"
#include "os/loop.h"
#include "os/user.h"

#define LOCAL_MESSAGE_MAX 65536
#define LOCAL_CONNS_MAX 128

struct local_listener;
struct local_conn;

/*
 * Callbacks of one connection. `message` gets at least one byte, valid during the callback and
 * wiped after it. On the listener's side it is not called while something that was sent is queued:
 * who does not read is not read. `closed` is the last callback; the connection is freed by
 * local_conn_close only.
 */
struct local_ops {
	void (*message)(void *ctx, struct local_conn *c, struct span m);
	void (*closed)(void *ctx, struct local_conn *c);
};

/* At most LOCAL_CONNS_MAX connections at once, and so many of each user but the administrator. */
struct local_limits {
	size_t conns, of_user;
};

/*
 * Listens at `path`. Every user may connect: the owner of `ops` decides what each may do. Replaces
 * a dead socket; -EADDRINUSE for a living one, and when anything else is there. -ENOENT without the
 * folder, -ENAMETOOLONG, -EINVAL for limits above LOCAL_CONNS_MAX. `accepted` returns the ctx for
 * ops, or NULL to refuse the connection, which is then closed. When something removes the path, as
 * a service manager may do with a service's folder, it is made again within a second or two, with
 * its folder.
 *
 * A user at its limit loses its own connection that was idle for longest. At the total limit the
 * user with most connections loses one in the same way. The administrator's connections are never
 * taken away; where it has all places, the new connection is closed.
 */
int local_listen(struct host *h, const char *path, struct local_limits limits,
		 const struct local_ops *ops, void *(*accepted)(void *ctx, struct local_conn *c),
		 void *ctx, struct err *err, struct local_listener **ret) MUST_CHECK;
/* Closes its connections too, without `closed`, and removes the path. NULL allowed. */
void local_listener_close(struct local_listener *l);

/*
 * -ENOENT, -ECONNREFUSED: no daemon there; -ENOTSOCK, -EPROTOTYPE: something else is; -EACCES;
 * -ENAMETOOLONG.
 */
int local_connect(struct host *h, const char *path, const struct local_ops *ops, void *ctx,
		  struct err *err, struct local_conn **ret) MUST_CHECK;
/*
 * May the caller hand a secret to the process that listens at `path`, to which `c` was connected?
 * -EPERM with a message unless that process was the administrator's, the caller's own user's or
 * that of the user named `daemon` when it began to listen, and the socket's folder belongs to one
 * of them and nobody else can replace what lies in it.
 */
int local_check_listener(const struct local_conn *c, const char *path, const char *daemon,
			 struct err *err) MUST_CHECK;
/*
 * Sends one message of at least one byte. Queued when the socket is full, up to 2560 messages and
 * 4 MiB, on the listener's side up to 66 MiB if the user's other connections leave that room;
 * -ENOBUFS past that. Queued bytes are wiped once they are sent. -EMSGSIZE; -EPIPE: the other
 * end is gone, `closed` follows.
 */
int local_send(struct local_conn *c, const void *data, size_t len) MUST_CHECK;
/* The other process's user, as of the moment of its connect (or of its listen). */
struct user local_conn_user(const struct local_conn *c);
/*
 * Is the user a member of the named group: by the system's word of that moment, or by the machine's
 * table of groups as it is now? The administrator is not special here. Reads files.
 */
bool local_conn_in_group(const struct local_conn *c, const char *group);
void local_conn_close(struct local_conn *c); /* NULL allowed; no `closed` callback */

#endif
