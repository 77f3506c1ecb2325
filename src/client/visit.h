/* SPDX-License-Identifier: MIT */
/*
 * A visit to a signal server: one connection, from a socket of its own, for a task that makes its
 * requests one after the other and ends with one result. It tries nothing again by itself.
 */
#ifndef MLSH_CLIENT_VISIT_H
#define MLSH_CLIENT_VISIT_H

#include "client/rpc.h"
#include "membership/mlog.h"

struct visit;

struct visit_ops {
	/* The server was reached and has accepted hello: the owner makes the first request. */
	void (*ready)(void *ctx, const struct signal_reply *hello);
	/*
	 * The connection ended before the visit. Returns true if the owner has ended the visit, or
	 * will call visit_connect again. Otherwise, and without this function, the visit ends with
	 * end->err.
	 */
	bool (*lost)(void *ctx, const struct rpc_end *end);
	/* The result, called once, from the loop. `err` is NULL on success. May free the visit. */
	void (*done)(void *ctx, const struct err *err);
	/*
	 * NULL: the connection is closed at the end of the visit. Otherwise it stays open after
	 * success, and this is called when it ends.
	 */
	void (*closed)(void *ctx, const struct err *err);
	/* One line about what is being waited for. May be NULL. */
	void (*progress)(void *ctx, const char *line);
};

/* The server that is visited; nothing of it is kept but copies. */
struct visit_to {
	const char *zone;	   /* the cluster's name */
	const uint8_t *cluster_id; /* HASH_LEN bytes; NULL: the server is not to have the cluster */
	const char *host;
	uint16_t port;
	const uint8_t *cert, *key; /* SHA-256 of each; the pin is what is not NULL */
};

/* `id` and `ops` outlive the visit. -ENOMEM; as quic_socket_open. */
int visit_new(struct host *h, const struct identity *id, const struct visit_ops *ops, void *ctx,
	      struct err *err, struct visit **ret) MUST_CHECK;
/* Begins to connect; a connection from before is closed. As rpc_open. */
int visit_connect(struct visit *v, const struct visit_to *to, struct err *err) MUST_CHECK;
/* Closes the connection without an end: `lost` and `closed` are not called. */
void visit_hang_up(struct visit *v);

/* Sends a request; `fn` is called with the owner's `ctx`. As rpc_request, with the sentence. */
int visit_request(struct visit *v, const struct signal_request *m, rpc_reply_fn fn, struct err *err)
	MUST_CHECK;
/* The same; the visit ends if the request cannot be sent. */
void visit_ask(struct visit *v, const struct signal_request *m, rpc_reply_fn fn);
/* Returns true if the server refused: the visit then ends with its words. */
bool visit_refused(struct visit *v, const struct signal_reply *reply);
/*
 * Takes records that the server shows, and commits them. Returns false if some are held back,
 * because they are dated too far ahead: the visit then ends, and says so.
 */
bool visit_take(struct visit *v, struct mlog *log, const struct wire_entries *records,
		struct mlog_take *ret);
/*
 * Ends the visit, and closes its connection; `err` is NULL on success. `done` follows. A second
 * call does nothing.
 */
void visit_end(struct visit *v, const struct err *err);
/* The connection, from `ready` on while it is open. */
struct rpc *visit_rpc(const struct visit *v);
void visit_free(struct visit *v); /* closes the connection; NULL allowed */

#endif
