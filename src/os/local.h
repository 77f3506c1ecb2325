/* SPDX-License-Identifier: MIT */
/*
 * The local socket between `mlsh` and `mlshtund`: messages with boundaries (SOCK_SEQPACKET), the
 * peer's credentials as the kernel knows them (SO_PEERCRED), and passed descriptors (SCM_RIGHTS).
 */
#ifndef MLSH_OS_LOCAL_H
#define MLSH_OS_LOCAL_H

#include "base/bytes.h"
#include "os/loop.h"

#define LOCAL_MESSAGE_MAX 65536
#define LOCAL_FDS_MAX 4
#define LOCAL_GROUPS_MAX 64

struct local_listener;
struct local_conn;

/* As of the moment of the connect. */
struct local_cred {
	unsigned uid, gid;
	int pid;
	unsigned groups[LOCAL_GROUPS_MAX]; /* supplementary; none when there are more */
	size_t n_groups;
};

struct local_message {
	const uint8_t *data;	/* valid during the callback */
	size_t len;
	int fds[LOCAL_FDS_MAX];	/* now the receiver's: it closes them */
	size_t n_fds;
};

/*
 * Callbacks of one connection. `closed` is the last one; the connection is freed by
 * local_conn_close only.
 */
struct local_ops {
	void (*message)(void *ctx, struct local_conn *c, struct local_message *m);
	void (*closed)(void *ctx, struct local_conn *c);
};

/*
 * Listens at `path` (0666: who may do what is decided by credentials), at most `max_conns` at once,
 * the one idle for longest closed first; replaces a dead socket, -EADDRINUSE for a living one.
 * `accepted` returns the ctx for ops; NULL refuses the connection, which is then closed.
 */
int local_listen(struct host *h, const char *path, size_t max_conns, const struct local_ops *ops,
		 void *(*accepted)(void *ctx, struct local_conn *c), void *ctx, struct err *err,
		 struct local_listener **ret) MUST_CHECK;
/* Closes its connections too, without `closed`, and removes the path. NULL allowed. */
void local_listener_close(struct local_listener *l);

/* -ENOENT, -ECONNREFUSED: no daemon there; -ENOTSOCK, -EPROTOTYPE: something else is; -EACCES. */
int local_connect(struct host *h, const char *path, const struct local_ops *ops, void *ctx,
		  struct err *err, struct local_conn **ret) MUST_CHECK;
/*
 * Sends one message of at least one byte with descriptors (duplicated: the caller's stay open).
 * Queued, up to 256 messages and 4 MiB, when the socket is full; -ENOBUFS past that. -EMSGSIZE;
 * -EPIPE: the other end is gone, `closed` follows.
 */
int local_send(struct local_conn *c, const void *data, size_t len, const int *fds,
	       size_t n_fds) MUST_CHECK;
struct local_cred local_conn_cred(const struct local_conn *c);
/*
 * Is the user a member of the named group: by the kernel's word, as primary group, or listed in
 * /etc/group? Root is not special here.
 */
bool local_cred_in_group(struct host *h, const struct local_cred *cred, const char *group);
void local_conn_close(struct local_conn *c); /* NULL allowed; no `closed` callback */

#endif
