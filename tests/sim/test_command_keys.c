/* SPDX-License-Identifier: MIT */
/*
 * A recovery goes back behind this node's own rotations: `mlsh recover` on the node itself, and
 * `mlsh move --follow` on one that was off. Each earlier key may be the one that is in force.
 */
#include "command_kit.h"
#include "identity/identity.h"
#include "move_kit.h"

static bool watches;		      /* requests for sessions */
static unsigned n_sessions, n_tokens; /* asked for, and shown */

ptrdiff_t __real_signal_request_encode(const struct signal_request *m, void *buf, size_t cap);
ptrdiff_t __wrap_signal_request_encode(const struct signal_request *m, void *buf, size_t cap);

ptrdiff_t __wrap_signal_request_encode(const struct signal_request *m, void *buf, size_t cap)
{
	static const uint8_t none[HASH_LEN];

	if (watches && m->type == SIGNAL_SESSION) {
		n_sessions++;
		n_tokens += memcmp(m->node_token, none, HASH_LEN) != 0;
	}
	return __real_signal_request_encode(m, buf, cap);
}

static void run(struct mesh_node *n, const struct command *c, const char *typed, const char *line)
{
	struct command_run r;

	command_run(&r, n, c, UINT_MAX, typed, line);
	ck_assert_msg(r.code == EXIT_OK, "%s\n%s%s", line, r.out, r.complaint);
}

/* nas, the admin, and laptop, both connected. `code`: of the paper. */
static struct mesh *begin(char code[RECOVERY_CODE_TEXT_MAX])
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_join setup;

	mesh_nodes(m, 2);
	mesh_setup_start(NAS, m->token, &setup);
	ck_assert_int_eq(mesh_join_finish(&setup), 0);
	strcpy(code, setup.recovery_code);
	mesh_connect(NAS);
	mesh_adopt(LAPTOP, mesh_invite(NAS, 3600));
	mesh_connect(LAPTOP);
	mesh_all_connected(m, 10 * SECOND);
	return m;
}

static void rotate_times(struct mesh *m, struct mesh_node *n, unsigned times)
{
	while (times-- > 0) {
		run(n, &rotate_command, "", "rotate");
		mesh_all_connected(m, 10 * SECOND);
	}
}

/* Both have a session, a tunnel, and the log of the server, in which `key` is laptop's. */
static void expect_key(struct mesh *m, const struct identity *key)
{
	const struct member *x;

	mesh_all_connected(m, MINUTE);
	mesh_reach(m, 30 * SECOND);
	for (size_t i = 0; i < 2; i++) {
		x = roster_by_address(mlog_roster(mesh_log_of(&m->node[i])), LAPTOP->address,
				      ROSTER_CURRENT);
		MESH_CHECK(m, memcmp(x->key_sha256, identity_key_sha256(key), HASH_LEN) == 0);
	}
	MESH_CHECK(m, tunnel_has_key(mesh_tunnel(LAPTOP), key));
}

static bool is_refused(void *ctx)
{
	struct mesh *m = ctx;
	struct session_status s;

	session_status_get(tunnel_session(mesh_tunnel(LAPTOP)), &s);
	return s.last_err.reason == REFUSAL_BAD_TOKEN;
}

/* The node was off. The server knows no key that it uses, and peers neither. */
static void comes_back(unsigned rotations, bool connects)
{
	char code[RECOVERY_CODE_TEXT_MAX], cert[2 * HASH_LEN + 1], line[400];
	struct mesh *m = begin(code);
	struct identity *first = mesh_identity_of(LAPTOP);
	struct cluster_file f;

	rotate_times(m, LAPTOP, rotations);
	mesh_daemon_stop(LAPTOP);
	run(NAS, &recover_command, code, "recover --yes --at 1");
	mesh_daemon_start(LAPTOP);
	mesh_until(m, MINUTE, is_refused, m);
	f = mesh_cluster_file(LAPTOP);
	hex_encode(f.signal_cert, HASH_LEN, cert);
	snprintf(line, sizeof(line), "move --follow %s:%u@%s", f.signal_host,
		 (unsigned)f.signal_port, cert);
	if (connects)
		run(LAPTOP, &connect_command, "", "connect " MESH_CLUSTER);
	else
		run(LAPTOP, &move_command, "", line);
	expect_key(m, first);
	/* the earlier one is the newest of those that are kept now */
	run(LAPTOP, &move_command, "", line);
	rotate_times(m, LAPTOP, 1);
	mesh_reach(m, 30 * SECOND);
	identity_free(first);
	mesh_free(m);
}

START_TEST(a_node_that_was_off_follows)
{
	comes_back(1, false);
	comes_back(2, false);
}
END_TEST

/* The person need not know the server's fingerprint. */
START_TEST(a_node_that_was_off_connects)
{
	comes_back(1, true);
	comes_back(2, true);
}
END_TEST

/* The server knows the earlier key as soon as it has ordered the recovery. */
static void recovers(bool daemon)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);
	struct identity *first = mesh_identity_of(LAPTOP);

	rotate_times(m, LAPTOP, 2);
	if (!daemon)
		mesh_daemon_stop(LAPTOP);
	run(LAPTOP, &recover_command, code, "recover --yes --at 1");
	if (!daemon)
		mesh_connect(LAPTOP);
	expect_key(m, first);
	identity_free(first);
	mesh_free(m);
}

START_TEST(a_node_recovers_behind_its_own_rotation)
{
	recovers(false);
	recovers(true);
}
END_TEST

/* Another server knows the cluster from before the rotation. The token is not for it. */
/* [P3-43] */
START_TEST(another_server_is_not_shown_the_token)
{
	char code[RECOVERY_CODE_TEXT_MAX], cert[2 * HASH_LEN + 1], line[160];
	struct mesh *m = begin(code);
	struct second s;
	struct command_run r;

	second_start(&s, m);
	move_import_log(NAS, &s);
	rotate_times(m, LAPTOP, 1);
	mesh_daemon_stop(LAPTOP);
	sim_pass(m->w, 10 * SECOND);
	hex_encode(s.cert, HASH_LEN, cert);
	snprintf(line, sizeof(line), "move --follow " NEW_NAME "@%s", cert);
	watches = true;
	command_run(&r, LAPTOP, &move_command, UINT_MAX, "", line);
	watches = false;
	ck_assert_msg(r.code != EXIT_OK, "%s", r.out);
	ck_assert_uint_eq(n_sessions, 2); /* with the key in use, and with the one before */
	ck_assert_uint_eq(n_tokens, 0);
	move_end(m, &s);
}
END_TEST

UNIT_MAIN("command/keys", a_node_that_was_off_follows, a_node_that_was_off_connects,
	  a_node_recovers_behind_its_own_rotation, another_server_is_not_shown_the_token)
