/* SPDX-License-Identifier: AGPL-3.0-only */
/* What can be said to mlsh-signal. */
#include "signal/usage.h"

#include <getopt.h>
#include <string.h>

#include "signal/token.h"

const char usage_help[] =
	"Usage: mlsh-signal [--help] [--version]\n"
	"       mlsh-signal token [--ttl SECONDS]\n"
	"\n"
	"The signaling server of mlsh: introduces the nodes of clusters to each other.\n"
	"Its first start prints the setup token for the first cluster on standard output;\n"
	"`mlsh-signal token` makes one for a further cluster.\n"
	"\n"
	"Configuration file: " CONFIG_PATH_DEFAULT "\n"
	"  db = \"" CONFIG_DB_DEFAULT "\"\n"
	"  overlay_subnet = \"" CONFIG_SUBNET_DEFAULT "\"   # of clusters made from now on\n"
	"  cluster_secret = \"XXXX-XXXX-XXXX\"     # presets the first setup token's code\n"
	"  log = \"info\"                          # error, warn, info, debug\n"
	"  [quic]\n"
	"  bind = \"" CONFIG_BIND_DEFAULT "\"\n"
	"  second_port = 4434                    # tells nodes what their NATs do; 0: none\n"
	"  cert_path = \"...\"                     # PEM; self-signed if left out\n"
	"  key_path = \"...\"\n"
	"  [relay]\n"
	"  node_rate = 12500000                  # bytes per second: of one node,\n"
	"  cluster_rate = 125000000              # of all nodes of a cluster together\n"
	"\n"
	"Environment (goes before the file):\n"
	"  MLSH_SIGNAL_CONFIG    the configuration file\n"
	"  MLSH_SIGNAL_DB        db\n"
	"  MLSH_CLUSTER_SECRET   cluster_secret\n"
	"  MLSH_OVERLAY_SUBNET   overlay_subnet\n"
	"  MLSH_LOG              log\n"
	"\n"
	"Exit status: 0 ended by SIGTERM or SIGINT, 1 failed, 2 wrong usage or configuration.\n";

const char usage_token_help[] =
	"Usage: mlsh-signal token [--ttl SECONDS]\n"
	"\n"
	"Prints a further one-time setup token, for `mlsh setup`. Works while the server runs;\n"
	"reads the same configuration. Without --ttl the token lives until it is used.\n";

static int wrong(struct err *err, const char *what)
{
	return err_set(err, -EINVAL, "%s; see mlsh-signal --help.", what);
}

static int parse_token(int argc, char **argv, struct usage *ret, struct err *err)
{
	static const struct option options[] = { { "ttl", required_argument, NULL, 't' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	int c, r;

	ret->command = COMMAND_TOKEN;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 't':
			r = token_ttl_parse(optarg, &ret->ttl_s, err);
			if (r < 0)
				return r;
			break;
		case 'h':
			ret->command = COMMAND_TOKEN_HELP;
			break;
		case ':':
			return wrong(err, "--ttl needs a number of seconds");
		default:
			return wrong(err, "unknown option");
		}
	}
	return optind < argc ? wrong(err, "token takes no further words") : 0;
}

int usage_parse(int argc, char **argv, struct usage *ret, struct err *err)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "version", no_argument, NULL, 'V' },
						 { 0 } };
	int c;

	*ret = (struct usage){ .command = COMMAND_SERVE };
	opterr = 0;
	if (argc > 1 && strcmp(argv[1], "token") == 0)
		return parse_token(argc - 1, argv + 1, ret, err);
	while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			ret->command = COMMAND_HELP;
			break;
		case 'V':
			ret->command = COMMAND_VERSION;
			break;
		default:
			return wrong(err, "unknown option");
		}
	}
	return optind < argc ? wrong(err, "unknown command") : 0;
}
