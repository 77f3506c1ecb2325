/* SPDX-License-Identifier: MIT */
/* mlsh invite: makes signed, one-time URLs that admit other machines. No server is asked for it. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/copy.h"
#include "cli/notes.h"
#include "cli/table.h"
#include "cli/target.h"
#include "client/invite_new.h"
#include "identity/identity.h"
#include "membership/invite_url.h"

enum { TTL, NAME, REPLACE, ROLE, YES, COUNT, NO_QR, JSON };

struct invite_args {
	const char *cluster, *name;
	struct target replace; /* its node is "" if the invite replaces no node */
	uint64_t ttl_s, count;
	enum member_role role;
	bool several; /* --count was given */
	bool promote, no_qr, json;
};

/* --- the command line ------------------------------------------------------------------------- */

/* What cannot be said together. */
static int check_together(const struct invite_args *a, const char *replace)
{
	if (replace && a->name)
		return cli_usage("invite", "--name cannot go with --replace: the new node gets the "
					   "name of the one that it replaces");
	if (a->several && (replace || a->name))
		return cli_usage("invite", "--count cannot go with %s: a name is given once",
				 replace ? "--replace" : "--name");
	if (a->promote && a->role != ROLE_ADMIN)
		return cli_usage("invite", "--yes goes with --role admin only");
	return EXIT_OK;
}

static int parse_replace(struct invite_args *a, const char *replace)
{
	struct err err = { 0 };

	if (replace && target_split(replace, &a->replace, &err) < 0)
		return cli_fail(&err);
	if (!a->replace.cluster[0])
		return EXIT_OK;
	if (a->cluster && strcmp(a->cluster, a->replace.cluster) != 0)
		return cli_usage("invite", "%s is a node of %s, not of %s", replace,
				 a->replace.cluster, a->cluster);
	a->cluster = a->replace.cluster;
	return EXIT_OK;
}

static int parse(const struct options_given *g, struct invite_args *a)
{
	const char *ttl = g->value[TTL], *role = g->value[ROLE], *count = g->value[COUNT];
	struct err err = { 0 };

	*a = (struct invite_args){
		.cluster = g->n_args ? g->arg[0] : NULL,
		.name = g->value[NAME],
		.ttl_s = 3600,
		.count = 1,
		.role = role && strcmp(role, "admin") == 0 ? ROLE_ADMIN : ROLE_NODE,
		.several = count != NULL,
		.promote = g->value[YES] != NULL,
		.no_qr = g->value[NO_QR] != NULL,
		.json = g->value[JSON] != NULL,
	};
	if (ttl && cli_parse_seconds("--ttl", ttl, INVITE_TTL_MIN_S, INVITE_TTL_MAX_S, &a->ttl_s,
				     &err) < 0)
		return cli_usage("invite", "%s", err.text);
	if (count && cli_parse_number("--count", count, 1, INVITES_MAX, &a->count, &err) < 0)
		return cli_usage("invite", "%s", err.text);
	if (role && a->role != ROLE_ADMIN && strcmp(role, "node") != 0)
		return cli_usage("invite", "--role is node or admin, not '%.40s'", role);
	int code = check_together(a, g->value[REPLACE]);

	return code == EXIT_OK ? parse_replace(a, g->value[REPLACE]) : code;
}

/* --- what is printed -------------------------------------------------------------------------- */

static struct json_object *json_of(const struct invite_args *a, const struct invite_url *u,
				   const char *url)
{
	const struct invite *inv = &u->invite;
	struct json_object *o = json_object_new_object();
	char id[INVITE_ID_LEN + 1];

	invite_id(inv->nonce, id);
	json_object_object_add(o, "cluster", json_object_new_string(inv->cluster_name));
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "url", json_object_new_string(url));
	json_object_object_add(o, "expires", json_object_new_uint64(inv->expiry));
	json_object_object_add(o, "role",
			       json_object_new_string(inv->role == ROLE_ADMIN ? "admin" : "node"));
	json_object_object_add(o, "promotes", json_object_new_boolean(a->promote));
	json_object_object_add(o, "name",
			       inv->node_name[0] ? json_object_new_string(inv->node_name) : NULL);
	json_object_object_add(o, "replaces", json_object_new_boolean(inv->replaces));
	return o;
}

/* "30 days", "90 minutes", "10 seconds": in the largest unit that it is a multiple of. */
static void format_ttl(uint64_t s, char *out, size_t cap)
{
	static const struct {
		uint64_t s;
		const char *name;
	} units[] = {
		{ 86400, "day" },
		{ 3600, "hour" },
		{ 60, "minute" },
		{ 1, "second" },
	};
	size_t i = 0;

	while (s % units[i].s != 0)
		i++;
	snprintf(out, cap, "%llu %s%s", (unsigned long long)(s / units[i].s), units[i].name,
		 s == units[i].s ? "" : "s");
}

static void print_role(const struct invite_args *a, const struct invite *inv)
{
	if (a->role != ROLE_ADMIN)
		return;
	if (a->promote)
		table_line("", "The machine joins as a plain node. mlshtund here makes it an admin "
			       "as soon as both are connected.");
	else
		table_line("",
			   "The machine joins as a plain node. `mlsh status %s` then says who "
			   "it is, and `mlsh promote` makes it an admin.",
			   inv->cluster_name);
}

static void print_text(const struct invite_args *a, const struct invite *inv, const char *url)
{
	char ttl[48], id[INVITE_ID_LEN + 1];

	invite_id(inv->nonce, id);
	format_ttl(a->ttl_s, ttl, sizeof(ttl));
	if (!a->no_qr && isatty(STDOUT_FILENO) && qr_print(url))
		putchar('\n');
	printf("%s\n\n", url);
	printf("On the other machine, within %s, paste it into:\n\n    sudo mlsh adopt -\n\n", ttl);
	table_line("",
		   "It works once. Whoever reads it first can use it: send it over a channel you "
		   "trust. `mlsh cancel %s` ends it early.",
		   id);
	if (inv->replaces)
		table_line("",
			   "The machine takes the place of %s, with its name and address. Until "
			   "it joins nothing changes; then the old %s is out.",
			   inv->node_name, inv->node_name);
	print_role(a, inv);
}

/* --- making ----------------------------------------------------------------------------------- */

struct made {
	struct invite_url *url; /* a->count of them */
	size_t n;
};

static void made_free(struct made *m)
{
	for (size_t i = 0; i < m->n; i++)
		invite_url_wipe(&m->url[i]);
	free(m->url);
}

static int add_to_book(struct invite_book *b, const struct invite_args *a, const struct invite *inv,
		       struct err *err)
{
	struct invite_made m = { .note = { .expiry_s = inv->expiry, .promote = a->promote },
				 .replaces = inv->replaces,
				 .role = inv->role,
				 .sponsor = inv->sponsor,
				 .head = inv->head };
	int rc;

	memcpy(m.note.nonce, inv->nonce, NONCE_LEN);
	snprintf(m.name, sizeof(m.name), "%s", inv->node_name);
	rc = invite_book_add(b, &m);
	return rc < 0 ? err_set(err, rc, "no memory for an invite") : 0;
}

static int make_each(struct cli *c, const struct invite_args *a, const struct copy *p,
		     struct invite_book *b, struct made *ret, struct err *err)
{
	struct identity *id = NULL;
	int rc = store_identity(c->host, &c->store, p->cluster, &id, err);
	struct invite_params params = {
		.cluster = &p->file,
		.identity = id,
		.log = p->log,
		.ttl_s = a->ttl_s,
		.role = a->role,
		.node_name = a->name,
		.replace = a->replace.node[0] ? a->replace.node : NULL,
		.now_s = (uint64_t)MAX(clock_wall_s(c->host), 0),
	};

	while (rc == 0 && ret->n < a->count) {
		struct invite_url *u = &ret->url[ret->n];

		rc = invite_new(c->host, &params, err, u);
		if (rc == 0)
			rc = add_to_book(b, a, &ret->url[ret->n++].invite, err);
	}
	identity_free(id);
	return rc;
}

/* They are in the list before anybody sees their URLs. */
static int make(struct cli *c, const struct invite_args *a, struct copy *p, struct made *ret,
		struct err *err)
{
	struct invite_book b = { .n = 0 };
	int rc = notes_open(c, p->cluster, p->log, &b, err);

	if (rc == 0)
		rc = notes_room(&b, p->cluster, a->count, err);
	ret->url = calloc(a->count, sizeof(*ret->url));
	if (rc == 0 && !ret->url)
		rc = err_set(err, -ENOMEM, "no memory for so many invites");
	if (rc == 0)
		rc = make_each(c, a, p, &b, ret, err);
	if (rc == 0)
		rc = invite_book_save(c->host, &c->store, p->cluster, &b, err);
	invite_book_free(&b);
	return rc;
}

static int print_made(const struct invite_args *a, const struct made *m, struct err *err)
{
	struct json_object *list = a->json && a->several ? json_object_new_array() : NULL;
	char url[INVITE_URL_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->n; i++) {
		rc = invite_url_format(&m->url[i], url, sizeof(url), err);
		if (rc < 0)
			break;
		if (list)
			json_object_array_add(list, json_of(a, &m->url[i], url));
		else if (a->json)
			json_print(json_of(a, &m->url[i], url));
		else if (a->several)
			printf("%s\n", url);
		else
			print_text(a, &m->url[i].invite, url);
	}
	if (list && rc == 0)
		json_print(list);
	else
		json_object_put(list);
	secret_wipe(url, sizeof(url));
	return rc;
}

static int invite(struct cli *c, const struct options_given *g)
{
	struct invite_args a;
	struct copy p = { .log = NULL };
	struct made m = { .n = 0 };
	struct err err = { 0 };
	int rc = parse(g, &a);

	if (rc != EXIT_OK)
		return rc;
	if (a.name)
		rc = label_check("node name", a.name, &err);
	if (rc == 0)
		rc = copy_open(c, a.cluster, &p, &err);
	if (rc == 0)
		rc = make(c, &a, &p, &m, &err);
	if (rc == 0) {
		notes_flush(c, p.cluster);
		host_note(m.url[0].host, false);
		rc = print_made(&a, &m, &err);
	}
	made_free(&m);
	copy_free(&p);
	return rc < 0 ? cli_fail(&err) : EXIT_OK;
}

const struct command invite_command = {
	.name = "invite",
	.summary = "make an invite for another machine",
	.options = {
		.program = "mlsh invite",
		.usage = "[<cluster>] [options]",
		.about = "Makes an invite for one machine: a URL to be given to `mlsh adopt` "
			 "there. Whoever reads the URL first can use it, once: send it over a "
			 "channel you trust. The cluster may be left out where there is one. "
			 "`mlsh invites` lists those that are open.\n"
			 "A machine that was installed again gets its name and address back with "
			 "--replace: with the invite it takes the place of the old node, "
			 "which is out from that moment.",
		.max_args = 1,
		.row = {
			[TTL] = { "ttl", 0, "TIME",
				  "how long it is good for, such as 30m, 12h or 7d (default 1h)" },
			[NAME] = { "name", 0, "NAME", "the only name that the new node may take" },
			[REPLACE] = { "replace", 0, "NODE",
				      "the member, current or former, whose place it takes" },
			[ROLE] = { "role", 0, "node|admin",
				   "what it is meant to become (default node)" },
			[YES] = { "yes", 0, NULL,
				  "with --role admin: whoever uses the invite becomes an admin "
				  "without another question" },
			[COUNT] = { "count", 0, "N",
				    "as many invites, for as many machines; one URL a line" },
			[NO_QR] = { "no-qr", 0, NULL, "leave the QR code out" },
			[JSON] = { "json", 0, NULL,
				   "print the result as JSON; with --count a list" },
		},
	},
	.run = invite,
};
