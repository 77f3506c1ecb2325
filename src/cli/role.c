/* SPDX-License-Identifier: MIT */
/* mlsh promote, mlsh demote: who is an admin. */
#include <json-c/json.h>

#include "cli/table.h"
#include "cli/whom.h"

enum { JSON };

static int make_admin(const struct whom_change *w, const struct govern *g, const struct member *m,
		      struct entry_bytes *ret, struct err *err)
{
	(void)w;
	return govern_promote(g, m, ret, err);
}

static int make_plain(const struct whom_change *w, const struct govern *g, const struct member *m,
		      struct entry_bytes *ret, struct err *err)
{
	(void)w;
	return govern_demote(g, m, ret, err);
}

static void print(const struct governing *g, const struct whom_change *w, const struct governed *r,
		  bool json)
{
	const char *what = w->make == make_admin ? "an admin" : "a plain node";
	struct json_object *o;

	if (!json) {
		table_line("", r->changed ? "%s is %s of %s now." : "%s is %s of %s already.",
			   w->name, what, g->copy.cluster);
		return;
	}
	o = governed_json(g, r);
	json_object_object_add(o, "node", json_object_new_string(w->name));
	json_object_object_add(o, "role",
			       json_object_new_string(w->make == make_admin ? "admin" : "node"));
	json_print(o);
}

static void note_waiting(const struct governing *g, const char *typed)
{
	struct id_list one = { .n = 1 };
	const struct member *m;

	if (whom_find(g, typed, &m, NULL) < 0)
		return;
	one.id[0] = m->id;
	governed_note_waiting(g, &one);
}

static int set_role(struct cli *c, const struct options_given *o, bool promote)
{
	struct governing g = { .cli = c };
	struct whom_change w = { .typed = o->arg[0], .make = promote ? make_admin : make_plain };
	struct governed r;
	struct err err = { 0 };
	int rc = whom_open(c, o->arg, 1, &g, &err);

	if (rc == 0 && !promote)
		note_waiting(&g, w.typed);
	if (rc == 0)
		rc = whom_submit(&g, &w, &r, &err);
	if (rc == 0)
		print(&g, &w, &r, o->value[JSON] != NULL);
	governing_close(&g);
	return rc < 0 ? cli_fail(&err) : EXIT_OK;
}

static int promote(struct cli *c, const struct options_given *o)
{
	return set_role(c, o, true);
}

static int demote(struct cli *c, const struct options_given *o)
{
	return set_role(c, o, false);
}

const struct command promote_command = {
	.name = "promote",
	.summary = "make a node an admin",
	.options = {
		.program = "mlsh promote",
		.usage = "<node> [--json]",
		.about = "Makes a node an admin: it can invite, remove, promote, demote and rename "
			 "nodes then, this one included. It takes an admin. If the node is one "
			 "already nothing happens.",
		.missing = "which node is to be an admin?",
		.min_args = 1,
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print the result as JSON" } },
	},
	.run = promote,
};

const struct command demote_command = {
	.name = "demote",
	.summary = "make an admin a plain node",
	.options = {
		.program = "mlsh demote",
		.usage = "<node> [--json]",
		.about = "Makes an admin a plain node, which may be this one. It takes an admin, "
			 "and the last one cannot be demoted. What the node did as an admin "
			 "stands; its open invites and removals that no server has ordered end. "
			 "If the node is a plain one already nothing happens.",
		.missing = "which node is to be a plain one?",
		.min_args = 1,
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print the result as JSON" } },
	},
	.run = demote,
};
