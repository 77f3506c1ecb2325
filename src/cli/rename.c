/* SPDX-License-Identifier: MIT */
/* mlsh rename: gives a node another name. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/table.h"
#include "cli/whom.h"

enum { JSON };

struct wish {
	const struct governing *governing;
	const char *typed, *name;
	char old_name[LABEL_MAX + 1];
};

/* The node is looked up again, since the log may be another one than before. */
static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	struct wish *w = ctx;
	const struct member *m;
	int rc = whom_find(w->governing, w->typed, &m, err);

	if (rc < 0)
		return rc;
	snprintf(w->old_name, sizeof(w->old_name), "%s", m->name);
	return govern_rename(g, m, w->name, ret, err);
}

static void print(const struct governing *g, const struct wish *w, const struct governed *r,
		  bool json)
{
	struct json_object *o;

	if (json) {
		o = governed_json(g, r);
		json_object_object_add(o, "node", json_object_new_string(w->name));
		json_object_object_add(o, "old_name", json_object_new_string(w->old_name));
		json_print(o);
	} else if (r->changed) {
		table_line("", "%s is called %s now: %s.%s.", w->old_name, w->name, w->name,
			   g->copy.cluster);
	} else {
		table_line("", "It is called %s.%s already.", w->name, g->copy.cluster);
	}
}

static int rename_node(struct cli *c, const struct options_given *o)
{
	struct governing g = { .cli = c };
	struct wish w = { .governing = &g, .typed = o->arg[0], .name = o->arg[1] };
	struct governed r;
	struct err err = { 0 };
	int rc = label_check("node name", w.name, &err);

	if (rc == 0)
		rc = whom_open(c, o->arg, 1, &g, &err);
	if (rc == 0)
		rc = governing_submit(&g, make, &w, &r, &err);
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
