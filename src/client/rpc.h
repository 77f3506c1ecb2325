/* SPDX-License-Identifier: MIT */
/*
 * One connection to the signal server: reached, greeted (hello), then requests with replies and the
 * stream of events. Nothing is kept over its end: its owner makes another one.
 */
#ifndef MLSH_CLIENT_RPC_H
#define MLSH_CLIENT_RPC_H

#include "client/dial.h"
#include "client/hops.h"
#include "proto/signal.h"

#define RPC_REQUESTS_MAX 8 /* waiting for their replies at once */

struct probe_keys;
struct rpc;

/* How it ended: a message for people, and details for the owner's decision what to do next. */
struct rpc_end {
	struct err err;		/* reason is set when there is one */
	bool refused;		/* hello was refused, for `err.reason`, or answered busy */
	uint32_t retry_after_s; /* of that answer */
	bool closed_by_server;	/* CONNECTION_CLOSE with `app_error` */
	uint64_t app_error;	/* enum signal_close */
	bool restarted;		/* the server is there, and has lost the connection */
	bool given_up;		/* rpc_give_up, with this: */
	uint64_t wait;
};

/* Views in replies and events are valid during the call, until rpc_free is called in it. */
struct rpc_ops {
	/* Connected, and hello was accepted. */
	void (*ready)(void *ctx, const struct signal_reply *hello);
	void (*event)(void *ctx, const struct signal_event *ev);
	/* The last call, also when it was never ready. Requests without a reply are forgotten. */
	void (*ended)(void *ctx, const struct rpc_end *end);
};

struct rpc_params {
	struct dial_params dial;
	uint8_t cluster_id[HASH_LEN]; /* zeros for setup */
	const char *zone;	      /* the cluster's name; copied */
	struct hops_day *day;	      /* of the owner, outlives the rpc; may be NULL */
};

/*
 * Follows a server that says that it has moved, within the rules of client/hops.h: what the pin of
 * `dial` says must hold there, too.
 */
int rpc_open(struct host *h, const struct rpc_params *p, const struct rpc_ops *ops, void *ctx,
	     struct err *err, struct rpc **ret) MUST_CHECK;
/* Closes the connection with error 0; NULL allowed. From within any of its calls too. */
void rpc_free(struct rpc *r);

/*
 * Ends it for a reason that its owner has found: no reply and no event comes any more, requests are
 * refused, and `ended` is called in this turn of the loop, but not from within this call. `wait`
 * (ns; TIME_NEVER if nobody asked for time) is handed to `ended`. The first reason counts.
 */
void rpc_give_up(struct rpc *r, const struct err *err, uint64_t wait);
/* Ready, and neither ended nor given up. */
bool rpc_is_open(const struct rpc *r);

/* The server answered: reply->refusal says what. */
typedef void (*rpc_reply_fn)(void *ctx, const struct signal_reply *reply);
/*
 * Sends a request; it is copied. A server that does not answer within REQUEST_TIMEOUT, or not
 * sensibly, ends the connection. -EAGAIN past RPC_REQUESTS_MAX, -ENOTCONN before ready, -EMSGSIZE.
 */
int rpc_request(struct rpc *r, const struct signal_request *m, rpc_reply_fn fn, void *ctx)
	MUST_CHECK;

/* The refusal in `reply` as a sentence. Returns the code. */
int rpc_refusal(const struct rpc *r, const struct signal_reply *reply, struct err *err);
/* Only after ready. */
const struct place *rpc_place(const struct rpc *r); /* a view */
const struct addr *rpc_server(const struct rpc *r);
const uint8_t *rpc_server_key_sha256(const struct rpc *r);
const uint8_t *rpc_server_cert_sha256(const struct rpc *r);
/* As probe_keys_export. -ENOTCONN before ready and after the end. */
int rpc_export_probe_keys(struct rpc *r, struct span cluster_id, struct probe_keys *ret) MUST_CHECK;
/* After the end: as it was then. Zeros before it was connected. */
void rpc_conn_info(const struct rpc *r, struct quic_conn_info *ret);

#endif
