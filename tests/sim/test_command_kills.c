/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at steps (kills_kit.h) of remove, renew, the consent to one, and recover: at each one of
 * the command, and at every second one of the others (another seed has those between; the
 * sanitizers every seventh or fourteenth).
 * What was acknowledged is not lost, nothing is half done, and the same command again goes on.
 */
#include "kills_kit.h"

/* --- remove ----------------------------------------------------------------------------------- */

static bool remove_killed(enum victim victim, unsigned steps, bool daemon)
{
	static const char line[] = "remove laptop --yes";
	struct scene s;
	struct mesh *m = kills_open_scene(&s, false);
	bool killed;

	s.victim = victim;
	s.steps = steps;
	kills_run_again(&s, &log_command, "", "log"); /* makes the user's copy of the log new */
	if (!daemon)
		mesh_daemon_stop(NAS);
	killed = kills_run_killed(&s, &remove_command, "", line);
	if (!kills_acknowledged(&s)) {
		kills_run_again(&s, &remove_command, "", line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	if (!daemon)
		mesh_connect(NAS);
	kills_settle(&s);
	HOLDS(&s, !kills_is_member(&s, "laptop") &&
			  kills_count(kills_server_log(&s), ENTRY_REMOVE) == 1);
	HOLDS(&s, tunnel_left(mesh_tunnel(LAPTOP)));
	kills_run_again(&s, &remove_command, "", line);
	HOLDS(&s, s.run.code == EXIT_OK && strstr(s.run.out, "Nothing to do"));
	kills_close_scene(&s);
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
	kills_at_every_step(COMMAND, 2, remove_with_daemon);
	kills_at_every_step(DAEMON, 5, remove_with_daemon);
	kills_at_every_step(SERVER, 3, remove_with_daemon);
	kills_at_every_step(COMMAND, 6, remove_without_daemon);
	kills_at_every_step(SERVER, 5, remove_without_daemon);
}
END_TEST

/* --- renew ------------------------------------------------------------------------------------ */

/* A code that somebody has on paper is in force, and the command says which. */
static bool renew_killed(enum victim victim, unsigned steps, bool daemon)
{
	static const char line[] = "renew --yes";
	struct scene s;
	struct mesh *m = kills_open_scene(&s, false);
	const char *code = s.first_code;
	bool killed;

	s.victim = victim;
	s.steps = steps;
	if (!daemon)
		mesh_daemon_stop(NAS);
	killed = kills_run_killed(&s, &renew_command, s.first_code, line);
	if (!kills_acknowledged(&s))
		kills_run_again(&s, &renew_command, s.first_code, line);
	if (!daemon)
		mesh_connect(NAS);
	kills_settle(&s);
	for (size_t i = 0; i < s.n_printed; i++)
		if (kills_code_in_force(&s, s.printed[i]))
			code = s.printed[i];
	HOLDS(&s,
	      kills_code_in_force(&s, code) && kills_count(kills_server_log(&s), ENTRY_RENEW) == 1);
	/* The last run says whether the code that it printed is worth something. */
	if (kills_acknowledged(&s))
		HOLDS(&s, code == s.printed[s.n_printed - 1]);
	else
		HOLDS(&s, strstr(s.run.complaint, "for record 2") &&
				  (code == s.printed[s.n_printed - 1] ||
				   strstr(s.run.complaint, "throw it away")));
	kills_run_again(&s, &renew_command, code, line);
	HOLDS(&s, s.run.code == EXIT_OK);
	kills_close_scene(&s);
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
	kills_at_every_step(COMMAND, 2, renew_with_daemon);
	kills_at_every_step(DAEMON, 5, renew_with_daemon);
	kills_at_every_step(SERVER, 3, renew_with_daemon);
	kills_at_every_step(COMMAND, 6, renew_without_daemon);
	kills_at_every_step(SERVER, 5, renew_without_daemon);
}
END_TEST

/* --- renew --consent -------------------------------------------------------------------------- */

/* nas asks laptop, an admin, too: the line that laptop's user types. */
static void ask_laptop(struct scene *s, char ret[COMMAND_TEXT])
{
	char text[COMMAND_TEXT];
	const char *at;

	kills_run_again(s, &promote_command, "", "promote laptop");
	HOLDS(s, s->run.code == EXIT_OK);
	kills_run_again(s, &renew_command, "", "renew --yes --ask laptop");
	at = strstr(s->run.out, "mlsh-renew:");
	HOLDS(s, s->run.code == EXIT_OK && at);
	snprintf(text, sizeof(text), "%s", at);
	text[strcspn(text, "\n")] = '\0';
	snprintf(ret, COMMAND_TEXT, "renew --yes --consent %.*s", COMMAND_TEXT - 40, text);
}

/* The code of the request is in force by one record, and the same command says so. */
static bool consent_killed(enum victim victim, unsigned steps, bool daemon)
{
	char line[COMMAND_TEXT];
	struct scene s;
	struct mesh *m = kills_open_scene(&s, false);
	bool killed;

	ask_laptop(&s, line);
	sim_pass(m->w, SECOND);
	s.victim = victim;
	s.steps = steps;
	s.who = LAPTOP;
	kills_run_again(&s, &log_command, "", "log"); /* makes the user's copy of the log new */
	if (!daemon)
		mesh_daemon_stop(LAPTOP);
	killed = kills_run_killed(&s, &renew_command, "", line);
	if (!kills_acknowledged(&s)) {
		kills_run_again(&s, &renew_command, "", line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	if (!daemon)
		mesh_connect(LAPTOP);
	kills_settle(&s);
	HOLDS(&s, s.n_printed == 1 && kills_code_in_force(&s, s.printed[0]));
	HOLDS(&s, kills_count(kills_server_log(&s), ENTRY_RENEW) == 1);
	kills_run_again(&s, &renew_command, "", line);
	HOLDS(&s, s.run.code == EXIT_OK && strstr(s.run.out, "already"));
	kills_close_scene(&s);
	return killed;
}

static bool consent_with_daemon(enum victim victim, unsigned steps)
{
	return consent_killed(victim, steps, true);
}

static bool consent_without_daemon(enum victim victim, unsigned steps)
{
	return consent_killed(victim, steps, false);
}

START_TEST(consent_is_killed)
{
	kills_at_every_step(COMMAND, 2, consent_with_daemon);
	kills_at_every_step(DAEMON, 5, consent_with_daemon);
	kills_at_every_step(SERVER, 3, consent_with_daemon);
	kills_at_every_step(COMMAND, 6, consent_without_daemon);
	kills_at_every_step(SERVER, 5, consent_without_daemon);
}
END_TEST

/* --- recover ---------------------------------------------------------------------------------- */

enum recovers { BESIDE_DAEMON, ALONE, TO_NEW_SERVER };

static bool is_admin(const struct scene *s, const char *name)
{
	const struct member *m = roster_by_name(mlog_roster(kills_server_log(s)), span_str(name),
						ROSTER_CURRENT);

	return m && m->role == ROLE_ADMIN;
}

static bool recover_killed(enum victim victim, unsigned steps, enum recovers how)
{
	struct scene s;
	struct mesh *m = kills_open_scene(&s, how == TO_NEW_SERVER);
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
	killed = kills_run_killed(&s, &recover_command, s.first_code, line);
	if (!kills_acknowledged(&s)) {
		kills_run_again(&s, &recover_command, s.first_code, line);
		HOLDS(&s, s.run.code == EXIT_OK);
	}
	if (strstr(s.run.out, "Next: mlsh connect"))
		mesh_connect(LAPTOP);
	kills_settle(&s);
	paper = s.printed[s.n_printed - 1];
	HOLDS(&s, kills_code_in_force(&s, paper) &&
			  kills_count(kills_server_log(&s), ENTRY_RECOVER) == 1);
	HOLDS(&s, is_admin(&s, "laptop") && !is_admin(&s, "nas"));
	HOLDS(&s, !kills_has_file(LAPTOP, STORE_RECOVERY));
	kills_run_again(&s, &recover_command, paper, "recover --yes");
	HOLDS(&s, s.run.code == EXIT_OK);
	kills_close_scene(&s);
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
	kills_at_every_step(COMMAND, 6, recover_beside_daemon);
	kills_at_every_step(DAEMON, 3, recover_beside_daemon);
	kills_at_every_step(SERVER, 5, recover_beside_daemon);
	kills_at_every_step(COMMAND, 6, recover_alone);
	kills_at_every_step(SERVER, 5, recover_alone);
}
END_TEST

START_TEST(recover_to_a_new_server_is_killed)
{
	kills_at_every_step(COMMAND, 10, recover_to_new_server);
	kills_at_every_step(DAEMON, 5, recover_to_new_server);
	kills_at_every_step(NEW_SERVER, 5, recover_to_new_server);
}
END_TEST

UNIT_MAIN("command/kills", remove_is_killed, renew_is_killed, consent_is_killed, recover_is_killed,
	  recover_to_a_new_server_is_killed)
