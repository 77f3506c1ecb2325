/* SPDX-License-Identifier: MIT */
/* mlsh setup: a new cluster, with this machine as its first node and admin. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/join_run.h"
#include "cli/roots.h"
#include "client/search_domain.h"
#include "identity/codes.h"
#include "membership/hostport.h"

enum { SIGNAL_HOST, TOKEN, NAME, SUBNET, FORCE, JSON };

struct setup_args {
	const char *cluster, *host, *token, *name, *subnet;
	bool force, json;
};

static int parse(const struct options_given *g, struct setup_args *a)
{
	*a = (struct setup_args){
		.cluster = g->arg[0],
		.host = g->value[SIGNAL_HOST],
		.token = g->value[TOKEN],
		.name = g->value[NAME],
		.subnet = g->value[SUBNET],
		.force = g->value[FORCE] != NULL,
		.json = g->value[JSON] != NULL,
	};
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
	char domain[HOST_TEXT_MAX + 1];
	int rc = cluster_name_check(a->cluster, err);

	if (rc < 0)
		return rc;
	if (!a->force && cluster_name_is_public_tld(a->cluster))
		return err_set(err, -EINVAL,
			       "'%s' is a public top-level domain: with this cluster up, its sites "
			       "would not be found any more on your nodes. Choose another name "
			       "(homelab, myhome, ...) or add --force",
			       a->cluster);
	if (!a->force && search_domain_in(c->host, a->cluster, domain))
		return err_set(
			err, -EINVAL,
			"this machine's network has the search domain %s (/etc/resolv.conf), "
			"and with a cluster '%s' up its names would not be found any more. "
			"Choose another name (homelab, myhome, ...) or add --force",
			domain, a->cluster);
	return cli_node_name(c, a->name, node_name, err);
}

/* Names in the cluster's zone are answered by the node alone. */
static int check_zone(const struct setup_args *a, const char *host, struct err *err)
{
	if (a->force || !host_in_zone(host, a->cluster))
		return 0;
	return err_set(err, -EINVAL,
		       "the cluster '%s' would have the zone .%s, which contains the server's name "
		       "%s: connected nodes would not find the server, nor any other name in .%s. "
		       "Choose another cluster name or give the server's address (or add --force)",
		       a->cluster, a->cluster, host, a->cluster);
}

static int setup(struct cli *c, const struct options_given *g)
{
	struct setup_args a;
	struct setup_params p = { 0 };
	struct err err = { 0 };
	char node_name[LABEL_MAX + 1], host[HOST_TEXT_MAX + 1], token[128],
		code[BOOTSTRAP_CODE_TEXT_MAX];
	int rc = parse(g, &a);

	if (rc != EXIT_OK)
		return rc;
	rc = check_names(c, &a, node_name, &err);
	if (rc == 0)
		rc = roots_check_free(c, a.cluster, &err);
	if (rc == 0)
		rc = hostport_parse(a.host, SIGNAL_PORT, host, &p.port, &err);
	if (rc == 0)
		rc = check_zone(&a, host, &err);
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
	host_note(host, true);
	host_note_zone(host, a.cluster);
	p.cluster = a.cluster;
	p.node_name = node_name;
	p.host = host;
	p.code = code;
	rc = join_run_setup(c, &p, a.json);
	secret_wipe(code, sizeof(code));
	return rc;
}

const struct command setup_command = {
	.name = "setup",
	.summary = "create a cluster and make this machine its first node",
	.options = {
		.program = "mlsh setup",
		.usage = "<cluster> --signal-host <host[:port]> --token <token> [options]",
		.about = "Creates a cluster on a signal server and makes this machine its first "
			 "node and admin. The cluster's name becomes a DNS zone: a node `nas` in "
			 "the cluster `homelab` is `nas.homelab`.\n"
			 "The cluster's recovery code is printed before anything is sent, and kept "
			 "nowhere: write it down. With it `mlsh recover` replaces admins that are "
			 "lost.",
		.missing = "one cluster name is needed",
		.min_args = 1,
		.max_args = 1,
		.row = {
			[SIGNAL_HOST] = { "signal-host", 0, "HOST[:PORT]",
					  "the signal server: a name, an IPv4 or [IPv6] address; "
					  "the port is 4433 if left out" },
			[TOKEN] = { "token", 0, "TOKEN",
				    "what mlsh-signal printed on its first start (or `mlsh-signal "
				    "token`); - reads it from standard input, so that it does not "
				    "stay in the shell's history" },
			[NAME] = { "name", 0, "NAME",
				   "this node's name (default: made from the host name)" },
			[SUBNET] = { "subnet", 0, "CIDR",
				     "overlay addresses from this range instead of the server's" },
			[FORCE] = { "force", 0, NULL,
				    "accept a cluster name that is a public top-level domain, or "
				    "whose zone contains the server or a search domain of this "
				    "machine" },
			[JSON] = { "json", 0, NULL,
				   "print a line of JSON for the recovery code, which is a "
				   "secret, and one at the end" },
		},
	},
	.run = setup,
};
