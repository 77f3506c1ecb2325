/* SPDX-License-Identifier: MIT */
/* mlsh adopt: joins a cluster with an invite URL. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/join_run.h"

enum { NAME, JSON };

static int adopt(struct cli *c, const struct options_given *g)
{
	const char *name = g->value[NAME];
	char text[INVITE_URL_MAX], node_name[LABEL_MAX + 1];
	struct invite_url url;
	struct err err = { 0 };

	int rc = cli_read_secret("invite URL", g->arg[0], text, sizeof(text), &err);
	if (rc == 0)
		rc = invite_url_parse(text, &url, &err);
	secret_wipe(text, sizeof(text));
	if (rc < 0)
		return cli_fail(&err);
	host_note(url.host, false);
	host_note_zone(url.host, url.invite.cluster_name);
	rc = cli_node_name(c,
			   name			     ? name
			   : url.invite.node_name[0] ? url.invite.node_name
						     : NULL,
			   node_name, &err);
	int code = rc < 0 ? cli_fail(&err)
			  : join_run_adopt(c, &url, node_name, g->value[JSON] != NULL);
	invite_url_wipe(&url);
	return code;
}

const struct command adopt_command = {
	.name = "adopt",
	.summary = "join a cluster with an invite",
	.options = {
		.program = "mlsh adopt",
		.usage = "<url> [--name <name>] [--json]",
		.about = "Joins a cluster with the URL that `mlsh invite` printed on another "
			 "machine. The URL is a secret until it is used: with - in its place it "
			 "is read from standard input and does not stay in the shell's history.",
		.missing = "one invite URL is needed (or - to read it from standard input)",
		.min_args = 1,
		.max_args = 1,
		.row = {
			[NAME] = { "name", 0, "NAME", "this node's name (default: the invite's, or "
						      "made from the host name)" },
			[JSON] = { "json", 0, NULL, "print the result as JSON" },
		},
	},
	.run = adopt,
};
