/* SPDX-License-Identifier: MIT */
/* mlsh leave: this machine ends its own membership. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/table.h"
#include "cli/governing.h"

enum { YES, JSON };

static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	(void)ctx;
	return govern_leave(g, ret, err);
}

static const struct member *self_of(const struct governing *g)
{
	return roster_by_id(mlog_roster(g->copy.log), &g->copy.file.node_id, ROSTER_ALL);
}

static int ask(const struct governing *g, bool yes)
{
	char text[400];

	snprintf(text, sizeof(text),
		 "This takes this machine, %s, out of %s, for all nodes. To come back it takes a "
		 "new invite.",
		 self_of(g)->name, g->copy.cluster);
	return cli_confirm("leave", yes, text);
}

static void print(const struct governing *g, const struct governed *r, bool json)
{
	const struct member *self = self_of(g);
	const char *cluster = g->copy.cluster;
	struct json_object *o;
	char how[MEMBER_LEFT_TEXT_MAX];

	if (json) {
		o = governed_json(g, r);
		json_object_object_add(o, "node", json_object_new_string(self->name));
		json_print(o);
	} else if (!r->changed) {
		table_line("", "Nothing to do: %s.",
			   member_left_text(mlog_roster(g->copy.log), self, how));
	} else if (r->ordered) {
		table_line(
			"",
			"%s has left %s. Its files are still here: `mlsh forget %s` removes "
			"them. After that `mlsh adopt` with a new invite joins again: under "
			"another name, or with one of `mlsh invite --replace %s` under this one.",
			self->name, cluster, cluster, self->name);
	} else {
		table_line("",
			   "The other nodes that this one reaches refuse it from now on, but the "
			   "signal server has not ordered it: %s. mlshtund here goes on asking.",
			   r->why);
	}
}

static int leave_cluster(struct governing *g, const struct options_given *o, struct err *err)
{
	struct governed r = { .ordered = true };
	const struct member *self = self_of(g);
	int code;

	if (!self) {
		err_set(err, -ENOENT,
			"by its log this machine is not a member of %s (a recovery dropped it): "
			"`mlsh forget %s` removes what is left here",
			g->copy.cluster, g->copy.cluster);
		return cli_fail(err);
	}
	if (member_is_current(self)) {
		code = ask(g, o->value[YES] != NULL);
		if (code != EXIT_OK)
			return code;
		if (governing_submit(g, make, NULL, &r, err) < 0)
			return cli_fail(err);
		copy_refresh(g->cli, &g->copy); /* the files here say that it has left */
	}
	print(g, &r, o->value[JSON] != NULL);
	return EXIT_OK;
}

static int leave(struct cli *c, const struct options_given *o)
{
	struct governing g = { .cli = c };
	struct err err = { 0 };
	int rc = governing_open(c, o->n_args ? o->arg[0] : NULL, &g, &err);
	int code = rc < 0 ? cli_fail(&err) : leave_cluster(&g, o, &err);
	governing_close(&g);
	return code;
}

const struct command leave_command = {
	.name = "leave",
	.summary = "take this machine out of a cluster",
	.options = {
		.program = "mlsh leave",
		.usage = "[<cluster>] [--yes] [--json]",
		.about = "Ends the membership of this machine, for all nodes. mlshtund then takes "
			 "the interface, the routes and the DNS zone back. The name may be left "
			 "out where there is one cluster. The last admin cannot leave: promote "
			 "another node first, or `mlsh forget` a cluster that nobody needs.\n"
			 "Files stay, so that the log can be looked at: `mlsh forget` removes "
			 "them. After that `mlsh adopt` with a new invite joins again: under "
			 "another name, or with one of `mlsh invite --replace` under this one.",
		.max_args = 1,
		.row = {
			[YES] = { "yes", 0, NULL, "do not ask; needed where there is no terminal" },
			[JSON] = { "json", 0, NULL, "print the result as JSON" },
		},
	},
	.run = leave,
};
