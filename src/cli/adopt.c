/* SPDX-License-Identifier: MIT */
/* mlsh adopt: joins a cluster with an invite URL. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/join_run.h"

static const char help[] =
	"Usage: mlsh adopt <url> [--name <name>] [--json]\n\n"
	"Joins a cluster with the URL that `mlsh invite` printed on another machine. The URL is a "
	"secret until\n"
	"it is used: with - in its place it is read from standard input and does not stay in the "
	"shell's history.\n\n"
	"  --name NAME  this node's name (default: the invite's, or made from the host name)\n"
	"  --json       print the result as JSON\n";

int cmd_adopt(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *name = NULL;
	bool json = false;
	char text[INVITE_URL_MAX], node_name[LABEL_MAX + 1];
	struct invite_url url;
	struct err err = { 0 };
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'n': name = optarg; break;
		case 'j': json = true; break;
		case 'h': fputs(help, stdout); return EXIT_OK;
		default: return cli_usage("adopt", "wrong option");
		}
	}
	if (optind + 1 != argc)
		return cli_usage("adopt",
				 "one invite URL is needed (or - to read it from standard input)");
	int rc = cli_read_secret("invite URL", argv[optind], text, sizeof(text), &err);
	if (rc == 0)
		rc = invite_url_parse(text, &url, &err);
	secret_wipe(text, sizeof(text));
	if (rc < 0)
		return cli_fail(&err);
	rc = cli_node_name(c,
			   name                      ? name
			   : url.invite.node_name[0] ? url.invite.node_name
						     : NULL,
			   node_name, &err);
	int code = rc < 0 ? cli_fail(&err) : join_run_adopt(c, &url, node_name, json);
	invite_url_wipe(&url);
	return code;
}
