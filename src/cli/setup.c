/* SPDX-License-Identifier: MIT */
/* mlsh setup: a new cluster, with this machine as its first node and admin. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/join_run.h"

static const char help[] =
	"Usage: mlsh setup <cluster> --signal-host <host[:port]> --token <token> [options]\n\n"
	"Creates a cluster on a signal server and makes this machine its first node and admin. The "
	"cluster's\n"
	"name becomes a DNS zone: a node `nas` in the cluster `homelab` is `nas.homelab`.\n\n"
	"  --signal-host HOST[:PORT]  the signal server: a name, an IPv4 or [IPv6] address; port "
	"4433 if left out\n"
	"  --token TOKEN              what mlsh-signal printed on its first start (or `mlsh-signal "
	"token`);\n"
	"                             - reads it from standard input, so that it does not stay in "
	"the shell's history\n"
	"  --name NAME                this node's name (default: made from the host name)\n"
	"  --subnet CIDR              overlay addresses from this range instead of the server's\n"
	"  --force                    accept a cluster name that is a public top-level domain\n"
	"  --json                     print the result as JSON\n";

struct setup_args {
	const char *cluster, *host, *token, *name, *subnet;
	bool force, json;
};

static int parse(int argc, char **argv, struct setup_args *a)
{
	static const struct option options[] = {
		{ "signal-host", required_argument, NULL, 's' },
		{ "token", required_argument, NULL, 't' },
		{ "name", required_argument, NULL, 'n' },
		{ "subnet", required_argument, NULL, 'u' },
		{ "force", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 's': a->host = optarg; break;
		case 't': a->token = optarg; break;
		case 'n': a->name = optarg; break;
		case 'u': a->subnet = optarg; break;
		case 'f': a->force = true; break;
		case 'j': a->json = true; break;
		case 'h': fputs(help, stdout); exit(EXIT_OK);
		default: return cli_usage("setup", "wrong option");
		}
	}
	if (optind + 1 != argc)
		return cli_usage("setup", "one cluster name is needed");
	a->cluster = argv[optind];
	if (!a->host)
		return cli_usage("setup", "--signal-host is missing: where does mlsh-signal run?");
	if (!a->token)
		return cli_usage("setup",
				 "--token is missing: mlsh-signal prints it on its first start");
	return EXIT_OK;
}

static int check_names(struct cli *c, const struct setup_args *a, char node_name[LABEL_MAX + 1],
		       struct err *err)
{
	int rc = cluster_name_check(a->cluster, err);

	if (rc < 0)
		return rc;
	if (!a->force && cluster_name_is_public_tld(a->cluster))
		return err_set(err, -EINVAL,
			       "'%s' is a public top-level domain: with this cluster up, its sites "
			       "would not be found any "
			       "more on your nodes. Choose another name (homelab, lan, ...) or add "
			       "--force",
			       a->cluster);
	return cli_node_name(c, a->name, node_name, err);
}

int cmd_setup(struct cli *c, int argc, char **argv)
{
	struct setup_args a = { 0 };
	struct setup_params p = { 0 };
	struct err err = { 0 };
	char node_name[LABEL_MAX + 1], host[HOST_TEXT_MAX + 1], token[128],
		code[BOOTSTRAP_CODE_TEXT_MAX];
	int rc = parse(argc, argv, &a);

	if (rc != EXIT_OK)
		return rc;
	rc = check_names(c, &a, node_name, &err);
	if (rc == 0)
		rc = hostport_parse(a.host, SIGNAL_PORT, host, &p.port, &err);
	if (rc == 0 && a.subnet) {
		p.has_subnet = true;
		rc = prefix4_parse(a.subnet, &p.subnet, &err);
		if (rc == 0)
			rc = overlay_subnet_check(p.subnet, &err);
	}
	if (rc == 0)
		rc = cli_read_secret("setup token", a.token, token, sizeof(token), &err);
	if (rc < 0)
		return cli_fail(&err);
	rc = setup_token_parse(token, code, p.signal_cert, &err);
	secret_wipe(token, sizeof(token));
	if (rc < 0)
		return cli_fail(&err);
	p.cluster = a.cluster;
	p.node_name = node_name;
	p.host = host;
	p.code = code;
	rc = join_run_setup(c, &p, a.json);
	secret_wipe(code, sizeof(code));
	return rc;
}
