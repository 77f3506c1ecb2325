/* SPDX-License-Identifier: MIT */
/*
 * Programs for simulations of the client layer: a signal server with a database on a real disk, and
 * nodes with their files on a simulated one, which join. client_session_kit.h gives them sessions.
 */
#ifndef MLSH_TESTS_CLIENT_KIT_H
#define MLSH_TESTS_CLIENT_KIT_H

#include <sys/stat.h>
#include <unistd.h>

#include "client/invite_new.h"
#include "client/join.h"
#include "client/session.h"
#include "crypto/hash.h"
#include "crypto/init.h"
#include "identity/identity.h"
#include "membership/invite_url.h"
#include "signal/server.h"
#include "sim.h"

#define KIT_SERVER_IP IP(192, 0, 2, 1)
#define KIT_SERVER_NAME "signal.example.net"
#define KIT_PORT 4433
#define KIT_CLUSTER "homelab"
#define KIT_NODES 4

struct kit_node {
	struct kit *kit;
	struct host *host;
	struct store store;
	const char *name;
	/* joining */
	struct join *join;
	bool joined, join_ended;
	struct err join_err;
	struct join_result result;
	char recovery_code[RECOVERY_CODE_TEXT_MAX]; /* that setup has shown last */
	unsigned codes_shown;
	bool cannot_show;
	char progress[256];
	/* in session */
	struct identity *id;
	struct cluster_file cluster;
	struct mlog *log;
	struct quic_socket *socket;
	struct session *session;
	bool stopped;
	struct err stop_err;
	unsigned states, grew, forks, resets;
	uint64_t fork_seq;
	struct addr observed;
	struct {
		struct node_id id;
		bool online;
		unsigned told;
		struct wire_candidates candidates;
	} seen[KIT_NODES];
	size_t n_seen;
	bool append_done;
	struct err append_err;
	/* relay channels: told open, gone, all gone; the last ones */
	unsigned relays, relays_gone, relays_lost;
	struct node_id relay_to;
	struct relay_end relay;
	struct err relay_why;
	uint8_t cancel_nonce[NONCE_LEN];
	unsigned makes;
};

struct kit {
	struct world *w;
	/* the server */
	struct host *server_host;
	struct signal_server *server;
	char dir[64], db[96], copy[96];
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	uint8_t cert[HASH_LEN];
	bool stop_done;
	/* the nodes */
	struct kit_node node[KIT_NODES];
	size_t n_nodes;
	/* the tap */
	bool deaf;	    /* nothing of what the server sends arrives ... */
	uint64_t deaf_from; /* ... once it has seen this many requests */
	bool dropped;
};

/* --- the server ------------------------------------------------------------------------------- */

/* As kill -9 does; what was committed is in the file. */
void kit_server_crash(struct kit *k);

void kit_server_boot(struct kit *k);

/* As SIGTERM does. */
void kit_server_stop(struct kit *k);

void kit_copy_file(const char *from, const char *to);

/* --- the world -------------------------------------------------------------------------------- */

/* Nothing of the server's arrives from its n-th request from now on. */
void kit_deafen(struct kit *k, uint64_t requests);

void kit_world_open(struct kit *k);
struct kit_node *kit_node(struct kit *k, const char *name);
void kit_node_down(struct kit_node *n);
void kit_world_close(struct kit *k);

/* --- joining ---------------------------------------------------------------------------------- */

void kit_on_join(void *ctx, const struct err *err, const struct join_result *r);
bool kit_on_code(void *ctx, const char *recovery_code);

/* Is the code that was shown last the one of the cluster? */
bool kit_code_is_good(const struct kit_node *n, const struct mlog *log);

void kit_on_progress(void *ctx, const char *line);
bool kit_join_ended(void *ctx);

/* Runs what was started until it has ended. `r` is below 0 if it failed at once. */
void kit_join_run(struct kit_node *n, int r);

void kit_join_begin(struct kit_node *n);
struct setup_params kit_setup_params(struct kit_node *n);
void kit_setup_with(struct kit_node *n, const struct setup_params *p);
void kit_setup(struct kit_node *n);
void kit_adopt(struct kit_node *n, const struct invite_url *url);

#define KIT_JOINED(n)                                                                              \
	do {                                                                                       \
		if (!(n)->joined) {                                                                \
			world_dump((n)->kit->w);                                                   \
			ck_abort_msg("%s: %s", (n)->name, (n)->join_err.text);                     \
		}                                                                                  \
	} while (0)

/* Refused with this reason and a sentence. */
#define KIT_REFUSED(n, why)                                                                        \
	do {                                                                                       \
		if ((n)->joined || (n)->join_err.reason != (why) ||                                \
		    strlen((n)->join_err.text) < 30) {                                             \
			world_dump((n)->kit->w);                                                   \
			ck_abort_msg("%s: %s: %s", (n)->name, refusal_name((n)->join_err.reason),  \
				     (n)->join_err.text);                                          \
		}                                                                                  \
	} while (0)

/* --- files ------------------------------------------------------------------------------------ */

bool kit_has_file(struct kit_node *n, const char *suffix);
bool kit_has_identity(struct kit_node *n);
bool kit_has_nothing(struct kit_node *n);
void kit_load(struct kit_node *n);
void kit_unload(struct kit_node *n);

/* An invite by this node, from its files. */
struct invite_url kit_invite_ttl(struct kit_node *n, uint64_t ttl_s);

struct invite_url kit_invite_url(struct kit_node *n);

#endif
