/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at steps (kills_kit.h) of what puts one thing in another's place: move, move --follow,
 * rotate, and invite and adopt for a machine that was installed again. At each one of the command,
 * and at every second one of the others (another seed has those between; the sanitizers every
 * seventh or fourteenth).
 * What was acknowledged is not lost, nothing is half done, and the same command again goes on.
 */
#include "client/rotation.h"
#include "identity/identity.h"
#include "kills_kit.h"

/* --- move ------------------------------------------------------------------------------------- */

static bool move_killed(enum victim victim, unsigned steps)
{
	struct scene s;
	struct mesh *m = kills_open_scene(&s, true);
	char line[200];
	bool killed;

	s.victim = victim;
	s.steps = steps;
	snprintf(line, sizeof(line), "move --yes --signal-host " NEW_NAME " --token %s", s.token);
	killed = kills_run_killed(&s, &move_command, "", line);
	if (!kills_acknowledged(&s)) {
		kills_run_again(&s, &move_command, "", line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	kills_settle(&s);
	HOLDS(&s, move_all_moved(m) && kills_count(kills_server_log(&s), ENTRY_SIGNAL) == 1);
	kills_run_again(&s, &move_command, "", line);
	HOLDS(&s, s.run.code == EXIT_OK && strstr(s.run.out, "already"));
	kills_close_scene(&s);
	return killed;
}

START_TEST(move_is_killed)
{
	kills_at_every_step(COMMAND, 10, move_killed);
	kills_at_every_step(DAEMON, 5, move_killed);
	kills_at_every_step(SERVER, 5, move_killed);
	kills_at_every_step(NEW_SERVER, 5, move_killed);
}
END_TEST

/* laptop was off, and the old server is gone: only its user can tell it. */
static bool follow_killed(enum victim victim, unsigned steps)
{
	struct scene s;
	struct mesh *m = kills_open_scene(&s, true);
	char line[200], cert[2 * HASH_LEN + 1];
	bool killed;

	mesh_daemon_stop(LAPTOP);
	snprintf(line, sizeof(line), "move --yes --signal-host " NEW_NAME " --token %s", s.token);
	kills_run_again(&s, &move_command, "", line);
	HOLDS(&s, s.run.code == EXIT_OK);
	mesh_server_crash(m);
	s.victim = victim;
	s.steps = steps;
	s.who = LAPTOP;
	hex_encode(s.second.cert, HASH_LEN, cert);
	snprintf(line, sizeof(line), "move --follow " NEW_NAME "@%s", cert);
	killed = kills_run_killed(&s, &move_command, "", line);
	if (!kills_acknowledged(&s)) {
		kills_run_again(&s, &move_command, "", line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	mesh_connect(LAPTOP);
	kills_settle(&s);
	HOLDS(&s, move_all_moved(m) && mlog_count(mesh_log_of(LAPTOP)) == RECORDS);
	kills_close_scene(&s);
	return killed;
}

START_TEST(follow_is_killed)
{
	kills_at_every_step(COMMAND, 10, follow_killed);
	kills_at_every_step(NEW_SERVER, 2, follow_killed);
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
	struct identity *own = mesh_identity_of(n);
	bool same = tunnel_has_key(mesh_tunnel(n), own);

	for (size_t i = 0; i < s->m->n_nodes; i++) {
		const struct member *x = roster_by_address(mlog_roster(mesh_log_of(&s->m->node[i])),
							   n->address, ROSTER_CURRENT);

		same = same && x && memcmp(x->key_sha256, identity_key_sha256(own), HASH_LEN) == 0;
	}
	identity_free(own);
	return same;
}

/* Each earlier key is kept once. A run that was killed at its end had completed it. */
static bool rotate_killed(enum victim victim, unsigned steps, bool daemon)
{
	struct scene s;
	struct mesh *m = kills_open_scene(&s, false);
	size_t rotated;
	bool killed;

	s.victim = victim;
	s.steps = steps;
	s.who = LAPTOP;
	if (!daemon)
		mesh_daemon_stop(LAPTOP);
	killed = kills_run_killed(&s, &rotate_command, "", "rotate");
	if (!kills_acknowledged(&s)) {
		kills_run_again(&s, &rotate_command, "", "rotate");
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	if (!daemon)
		mesh_connect(LAPTOP);
	kills_settle(&s);
	HOLDS(&s, !rotation_begun(LAPTOP->host, &LAPTOP->store, MESH_CLUSTER));
	HOLDS(&s, has_one_key(&s, LAPTOP));
	rotated = kills_count(kills_server_log(&s), ENTRY_ROTATE);
	HOLDS(&s, rotated == 1 || (rotated == 2 && killed));
	HOLDS(&s, kept_keys(LAPTOP) == rotated);
	kills_close_scene(&s);
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
	kills_at_every_step(COMMAND, 6, rotate_with_daemon);
	kills_at_every_step(DAEMON, 5, rotate_with_daemon);
	kills_at_every_step(SERVER, 3, rotate_with_daemon);
	kills_at_every_step(COMMAND, 10, rotate_without_daemon);
	kills_at_every_step(SERVER, 5, rotate_without_daemon);
}
END_TEST

/* --- invite --replace and adopt --------------------------------------------------------------- */

static void url_of(struct scene *s, char ret[COMMAND_TEXT])
{
	const char *at = strstr(s->run.out, "mlsh://");

	HOLDS(s, s->run.code == EXIT_OK && at);
	snprintf(ret, COMMAND_TEXT, "%s", at);
	ret[strcspn(ret, "\n")] = '\0';
}

/* laptop is installed again: phone stands for it, a machine with no files. */
static bool replaced(enum victim victim, unsigned steps, bool inviting)
{
	char url[COMMAND_TEXT];
	struct scene s;
	struct mesh *m = kills_open_scene(&s, false);
	struct mesh_node *fresh = mesh_node(m, "phone");
	const struct member *x;
	bool killed = false;

	s.victim = victim;
	s.steps = steps;
	if (inviting)
		killed = kills_run_killed(&s, &invite_command, "",
					  "invite --no-qr --replace laptop");
	if (!inviting || !kills_acknowledged(&s))
		kills_run_again(&s, &invite_command, "", "invite --no-qr --replace laptop");
	url_of(&s, url);
	s.who = fresh;
	if (!inviting)
		killed = kills_run_killed(&s, &adopt_command, url, "adopt -");
	if (inviting || !kills_acknowledged(&s)) {
		kills_run_again(&s, &adopt_command, url, "adopt -");
		HOLDS(&s, s.run.code == EXIT_OK ||
				  (killed && strstr(s.run.complaint, "is in a cluster")));
	}
	mesh_connect(fresh);
	kills_settle(&s);
	HOLDS(&s, kills_count(kills_server_log(&s), ENTRY_ADMIT) == 2);
	x = roster_by_name(mlog_roster(kills_server_log(&s)), span_str("laptop"), ROSTER_CURRENT);
	HOLDS(&s, x && x->address == LAPTOP->address);
	HOLDS(&s, node_id_equal(&x->id, &tunnel_cluster(mesh_tunnel(fresh))->node_id));
	HOLDS(&s, tunnel_left(mesh_tunnel(LAPTOP)) && !kills_has_file(fresh, STORE_PENDING));
	kills_close_scene(&s);
	return killed;
}

static bool invite_killed(enum victim victim, unsigned steps)
{
	return replaced(victim, steps, true);
}

static bool adopt_killed(enum victim victim, unsigned steps)
{
	return replaced(victim, steps, false);
}

START_TEST(replacing_is_killed)
{
	kills_at_every_step(COMMAND, 2, invite_killed);
	kills_at_every_step(DAEMON, 2, invite_killed);
	kills_at_every_step(COMMAND, 6, adopt_killed);
	kills_at_every_step(SERVER, 5, adopt_killed);
}
END_TEST

UNIT_MAIN("command/kills_turn", move_is_killed, follow_is_killed, rotate_is_killed,
	  replacing_is_killed)
