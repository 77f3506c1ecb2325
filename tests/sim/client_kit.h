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

static inline void kit_server_open(struct kit *k)
{
	struct signal_config cfg = {
		.bind = { .port = KIT_PORT },
		.subnet = { IP(100, 64, 0, 0), 10 },
		.log_level = LOG_LEVEL_DEBUG,
	};
	struct err err = { 0 };
	const char *token;

	snprintf(cfg.db_path, sizeof(cfg.db_path), "%s", k->db);
	if (signal_server_open(k->server_host, &cfg, &err, &k->server) < 0)
		ck_abort_msg("server: %s", err.text);
	token = signal_server_first_token(k->server);
	if (token)
		SIM_CHECK_OK(k->w, setup_token_parse(token, k->code, k->cert, &err));
}

/* As kill -9 does; what was committed is in the file. */
static inline void kit_server_crash(struct kit *k)
{
	world_host_crash(k->server_host);
	signal_server_close(k->server);
	k->server = NULL;
}

static inline void kit_server_boot(struct kit *k)
{
	k->server_host = world_host_boot(k->server_host);
	kit_server_open(k);
}

static inline void kit_server_stopped(void *ctx)
{
	((struct kit *)ctx)->stop_done = true;
}

static inline bool kit_stop_is_done(void *ctx)
{
	return ((struct kit *)ctx)->stop_done;
}

/* As SIGTERM does. */
static inline void kit_server_stop(struct kit *k)
{
	k->stop_done = false;
	signal_server_stop(k->server, kit_server_stopped, k);
	SIM_CHECK(k->w, world_run(k->w, 3 * NS_PER_S, kit_stop_is_done, k));
	kit_server_crash(k);
}

static inline void kit_copy_file(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	ck_assert_int_eq(system(command), 0);
}

/* --- the world -------------------------------------------------------------------------------- */

static inline bool kit_tap(void *ctx, struct host *from, const struct addr *src,
			   const struct addr *dst, uint8_t *data, size_t *len)
{
	struct kit *k = ctx;

	(void)src, (void)dst, (void)data, (void)len;
	if (from != k->server_host || !k->deaf || !k->server ||
	    signal_server_stats_get(k->server).requests < k->deaf_from)
		return true;
	k->dropped = true;
	return false;
}

/* Nothing of the server's arrives from its n-th request from now on. */
static inline void kit_deafen(struct kit *k, uint64_t requests)
{
	k->deaf = true;
	k->dropped = false;
	k->deaf_from = signal_server_stats_get(k->server).requests + requests;
}

static inline void kit_open(struct kit *k)
{
	struct addr at = addr_v4(KIT_SERVER_IP, KIT_PORT);

	*k = (struct kit){ .w = sim_new() };
	world_seed_tls(k->w);
	ck_assert_int_eq(crypto_init(NULL), 0);
	strcpy(k->dir, "/tmp/mlsh-client-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(k->dir));
	snprintf(k->db, sizeof(k->db), "%s/signal.db", k->dir);
	snprintf(k->copy, sizeof(k->copy), "%s/copy.db", k->dir);
	k->server_host = world_host(k->w, "signal", KIT_SERVER_IP);
	SIM_CHECK_OK(k->w, world_dns_set(k->w, KIT_SERVER_NAME, &at));
	world_tap(k->w, kit_tap, k);
	kit_server_open(k);
}

static inline struct kit_node *kit_node(struct kit *k, const char *name)
{
	struct kit_node *n = &k->node[k->n_nodes++];
	struct err err = { 0 };

	n->kit = k;
	n->name = name;
	n->host = world_host(k->w, name, IP(198, 51, 100, 10) + (ip4)k->n_nodes);
	SIM_CHECK_OK(k->w, store_open(NULL, "/home/me", &err, &n->store));
	return n;
}

static inline void kit_node_down(struct kit_node *n)
{
	session_free(n->session);
	n->session = NULL;
	quic_socket_close(n->socket);
	n->socket = NULL;
	mlog_free(n->log);
	n->log = NULL;
	identity_free(n->id);
	n->id = NULL;
	join_free(n->join);
	n->join = NULL;
}

static inline void kit_close(struct kit *k)
{
	char command[128];

	for (size_t i = 0; i < k->n_nodes; i++)
		kit_node_down(&k->node[i]);
	signal_server_close(k->server);
	world_free(k->w);
	snprintf(command, sizeof(command), "rm -rf %s", k->dir);
	ck_assert_int_eq(system(command), 0);
}

/* --- joining ---------------------------------------------------------------------------------- */

static inline void kit_on_join(void *ctx, const struct err *err, const struct join_result *r)
{
	struct kit_node *n = ctx;

	ck_assert(!n->join_ended);
	n->join_ended = true;
	n->joined = err == NULL;
	if (err)
		n->join_err = *err;
	else
		n->result = *r;
}

static inline bool kit_on_code(void *ctx, const char *recovery_code)
{
	struct kit_node *n = ctx;

	n->codes_shown++;
	snprintf(n->recovery_code, sizeof(n->recovery_code), "%s", recovery_code);
	return !n->cannot_show;
}

/* Is the code that was shown last the one of the cluster? */
static inline bool kit_code_is_good(const struct kit_node *n, const struct mlog *log)
{
	uint8_t key[KEY_LEN], hash[HASH_LEN];

	ck_assert_int_eq(recovery_code_key(n->recovery_code, mlog_genesis(log)->random, key), 0);
	sha256(span_of(key, KEY_LEN), hash);
	return mlog_recovery_is(log, hash);
}

static inline void kit_on_progress(void *ctx, const char *line)
{
	struct kit_node *n = ctx;

	snprintf(n->progress, sizeof(n->progress), "%s", line);
}

static inline bool kit_join_ended(void *ctx)
{
	return ((struct kit_node *)ctx)->join_ended;
}

/* Runs what was started until it has ended. `r` < 0: it failed at once. */
static inline void kit_join_run(struct kit_node *n, int r)
{
	if (r < 0) {
		n->join_ended = true;
		return;
	}
	SIM_CHECK(n->kit->w, world_run(n->kit->w, 200 * NS_PER_S, kit_join_ended, n));
	join_free(n->join);
	n->join = NULL;
}

static inline void kit_join_begin(struct kit_node *n)
{
	n->joined = n->join_ended = false;
	n->join_err = (struct err){ 0 };
	n->result = (struct join_result){ .completed_pending = false };
}

static inline struct setup_params kit_setup_params(struct kit_node *n)
{
	struct setup_params p = {
		.cluster = KIT_CLUSTER,
		.node_name = n->name,
		.host = KIT_SERVER_NAME,
		.port = KIT_PORT,
		.code = n->kit->code,
	};

	memcpy(p.signal_cert, n->kit->cert, HASH_LEN);
	return p;
}

static inline void kit_setup_with(struct kit_node *n, const struct setup_params *p)
{
	kit_join_begin(n);
	kit_join_run(n, setup_start(n->host, &n->store, p, kit_on_code, kit_on_join,
				    kit_on_progress, n, &n->join_err, &n->join));
}

static inline void kit_setup(struct kit_node *n)
{
	struct setup_params p = kit_setup_params(n);

	kit_setup_with(n, &p);
}

static inline void kit_adopt(struct kit_node *n, const struct invite_url *url)
{
	kit_join_begin(n);
	kit_join_run(n, adopt_start(n->host, &n->store, url, n->name, kit_on_join, kit_on_progress,
				    n, &n->join_err, &n->join));
}

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

static inline bool kit_has_file(struct kit_node *n, const char *suffix)
{
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(store_cluster_path(&n->store, KIT_CLUSTER, suffix, path, NULL), 0);
	return file_exists(n->host, path);
}

static inline bool kit_has_identity(struct kit_node *n)
{
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(store_identity_path(&n->store, KIT_CLUSTER, STORE_KEY, path, NULL), 0);
	return file_exists(n->host, path);
}

static inline bool kit_has_nothing(struct kit_node *n)
{
	return !kit_has_file(n, STORE_CLUSTER) && !kit_has_file(n, STORE_LOG) &&
	       !kit_has_file(n, STORE_PENDING) && !kit_has_identity(n);
}

static inline void kit_load(struct kit_node *n)
{
	struct err err = { 0 };

	if (store_load_cluster(n->host, &n->store, KIT_CLUSTER, &n->cluster, &err) < 0 ||
	    store_load_log(n->host, &n->store, &n->cluster, &n->log, NULL, &err) < 0 ||
	    store_identity(n->host, &n->store, KIT_CLUSTER, &n->id, &err) < 0)
		ck_abort_msg("%s: %s", n->name, err.text);
}

static inline void kit_unload(struct kit_node *n)
{
	mlog_free(n->log);
	n->log = NULL;
	identity_free(n->id);
	n->id = NULL;
}

/* An invite by this node, from its files. */
static inline struct invite_url kit_invite_ttl(struct kit_node *n, uint64_t ttl_s)
{
	struct invite_url url;
	struct err err = { 0 };
	bool loaded = !n->log;
	struct invite_params p;

	if (loaded)
		kit_load(n);
	p = (struct invite_params){
		.cluster = &n->cluster,
		.identity = n->id,
		.log = n->log,
		.ttl_s = ttl_s,
		.now_s = (uint64_t)clock_wall_s(n->host),
	};
	if (invite_new(n->host, &p, &err, &url) < 0)
		ck_abort_msg("%s", err.text);
	if (loaded)
		kit_unload(n);
	return url;
}

static inline struct invite_url kit_invite(struct kit_node *n)
{
	return kit_invite_ttl(n, 3600);
}

#endif
