/* SPDX-License-Identifier: MIT */
/* mlsh nodes: the members of a cluster, from the running daemon or, without one, from the stored
 * membership log. */
#include <stdio.h>

#include "cli/roots.h"
#include "cli/table.h"
#include "cli/whose.h"
#include "membership/words.h"

enum { ALL, JSON };

/* The same JSON as the daemon's, with what only the daemon knows left null. */
static struct json_object *nodes_from_store(struct cli *c, const char *cluster, struct err *err)
{
	struct cluster_file f = { 0 };
	struct mlog *log = NULL;
	struct json_object *o, *list;
	const struct member *m;
	int rc = store_load_cluster(c->host, &c->store, cluster, &f, err);

	if (rc == 0)
		rc = store_load_log(c->host, &c->store, &f, &log, NULL, err);
	secret_wipe(f.node_token, sizeof(f.node_token));
	if (rc < 0)
		return NULL;
	o = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(o, "schema", json_object_new_int(1));
	json_object_object_add(o, "cluster", json_object_new_string(cluster));
	for (m = NULL; (m = roster_next(mlog_roster(log), m, ROSTER_CURRENT));) {
		const struct member *sponsor = roster_by_id(mlog_roster(log), &m->sponsor,
							    ROSTER_ALL);
		struct json_object *n = json_object_new_object();
		char ip[IP4_TEXT_MAX], id[NODE_ID_TEXT_MAX];

		json_object_object_add(n, "name", json_object_new_string(m->name));
		json_object_object_add(n, "address",
				       json_object_new_string(ip4_format(m->address, ip)));
		json_object_object_add(n, "node_id",
				       json_object_new_string(node_id_format(&m->id, id)));
		json_object_object_add(n, "role",
				       json_object_new_string(m->role == ROLE_ADMIN ? "admin"
										    : "node"));
		json_object_object_add(n, "promotion_pending",
				       json_object_new_boolean(member_awaits_promotion(m)));
		json_object_object_add(n, "sponsor",
				       sponsor && sponsor != m
					       ? json_object_new_string(sponsor->name)
					       : NULL);
		json_object_object_add(n, "joined", json_object_new_uint64(m->joined_s));
		json_object_object_add(n, "self",
				       json_object_new_boolean(node_id_equal(&m->id, &f.node_id)));
		json_object_object_add(n, "online", NULL);
		json_object_object_add(n, "denied", NULL);
		json_object_object_add(n, "path", NULL);
		json_object_object_add(n, "features", NULL);
		json_object_array_add(list, n);
	}
	json_object_object_add(o, "nodes", list);
	mlog_free(log);
	return o;
}

static void print_nodes(struct json_object *o)
{
	static const char *const head[] = { "NAME",   "ADDRESS", "ROLE", "SPONSOR",
					    "JOINED", "ONLINE",	 "PATH", "FEATURES" };
	struct json_object *list = json_object_object_get(o, "nodes");
	struct table t;

	/* Left out as long as no node has a feature that another one may lack. */
	bool bits = table_any_bits(list, "features");

	table_init(&t, 0, head, ARRAY_LEN(head) - !bits);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *n = json_object_array_get_idx(list, i);
		uint64_t joined = json_object_get_uint64(json_object_object_get(n, "joined"));
		char when[WORDS_TIME_MAX], name[LABEL_MAX + 16], text[TABLE_BITS_MAX];

		snprintf(name, sizeof(name), "%.63s%s", js(n, "name"),
			 json_object_get_boolean(json_object_object_get(n, "self")) ? " (this)"
										    : "");
		table_cell(&t, name);
		table_cell(&t, js(n, "address"));
		table_cell(&t,
			   json_object_get_boolean(json_object_object_get(n, "denied"))
				   ? "denied (removal waits)"
			   : json_object_get_boolean(json_object_object_get(n, "promotion_pending"))
				   ? "node (to be admin)"
				   : js(n, "role"));
		table_cell(&t, *js(n, "sponsor") ? js(n, "sponsor") : "-");
		table_cell(&t, words_time(joined, when));
		struct json_object *online = json_object_object_get(n, "online");
		table_cell(&t, !online ? "?" : json_object_get_boolean(online) ? "yes" : "no");
		table_cell(&t, *js(n, "path") ? js(n, "path") : "?");
		if (bits)
			table_cell(&t, table_bits(n, "features", text));
	}
	table_print(&t);
}

/* --- former members --------------------------------------------------------------------------- */

static struct json_object *former_json(const struct roster *r, const struct member *m)
{
	static const char *const how[] = { "", "removed", "left", "replaced", "recovery" };
	const struct member *by = roster_by_id(r, &m->left_by, ROSTER_ALL);
	struct json_object *n = json_object_new_object();
	char ip[IP4_TEXT_MAX], id[NODE_ID_TEXT_MAX], text[MEMBER_LEFT_TEXT_MAX];

	json_object_object_add(n, "name", json_object_new_string(m->name));
	json_object_object_add(n, "address", json_object_new_string(ip4_format(m->address, ip)));
	json_object_object_add(n, "node_id", json_object_new_string(node_id_format(&m->id, id)));
	json_object_object_add(n, "joined", json_object_new_uint64(m->joined_s));
	json_object_object_add(n, "left", json_object_new_uint64(m->left_s));
	json_object_object_add(n, "how", json_object_new_string(how[m->left]));
	json_object_object_add(n, "by", by ? json_object_new_string(by->name) : NULL);
	json_object_object_add(n, "text", json_object_new_string(member_left_text(r, m, text)));
	return n;
}

/* Adds those who were members, by the newest log that this machine has. */
static int add_former(struct cli *c, const char *cluster, struct json_object *o, struct err *err)
{
	struct copy copy = { .log = NULL };
	struct json_object *list;
	const struct member *m;
	int rc = copy_open(c, cluster, &copy, err);

	if (rc < 0)
		return err_prefix(err, "cannot read the membership log, which --all needs");
	list = json_object_new_array();
	for (m = NULL; (m = roster_next(mlog_roster(copy.log), m, ROSTER_ALL));)
		if (!member_is_current(m))
			json_object_array_add(list, former_json(mlog_roster(copy.log), m));
	json_object_object_add(o, "former", list);
	copy_free(&copy);
	return 0;
}

static void print_former(struct json_object *o)
{
	static const char *const head[] = { "FORMER", "ADDRESS", "HOW IT LEFT" };
	struct json_object *list = json_object_object_get(o, "former");
	size_t n = list ? json_object_array_length(list) : 0;
	struct table t;

	if (n == 0)
		return;
	table_init(&t, 0, head, ARRAY_LEN(head));
	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		table_cell(&t, js(one, "name"));
		table_cell(&t, js(one, "address"));
		table_cell(&t, js(one, "text"));
	}
	putchar('\n');
	table_print(&t);
}

/* Says why the daemon was not asked. "Not connected" is certain when the daemon says so or is not
 * running; any other error tells nothing about the cluster. */
static void print_offline(const char *cluster, int rc, const struct err *why)
{
	bool sure = daemon_is_absent(rc) || rc == -ENOENT || rc == -ENOTCONN;

	if (sure)
		cli_note("(from this machine's copy of the membership log: %s is not connected)",
			 cluster);
	else
		cli_note("(from this machine's copy of the membership log: %s)", why->text);
}

static int nodes(struct cli *c, const struct options_given *g)
{
	struct control_request r = { .verb = CONTROL_NODES };
	struct daemon_reply reply = { 0 };
	struct json_object *o = NULL;
	struct err err = { 0 }, why = { 0 };
	bool json = g->value[JSON] != NULL, offline = false;
	int rc;

	if (roots_name(c, g->n_args ? g->arg[0] : NULL, r.cluster, &err) < 0)
		return cli_fail(&err);
	rc = daemon_call(c, &r, &why, &reply);
	if (rc == 0)
		rc = daemon_reply_check(&reply, &why);
	if (rc == 0)
		o = json_tokener_parse((const char *)reply.data);
	daemon_reply_free(&reply);
	if (!o) {
		offline = true;
		o = nodes_from_store(c, r.cluster, &err);
	}
	if (!o) {
		whose_explain(c, r.cluster, false, &err);
		return cli_fail(&err);
	}
	if (g->value[ALL] && add_former(c, r.cluster, o, &err) < 0) {
		json_object_put(o);
		return cli_fail(&err);
	}
	if (json) {
		json_print(json_object_get(o));
	} else {
		print_nodes(o);
		print_former(o);
	}
	if (offline && !json)
		print_offline(r.cluster, rc, &why);
	json_object_put(o);
	return EXIT_OK;
}

const struct command nodes_command = {
	.name = "nodes",
	.summary = "list the members of a cluster",
	.options = {
		.program = "mlsh nodes",
		.usage = "[<cluster>] [--all] [--json]",
		.about = "Lists the members of the cluster as the verified membership log has "
			 "them, with who is online.",
		.max_args = 1,
		.row = {
			[ALL] = { "all", 0, NULL, "also who was a member: when and how it left" },
			[JSON] = { "json", 0, NULL, "print JSON (docs/json.md)" },
		},
	},
	.run = nodes,
};
