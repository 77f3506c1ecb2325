/* SPDX-License-Identifier: MIT */
/*
 * What setup, renew and recover say of a code that they have printed: whatever goes wrong then, the
 * person must know which paper is worth something.
 */
#include "client/renewal.h"
#include "command_kit.h"
#include "move_kit.h"

#define VOID_CODE "is worth nothing: throw it away"

/* A person at a terminal. */
static struct {
	bool is_there;
	bool refuses;
	void (*before)(void); /* what happens before the answer; may be NULL */
} person;
static struct mesh *mesh; /* for `before` */
static unsigned confirmed;

bool __wrap_cli_can_ask(void);
int __real_cli_confirm(const char *command, bool yes, const char *question);
int __wrap_cli_confirm(const char *command, bool yes, const char *question);

bool __wrap_cli_can_ask(void)
{
	return person.is_there;
}

int __wrap_cli_confirm(const char *command, bool yes, const char *question)
{
	if (yes || !person.is_there)
		return __real_cli_confirm(command, yes, question);
	confirmed++;
	if (person.before)
		person.before();
	return person.refuses ? EXIT_FAILED : EXIT_OK;
}

static struct command_run run(struct mesh_node *n, const struct command *c, const char *typed,
			      const char *line)
{
	struct command_run r;

	command_run(&r, n, c, UINT_MAX, typed, line);
	return r;
}

/* Returns what was printed as a code; "" if there is none. */
static void printed_code(const struct command_run *r, char ret[RECOVERY_CODE_TEXT_MAX])
{
	const char *at = strstr(r->out, "\n\n    ");

	snprintf(ret, RECOVERY_CODE_TEXT_MAX, "%s", at ? at + 6 : "");
	ret[strcspn(ret, "\n")] = '\0';
}

/* Its lines are joined: where they break is not the matter here. */
static void expect(struct command_run r, int code, const char *words)
{
	char all[2 * COMMAND_TEXT];

	snprintf(all, sizeof(all), "%s%s", r.out, r.complaint);
	for (char *at = all; (at = strchr(at, '\n'));)
		*at = ' ';
	ck_assert_msg(r.code == code && strstr(all, words), "not %d, \"%s\": %d\n%s%s", code, words,
		      r.code, r.out, r.complaint);
}

/* nas, the admin, and laptop, both connected. `code`: of the paper. */
static struct mesh *begin(char code[RECOVERY_CODE_TEXT_MAX])
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_join setup;

	mesh = m;
	person.is_there = person.refuses = false;
	person.before = NULL;
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

/* --- what a person does ----------------------------------------------------------------------- */

static void take_long(void)
{
	sim_pass(mesh->w, 11 * MINUTE);
}

static void server_clock_jumps(void)
{
	world_host_wall_skew(mesh->server_host, 3600);
}

/* The entry is made when the person has answered, not before it. */
START_TEST(a_person_may_take_long)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);
	struct command_run r;

	person.is_there = true;
	person.before = take_long;
	r = run(NAS, &renew_command, code, "renew");
	expect(r, EXIT_OK, "The new code is the recovery code");
	printed_code(&r, code);
	r = run(LAPTOP, &recover_command, code, "recover");
	expect(r, EXIT_OK, "is recovered");
	ck_assert_uint_eq(confirmed, 2);
	mesh_free(m);
}
END_TEST

/* A recovery that goes back behind a rotation says whose old key counts again. */
START_TEST(keys_of_before_are_named)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);

	expect(run(LAPTOP, &rotate_command, "", "rotate"), EXIT_OK, "key");
	sim_pass(m->w, 10 * SECOND);
	person.is_there = person.refuses = true;
	expect(run(NAS, &recover_command, code, "recover --at 1"), EXIT_FAILED,
	       "The old key counts again for: laptop.");
	mesh_free(m);
}
END_TEST

/* Whom this node denies already is an admin by the log: the one who agrees has to know. */
START_TEST(a_denied_admin_asks)
{
	char code[RECOVERY_CODE_TEXT_MAX], line[RENEWAL_TEXT_MAX + 64];
	struct mesh *m = begin(code);
	struct command_run r;
	char *at;

	expect(run(NAS, &promote_command, "", "promote laptop"), EXIT_OK, "laptop");
	person.is_there = true;
	r = run(NAS, &renew_command, "", "renew --ask laptop");
	at = strstr(r.out, "mlsh-renew:");
	ck_assert_ptr_nonnull(at);
	snprintf(line, sizeof(line), "renew --consent %.*s", (int)strcspn(at, " \n"), at);
	mesh_server_crash(m);
	(void)run(LAPTOP, &remove_command, "", "remove nas");
	person.refuses = true;
	expect(run(LAPTOP, &renew_command, "", line), EXIT_FAILED,
	       "Take care: a removal of nas by laptop waits");
	mesh_free(m);
}
END_TEST

START_TEST(a_person_refuses)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);

	expect(run(NAS, &promote_command, "", "promote laptop"), EXIT_OK, "laptop");
	person.is_there = person.refuses = true;
	expect(run(NAS, &renew_command, code, "renew"), EXIT_FAILED, VOID_CODE);
	expect(run(NAS, &renew_command, "", "renew --ask laptop"), EXIT_FAILED, VOID_CODE);
	expect(run(LAPTOP, &recover_command, code, "recover"), EXIT_FAILED, VOID_CODE);
	ck_assert_uint_eq(confirmed, 3);
	mesh_free(m);
}
END_TEST

/* --- what a server does ----------------------------------------------------------------------- */

/* It refuses: but it has seen the entry, and could put it in order later, with a date of now. */
START_TEST(a_server_refuses)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);
	struct command_run r;

	person.is_there = true;
	person.before = server_clock_jumps;
	r = run(NAS, &renew_command, code, "renew");
	expect(r, EXIT_FAILED, "The old code stays in force");
	expect(r, EXIT_FAILED, "Keep the new one");
	mesh_free(m);
}
END_TEST

/* Two setups with one token: no later run of the second one makes its code worth something. */
START_TEST(setup_is_refused)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_join first;
	struct command_run r;
	char line[200];

	mesh_nodes(m, 2);
	snprintf(line, sizeof(line), "setup lab --signal-host signal.example --token %s", m->token);
	mesh_setup_start(NAS, m->token, &first);
	r = run(LAPTOP, &setup_command, "", line);
	expect(r, EXIT_FAILED, "Recovery code");
	expect(r, EXIT_FAILED, "was used already");
	expect(r, EXIT_FAILED, VOID_CODE);
	ck_assert_int_eq(mesh_join_finish(&first), 0);
	mesh_free(m);
}
END_TEST

/* --- once more -------------------------------------------------------------------------------- */

/* The paper that was used up does no more than it did. */
START_TEST(a_used_code_does_nothing_new)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);

	expect(run(LAPTOP, &recover_command, code, "recover --yes --remove nas"), EXIT_OK,
	       "is recovered");
	expect(run(LAPTOP, &recover_command, code, "recover --yes --remove nas"), EXIT_OK,
	       "done with this code before");
	expect(run(LAPTOP, &recover_command, code, "recover --yes --remove nsa"), EXIT_FAILED,
	       "nsa");
	mesh_free(m);
}
END_TEST

/* Whoever was an admin is to be none: that is decided, and not pending. */
START_TEST(a_former_admin_is_a_plain_node)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);

	expect(run(LAPTOP, &recover_command, code, "recover --yes"), EXIT_OK, "is recovered");
	sim_pass(m->w, SECOND);
	for (bool daemon = true;; daemon = false) {
		struct command_run r = run(LAPTOP, &nodes_command, "", "nodes");

		ck_assert_int_eq(r.code, EXIT_OK);
		ck_assert_msg(strstr(r.out, "node ") && !strstr(r.out, "to be admin"), "%s", r.out);
		ck_assert((strstr(r.complaint, "copy of the membership log") != NULL) != daemon);
		if (!daemon)
			break;
		mesh_daemon_stop(LAPTOP);
	}
	mesh_free(m);
}
END_TEST

static void request_of(const struct command_run *r, char ret[COMMAND_TEXT])
{
	const char *at = strstr(r->out, "mlsh-renew:");

	ck_assert_msg(at != NULL, "%s%s", r->out, r->complaint);
	snprintf(ret, COMMAND_TEXT, "%s", at);
	ret[strcspn(ret, "\n")] = '\0';
}

/* The consent that is typed again, when another code is in force already. */
START_TEST(an_old_consent_is_no_success)
{
	char code[RECOVERY_CODE_TEXT_MAX], request[COMMAND_TEXT], line[COMMAND_TEXT + 40];
	struct mesh *m = begin(code);
	struct command_run r;

	expect(run(NAS, &promote_command, "", "promote laptop"), EXIT_OK, "laptop");
	r = run(NAS, &renew_command, "", "renew --yes --ask laptop");
	request_of(&r, request);
	printed_code(&r, code);
	snprintf(line, sizeof(line), "renew --yes --consent %s", request);
	expect(run(LAPTOP, &renew_command, "", line), EXIT_OK, "is the recovery code");
	expect(run(LAPTOP, &renew_command, "", line), EXIT_OK, "already");
	expect(run(NAS, &renew_command, code, "renew --yes"), EXIT_OK, "The new code");
	expect(run(LAPTOP, &renew_command, "", line), EXIT_FAILED, "another code");
	mesh_free(m);
}
END_TEST

/* --- two recoveries --------------------------------------------------------------------------- */

static bool nas_follows(void *ctx)
{
	struct mesh *m = ctx;

	return mlog_generation(tunnel_log(mesh_tunnel(NAS))) > 0;
}

/*
 * The machine that recovered second was without its daemon, and that has met a node of the other
 * side before it heard of the own recovery: only the two logs on this machine show both.
 */
START_TEST(a_second_recovery_is_told_where_only_files_show_it)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	struct mesh *m = begin(code);
	struct command_run r;

	mesh_reach(m, 10 * SECOND);
	mesh_daemon_stop(NAS);
	mesh_server_stop(m);
	mesh_server_save(m, "before");
	mesh_server_start(m);
	expect(run(LAPTOP, &recover_command, code, "recover --yes"), EXIT_OK, "is recovered");
	r = run(LAPTOP, &log_command, "", "log");
	ck_assert_ptr_null(strstr(r.complaint, "FORK"));
	mesh_daemon_stop(LAPTOP);
	mesh_server_stop(m);
	mesh_server_restore(m, "before");
	mesh_server_start(m);
	expect(run(NAS, &recover_command, code, "recover --yes"), EXIT_OK, "is recovered");
	mesh_server_stop(m);
	mesh_daemon_start(LAPTOP);
	mesh_daemon_start(NAS);
	mesh_until(m, MINUTE, nas_follows, m);
	expect(run(NAS, &log_command, "", "log"), EXIT_OK, "the code was used twice");
	expect(run(NAS, &log_command, "", "log"), EXIT_OK, "Somebody else has had the code");
	mesh_free(m);
}
END_TEST

UNIT_MAIN("command/codes", a_person_may_take_long, keys_of_before_are_named, a_denied_admin_asks,
	  a_person_refuses, a_server_refuses, setup_is_refused, a_used_code_does_nothing_new,
	  a_former_admin_is_a_plain_node, an_old_consent_is_no_success,
	  a_second_recovery_is_told_where_only_files_show_it)
