/* SPDX-License-Identifier: MIT */
/* mlsh remove: ends memberships, for all nodes. */
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "base/duration.h"
#include "cli/table.h"
#include "cli/whom.h"

enum { AND_SPONSORED, SINCE, YES, JSON };

#define NAMES_MAX 400 /* bytes of a list of names */

/* --- who -------------------------------------------------------------------------------------- */

/* "90s", "30m", "12h", "2d": ago. Returns false if it is not of that form. */
static bool parse_ago(const char *text, uint64_t now_s, uint64_t *ret)
{
	uint64_t ago;

	if (!strpbrk(text, "smhd") || duration_parse(text, &ago) < 0)
		return false;
	*ret = now_s - MIN(now_s, ago);
	return true;
}

/* The same, or "2026-11-30", or "2026-11-30 11:02", in UTC as `mlsh nodes` shows it. */
static int parse_since(const char *text, uint64_t now_s, uint64_t *ret, struct err *err)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M" };

	if (parse_ago(text, now_s, ret))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { .tm_isdst = 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (!end || *end)
			continue;
		*ret = (uint64_t)MAX(timegm(&tm), 0);
		return 0;
	}
	return err_set(err, -EINVAL,
		       "--since is a date such as 2026-11-30 or '2026-11-30 11:02' (UTC), or how "
		       "long ago it was, such as 2d, 12h or 30m; not '%.40s'",
		       text);
}

static int add_typed(const struct governing *g, const char *typed, struct id_list *ids,
		     struct err *err)
{
	const struct member *m;
	int rc = whom_find(g, typed, &m, err);

	if (rc < 0)
		return rc;
	if (node_id_equal(&m->id, &g->copy.file.node_id))
		return err_set(err, -EINVAL,
			       "%s is this machine itself: `mlsh leave %s` takes it out of the "
			       "cluster",
			       m->name, g->copy.cluster);
	for (size_t i = 0; i < ids->n; i++)
		if (node_id_equal(&ids->id[i], &m->id))
			return 0;
	ids->id[ids->n++] = m->id;
	return 0;
}

static const struct member *member_of(const struct governing *g, const struct node_id *id)
{
	return roster_by_id(mlog_roster(g->copy.log), id, ROSTER_ALL);
}

/* Those of the list that are members, or (`skip`) that are so beyond the first `skip`. */
static size_t list_names(const struct governing *g, const struct id_list *ids, size_t skip,
			 char out[NAMES_MAX])
{
	size_t at = 0, n = 0, left = 0;

	out[0] = '\0';
	for (size_t i = skip; i < ids->n; i++) {
		const struct member *m = member_of(g, &ids->id[i]);

		if (!m || !member_is_current(m))
			continue;
		if (at > NAMES_MAX - LABEL_MAX - 32)
			left++;
		else
			at += (size_t)snprintf(out + at, NAMES_MAX - at, "%s%s", n ? ", " : "",
					       m->name);
		n++;
	}
	if (left)
		snprintf(out + at, NAMES_MAX - at, " and %zu more", left);
	return n;
}

/* --- what to know before ---------------------------------------------------------------------- */

static int ask(const struct governing *g, const struct id_list *ids, size_t typed, bool yes)
{
	char names[NAMES_MAX], more[NAMES_MAX], text[3 * NAMES_MAX];
	struct id_list sponsored = *ids;
	int n;

	list_names(g, ids, 0, names);
	n = snprintf(
		text, sizeof(text),
		"This removes %s from %s, for all nodes, and for good: to come back it takes a "
		"new invite.",
		names, g->copy.cluster);
	if (ids->n == typed &&
	    govern_add_sponsored(g->copy.log, &g->copy.file.node_id, 0, &sponsored, NULL) == 0 &&
	    list_names(g, &sponsored, typed, more) > 0)
		snprintf(text + n, sizeof(text) - (size_t)n,
			 " The nodes that they let in stay: %s. To remove these as well: "
			 "--and-sponsored.",
			 more);
	return cli_confirm("remove", yes, text);
}

/* --- doing it --------------------------------------------------------------------------------- */

static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	return govern_remove(g, ctx, ret, err);
}

static void print_json(const struct governing *g, const struct governed *r,
		       const struct id_list *ids)
{
	struct json_object *o = governed_json(g, r), *list = json_object_new_array();

	for (size_t i = 0; i < ids->n; i++)
		json_object_array_add(list,
				      json_object_new_string(member_of(g, &ids->id[i])->name));
	json_object_object_add(o, "removed", list);
	json_print(o);
}

static void print_text(const struct governing *g, const struct governed *r,
		       const struct id_list *ids, const char *names)
{
	char how[MEMBER_LEFT_TEXT_MAX];

	for (size_t i = 0; i < ids->n && !r->changed; i++)
		table_line("", "Nothing to do: %s.",
			   member_left_text(mlog_roster(g->copy.log), member_of(g, &ids->id[i]),
					    how));
	if (r->changed && r->ordered)
		table_line("", "Removed from %s: %s.", g->copy.cluster, names);
	else if (r->changed)
		table_line("",
			   "Nodes that talk to this one refuse %s from now on, but the signal "
			   "server has not ordered the removal: %s. mlshtund here goes on asking; "
			   "`mlsh status` shows the removal until then.",
			   names, r->why);
}

/* Nobody is asked about what is done already. */
static int remove_listed(struct governing *g, struct id_list *ids, size_t typed,
			 const struct options_given *o)
{
	struct governed r;
	struct err err = { 0 };
	char names[NAMES_MAX];
	int code = EXIT_OK;

	if (list_names(g, ids, 0, names) > 0)
		code = ask(g, ids, typed, o->value[YES] != NULL);
	if (code != EXIT_OK)
		return code;
	governed_note_waiting(g, ids);
	if (governing_submit(g, make, ids, &r, &err) < 0)
		return cli_fail(&err);
	if (o->value[JSON])
		print_json(g, &r, ids);
	else
		print_text(g, &r, ids, names);
	return EXIT_OK;
}

static int find_all(struct cli *c, const struct options_given *o, struct governing *g,
		    struct id_list *ids, size_t *ret_typed, struct err *err)
{
	uint64_t since_s = 0;
	int rc = 0;

	if (o->value[SINCE])
		rc = parse_since(o->value[SINCE], (uint64_t)MAX(clock_wall_s(c->host), 0), &since_s,
				 err);
	if (rc == 0)
		rc = whom_open(c, o->arg, o->n_args, g, err);
	for (size_t i = 0; rc == 0 && i < o->n_args; i++)
		rc = add_typed(g, o->arg[i], ids, err);
	*ret_typed = ids->n;
	if (rc == 0 && o->value[AND_SPONSORED])
		rc = govern_add_sponsored(g->copy.log, &g->copy.file.node_id, since_s, ids, err);
	return rc;
}

static int remove_nodes(struct cli *c, const struct options_given *o)
{
	struct governing g = { .cli = c };
	struct id_list ids = { .n = 0 };
	struct err err = { 0 };
	size_t typed;
	int code;

	if (o->value[SINCE] && !o->value[AND_SPONSORED])
		return cli_usage("remove", "--since goes with --and-sponsored");
	code = find_all(c, o, &g, &ids, &typed, &err) < 0 ? cli_fail(&err)
							  : remove_listed(&g, &ids, typed, o);
	governing_close(&g);
	return code;
}

const struct command remove_command = {
	.name = "remove",
	.summary = "remove nodes from their cluster",
	.options = {
		.program = "mlsh remove",
		.usage = "<node>... [options]",
		.about = "Ends the membership of nodes, for all nodes of the cluster. It takes an "
			 "admin. All connected nodes drop them within seconds; the removed node "
			 "says who removed it, and when. Names and addresses are not given "
			 "again.\n"
			 "If the signal server cannot be reached or does not take the removal, "
			 "nodes that talk to this one refuse the removed node all the same, and "
			 "mlshtund goes on asking the server; the exit code is 0 then, too.\n"
			 "A node is named nas, nas.homelab, or by its overlay address.",
		.missing = "which node is to be removed?",
		.min_args = 1,
		.max_args = OPTIONS_ARGS_MAX,
		.row = {
			[AND_SPONSORED] = { "and-sponsored", 0, NULL,
					    "also the nodes that they let in, and the nodes "
					    "that these let in" },
			[SINCE] = { "since", 0, "TIME",
				    "of these only the nodes that joined since: 2026-11-30, "
				    "'2026-11-30 11:02' (UTC), or 2d, 12h, 30m ago" },
			[YES] = { "yes", 0, NULL, "do not ask; needed where there is no terminal" },
			[JSON] = { "json", 0, NULL, "print the result as JSON" },
		},
	},
	.run = remove_nodes,
};
