/* SPDX-License-Identifier: AGPL-3.0-only */
/* What can be said to mlsh-signal. */
#include "signal/usage.h"

#include <string.h>

#include "signal/token.h"

enum { VERSION };
enum { TTL };

const struct options usage_options = {
	.program = "mlsh-signal",
	.usage = "[token] [options]",
	.about = "The signaling server of mlsh: introduces the nodes of clusters to each other. "
		 "Its first start prints the setup token for the first cluster on standard output; "
		 "`mlsh-signal token` makes one for a further cluster.",
	.row = { [VERSION] = { "version", 'V', NULL, "print the version" } },
	.more = "\n"
		"Configuration file: " CONFIG_PATH_DEFAULT "\n"
		"  db = \"" CONFIG_DB_DEFAULT "\"\n"
		"  overlay_subnet = \"" CONFIG_SUBNET_DEFAULT "\"      # of later clusters\n"
		"  cluster_secret = \"XXXX-XXXX-XXXX\"     # presets the first setup token's code\n"
		"  log = \"info\"                          # error, warn, info, debug\n"
		"  [quic]\n"
		"  bind = \"" CONFIG_BIND_DEFAULT "\"\n"
		"  second_port = 4434                    # tells nodes what NATs do; 0: off\n"
		"  cert_path = \"...\"                     # PEM; self-signed if left out\n"
		"  key_path = \"...\"\n"
		"  [relay]\n"
		"  node_rate = 0                         # bytes a second of a node; 0: no limit\n"
		"  cluster_rate = 0                      # of all of a cluster; 0: no limit\n"
		"\n"
		"Environment (goes before the file):\n"
		"  MLSH_SIGNAL_CONFIG    the configuration file\n"
		"  MLSH_SIGNAL_DB        db\n"
		"  MLSH_CLUSTER_SECRET   cluster_secret\n"
		"  MLSH_OVERLAY_SUBNET   overlay_subnet\n"
		"  MLSH_LOG              log\n"
		"\n"
		"Exit status: 0 ended by SIGTERM or SIGINT, 1 failed, 2 wrong usage\n"
		"or configuration.\n",
};

const struct options usage_token_options = {
	.program = "mlsh-signal token",
	.usage = "[--ttl SECONDS]",
	.about = "Prints a further one-time setup token, for `mlsh setup`. Works while the server "
		 "runs; reads the same configuration.",
	.row = { [TTL] = { "ttl", 0, "SECONDS",
			   "how long it is good for (default: until it is used)" } },
};

/* Adds to a complaint where help is. */
static int wrong(const struct options *o, const struct err *why, struct err *err)
{
	char text[sizeof(why->text)];

	snprintf(text, sizeof(text), "%s", why->text);
	return err_set(err, -EINVAL, "%.400s (see `%s --help`)", text, o->program);
}

static int parse_token(int argc, char **argv, struct usage *ret, struct err *err)
{
	struct options_given g;

	ret->command = COMMAND_TOKEN;
	if (options_parse(&usage_token_options, argc, argv, &g, err) < 0)
		return wrong(&usage_token_options, err, err);
	if (g.help)
		ret->command = COMMAND_TOKEN_HELP;
	else if (g.value[TTL])
		return token_ttl_parse(g.value[TTL], &ret->ttl_s, err) < 0
			       ? wrong(&usage_token_options, err, err)
			       : 0;
	return 0;
}

static int unknown_command(const char *name, struct err *err)
{
	static const char *const names[] = { "token" };
	const char *meant = options_near(name, names, ARRAY_LEN(names), sizeof(names[0]));

	(void)err_set(err, -EINVAL, "unknown command '%.60s'%s%s%s", name,
		      meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	return wrong(&usage_options, err, err);
}

int usage_parse(int argc, char **argv, struct usage *ret, struct err *err)
{
	struct options_given g;

	*ret = (struct usage){ .command = COMMAND_SERVE };
	if (argc > 1 && strcmp(argv[1], "token") == 0)
		return parse_token(argc - 1, argv + 1, ret, err);
	if (argc > 1 && argv[1][0] != '-')
		return unknown_command(argv[1], err);
	if (options_parse(&usage_options, argc, argv, &g, err) < 0)
		return wrong(&usage_options, err, err);
	if (g.help)
		ret->command = COMMAND_HELP;
	else if (g.value[VERSION])
		ret->command = COMMAND_VERSION;
	return 0;
}
