/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at steps of remove, renew, recover, move and rotate: at each one of the command, and at
 * every second one of the daemon on its machine, of the server, and of the new server (another
 * seed has the others; the sanitizers every seventh or fourteenth). A step is a change of a file,
 * a commit of a database, a datagram, or a message on the local socket. What was acknowledged is
 * not lost, nothing is half done, and the same command again goes on.
 *
 * A keeper starts daemon and servers again, as systemd does.
 */
#include "client/rotation.h"
#include "command_kit.h"
#include "move_kit.h"

#define KEEPER_GAP (100 * MS)
#ifdef __SANITIZE_ADDRESS__
#define FACTOR 7 /* it takes ten times as long */
#else
#define FACTOR 1
#endif
#define SOON (300 * MS)
#define RECORDS 3 /* at the end: genesis, laptop's admission, and that of the command */
#define CODES_MAX 8

enum victim { COMMAND, DAEMON, SERVER, NEW_SERVER };

static const char *const victims[] = { "command", "daemon", "server", "new server" };

struct scene {
	struct mesh *m;
	struct mesh_node *who; /* whose machine the command runs on */
	struct second second;  /* with `has_second` */
	bool has_second;
	char first_code[RECOVERY_CODE_TEXT_MAX]; /* of setup */
	char token[SETUP_TOKEN_TEXT_MAX];	 /* of the second server */
	enum victim victim;
	unsigned steps;
	struct host *keeper;
	struct timer *look;
	struct command_run run;
	/* by a process that lived, in their order */
	char printed[CODES_MAX][RECOVERY_CODE_TEXT_MAX];
	size_t n_printed;
};

static struct scene *scene; /* for the functions that are wrapped (mk/variant.mk) */

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

	if (rc == 0 && scene && h == scene->run.host && world_host_alive(h)) {
		ck_assert_uint_lt(scene->n_printed, CODES_MAX);
		strcpy(scene->printed[scene->n_printed++], out);
	}
	return rc;
}

/* The database is a real file: a server that dies here has not committed. */
int __wrap_db_commit(struct db *d, struct err *err)
{
	struct host *h = NULL;

	if (scene && scene->m->server && scene->m->server->db == d)
		h = scene->m->server_host;
	else if (scene && scene->second.server && scene->second.server->db == d)
		h = scene->second.host;
	if (!h || world_host_step(h))
		return __real_db_commit(d, err);
	db_rollback(d);
	return err_set(err, -EIO, "the process is dead");
}

/* --- the scene -------------------------------------------------------------------------------- */

static struct host *victim_host(const struct scene *s)
{
	return s->victim == DAEMON	 ? s->who->daemon_host
	       : s->victim == SERVER	 ? s->m->server_host
	       : s->victim == NEW_SERVER ? s->second.host
					 : NULL;
}

static void keep(void *ctx)
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

/* nas, the admin, and laptop, both connected; `second`: and a server without a cluster. */
static struct mesh *open_scene(struct scene *s, bool second)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_join setup;
	char cert[2 * HASH_LEN + 1];

	*s = (struct scene){ .m = m };
	scene = s;
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
	s->look = timer_new(s->keeper, keep, s);
	timer_set_in(s->look, KEEPER_GAP);
	return m;
}

static void close_scene(struct scene *s)
{
	timer_free(s->look);
	scene = NULL;
	if (s->has_second)
		move_end(s->m, &s->second);
	else
		mesh_free(s->m);
}

/* Of the server that has the cluster at the end; NULL while that is down or does not know it. */
static const struct mlog *server_log(const struct scene *s)
{
	const struct signal_server *server = s->has_second ? s->second.server : s->m->server;
	const struct cluster *c = server ? registry_find(server->registry, s->m->cluster_id) : NULL;

	return c ? c->log : NULL;
}

/* Says where it was killed if that does not hold. */
#define HOLDS(s, expr)                                                                             \
	do {                                                                                       \
		if (!(expr)) {                                                                     \
			world_dump((s)->m->w);                                                     \
			ck_abort_msg("%s killed after %u steps: %s\n%s%s", victims[(s)->victim],   \
				     (s)->steps, #expr, (s)->run.out, (s)->run.complaint);         \
		}                                                                                  \
	} while (0)

/*
 * Runs it, and it or somebody else is killed, then or soon after it. Returns false if
 * the victim lives on.
 */
static bool run_killed(struct scene *s, const struct command *c, const char *typed,
		       const char *line)
{
	struct host *victim = victim_host(s);

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

static void run_again(struct scene *s, const struct command *c, const char *typed, const char *line)
{
	command_run(&s->run, s->who, c, UINT_MAX, typed, line);
}

static bool acknowledged(const struct scene *s)
{
	return !s->run.killed && s->run.code == EXIT_OK;
}

static size_t count(const struct mlog *log, enum entry_type type)
{
	struct record r;
	struct entry e;
	size_t n = 0;

	for (uint64_t seq = 0; mlog_get(log, seq, &r, &e) == 0; seq++)
		n += e.type == type;
	return n;
}

/* The server has the record, everybody has the server's log, a session, and no complaint. */
static bool is_settled(void *ctx)
{
	struct scene *s = ctx;
	struct head head;

	if (!server_log(s) || mlog_count(server_log(s)) < RECORDS)
		return false;
	head = mlog_head(server_log(s));
	for (size_t i = 0; i < s->m->n_nodes; i++) {
		struct mesh_node *n = &s->m->node[i];
		struct head theirs;

		if (!mesh_tunnel(n))
			return false;
		theirs = mlog_head(log_of(n));
		if (memcmp(&head, &theirs, sizeof(head)) != 0)
			return false;
		if (!mesh_connected(n) && !tunnel_left(mesh_tunnel(n)))
			return false;
	}
	return true;
}

static void settle(struct scene *s)
{
	if (!world_run(s->m->w, 2 * MINUTE, is_settled, s))
		HOLDS(s, !"everybody has the record");
	for (size_t i = 0; i < s->m->n_nodes; i++)
		for (int kind = 0; kind < PROOF_KINDS; kind++)
			HOLDS(s,
			      !tunnel_fork(mesh_tunnel(&s->m->node[i]), (enum proof_kind)kind)[0]);
}

static bool has_file(struct mesh_node *n, const char *suffix)
{
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(store_cluster_path(&n->store, MESH_CLUSTER, suffix, path, NULL), 0);
	return file_exists(n->host, path);
}

static bool code_in_force(const struct scene *s, const char *code)
{
	const struct mlog *log = server_log(s);
	uint8_t key[KEY_LEN], hash[HASH_LEN];

	ck_assert_int_eq(recovery_code_key(code, mlog_genesis(log)->random, key), 0);
	sha256(span_of(key, KEY_LEN), hash);
	return mlog_recovery_is(log, hash);
}

static bool is_member(const struct scene *s, const char *name)
{
	return roster_by_name(mlog_roster(server_log(s)), span_str(name), ROSTER_CURRENT) != NULL;
}

/*
 * Calls fn with each number of steps until the victim lives on; with every second one where the
 * victim is not the command. Another seed begins with another one.
 */
static void at_every_step(enum victim victim, unsigned at_least,
			  bool (*fn)(enum victim victim, unsigned steps))
{
	unsigned stride = FACTOR * (victim == COMMAND ? 1 : 2);
	unsigned steps = (unsigned)(sim_seed() % stride);

	while (fn(victim, steps))
		steps += stride;
	printf("%s: %u steps\n", victims[victim], steps);
	ck_assert_uint_ge(steps, at_least);
}

/* --- remove ----------------------------------------------------------------------------------- */

static bool remove_killed(enum victim victim, unsigned steps, bool daemon)
{
	static const char line[] = "remove laptop --yes";
	struct scene s;
	struct mesh *m = open_scene(&s, false);
	bool killed;

	s.victim = victim;
	s.steps = steps;
	run_again(&s, &log_command, "", "log"); /* makes the user's copy of the log new */
	if (!daemon)
		mesh_daemon_stop(NAS);
	killed = run_killed(&s, &remove_command, "", line);
	if (!acknowledged(&s)) {
		run_again(&s, &remove_command, "", line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	if (!daemon)
		mesh_connect(NAS);
	settle(&s);
	HOLDS(&s, !is_member(&s, "laptop") && count(server_log(&s), ENTRY_REMOVE) == 1);
	HOLDS(&s, tunnel_left(mesh_tunnel(LAPTOP)));
	run_again(&s, &remove_command, "", line);
	HOLDS(&s, s.run.code == EXIT_OK && strstr(s.run.out, "Nothing to do"));
	close_scene(&s);
	return killed;
}

static bool remove_with_daemon(enum victim victim, unsigned steps)
{
	return remove_killed(victim, steps, true);
}

static bool remove_without_daemon(enum victim victim, unsigned steps)
{
	return remove_killed(victim, steps, false);
}

START_TEST(remove_is_killed)
{
	at_every_step(COMMAND, 2, remove_with_daemon);
	at_every_step(DAEMON, 5, remove_with_daemon);
	at_every_step(SERVER, 3, remove_with_daemon);
	at_every_step(COMMAND, 6, remove_without_daemon);
	at_every_step(SERVER, 5, remove_without_daemon);
}
END_TEST

/* --- renew ------------------------------------------------------------------------------------ */

/* A code that somebody has on paper is in force, and the command says which. */
static bool renew_killed(enum victim victim, unsigned steps, bool daemon)
{
	static const char line[] = "renew --yes";
	struct scene s;
	struct mesh *m = open_scene(&s, false);
	const char *code = s.first_code;
	bool killed;

	s.victim = victim;
	s.steps = steps;
	if (!daemon)
		mesh_daemon_stop(NAS);
	killed = run_killed(&s, &renew_command, s.first_code, line);
	if (!acknowledged(&s))
		run_again(&s, &renew_command, s.first_code, line);
	if (!daemon)
		mesh_connect(NAS);
	settle(&s);
	for (size_t i = 0; i < s.n_printed; i++)
		if (code_in_force(&s, s.printed[i]))
			code = s.printed[i];
	HOLDS(&s, code_in_force(&s, code) && count(server_log(&s), ENTRY_RENEW) == 1);
	/* The last run says whether the code that it printed is worth something. */
	if (acknowledged(&s))
		HOLDS(&s, code == s.printed[s.n_printed - 1]);
	else
		HOLDS(&s, strstr(s.run.complaint, "for record 2") &&
				  (code == s.printed[s.n_printed - 1] ||
				   strstr(s.run.complaint, "throw it away")));
	run_again(&s, &renew_command, code, line);
	HOLDS(&s, s.run.code == EXIT_OK);
	close_scene(&s);
	return killed;
}

static bool renew_with_daemon(enum victim victim, unsigned steps)
{
	return renew_killed(victim, steps, true);
}

static bool renew_without_daemon(enum victim victim, unsigned steps)
{
	return renew_killed(victim, steps, false);
}

START_TEST(renew_is_killed)
{
	at_every_step(COMMAND, 2, renew_with_daemon);
	at_every_step(DAEMON, 5, renew_with_daemon);
	at_every_step(SERVER, 3, renew_with_daemon);
	at_every_step(COMMAND, 6, renew_without_daemon);
	at_every_step(SERVER, 5, renew_without_daemon);
}
END_TEST

/* --- recover ---------------------------------------------------------------------------------- */

enum recovers { BESIDE_DAEMON, ALONE, TO_NEW_SERVER };

static bool is_admin(const struct scene *s, const char *name)
{
	const struct member *m = roster_by_name(mlog_roster(server_log(s)), span_str(name),
						ROSTER_CURRENT);

	return m && m->role == ROLE_ADMIN;
}

static bool recover_killed(enum victim victim, unsigned steps, enum recovers how)
{
	struct scene s;
	struct mesh *m = open_scene(&s, how == TO_NEW_SERVER);
	char line[200] = "recover --yes";
	const char *paper;
	bool killed;

	s.victim = victim;
	s.steps = steps;
	s.who = LAPTOP;
	if (how == ALONE)
		mesh_daemon_stop(LAPTOP);
	if (how == TO_NEW_SERVER) {
		mesh_server_crash(m);
		snprintf(line, sizeof(line), "recover --yes --signal-host " NEW_NAME " --token %s",
			 s.token);
	}
	killed = run_killed(&s, &recover_command, s.first_code, line);
	if (!acknowledged(&s)) {
		run_again(&s, &recover_command, s.first_code, line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	if (strstr(s.run.out, "Next: mlsh connect"))
		mesh_connect(LAPTOP);
	settle(&s);
	paper = s.printed[s.n_printed - 1];
	HOLDS(&s, code_in_force(&s, paper) && count(server_log(&s), ENTRY_RECOVER) == 1);
	HOLDS(&s, is_admin(&s, "laptop") && !is_admin(&s, "nas"));
	HOLDS(&s, !has_file(LAPTOP, STORE_RECOVERY));
	run_again(&s, &recover_command, paper, "recover --yes");
	HOLDS(&s, s.run.code == EXIT_OK);
	close_scene(&s);
	return killed;
}

static bool recover_beside_daemon(enum victim victim, unsigned steps)
{
	return recover_killed(victim, steps, BESIDE_DAEMON);
}

static bool recover_alone(enum victim victim, unsigned steps)
{
	return recover_killed(victim, steps, ALONE);
}

static bool recover_to_new_server(enum victim victim, unsigned steps)
{
	return recover_killed(victim, steps, TO_NEW_SERVER);
}

START_TEST(recover_is_killed)
{
	at_every_step(COMMAND, 6, recover_beside_daemon);
	at_every_step(DAEMON, 3, recover_beside_daemon);
	at_every_step(SERVER, 5, recover_beside_daemon);
	at_every_step(COMMAND, 6, recover_alone);
	at_every_step(SERVER, 5, recover_alone);
}
END_TEST

START_TEST(recover_to_a_new_server_is_killed)
{
	at_every_step(COMMAND, 10, recover_to_new_server);
	at_every_step(DAEMON, 5, recover_to_new_server);
	at_every_step(NEW_SERVER, 5, recover_to_new_server);
}
END_TEST

/* --- move ------------------------------------------------------------------------------------- */

static bool move_killed(enum victim victim, unsigned steps)
{
	struct scene s;
	struct mesh *m = open_scene(&s, true);
	char line[200];
	bool killed;

	s.victim = victim;
	s.steps = steps;
	snprintf(line, sizeof(line), "move --yes --signal-host " NEW_NAME " --token %s", s.token);
	killed = run_killed(&s, &move_command, "", line);
	if (!acknowledged(&s)) {
		run_again(&s, &move_command, "", line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	settle(&s);
	HOLDS(&s, all_moved(m) && count(server_log(&s), ENTRY_SIGNAL) == 1);
	run_again(&s, &move_command, "", line);
	HOLDS(&s, s.run.code == EXIT_OK && strstr(s.run.out, "already"));
	close_scene(&s);
	return killed;
}

START_TEST(move_is_killed)
{
	at_every_step(COMMAND, 10, move_killed);
	at_every_step(DAEMON, 5, move_killed);
	at_every_step(SERVER, 5, move_killed);
	at_every_step(NEW_SERVER, 5, move_killed);
}
END_TEST

/* --- rotate ----------------------------------------------------------------------------------- */

static size_t kept_keys(struct mesh_node *n)
{
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	size_t len;

	ck_assert_int_eq(store_identity_path(&n->store, MESH_CLUSTER, STORE_BEFORE, path, NULL), 0);
	ck_assert_int_eq(file_read_private(n->host, path, SIZE_MAX, NULL, &b), 0);
	len = b.len;
	buf_free(&b);
	ck_assert_uint_eq(len % SIGN_SEED_LEN, 0);
	return len / SIGN_SEED_LEN;
}

/* All know the node by the key in its files, and its daemon has that key. */
static bool has_one_key(const struct scene *s, struct mesh_node *n)
{
	struct identity *own = identity_of(n);
	bool same = tunnel_has_key(mesh_tunnel(n), own);

	for (size_t i = 0; i < s->m->n_nodes; i++) {
		const struct member *x = roster_by_address(mlog_roster(log_of(&s->m->node[i])),
							   n->address, ROSTER_CURRENT);

		same = same && x && memcmp(x->key_sha256, identity_key_sha256(own), HASH_LEN) == 0;
	}
	identity_free(own);
	return same;
}

/* Each key of before is kept once. A run that was killed at its end had completed it. */
static bool rotate_killed(enum victim victim, unsigned steps, bool daemon)
{
	struct scene s;
	struct mesh *m = open_scene(&s, false);
	size_t rotated;
	bool killed;

	s.victim = victim;
	s.steps = steps;
	s.who = LAPTOP;
	if (!daemon)
		mesh_daemon_stop(LAPTOP);
	killed = run_killed(&s, &rotate_command, "", "rotate");
	if (!acknowledged(&s)) {
		run_again(&s, &rotate_command, "", "rotate");
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	if (!daemon)
		mesh_connect(LAPTOP);
	settle(&s);
	HOLDS(&s, !rotation_begun(LAPTOP->host, &LAPTOP->store, MESH_CLUSTER));
	HOLDS(&s, has_one_key(&s, LAPTOP));
	rotated = count(server_log(&s), ENTRY_ROTATE);
	HOLDS(&s, rotated == 1 || (rotated == 2 && killed));
	HOLDS(&s, kept_keys(LAPTOP) == rotated);
	close_scene(&s);
	return killed;
}

static bool rotate_with_daemon(enum victim victim, unsigned steps)
{
	return rotate_killed(victim, steps, true);
}

static bool rotate_without_daemon(enum victim victim, unsigned steps)
{
	return rotate_killed(victim, steps, false);
}

START_TEST(rotate_is_killed)
{
	at_every_step(COMMAND, 6, rotate_with_daemon);
	at_every_step(DAEMON, 5, rotate_with_daemon);
	at_every_step(SERVER, 3, rotate_with_daemon);
	at_every_step(COMMAND, 10, rotate_without_daemon);
	at_every_step(SERVER, 5, rotate_without_daemon);
}
END_TEST

UNIT_MAIN("command/kills", remove_is_killed, renew_is_killed, recover_is_killed,
	  recover_to_a_new_server_is_killed, move_is_killed, rotate_is_killed)
