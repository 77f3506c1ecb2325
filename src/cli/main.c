/* SPDX-License-Identifier: MIT */
/* mlsh: the first argument selects the command. */
#include <stdio.h>
#include <stdlib.h>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/whose.h"
#include "crypto/init.h"
#include "os/paths.h"

static void print_help(FILE *f)
{
	fputs("mlsh connects your machines into one encrypted network.\n\n"
	      "Usage: mlsh <command> [options]\n\n",
	      f);
	for (size_t g = 0; g < COMMAND_GROUPS; g++) {
		const struct command *const *c = command_groups[g].command;

		fprintf(f, "%s:\n", command_groups[g].title);
		for (; *c; c++)
			fprintf(f, "  %-12s %s\n", (*c)->name, (*c)->summary);
		fputc('\n', f);
	}
	fputs("`mlsh <command> --help` tells more of each, `man mlsh` how they go together;\n"
	      "`mlsh --version` prints the version.\n"
	      "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not connected yet\n"
	      "(still trying), 4 mlshtund is not running, 5 signal server not reachable.\n",
	      f);
}

/* What each command begins with; on failure nothing is left. */
static int cli_open(struct cli *c, struct err *err)
{
	int rc = crypto_init(err);

	*c = (struct cli){ .socket_path = cli_env("MLSH_SOCKET", CONTROL_SOCKET) };
	if (rc == 0)
		rc = host_new(err, &c->host);
	if (rc == 0)
		rc = whose_store(c, err);
	if (rc < 0) {
		host_free(c->host);
		return rc;
	}
	host_log(c->host)->level = LOG_LEVEL_WARN;
	return 0;
}

static int run_command(const struct command *cmd, const struct options_given *g)
{
	struct err err = { 0 };
	struct cli c;
	int rc;

	if (cli_open(&c, &err) < 0)
		return cli_fail(&err);
	c.command = cmd;
	rc = cmd->run(&c, g);
	progress_clear();
	host_free(c.host);
	return rc;
}

/* What other programs call it. */
static const char *other_name(const char *name)
{
	static const char *const words[][2] = {
		{ "up", "connect" },	    { "start", "connect" }, { "down", "disconnect" },
		{ "stop", "disconnect" },   { "join", "adopt" },    { "login", "adopt" },
		{ "create", "setup" },	    { "init", "setup" },    { "add", "invite" },
		{ "list", "nodes" },	    { "ls", "nodes" },	    { "peers", "nodes" },
		{ "kick", "remove" },	    { "delete", "remove" }, { "rm", "remove" },
		{ "version", "--version" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(name, words[i][0]) == 0)
			return words[i][1];
	return NULL;
}

static int unknown_command(const char *name)
{
	static const char *const options[] = { "--help", "--version" };
	const char *names[COMMANDS_MAX], *meant = other_name(name);
	char hint[48] = "";

	if (!meant)
		meant = options_near(name, names, command_names(names), sizeof(names[0]));
	if (!meant)
		meant = options_near(name, options, ARRAY_LEN(options), sizeof(options[0]));
	for (size_t i = 0; !meant && strlen(name) > 3 && i < ARRAY_LEN(options); i++)
		if (strncmp(options[i], name, strlen(name)) == 0)
			meant = options[i];
	if (meant)
		snprintf(hint, sizeof(hint), ": did you mean '%s'?", meant);
	cli_complain("unknown %s '%.40s'%s", *name == '-' ? "option" : "command", name, hint);
	fputs("`mlsh --help` lists the commands\n", stderr);
	return EXIT_USAGE;
}

static int run_named(int argc, char **argv)
{
	const struct command *cmd = command_named(argv[0]);
	struct options_given g;
	struct err err;

	if (!cmd)
		return unknown_command(argv[0]);
	if (options_parse(&cmd->options, argc, argv, &g, &err) < 0)
		return cli_usage(cmd->name, "%s", err.text);
	if (!g.help)
		return run_command(cmd, &g);
	options_help(&cmd->options, stdout);
	return EXIT_OK;
}

/* `mlsh __complete <kind> <word>`, for shells */
static int complete(const char *kind, const char *word)
{
	struct cli c;

	if (cli_open(&c, NULL) < 0)
		return EXIT_FAILED;
	complete_print(&c, kind, word);
	host_free(c.host);
	return EXIT_OK;
}

/* `mlsh help <command>` */
static int help_on(const char *name)
{
	const struct command *cmd = command_named(name);

	if (!cmd)
		return unknown_command(name);
	options_help(&cmd->options, stdout);
	return EXIT_OK;
}

static int run_program(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc > 2)
		return help_on(argv[2]);
	if (strcmp(argv[1], "__complete") == 0 && argc == 4)
		return complete(argv[2], argv[3]);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("mlsh %s\n", version_text());
		return EXIT_OK;
	}
	return run_named(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	return cli_main(run_program, argc, argv);
}
