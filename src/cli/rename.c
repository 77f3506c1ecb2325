/* SPDX-License-Identifier: MIT */
/* mlsh rename: gives a node another name. */
#include <json-c/json.h>

#include "cli/table.h"
#include "cli/whom.h"

enum { JSON };

static int make(const struct whom_change *w, const struct govern *g, const struct member *m,
		struct entry_bytes *ret, struct err *err)
{
	return govern_rename(g, m, w->wish, ret, err);
}

static void print(const struct governing *g, const struct whom_change *w, const struct governed *r,
		  bool json)
{
	struct json_object *o;

	if (json) {
		o = governed_json(g, r);
		json_object_object_add(o, "node", json_object_new_string(w->wish));
		json_object_object_add(o, "old_name", json_object_new_string(w->name));
		json_print(o);
	} else if (r->changed) {
		table_line("", "%s is called %s now: %s.%s.", w->name, w->wish, w->wish,
			   g->copy.cluster);
	} else {
		table_line("", "It is called %s.%s already.", w->wish, g->copy.cluster);
	}
}

static int rename_node(struct cli *c, const struct options_given *o)
{
	struct governing g = { .cli = c };
	struct whom_change w = { .typed = o->arg[0], .make = make, .wish = o->arg[1] };
	struct governed r;
	struct err err = { 0 };
	int rc = label_check("node name", w.wish, &err);

	if (rc == 0)
		rc = whom_open(c, o->arg, 1, &g, &err);
	if (rc == 0)
		rc = whom_submit(&g, &w, &r, &err);
	if (rc == 0)
		print(&g, &w, &r, o->value[JSON] != NULL);
	governing_close(&g);
	return rc < 0 ? cli_fail(&err) : EXIT_OK;
}

const struct command rename_command = {
	.name = "rename",
	.summary = "give a node another name",
	.options = {
		.program = "mlsh rename",
		.usage = "<node> <name> [--json]",
		.about = "Gives a node another name, in DNS too; its address stays, and so do "
			 "connections to it. It takes an admin. The old name is never given to "
			 "another node, and leads nowhere. A name that a node had can be given "
			 "back to it.",
		.missing = "a node and its new name are needed",
		.min_args = 2,
		.max_args = 2,
		.row = { [JSON] = { "json", 0, NULL, "print the result as JSON" } },
	},
	.run = rename_node,
};
