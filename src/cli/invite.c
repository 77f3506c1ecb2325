/* SPDX-License-Identifier: MIT */
/* mlsh invite: makes a signed, one-time URL that admits another machine. No server is asked for it.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "cli/whose.h"
#include "client/invite_new.h"

enum { TTL, NAME, ROLE, NO_QR, JSON };

struct invite_args {
	const char *cluster, *name;
	uint64_t ttl_s;
	enum member_role role;
	bool no_qr, json;
};

static int parse(const struct options_given *g, struct invite_args *a)
{
	const char *ttl = g->value[TTL], *role = g->value[ROLE];
	struct err err = { 0 };

	*a = (struct invite_args){
		.cluster = g->arg[0],
		.name = g->value[NAME],
		.ttl_s = 3600,
		.role = role && strcmp(role, "admin") == 0 ? ROLE_ADMIN : ROLE_NODE,
		.no_qr = g->value[NO_QR] != NULL,
		.json = g->value[JSON] != NULL,
	};
	if (ttl && cli_parse_seconds("--ttl", ttl, INVITE_TTL_MIN_S, INVITE_TTL_MAX_S, &a->ttl_s,
				     &err) < 0)
		return cli_usage("invite", "%s", err.text);
	if (role && a->role != ROLE_ADMIN && strcmp(role, "node") != 0)
		return cli_usage("invite", "--role is node or admin, not '%.40s'", role);
	return EXIT_OK;
}

/* Has `newer` more than `old`, and all of it unless a recovery dropped some? */
static bool goes_on(const struct mlog *old, const struct mlog *newer)
{
	struct head head = mlog_head(old);

	if (mlog_generation(newer) != mlog_generation(old))
		return mlog_generation(newer) > mlog_generation(old);
	return mlog_has_head(newer, &head) && mlog_count(newer) > mlog_count(old);
}

/* The running daemon's log is newer than the file: it is verified, saved, and used in the file's
 * place. */
static void refresh_log(struct cli *c, const struct cluster_file *f, struct mlog **log)
{
	struct control_request r = { .verb = CONTROL_LOG };
	struct daemon_reply reply = { 0 };
	struct log_read read = { .log = NULL };
	struct err err = { 0 };

	snprintf(r.cluster, sizeof(r.cluster), "%s", f->cluster);
	if (daemon_call(c, &r, &err, &reply) < 0)
		return;
	if (log_file_decode(c->host, span_of(reply.data, reply.len), f->cluster_id, NULL, &read,
			    &err) == 0 &&
	    goes_on(*log, read.log)) {
		if (store_save_log(c->host, &c->store, f, read.log, &err) < 0)
			log_warn(host_log(c->host), "the newer membership log was not saved: %s",
				 err.text);
		mlog_free(*log);
		*log = read.log;
		read.log = NULL;
	}
	mlog_free(read.log);
	daemon_reply_free(&reply);
}

static void print_json(const struct invite_url *u, const char *url)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "cluster", json_object_new_string(u->invite.cluster_name));
	json_object_object_add(o, "url", json_object_new_string(url));
	json_object_object_add(o, "expires", json_object_new_uint64(u->invite.expiry));
	json_object_object_add(o, "role",
			       json_object_new_string(u->invite.role == ROLE_ADMIN ? "admin"
										   : "node"));
	json_object_object_add(o, "name",
			       u->invite.node_name[0] ? json_object_new_string(u->invite.node_name)
						      : NULL);
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
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

static void print_text(const struct invite_args *a, const char *url)
{
	char ttl[48];

	format_ttl(a->ttl_s, ttl, sizeof(ttl));
	if (!a->no_qr && isatty(STDOUT_FILENO) && qr_print(url))
		putchar('\n');
	printf("%s\n\n", url);
	printf("On the other machine, within %s, paste it into:\n\n    mlsh adopt -\n\n", ttl);
	table_line("", "It works once. Whoever reads it first can use it: send it over a channel "
		       "you trust.");
	if (a->role == ROLE_ADMIN)
		table_line("", "The machine joins as a plain node, marked as meant to be an admin: "
			       "it can be promoted in a later version.");
}

static int make(struct cli *c, const struct invite_args *a, struct invite_url *u, struct err *err)
{
	struct cluster_file f = { 0 };
	struct identity *id = NULL;
	struct mlog *log = NULL;
	int rc = store_load_cluster(c->host, &c->store, a->cluster, &f, err);

	if (rc == 0)
		rc = store_identity(c->host, &c->store, a->cluster, &id, err);
	if (rc == 0)
		rc = store_load_log(c->host, &c->store, &f, &log, NULL, err);
	if (rc == 0) {
		refresh_log(c, &f, &log);
		struct invite_params p = {
			.cluster = &f,
			.identity = id,
			.log = log,
			.ttl_s = a->ttl_s,
			.role = a->role,
			.node_name = a->name,
			.now_s = (uint64_t)MAX(clock_wall_s(c->host), 0),
		};
		rc = invite_new(c->host, &p, err, u);
	}
	if (rc == 0)
		rc = notes_add(c, a->cluster, u->invite.nonce, u->invite.expiry, err);
	mlog_free(log);
	identity_free(id);
	secret_wipe(&f, sizeof(f));
	return rc;
}

static int invite(struct cli *c, const struct options_given *g)
{
	struct invite_args a;
	struct invite_url u = { 0 };
	char url[INVITE_URL_MAX];
	struct err err = { 0 };
	int rc = parse(g, &a);

	if (rc != EXIT_OK)
		return rc;
	rc = label_check("cluster name", a.cluster, &err);
	if (rc == 0 && a.name)
		rc = label_check("node name", a.name, &err);
	if (rc == 0) {
		rc = make(c, &a, &u, &err);
		if (rc < 0)
			whose_explain(c, a.cluster, false, &err);
	}
	if (rc == 0)
		rc = invite_url_format(&u, url, sizeof(url), &err);
	if (rc < 0) {
		invite_url_wipe(&u);
		return cli_fail(&err);
	}
	notes_flush(c, a.cluster);
	host_note(u.host, false);
	if (a.json)
		print_json(&u, url);
	else
		print_text(&a, url);
	secret_wipe(url, sizeof(url));
	invite_url_wipe(&u);
	return EXIT_OK;
}

const struct command invite_command = {
	.name = "invite",
	.summary = "make an invite for another machine",
	.options = {
		.program = "mlsh invite",
		.usage = "<cluster> [options]",
		.about = "Makes an invite for one machine: a URL to be given to `mlsh adopt` "
			 "there. Whoever reads the URL first can use it, once: send it over a "
			 "channel you trust.",
		.missing = "one cluster name is needed",
		.min_args = 1,
		.max_args = 1,
		.row = {
			[TTL] = { "ttl", 0, "SECS", "how long it is good for (default 3600)" },
			[NAME] = { "name", 0, "NAME", "the only name that the new node may take" },
			[ROLE] = { "role", 0, "node|admin",
				   "what it is meant to become (default node); every invite "
				   "admits a plain node, which an admin can promote in a later "
				   "version" },
			[NO_QR] = { "no-qr", 0, NULL, "leave the QR code out" },
			[JSON] = { "json", 0, NULL, "print the result as JSON" },
		},
	},
	.run = invite,
};
