/* SPDX-License-Identifier: MIT */
/* kill -9 at steps of a command, of the daemon and of servers. */
#include "kills_kit.h"

const char *const kills_victims[4] = { "command", "daemon", "server", "new server" };

struct scene *kills_scene; /* for the functions that are wrapped (mk/variant.mk) */

/* --- what is wrapped -------------------------------------------------------------------------- */

int __real_recovery_code_new(struct host *h, const uint8_t salt[RECOVERY_SALT_LEN],
			     char out[RECOVERY_CODE_TEXT_MAX], uint8_t ret_key[KEY_LEN]);
int __wrap_recovery_code_new(struct host *h, const uint8_t salt[RECOVERY_SALT_LEN],
			     char out[RECOVERY_CODE_TEXT_MAX], uint8_t ret_key[KEY_LEN]);
int __real_db_commit(struct db *d, struct err *err);
int __wrap_db_commit(struct db *d, struct err *err);

/* It is printed at once. What a process that is dead prints nobody sees. */
int __wrap_recovery_code_new(struct host *h, const uint8_t salt[RECOVERY_SALT_LEN],
			     char out[RECOVERY_CODE_TEXT_MAX], uint8_t ret_key[KEY_LEN])
{
	int rc = __real_recovery_code_new(h, salt, out, ret_key);

	if (rc == 0 && kills_scene && h == kills_scene->run.host && world_host_alive(h)) {
		ck_assert_uint_lt(kills_scene->n_printed, CODES_MAX);
		strcpy(kills_scene->printed[kills_scene->n_printed++], out);
	}
	return rc;
}

/* The database is a real file: a server that dies here has not committed. */
int __wrap_db_commit(struct db *d, struct err *err)
{
	struct host *h = NULL;

	if (kills_scene && kills_scene->m->server && kills_scene->m->server->db == d)
		h = kills_scene->m->server_host;
	else if (kills_scene && kills_scene->second.server && kills_scene->second.server->db == d)
		h = kills_scene->second.host;
	if (!h || world_host_step(h))
		return __real_db_commit(d, err);
	db_rollback(d);
	return err_set(err, -EIO, "the process is dead");
}

/* --- the scene -------------------------------------------------------------------------------- */

static struct host *kills_victim_host(const struct scene *s)
{
	return s->victim == DAEMON	 ? s->who->daemon_host
	       : s->victim == SERVER	 ? s->m->server_host
	       : s->victim == NEW_SERVER ? s->second.host
					 : NULL;
}

static void kills_keep(void *ctx)
{
	struct scene *s = ctx;

	if (s->who->daemon && !world_host_alive(s->who->daemon_host)) {
		mesh_daemon_crash(s->who);
		mesh_daemon_start(s->who);
	}
	if (s->m->server && !world_host_alive(s->m->server_host)) {
		mesh_server_crash(s->m);
		mesh_server_start(s->m);
	}
	if (s->has_second && s->second.server && !world_host_alive(s->second.host)) {
		second_crash(&s->second);
		second_open(&s->second);
	}
	timer_set_in(s->look, KEEPER_GAP);
}

struct mesh *kills_open_scene(struct scene *s, bool second)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_join setup;
	char cert[2 * HASH_LEN + 1];

	*s = (struct scene){ .m = m };
	kills_scene = s;
	mesh_nodes(m, 2);
	mesh_setup_start(NAS, m->token, &setup);
	ck_assert_int_eq(mesh_join_finish(&setup), 0);
	strcpy(s->first_code, setup.recovery_code);
	mesh_connect(NAS);
	mesh_adopt(LAPTOP, mesh_invite(NAS, 3600));
	mesh_connect(LAPTOP);
	s->who = NAS;
	s->has_second = second;
	if (second) {
		second_start(&s->second, m);
		hex_encode(s->second.cert, HASH_LEN, cert);
		snprintf(s->token, sizeof(s->token), "%s@%s", s->second.code, cert);
	}
	mesh_all_connected(m, 10 * SECOND);
	sim_pass(m->w, 3 * SECOND); /* and quiet */
	s->keeper = world_host(m->w, "init", 0);
	s->look = timer_new(s->keeper, kills_keep, s);
	timer_set_in(s->look, KEEPER_GAP);
	return m;
}

void kills_close_scene(struct scene *s)
{
	timer_free(s->look);
	kills_scene = NULL;
	if (s->has_second)
		move_end(s->m, &s->second);
	else
		mesh_free(s->m);
}

const struct mlog *kills_server_log(const struct scene *s)
{
	const struct signal_server *server = s->has_second ? s->second.server : s->m->server;
	const struct cluster *c = server ? registry_find(server->registry, s->m->cluster_id) : NULL;

	return c ? c->log : NULL;
}

bool kills_run_killed(struct scene *s, const struct command *c, const char *typed, const char *line)
{
	struct host *victim = kills_victim_host(s);

	if (victim)
		world_host_crash_after_steps(victim, s->steps);
	command_run(&s->run, s->who, c, s->victim == COMMAND ? s->steps : UINT_MAX, typed, line);
	sim_pass(s->m->w, SOON);
	if (s->victim == COMMAND)
		return s->run.killed;
	if (world_host_alive(victim)) {
		world_host_crash_after_steps(victim, UINT_MAX);
		return false;
	}
	sim_pass(s->m->w, 2 * KEEPER_GAP);
	return true;
}

void kills_run_again(struct scene *s, const struct command *c, const char *typed, const char *line)
{
	command_run(&s->run, s->who, c, UINT_MAX, typed, line);
}

bool kills_acknowledged(const struct scene *s)
{
	return !s->run.killed && s->run.code == EXIT_OK;
}

size_t kills_count(const struct mlog *log, enum entry_type type)
{
	struct record r;
	struct entry e;
	size_t n = 0;

	for (uint64_t seq = 0; mlog_get(log, seq, &r, &e) == 0; seq++)
		n += e.type == type;
	return n;
}

/* The server has the record, everybody has the server's log, a session, and no complaint. */
static bool kills_is_settled(void *ctx)
{
	struct scene *s = ctx;
	struct head head;

	if (!kills_server_log(s) || mlog_count(kills_server_log(s)) < RECORDS)
		return false;
	head = mlog_head(kills_server_log(s));
	for (size_t i = 0; i < s->m->n_nodes; i++) {
		struct mesh_node *n = &s->m->node[i];
		struct head theirs;

		if (!mesh_tunnel(n))
			return false;
		theirs = mlog_head(mesh_log_of(n));
		if (memcmp(&head, &theirs, sizeof(head)) != 0)
			return false;
		if (!mesh_connected(n) && !tunnel_left(mesh_tunnel(n)))
			return false;
	}
	return true;
}

void kills_settle(struct scene *s)
{
	if (!world_run(s->m->w, 2 * MINUTE, kills_is_settled, s))
		HOLDS(s, !"everybody has the record");
	for (size_t i = 0; i < s->m->n_nodes; i++)
		for (int kind = 0; kind < PROOF_KINDS; kind++)
			HOLDS(s,
			      !tunnel_fork(mesh_tunnel(&s->m->node[i]), (enum proof_kind)kind)[0]);
}

bool kills_has_file(struct mesh_node *n, const char *suffix)
{
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(store_cluster_path(&n->store, MESH_CLUSTER, suffix, path, NULL), 0);
	return file_exists(n->host, path);
}

bool kills_code_in_force(const struct scene *s, const char *code)
{
	const struct mlog *log = kills_server_log(s);
	uint8_t key[KEY_LEN], hash[HASH_LEN];

	ck_assert_int_eq(recovery_code_key(code, mlog_genesis(log)->random, key), 0);
	sha256(span_of(key, KEY_LEN), hash);
	return mlog_recovery_is(log, hash);
}

bool kills_is_member(const struct scene *s, const char *name)
{
	return roster_by_name(mlog_roster(kills_server_log(s)), span_str(name), ROSTER_CURRENT) !=
	       NULL;
}

void kills_at_every_step(enum victim victim, unsigned at_least,
			 bool (*fn)(enum victim victim, unsigned steps))
{
	unsigned stride = FACTOR * (victim == COMMAND ? 1 : 2);
	unsigned steps = (unsigned)(sim_seed() % stride);

	while (fn(victim, steps))
		steps += stride;
	printf("%s: %u steps\n", kills_victims[victim], steps);
	ck_assert_uint_ge(steps, at_least);
}
