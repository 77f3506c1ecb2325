/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The signaling server as an object. All its state is in it and in its host, so that a simulation
 * runs it beside nodes.
 */
#ifndef MLSH_SIGNAL_SERVER_H
#define MLSH_SIGNAL_SERVER_H

#include "os/loop.h"
#include "signal/bootstrap.h"
#include "signal/config.h"
#include "signal/relay.h"

struct signal_server;

/*
 * Opens the database (made and filled at the first start), reads the clusters, opens the socket.
 * `cfg` is used during the call only, except its identity, which must outlive the server.
 */
int signal_server_open(struct host *h, const struct signal_config *cfg, struct err *err,
		       struct signal_server **ret) MUST_CHECK;
/*
 * Returns the setup token that this start made ("CODE@fingerprint"), or NULL. To be shown and
 * forgotten.
 */
const char *signal_server_first_token(const struct signal_server *s);
void signal_server_forget_token(struct signal_server *s);
struct addr signal_server_local(const struct signal_server *s);
/* Returns the SHA-256 of the certificate, which setup tokens and invites carry. */
const uint8_t *signal_server_fingerprint(const struct signal_server *s);
/*
 * New connections get this certificate, which must outlive the server. -EKEYREJECTED if it would
 * cut off a cluster, -EINVAL if it cannot be used: then the old one stays.
 */
int signal_server_identity_set(struct signal_server *s, const struct identity *id, struct err *err)
	MUST_CHECK;
/*
 * Tell the service manager that the server serves, or that it reads its configuration again (until
 * the next signal_server_serves).
 */
void signal_server_serves(struct signal_server *s);
void signal_server_reloads(struct signal_server *s);
/* Says goodbye to all sessions, then calls `done` from the loop, after at most two seconds. */
void signal_server_stop(struct signal_server *s, loop_fn done, void *ctx);
/* Closes the server at once. NULL allowed. */
void signal_server_close(struct signal_server *s);

struct signal_server_stats {
	size_t clusters, sessions, strangers;
	uint64_t requests, refused, refused_rate, malformed;
	struct relay_stats relay;
};
struct signal_server_stats signal_server_stats_get(const struct signal_server *s);

#endif
