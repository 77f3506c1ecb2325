/* SPDX-License-Identifier: AGPL-3.0-only */
/* The commands and options of mlsh-signal. */
#include "signal/usage.h"

#include <string.h>

#include "signal/token.h"

enum { VERSION };
enum { TTL };
enum { JSON, ALL, FORCE = ALL, CHECK = ALL, ACCEPT };

/* What the commands do, for the program's --help and for lists of commands. */
#define CLUSTERS_SUMMARY "the clusters of this server"
#define NODES_SUMMARY "the members of one"
#define LOG_SUMMARY "who did what and when: its membership log in words"
#define TOKEN_SUMMARY "another setup token, for a further cluster"
#define BACKUP_SUMMARY "the whole database as one file, while the server runs"
#define RESTORE_SUMMARY "put a backup in place, or verify it with --check"
#define ACCEPT_SUMMARY "go on after a restore, without an admin of the cluster"
#define TAKE_OVER_SUMMARY "give files that root has put back to the server's user"

const struct options usage_options = {
	.program = "mlsh-signal",
	.usage = "[COMMAND] [options]",
	.about = "The signaling server of mlsh: introduces the nodes of clusters to each other. "
		 "Its first start prints the setup token for the first cluster on standard output. "
		 "The commands work on the server's database, also while the server runs.",
	.row = { [VERSION] = { "version", 'V', NULL, "print the version" } },
	.more = "\n"
		"Commands (each has --help):\n"
		"  clusters          " CLUSTERS_SUMMARY "\n"
		"  nodes CLUSTER     " NODES_SUMMARY "\n"
		"  log CLUSTER       " LOG_SUMMARY "\n"
		"  token             " TOKEN_SUMMARY "\n"
		"  backup FILE       " BACKUP_SUMMARY "\n"
		"  restore FILE      " RESTORE_SUMMARY "\n"
		"  accept CLUSTER    " ACCEPT_SUMMARY "\n"
		"  take-over         " TAKE_OVER_SUMMARY "\n"
		"\n"
		"Configuration file: " CONFIG_PATH_DEFAULT "\n"
		"  db = \"" CONFIG_DB_DEFAULT "\"\n"
		"  overlay_subnet = \"" CONFIG_SUBNET_DEFAULT "\"      # of later clusters\n"
		"  cluster_secret = \"XXXX-XXXX-XXXX\"     # presets the first setup token's code\n"
		"  log = \"info\"                          # error, warn, info, debug, trace\n"
		"  [quic]\n"
		"  bind = \"" CONFIG_BIND_DEFAULT "\"\n"
		"  second_port = 4434                    # tells nodes what NATs do; 0: off\n"
		"  cert_path = \"...\"                     # PEM; self-signed if left out\n"
		"  key_path = \"...\"\n"
		"  [relay]\n"
		"  node_rate = 0                         # bytes a second of a node; 0 for any\n"
		"  cluster_rate = 0                      # of all of a cluster; 0 for any\n"
		"\n"
		"Environment (goes before the file):\n"
		"  MLSH_SIGNAL_CONFIG    the configuration file\n"
		"  MLSH_SIGNAL_DB        db\n"
		"  MLSH_CLUSTER_SECRET   cluster_secret\n"
		"  MLSH_OVERLAY_SUBNET   overlay_subnet\n"
		"  MLSH_LOG              log\n"
		"\n"
		"Exit status: 0 done (of the server: ended by SIGTERM or SIGINT), 1 failed,\n"
		"2 wrong usage or configuration.\n",
};

#define JSON_ROW [JSON] = { "json", 0, NULL, "print JSON (docs/json.md)" }
#define CLUSTER_USAGE "[CLUSTER] [--json]"
#define CLUSTER_ABOUT                                                                              \
	"CLUSTER is a name, or the beginning of an id, as `mlsh-signal clusters` "                 \
	"shows them; without it the only one of this server is meant.\n"                           \
	"Exit status: 0 done, 1 failed (no such cluster, no right to "                             \
	"read the database), 2 wrong usage or configuration."

static const struct options clusters_options = {
	.program = "mlsh-signal clusters",
	.usage = "[--json]",
	.about = "Lists the clusters of this server: members, how many of them are online, the "
		 "length of the membership log and its last change, the range of addresses. "
		 "Works while the server runs; without a running server it cannot tell who is "
		 "online.\n"
		 "Exit status: 0 done, 1 failed (a log cannot be read, no right to read the "
		 "database), 2 wrong usage or configuration.",
	.row = { JSON_ROW },
};

static const struct options nodes_options = {
	.program = "mlsh-signal nodes",
	.usage = "[CLUSTER] [--all] [--json]",
	.about = "Lists the members of a cluster: address, role, since when, who invited them, "
		 "and whether they have a session with this server now. " CLUSTER_ABOUT,
	.max_args = 1,
	.row = { JSON_ROW, [ALL] = { "all", 0, NULL, "former members, too" } },
};

static const struct options log_options = {
	.program = "mlsh-signal log",
	.usage = CLUSTER_USAGE,
	.about = "Prints the audit trail of a cluster: its membership log in words, oldest first, "
		 "with times in UTC. Every signature in it is verified before. " CLUSTER_ABOUT,
	.max_args = 1,
	.row = { JSON_ROW },
};

static const struct options token_options = {
	.program = "mlsh-signal token",
	.usage = "[--ttl TIME]",
	.about = "Prints a further one-time setup token, for `mlsh setup`. Works while the server "
		 "runs; reads the same configuration. Each call makes another token, and those "
		 "before stay good: at most 1024 may be unused. The database keeps a salted hash "
		 "of the token and not the token, so that it cannot be shown again.\n"
		 "Exit status: 0 done, 1 failed, 2 wrong usage or configuration.",
	.row = { [TTL] = { "ttl", 0, "TIME",
			   "how long it is good for, such as 30m, 12h or 7d (default: until "
			   "it is used)" } },
};

static const struct options backup_options = {
	.program = "mlsh-signal backup",
	.usage = "FILE [--force] [--json]",
	.about = "Writes the whole database as one file, as it is in one moment, while the server "
		 "runs: the server's keys, clusters and logs, addresses given out. The file is "
		 "whole or not there at all, has the mode 0600 and is synced to the disk. It is as "
		 "secret as the server: its reader can pose as this server. FILE - stands for "
		 "standard output, for a program that encrypts. `mlsh-signal restore --check FILE` "
		 "verifies it.\n"
		 "An own certificate and key (quic.cert_path, quic.key_path) are not in it: keep "
		 "copies of those two files, too.\n"
		 "Exit status: 0 done, 1 failed (FILE is there already, the database is damaged), "
		 "2 wrong usage or configuration.",
	.missing = "which file?",
	.min_args = 1,
	.max_args = 1,
	.row = { JSON_ROW, [FORCE] = { "force", 0, NULL, "replace FILE if it is there" } },
};

static const struct options restore_options = {
	.program = "mlsh-signal restore",
	.usage = "FILE [--check] [--accept] [--json]",
	.about =
		"Puts a backup in the place of the database of a server that does not run, and "
		"keeps the database that was there beside it. It verifies the backup first: every "
		"page, the version, the keys, and every signature of every cluster's log. FILE - "
		"stands for standard input. Killed at any moment it leaves the old database or the "
		"new one in place, whole.\n"
		"When the server starts again it takes what its nodes have and it lacks. Nobody "
		"can join a cluster until an admin of it has connected, since the backup may lack "
		"what came after it.\n"
		"Exit status: 0 done, 1 failed (the backup is damaged, a server runs), 2 wrong "
		"usage or configuration.",
	.missing = "which file?",
	.min_args = 1,
	.max_args = 1,
	.row = { JSON_ROW,
		 [CHECK] = { "check", 0, NULL, "verify only, without a server and its rights" },
		 [ACCEPT] = { "accept", 0, NULL,
			      "go on without waiting for admins: only if nothing came after the "
			      "backup, or no admin is left" } },
};

static const struct options accept_options = {
	.program = "mlsh-signal accept",
	.usage = "[CLUSTER]",
	.about = "Lets a cluster go on that waits for an admin since the server was restored "
		 "from a backup (`mlsh-signal clusters` says so). Say it only if no admin can "
		 "connect first: what came after the backup is lost then, and nodes that still "
		 "hold it see a fork. A running server goes by it at once. A cluster that does not "
		 "wait stays as it is, with exit status 0. " CLUSTER_ABOUT,
	.max_args = 1,
	.row = { { NULL } },
};

static const struct options take_over_options = {
	.program = "mlsh-signal take-over",
	.usage = "",
	.about = "Gives the database, the files beside it that belong to it, and their folder to "
		 "the user mlsh-signal. Root may have put a copy there, which that user could not "
		 "open. systemd runs this as root before each start of the server, which itself "
		 "is never root there; a server that is started as root does it by itself.\n"
		 "Exit status: 0 done, 1 failed (the caller is not root, a file has several "
		 "names), 2 wrong usage or configuration.",
	.row = { { NULL } },
};

const struct usage_command usage_commands[USAGE_COMMANDS] = {
	{ "clusters", CLUSTERS_SUMMARY, COMMAND_CLUSTERS, &clusters_options },
	{ "nodes", NODES_SUMMARY, COMMAND_NODES, &nodes_options },
	{ "log", LOG_SUMMARY, COMMAND_LOG, &log_options },
	{ "token", TOKEN_SUMMARY, COMMAND_TOKEN, &token_options },
	{ "backup", BACKUP_SUMMARY, COMMAND_BACKUP, &backup_options },
	{ "restore", RESTORE_SUMMARY, COMMAND_RESTORE, &restore_options },
	{ "accept", ACCEPT_SUMMARY, COMMAND_ACCEPT, &accept_options },
	{ "take-over", TAKE_OVER_SUMMARY, COMMAND_TAKE_OVER, &take_over_options },
};

/* Adds to a complaint where to find help. */
static int wrong(const struct options *o, const struct err *why, struct err *err)
{
	char text[sizeof(why->text)];

	snprintf(text, sizeof(text), "%s", why->text);
	return err_set(err, -EINVAL, "%.400s (see `%s --help`)", text, o->program);
}

static int unknown_command(const char *name, struct err *err)
{
	const char *meant = options_near(name, usage_commands, USAGE_COMMANDS,
					 sizeof(usage_commands[0]));

	(void)err_set(err, -EINVAL, "unknown command '%.60s'%s%s%s", name,
		      meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	return wrong(&usage_options, err, err);
}

static int parse_command(size_t i, int argc, char **argv, struct usage *ret, struct err *err)
{
	const struct options *o = usage_commands[i].options;
	struct options_given g;

	if (options_parse(o, argc, argv, &g, err) < 0)
		return wrong(o, err, err);
	if (g.help) {
		*ret = (struct usage){ .command = COMMAND_HELP, .help = o };
		return 0;
	}
	ret->command = usage_commands[i].command;
	ret->arg = g.n_args ? g.arg[0] : NULL;
	ret->json = ret->command != COMMAND_TOKEN && ret->command != COMMAND_ACCEPT &&
		    ret->command != COMMAND_TAKE_OVER && g.value[JSON];
	ret->check = ret->command == COMMAND_RESTORE && g.value[CHECK];
	ret->accept = ret->command == COMMAND_RESTORE && g.value[ACCEPT];
	ret->force = ret->command == COMMAND_BACKUP && g.value[FORCE];
	if (ret->check && ret->accept)
		return wrong(o,
			     &(struct err){ .text = "--check changes nothing: --accept is for "
						    "a restore" },
			     err);
	ret->all = ret->command == COMMAND_NODES && g.value[ALL];
	if (ret->command == COMMAND_TOKEN && g.value[TTL] &&
	    token_ttl_parse(g.value[TTL], &ret->ttl_s, err) < 0)
		return wrong(o, err, err);
	return 0;
}

int usage_parse(int argc, char **argv, struct usage *ret, struct err *err)
{
	struct options_given g;

	*ret = (struct usage){ .command = COMMAND_SERVE };
	/* "__complete KIND WORD", which is in no help: for shells */
	if (argc == 4 && strcmp(argv[1], "__complete") == 0) {
		*ret = (struct usage){ .command = COMMAND_COMPLETE, .arg = argv[2] };
		return 0;
	}
	for (size_t i = 0; argc > 1 && i < USAGE_COMMANDS; i++)
		if (strcmp(argv[1], usage_commands[i].name) == 0)
			return parse_command(i, argc - 1, argv + 1, ret, err);
	if (argc > 1 && argv[1][0] != '-')
		return unknown_command(argv[1], err);
	if (options_parse(&usage_options, argc, argv, &g, err) < 0)
		return wrong(&usage_options, err, err);
	if (g.help)
		*ret = (struct usage){ .command = COMMAND_HELP, .help = &usage_options };
	else if (g.value[VERSION])
		ret->command = COMMAND_VERSION;
	return 0;
}
