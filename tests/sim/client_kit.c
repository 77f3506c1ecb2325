/* SPDX-License-Identifier: MIT */
/* A server, and the machines of users who set up and adopt. */
#include "client_kit.h"

/* --- the server ------------------------------------------------------------------------------- */

static void kit_server_open(struct kit *k)
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

void kit_server_crash(struct kit *k)
{
	world_host_crash(k->server_host);
	signal_server_close(k->server);
	k->server = NULL;
}

void kit_server_boot(struct kit *k)
{
	k->server_host = world_host_boot(k->server_host);
	kit_server_open(k);
}

static void kit_server_stopped(void *ctx)
{
	((struct kit *)ctx)->stop_done = true;
}

static bool kit_stop_is_done(void *ctx)
{
	return ((struct kit *)ctx)->stop_done;
}

void kit_server_stop(struct kit *k)
{
	k->stop_done = false;
	signal_server_stop(k->server, kit_server_stopped, k);
	SIM_CHECK(k->w, world_run(k->w, 3 * NS_PER_S, kit_stop_is_done, k));
	kit_server_crash(k);
}

void kit_copy_file(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	ck_assert_int_eq(system(command), 0);
}

/* --- the world -------------------------------------------------------------------------------- */

static bool kit_tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		    uint8_t *data, size_t *len)
{
	struct kit *k = ctx;

	(void)src, (void)dst, (void)data, (void)len;
	if (from != k->server_host || !k->deaf || !k->server ||
	    signal_server_stats_get(k->server).requests < k->deaf_from)
		return true;
	k->dropped = true;
	return false;
}

void kit_deafen(struct kit *k, uint64_t requests)
{
	k->deaf = true;
	k->dropped = false;
	k->deaf_from = signal_server_stats_get(k->server).requests + requests;
}

void kit_world_open(struct kit *k)
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

struct kit_node *kit_node(struct kit *k, const char *name)
{
	struct kit_node *n = &k->node[k->n_nodes++];
	struct err err = { 0 };

	n->kit = k;
	n->name = name;
	n->host = world_host(k->w, name, IP(198, 51, 100, 10) + (ip4)k->n_nodes);
	SIM_CHECK_OK(k->w, store_open(NULL, "/home/me", &err, &n->store));
	return n;
}

void kit_node_down(struct kit_node *n)
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

void kit_world_close(struct kit *k)
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

void kit_on_join(void *ctx, const struct err *err, const struct join_result *r)
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

bool kit_on_code(void *ctx, const char *recovery_code)
{
	struct kit_node *n = ctx;

	n->codes_shown++;
	snprintf(n->recovery_code, sizeof(n->recovery_code), "%s", recovery_code);
	return !n->cannot_show;
}

bool kit_code_is_good(const struct kit_node *n, const struct mlog *log)
{
	uint8_t key[KEY_LEN], hash[HASH_LEN];

	ck_assert_int_eq(recovery_code_key(n->recovery_code, mlog_genesis(log)->random, key), 0);
	sha256(span_of(key, KEY_LEN), hash);
	return mlog_recovery_is(log, hash);
}

void kit_on_progress(void *ctx, const char *line)
{
	struct kit_node *n = ctx;

	snprintf(n->progress, sizeof(n->progress), "%s", line);
}

bool kit_join_ended(void *ctx)
{
	return ((struct kit_node *)ctx)->join_ended;
}

void kit_join_run(struct kit_node *n, int r)
{
	if (r < 0) {
		n->join_ended = true;
		return;
	}
	SIM_CHECK(n->kit->w, world_run(n->kit->w, 200 * NS_PER_S, kit_join_ended, n));
	join_free(n->join);
	n->join = NULL;
}

void kit_join_begin(struct kit_node *n)
{
	n->joined = n->join_ended = false;
	n->join_err = (struct err){ 0 };
	n->result = (struct join_result){ .completed_pending = false };
}

struct setup_params kit_setup_params(struct kit_node *n)
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

void kit_setup_with(struct kit_node *n, const struct setup_params *p)
{
	kit_join_begin(n);
	kit_join_run(n, setup_start(n->host, &n->store, p, kit_on_code, kit_on_join,
				    kit_on_progress, n, &n->join_err, &n->join));
}

void kit_setup(struct kit_node *n)
{
	struct setup_params p = kit_setup_params(n);

	kit_setup_with(n, &p);
}

void kit_adopt(struct kit_node *n, const struct invite_url *url)
{
	kit_join_begin(n);
	kit_join_run(n, adopt_start(n->host, &n->store, url, n->name, kit_on_join, kit_on_progress,
				    n, &n->join_err, &n->join));
}

/* --- files ------------------------------------------------------------------------------------ */

bool kit_has_file(struct kit_node *n, const char *suffix)
{
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(store_cluster_path(&n->store, KIT_CLUSTER, suffix, path, NULL), 0);
	return file_exists(n->host, path);
}

bool kit_has_identity(struct kit_node *n)
{
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(store_identity_path(&n->store, KIT_CLUSTER, STORE_KEY, path, NULL), 0);
	return file_exists(n->host, path);
}

bool kit_has_nothing(struct kit_node *n)
{
	return !kit_has_file(n, STORE_CLUSTER) && !kit_has_file(n, STORE_LOG) &&
	       !kit_has_file(n, STORE_PENDING) && !kit_has_identity(n);
}

void kit_load(struct kit_node *n)
{
	struct err err = { 0 };

	if (store_load_cluster(n->host, &n->store, KIT_CLUSTER, &n->cluster, &err) < 0 ||
	    store_load_log(n->host, &n->store, &n->cluster, &n->log, NULL, &err) < 0 ||
	    store_identity(n->host, &n->store, KIT_CLUSTER, &n->id, &err) < 0)
		ck_abort_msg("%s: %s", n->name, err.text);
}

void kit_unload(struct kit_node *n)
{
	mlog_free(n->log);
	n->log = NULL;
	identity_free(n->id);
	n->id = NULL;
}

struct invite_url kit_invite_ttl(struct kit_node *n, uint64_t ttl_s)
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

struct invite_url kit_invite_url(struct kit_node *n)
{
	return kit_invite_ttl(n, 3600);
}
