/* SPDX-License-Identifier: MIT */
/* The mesh harness: the world, the server, and the commands setup, adopt and invite. */
#include "mesh.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/follow.h"
#include "crypto/init.h"
#include "identity/identity.h"
#include "signal/caller.h"
#include "signal/token.h"

#define SERVER_IP IP(192, 0, 2, 1)
#define NODE_IP(i) IP(198, 51, 100 + (i), 10)

void *mesh_grow(void *array, size_t n, size_t entry_bytes)
{
	void *grown = realloc(array, (n + 1) * entry_bytes);

	ck_assert_ptr_nonnull(grown);
	return grown;
}

void mesh_until(struct mesh *m, uint64_t within, bool (*done)(void *ctx), void *ctx)
{
	MESH_CHECK(m, world_run(m->w, within, done, ctx));
}

/* 2001:db8:<net>::1 */
static struct addr ip6_of(uint8_t net)
{
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, net, [15] = 1 };

	return addr_v6(ip, 0);
}

struct mesh *mesh_new(uint64_t seed)
{
	struct mesh *m = calloc(1, sizeof(*m));
	struct addr server = addr_v4(SERVER_IP, 0), server6 = ip6_of(1);
	const char *tmp = getenv("TMPDIR");
	struct err err = { 0 };

	ck_assert_ptr_nonnull(m);
	m->w = world_new(seed);
	world_seed_tls(m->w);
	SIM_CHECK_OK(m->w, crypto_init(&err));
	snprintf(m->dir, sizeof(m->dir), "%.40s/mlsh-sim-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(m->dir));
	m->server_host = world_host(m->w, "signal", SERVER_IP);
	SIM_CHECK_OK(m->w, world_host_addr(m->server_host, &server6, "eth0"));
	SIM_CHECK_OK(m->w, world_dns_set(m->w, MESH_SIGNAL, &server));
	SIM_CHECK_OK(m->w, world_dns_set(m->w, MESH_SIGNAL, &server6));
	m->ping_len = MESH_PING_MIN;
	m->cluster = MESH_CLUSTER;
	mesh_server_start(m);
	return m;
}

/* The folder has files only. */
static void remove_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		(void)unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)rmdir(path);
}

void mesh_free(struct mesh *m)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		daemon_free(m->node[i].daemon);
	for (size_t i = 0; i < m->n_dead; i++)
		daemon_free(m->dead[i]);
	for (size_t i = 0; i < m->n_dead_joins; i++)
		join_free(m->dead_joins[i]);
	free(m->dead);
	free(m->dead_joins);
	signal_server_close(m->server);
	world_free(m->w);
	remove_dir(m->dir);
	free(m);
}

void mesh_nodes(struct mesh *m, size_t n)
{
	static const char *const names[MESH_NODES_MAX] = { "nas",   "laptop", "phone", "tv",
							   "attic", "garage", "desk",  "van" };

	while (m->n_nodes < n)
		mesh_node(m, names[m->n_nodes]);
}

void mesh_join_all(struct mesh *m)
{
	struct mesh_node *admin = &m->node[0];

	if (m->n_nodes == 0)
		return;
	mesh_setup(admin);
	mesh_connect(admin);
	for (size_t i = 1; i < m->n_nodes; i++) {
		mesh_adopt(&m->node[i], mesh_invite(admin, 3600));
		mesh_connect(&m->node[i]);
	}
}

struct mesh *mesh_of(uint64_t seed, size_t n)
{
	struct mesh *m = mesh_new(seed);

	mesh_nodes(m, n);
	mesh_join_all(m);
	return m;
}

void mesh_links(struct mesh *m, struct link_params p)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		world_link_both(m->w, m->node[i].host, m->server_host, p);
		for (size_t k = 0; k < i; k++)
			world_link_both(m->w, m->node[i].host, m->node[k].host, p);
	}
}

/* --- the server ------------------------------------------------------------------------------- */

void mesh_server_db(const struct mesh *m, char out[96])
{
	snprintf(out, 96, "%s/signal.db", m->dir);
}

static struct signal_config server_config(struct mesh *m)
{
	struct signal_config cfg = { .log_level = LOG_LEVEL_INFO,
				     .relay_node_rate = m->relay_node_rate,
				     .relay_cluster_rate = m->relay_cluster_rate };
	struct err err = { 0 };
	char path[96];

	mesh_server_db(m, path);
	snprintf(cfg.db_path, sizeof(cfg.db_path), "%s", path);
	SIM_CHECK_OK(m->w, addr_parse(CONFIG_BIND_DEFAULT, &cfg.bind));
	SIM_CHECK_OK(m->w, prefix4_parse(m->subnet ? m->subnet : CONFIG_SUBNET_DEFAULT, &cfg.subnet,
					 &err));
	return cfg;
}

int mesh_try_server_start(struct mesh *m, struct err *err)
{
	struct signal_config cfg = server_config(m);
	const char *token;
	int rc;

	MESH_CHECK(m, !m->server);
	if (!world_host_alive(m->server_host))
		m->server_host = world_host_boot(m->server_host);
	if (m->watchdog)
		world_host_managed(m->server_host, m->watchdog);
	rc = signal_server_open(m->server_host, &cfg, err, &m->server);
	if (rc < 0) {
		world_host_crash(m->server_host);
		return rc;
	}
	token = signal_server_first_token(m->server);
	if (token)
		snprintf(m->token, sizeof(m->token), "%s", token);
	return 0;
}

void mesh_server_start(struct mesh *m)
{
	struct err err = { 0 };

	if (mesh_try_server_start(m, &err) < 0) {
		world_dump(m->w);
		ck_abort_msg("the server does not start: %s", err.text);
	}
}

int mesh_try_server_token(struct mesh *m, struct err *err)
{
	struct signal_config cfg = server_config(m);

	return token_make(m->server_host, &cfg, 0, m->token, err);
}

void mesh_server_token(struct mesh *m)
{
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, mesh_try_server_token(m, &err));
}

void mesh_server_crash(struct mesh *m)
{
	world_host_crash(m->server_host);
	signal_server_close(m->server);
	m->server = NULL;
}

static void on_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

static bool is_true(void *ctx)
{
	return *(bool *)ctx;
}

void mesh_server_stop(struct mesh *m)
{
	bool stopped = false;

	signal_server_stop(m->server, on_stopped, &stopped);
	mesh_until(m, 2 * SECOND, is_true, &stopped);
	signal_server_close(m->server);
	world_host_crash(m->server_host);
	m->server = NULL;
}

static void copy_file(struct mesh *m, const char *from, const char *to)
{
	uint8_t block[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	MESH_CHECK(m, in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof(block))) > 0)
		MESH_CHECK(m, write(out, block, (size_t)n) == n);
	MESH_CHECK(m, n == 0);
	close(in);
	close(out);
}

void mesh_server_save(struct mesh *m, const char *copy)
{
	char path[96], to[96];

	MESH_CHECK(m, !m->server); /* all is in the one file now */
	mesh_server_db(m, path);
	snprintf(to, sizeof(to), "%s/%s", m->dir, copy);
	copy_file(m, path, to);
}

void mesh_server_restore(struct mesh *m, const char *copy)
{
	char path[96], from[96], extra[112];

	MESH_CHECK(m, !m->server);
	mesh_server_db(m, path);
	snprintf(from, sizeof(from), "%s/%s", m->dir, copy);
	copy_file(m, from, path);
	snprintf(extra, sizeof(extra), "%s-wal", path);
	(void)unlink(extra);
	snprintf(extra, sizeof(extra), "%s-shm", path);
	(void)unlink(extra);
}

size_t mesh_server_log(struct mesh *m)
{
	const struct cluster *c;

	if (!m->server || !m->has_cluster)
		return 0;
	c = registry_find(m->server->registry, m->cluster_id);
	return c && c->log ? mlog_count(c->log) : 0;
}

size_t mesh_server_sessions(struct mesh *m)
{
	return m->server ? signal_server_stats_get(m->server).sessions : 0;
}

/* --- commands --------------------------------------------------------------------------------- */

struct mesh_node *mesh_node_with(struct mesh *m, const char *name, enum mesh_families f)
{
	struct mesh_node *n = &m->node[m->n_nodes];
	struct addr six = ip6_of((uint8_t)(10 + m->n_nodes));
	struct err err = { 0 };

	MESH_CHECK(m, m->n_nodes < MESH_NODES_MAX);
	n->mesh = m;
	n->index = (unsigned)m->n_nodes++;
	n->ip = f == MESH_IP6 ? 0 : NODE_IP(n->index);
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->host = world_host(m->w, name, n->ip);
	if (f != MESH_IP4)
		SIM_CHECK_OK(m->w, world_host_addr(n->host, &six, "eth0"));
	SIM_CHECK_OK(m->w, store_open(NULL, "/root", &err, &n->store));
	return n;
}

struct mesh_node *mesh_node(struct mesh *m, const char *name)
{
	return mesh_node_with(m, name, MESH_IP4);
}

static bool on_code(void *ctx, const char *recovery_code)
{
	struct mesh_join *j = ctx;

	snprintf(j->recovery_code, sizeof(j->recovery_code), "%s", recovery_code);
	memcpy(j->node->mesh->recovery_code, j->recovery_code, sizeof(j->recovery_code));
	return true;
}

static void on_join(void *ctx, const struct err *err, const struct join_result *r)
{
	struct mesh_join *j = ctx;
	struct mesh *m = j->node->mesh;

	j->done = true;
	if (err) {
		j->err = *err;
		MESH_CHECK(m, err->code < 0 && strlen(err->text) > 10);
		return;
	}
	j->completed_pending = r->completed_pending;
	j->node->address = r->cluster.address;
	memcpy(m->cluster_id, r->cluster.cluster_id, HASH_LEN);
	m->has_cluster = true;
}

static void join_begin(struct mesh_join *j, struct mesh_node *n)
{
	*j = (struct mesh_join){ .node = n };
	if (!world_host_alive(n->host))
		n->host = world_host_boot(n->host);
}

void mesh_setup_start(struct mesh_node *n, const char *token, struct mesh_join *ret)
{
	struct setup_params p = { .cluster = n->mesh->cluster,
				  .node_name = n->name,
				  .host = MESH_SIGNAL,
				  .port = SIGNAL_PORT };
	char code[BOOTSTRAP_CODE_TEXT_MAX];

	join_begin(ret, n);
	p.code = code;
	if (setup_token_parse(token, code, p.signal_cert, &ret->err) < 0 ||
	    setup_start(n->host, &n->store, &p, on_code, on_join, NULL, ret, &ret->err,
			&ret->join) < 0)
		ret->done = true;
}

void mesh_adopt_start(struct mesh_node *n, const struct invite_url *url, struct mesh_join *ret)
{
	join_begin(ret, n);
	if (adopt_start(n->host, &n->store, url, n->name, on_join, NULL, ret, &ret->err,
			&ret->join) < 0)
		ret->done = true;
}

int mesh_join_finish(struct mesh_join *j)
{
	mesh_until(j->node->mesh, 150 * SECOND, is_true, &j->done);
	join_free(j->join);
	j->join = NULL;
	return j->err.code;
}

void mesh_join_kill(struct mesh_join *j)
{
	struct mesh *m = j->node->mesh;

	world_host_crash(j->node->host);
	m->dead_joins = mesh_grow(m->dead_joins, m->n_dead_joins, sizeof(*m->dead_joins));
	m->dead_joins[m->n_dead_joins++] = j->join;
	j->join = NULL;
	j->done = true;
}

static void expect_joined(struct mesh_join *j)
{
	if (mesh_join_finish(j) == 0)
		return;
	world_dump(j->node->mesh->w);
	ck_abort_msg("%s did not join: %s", j->node->name, j->err.text);
}

void mesh_setup(struct mesh_node *n)
{
	struct mesh_join j;

	mesh_setup_start(n, n->mesh->token, &j);
	expect_joined(&j);
}

void mesh_adopt(struct mesh_node *n, struct invite_url url)
{
	struct mesh_join j;

	mesh_adopt_start(n, &url, &j);
	expect_joined(&j);
}

int mesh_try_adopt(struct mesh_node *n, struct invite_url url, struct err *err)
{
	struct mesh_join j;
	int rc;

	mesh_adopt_start(n, &url, &j);
	rc = mesh_join_finish(&j);
	*err = j.err;
	return rc;
}

struct cluster_file mesh_cluster_file(struct mesh_node *n)
{
	struct cluster_file f;
	struct err err = { 0 };

	SIM_CHECK_OK(n->mesh->w,
		     store_load_cluster(n->host, &n->store, n->mesh->cluster, &f, &err));
	return f;
}

struct mlog *mesh_user_log(struct mesh_node *n)
{
	struct cluster_file f = mesh_cluster_file(n);
	struct mlog *l = NULL;
	struct err err = { 0 };

	SIM_CHECK_OK(n->mesh->w, store_load_log(n->host, &n->store, &f, &l, NULL, &err));
	return l;
}

static void tell_daemon(struct mesh_node *n, const struct invite *inv, bool promote)
{
	struct control_request r = { .verb = CONTROL_INVITE_MADE,
				     .expiry_s = inv->expiry,
				     .promote = promote };
	char *reply;

	snprintf(r.cluster, sizeof(r.cluster), "%s", n->mesh->cluster);
	memcpy(r.nonce, inv->nonce, sizeof(r.nonce));
	reply = mesh_control_request(n, &r);
	MESH_CHECK(n->mesh, strcmp(reply, "{\"ok\":true}") == 0);
	free(reply);
}

struct invite_url mesh_invite(struct mesh_node *n, uint64_t ttl_s)
{
	return mesh_invite_wish(n, &(struct invite_params){ .ttl_s = ttl_s }, false);
}

struct invite_url mesh_invite_wish(struct mesh_node *n, const struct invite_params *wish,
				   bool promote)
{
	struct mesh *m = n->mesh;
	struct cluster_file f = mesh_cluster_file(n);
	struct mlog *own = mesh_tunnel(n) ? NULL : mesh_user_log(n);
	struct invite_params p = *wish;
	struct identity *id = NULL;
	struct invite_url url;
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, store_identity(n->host, &n->store, m->cluster, &id, &err));
	p.cluster = &f;
	p.now_s = (uint64_t)clock_wall_s(n->host);
	p.log = own ? own : tunnel_log(mesh_tunnel(n));
	(void)follow_log(&f, p.log);
	p.identity = id;
	SIM_CHECK_OK(m->w, invite_new(n->host, &p, &err, &url));
	if (!own)
		tell_daemon(n, &url.invite, promote);
	identity_free(id);
	mlog_free(own);
	return url;
}
