/* SPDX-License-Identifier: MIT */
/* mlsh move: takes a cluster to another signal server. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/follow.h"
#include "cli/governing.h"
#include "cli/new_server.h"
#include "cli/table.h"
#include "os/loop.h"

enum { SIGNAL_HOST, TOKEN, FOLLOW, YES, JSON };

struct moving {
	struct cli *cli;
	struct governing governing;
	struct new_server server;
	struct governed result; /* not changed: the log named that server before */
};

/* --- what is asked for ------------------------------------------------------------------------ */

static int parse(const struct options_given *g)
{
	if (g->value[FOLLOW]) {
		if (g->value[SIGNAL_HOST] || g->value[TOKEN])
			return cli_usage("move", "--follow goes without --signal-host and --token");
		return EXIT_OK;
	}
	if (!g->value[SIGNAL_HOST])
		return cli_usage("move", "--signal-host is missing: where is the new mlsh-signal?");
	if (!g->value[TOKEN])
		return cli_usage("move", "--token is missing: `mlsh-signal token` prints one on "
					 "the new server");
	return EXIT_OK;
}

static int check_admin(const struct moving *m, struct err *err)
{
	const struct copy *p = &m->governing.copy;
	const struct member *self = roster_by_id(mlog_roster(p->log), &p->file.node_id,
						 ROSTER_CURRENT);

	if (!self || self->role != ROLE_ADMIN)
		return err_set(err, -EACCES,
			       "this machine is not an admin of %s, and only an admin can move it",
			       p->cluster);
	if (!p->connected)
		return err_set(
			err, -ENOTCONN,
			"%s is not connected here, and its present server has to order the "
			"move: run `mlsh connect %s` first. If that server is gone for good, "
			"`mlsh recover %s --signal-host %s --token ...` moves the cluster "
			"with the recovery code",
			p->cluster, p->cluster, p->cluster, m->server.host);
	return 0;
}

static int confirm(const struct moving *m, bool yes)
{
	const struct copy *p = &m->governing.copy;
	char text[700];

	snprintf(text, sizeof(text),
		 "This moves %s from the signal server %.200s to %.200s. All nodes follow, also "
		 "those that are off now. Open invites are worth nothing any more. The new "
		 "server sees what the old one saw: who is a member, and from which addresses.",
		 p->cluster, mlog_server(p->log)->host, m->server.host);
	return cli_confirm("move", yes, text);
}

/* --- the record ------------------------------------------------------------------------------- */

static int make_entry(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	struct moving *m = ctx;
	int rc = govern_signal(g, &m->server.to, ret, err);

	if (rc == 0)
		progress_show("%s is asked to let the cluster go ...", mlog_server(g->log)->host);
	return rc;
}

/* The present server orders it. */
static int have_ordered(struct moving *m, struct err *err)
{
	const char *cluster = m->governing.copy.cluster;
	int rc = governing_submit(&m->governing, make_entry, m, &m->result, err);

	if (rc < 0)
		err_prefix(err,
			   "%s has not moved (if its server stays away, or refuses, there is `mlsh "
			   "recover %s --signal-host`)",
			   cluster, cluster);
	return rc;
}

/* --- bringing it ------------------------------------------------------------------------------ */

static void on_push(void *ctx, const struct signal_reply *reply)
{
	(void)reply; /* if it is refused, a node that follows brings the record */
	loop_stop(((struct moving *)ctx)->cli->host);
}

static void on_lost(void *ctx, const struct err *err)
{
	(void)err;
	loop_stop(((struct moving *)ctx)->cli->host);
}

/* The new server gets the record at once. Without that the first node that follows brings it. */
static void bring(struct moving *m)
{
	struct signal_request *push = calloc(1, sizeof(*push));
	struct copy now = { .log = NULL };
	struct err err = { 0 };

	if (push && copy_open(m->cli, m->governing.copy.cluster, &now, &err) == 0) {
		push->type = SIGNAL_PUSH;
		mlog_page(now.log, m->server.head.seq + 1, &push->entries);
		if (push->entries.n > 0 &&
		    rpc_request(import_rpc(m->server.import, on_lost), push, on_push, m) == 0 &&
		    loop_run(m->cli->host) < 0)
			log_warn(host_log(m->cli->host), "the event loop failed");
	}
	copy_free(&now);
	free(push);
}

/* --- the command ------------------------------------------------------------------------------ */

static void print_result(const struct moving *m, bool json)
{
	const char *cluster = m->governing.copy.cluster;

	progress_clear();
	if (json)
		moved_print_json(cluster, m->server.host, m->server.port, m->result.seq,
				 m->result.changed);
	else if (!m->result.changed)
		table_line("", "%s is at %s already.", cluster, m->server.host);
	else
		table_line("",
			   "%s has moved to %s. The nodes follow by themselves; leave the old "
			   "server on for a while, for those that are off now. Open invites are "
			   "void: make new ones with `mlsh invite %s`.",
			   cluster, m->server.host, cluster);
}

static int carry_out(struct moving *m, struct err *err)
{
	int rc = new_server_import(&m->server, m->governing.identity, m->governing.copy.log, err);

	if (rc == 0)
		rc = have_ordered(m, err);
	if (rc == 0)
		bring(m);
	return rc;
}

static int move_cluster(struct cli *c, const struct options_given *g)
{
	struct moving m = { .cli = c };
	struct err err = { 0 };
	int code = EXIT_OK;
	int rc = governing_open(c, g->n_args ? g->arg[0] : NULL, &m.governing, &err);

	if (rc == 0)
		rc = new_server_read(c, m.governing.copy.cluster, g->value[SIGNAL_HOST],
				     g->value[TOKEN], &m.server, &err);
	if (rc == 0)
		rc = check_admin(&m, &err);
	if (rc == 0) {
		host_note(m.server.host, true);
		code = confirm(&m, g->value[YES] != NULL);
		if (code == EXIT_OK)
			rc = carry_out(&m, &err);
	}
	progress_clear();
	if (rc == 0 && code == EXIT_OK)
		print_result(&m, g->value[JSON] != NULL);
	new_server_free(&m.server);
	governing_close(&m.governing);
	return rc < 0 ? cli_fail(&err) : code;
}

static int move(struct cli *c, const struct options_given *g)
{
	int code = parse(g);

	if (code != EXIT_OK)
		return code;
	if (g->value[FOLLOW])
		return follow_run(c, g->n_args ? g->arg[0] : NULL, g->value[FOLLOW],
				  g->value[JSON] != NULL);
	return move_cluster(c, g);
}

const struct command move_command = {
	.name = "move",
	.summary = "take a cluster to another signal server",
	.options = {
		.program = "mlsh move",
		.usage = "[<cluster>] --signal-host <host[:port]> --token <token> [options]",
		.about = "Run on an admin's machine while the present server lives: the new server "
			 "gets the whole membership log, the present one puts the move on record, "
			 "and all nodes follow that record; those that are off find it at the old "
			 "server or from any other node. Run it again if it was interrupted, with "
			 "the same token. Open invites are void after it. The name may be left out "
			 "where there is one cluster.\n"
			 "Without the present server, or against its will, `mlsh recover` moves a "
			 "cluster. A node that has not heard of the move is told with --follow.",
		.max_args = 1,
		.row = {
			[SIGNAL_HOST] = { "signal-host", 0, "HOST[:PORT]",
					  "the new signal server: a name, an IPv4 or [IPv6] "
					  "address; the port is 4433 if left out" },
			[TOKEN] = { "token", 0, "TOKEN",
				    "what `mlsh-signal token` prints on the new server; - reads it "
				    "from standard input" },
			[FOLLOW] = { "follow", 0, "HOST@FINGERPRINT",
				     "on a node that was not reached: look at this server for the "
				     "record that moved the cluster; the fingerprint stands behind "
				     "the @ in the server's tokens" },
			[YES] = { "yes", 0, NULL, "do not ask; needed where there is no terminal" },
			[JSON] = { "json", 0, NULL, "print the result as JSON" },
		},
	},
	.run = move,
};
