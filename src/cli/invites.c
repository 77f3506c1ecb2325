/* SPDX-License-Identifier: MIT */
/* mlsh invites: the invites that were made on this machine and are still open. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/copy.h"
#include "cli/notes.h"
#include "cli/table.h"
#include "membership/words.h"

enum { JSON };

static void print_json(const char *cluster, const struct invite_book *b)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(o, "cluster", json_object_new_string(cluster));
	for (size_t i = 0; i < b->n; i++) {
		const struct invite_made *m = &b->item[i];
		struct json_object *one = json_object_new_object();
		char id[INVITE_ID_LEN + 1];

		invite_id(m->note.nonce, id);
		json_object_object_add(one, "id", json_object_new_string(id));
		json_object_object_add(one, "name",
				       m->name[0] ? json_object_new_string(m->name) : NULL);
		json_object_object_add(one, "replaces", json_object_new_boolean(m->replaces));
		json_object_object_add(one, "role",
				       json_object_new_string(m->role == ROLE_ADMIN ? "admin"
										    : "node"));
		json_object_object_add(one, "promotes", json_object_new_boolean(m->note.promote));
		json_object_object_add(one, "expires", json_object_new_uint64(m->note.expiry_s));
		json_object_array_add(list, one);
	}
	json_object_object_add(o, "invites", list);
	json_print(o);
}

static void print_text(const char *cluster, const struct invite_book *b)
{
	static const char *const head[] = { "ID", "FOR", "ROLE", "UNTIL" };
	struct table t;

	if (b->n == 0) {
		table_line("", "No invite for %s that was made on this machine is open.", cluster);
		return;
	}
	table_init(&t, 0, head, ARRAY_LEN(head));
	for (size_t i = 0; i < b->n; i++) {
		const struct invite_made *m = &b->item[i];
		char id[INVITE_ID_LEN + 1], until[WORDS_TIME_MAX + 4], name[LABEL_MAX + 24],
			when[WORDS_TIME_MAX];

		invite_id(m->note.nonce, id);
		snprintf(name, sizeof(name), "%s%s", m->replaces ? "in place of " : "",
			 m->name[0] ? m->name : "any machine");
		snprintf(until, sizeof(until), "%s UTC", words_time(m->note.expiry_s, when));
		table_cell(&t, id);
		table_cell(&t, name);
		table_cell(&t, m->role == ROLE_NODE ? "node"
			       : m->note.promote    ? "admin"
						    : "admin, after `mlsh promote`");
		table_cell(&t, until);
	}
	table_print(&t);
}

static int invites(struct cli *c, const struct options_given *g)
{
	struct copy p = { .log = NULL };
	struct invite_book b = { .n = 0 };
	struct err err = { 0 };
	int rc = copy_open(c, g->n_args ? g->arg[0] : NULL, &p, &err);

	if (rc == 0)
		rc = notes_open(c, p.cluster, p.log, &b, &err);
	if (rc < 0) {
		copy_free(&p);
		return cli_fail(&err);
	}
	if (g->value[JSON])
		print_json(p.cluster, &b);
	else
		print_text(p.cluster, &b);
	if (b.n && !p.connected)
		cli_note("%s is not connected here: some of these may have been used meanwhile",
			 p.cluster);
	invite_book_free(&b);
	copy_free(&p);
	return EXIT_OK;
}

const struct command invites_command = {
	.name = "invites",
	.summary = "list the open invites that were made here",
	.options = {
		.program = "mlsh invites",
		.usage = "[<cluster>] [--json]",
		.about = "Lists the invites that were made on this machine by this user and that "
			 "nobody has used: for whom, and until when they are good. No server is "
			 "asked. `mlsh cancel <id>` ends one before its time.",
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print JSON (docs/json.md)" } },
	},
	.run = invites,
};
