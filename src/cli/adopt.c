/* SPDX-License-Identifier: MIT */
/* mlsh adopt: joins a cluster with an invite URL. */
#include "cli/adopt.h"
#include "cli/roots.h"
#include "membership/invite_url.h"

enum { NAME, JSON };

int adopt_invite(struct cli *c, const struct invite_url *url, const char *name,
		 enum join_output output)
{
	char node_name[LABEL_MAX + 1];
	struct err err = { 0 };

	if (roots_check_free(c, url->invite.cluster_name, &err) < 0)
		return cli_fail(&err);
	host_note(url->host, false);
	host_note_zone(url->host, url->invite.cluster_name);
	if (!name && url->invite.node_name[0])
		name = url->invite.node_name;
	return cli_node_name(c, name, node_name, &err) < 0
		       ? cli_fail(&err)
		       : join_run_adopt(c, url, node_name, output);
}

static int adopt(struct cli *c, const struct options_given *g)
{
	char text[INVITE_URL_MAX];
	struct invite_url url;
	struct err err = { 0 };

	int rc = cli_read_secret("invite URL", g->arg[0], text, sizeof(text), &err);
	if (rc == 0)
		rc = invite_url_parse(text, &url, &err);
	secret_wipe(text, sizeof(text));
	if (rc < 0)
		return cli_fail(&err);
	int code = adopt_invite(c, &url, g->value[NAME], g->value[JSON] ? JOIN_JSON : JOIN_TEXT);
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
