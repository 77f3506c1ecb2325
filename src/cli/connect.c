/* SPDX-License-Identifier: MIT */
/* mlsh connect: hands a cluster to the daemon and waits for its session, or runs it in the
 * foreground. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/copy.h"
#include "cli/hand_over.h"
#include "cli/notes.h"
#include "cli/table.h"
#include "cli/whose.h"
#include "client/rotation.h"
#include "proto/refusal.h"

enum { FOREGROUND, WAIT, NO_WAIT, JSON };

struct connect_args {
	const char *cluster;
	uint64_t wait_s;
	bool foreground, wait, no_wait, json;
};

static int parse(const struct options_given *g, struct connect_args *a)
{
	struct err err = { 0 };

	*a = (struct connect_args){
		.wait_s = 10,
		.foreground = g->value[FOREGROUND] != NULL,
		.wait = g->value[WAIT] != NULL,
		.no_wait = g->value[NO_WAIT] != NULL,
		.json = g->value[JSON] != NULL,
	};
	if (a->wait && cli_parse_seconds("--wait", g->value[WAIT], 0, 86400, &a->wait_s, &err) < 0)
		return cli_usage("connect", "%s", err.text);
	if (a->foreground && (a->wait || a->no_wait))
		return cli_usage("connect",
				 "--%s is for the daemon, and --foreground runs the tunnel "
				 "without the daemon, until Ctrl-C",
				 a->wait ? "wait" : "no-wait");
	if (a->wait && a->no_wait)
		return cli_usage("connect", "--wait and --no-wait exclude each other");
	return EXIT_OK;
}

struct waiting {
	char state[32], address[IP4_TEXT_MAX], node[LABEL_MAX + 1], server[300], why[480],
		warning[480];
	bool bad_key; /* return 2 as soon as the server does not accept the key */
	struct err *err;
};

static void copy_text(char *out, size_t cap, struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	snprintf(out, cap, "%s", s ? s : "");
}

static bool is_bad_key(const struct waiting *w, struct json_object *one)
{
	struct json_object *signal = json_object_object_get(one, "signal");

	return w->bad_key && strcmp(js(signal, "reason"), refusal_name(REFUSAL_BAD_TOKEN)) == 0;
}

/* The host's resolver has yet to say whether it takes the names: until then they are not found. */
static bool is_dns_pending(struct json_object *one)
{
	return strcmp(js(json_object_object_get(one, "dns"), "state"), "pending") == 0;
}

/*
 * A status reply of one cluster: 1 when it is connected, also by its names, 2 as `bad_key` says,
 * negative when it has stopped for good.
 */
static int on_status(void *ctx, const struct daemon_reply *reply)
{
	struct waiting *w = ctx;
	struct json_object *o = json_tokener_parse((const char *)reply->data);
	struct json_object *list = json_object_object_get(o, "clusters");
	struct json_object *one = list ? json_object_array_get_idx(list, 0) : NULL;
	int rc = daemon_reply_check(reply, w->err);

	if (rc == 0 && one) {
		copy_text(w->state, sizeof(w->state), one, "state");
		copy_text(w->address, sizeof(w->address), one, "address");
		copy_text(w->node, sizeof(w->node), one, "node");
		copy_text(w->warning, sizeof(w->warning), one, "warning");
		copy_text(w->server, sizeof(w->server), json_object_object_get(one, "signal"),
			  "host");
		copy_text(w->why, sizeof(w->why), json_object_object_get(one, "signal"), "error");
		if (strcmp(w->state, "connected") == 0) {
			rc = is_dns_pending(one) ? 0 : 1;
		} else if (strcmp(w->state, "stopped") == 0) {
			copy_text(w->why, sizeof(w->why), one, "error");
			rc = err_set(w->err, -ECONNABORTED, "%s",
				     w->why[0] ? w->why : "the cluster was stopped");
		} else if (is_bad_key(w, one)) {
			rc = 2;
		}
		progress_show("%s%s%s", w->state, w->why[0] ? ": " : " ...", w->why);
	}
	json_object_put(o);
	return rc;
}

void connect_print_json(const char *cluster, const char *state, const char *address,
			const char *warning)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name", json_object_new_string(cluster));
	json_object_object_add(o, "state", json_object_new_string(state));
	json_object_object_add(o, "address", *address ? json_object_new_string(address) : NULL);
	json_object_object_add(o, "warning", *warning ? json_object_new_string(warning) : NULL);
	json_print(o);
}

static void print_result(const struct connect_args *a, const struct waiting *w)
{
	progress_clear();
	if (a->json)
		connect_print_json(a->cluster, w->state[0] ? w->state : "connecting", w->address,
				   w->warning);
	else if (strcmp(w->state, "connected") == 0)
		table_line("", "Connected to %s: this node is %s.%s, %s%s%s", a->cluster, w->node,
			   a->cluster, w->address, w->warning[0] ? "\nwarning: " : "", w->warning);
}

/* Already there? 1: yes. */
static int look(struct cli *c, const char *cluster, struct waiting *w, struct err *err)
{
	struct control_request r = { .verb = CONTROL_STATUS };
	struct daemon_reply reply = { 0 };
	int rc;

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	rc = daemon_call(c, &r, err, &reply);
	if (rc == 0)
		rc = on_status(w, &reply);
	daemon_reply_free(&reply);
	return rc;
}

static int say_not_yet(const struct connect_args *a, const struct waiting *w)
{
	print_result(a, w);
	if (w->why[0])
		cli_complain("not connected to %s after %llu s: %s", a->cluster,
			     (unsigned long long)a->wait_s, w->why);
	else
		cli_complain("not connected to %s after %llu s: the signal server %s has not "
			     "answered yet",
			     a->cluster, (unsigned long long)a->wait_s, w->server);
	fputs("Still trying; `mlsh status` shows how it goes.\n", stderr);
	return EXIT_NOT_YET;
}

/* As on_status; -ETIMEDOUT. */
static int await(struct cli *c, const struct connect_args *a, struct waiting *w, struct err *err)
{
	int rc = look(c, a->cluster, w, err);

	if (rc != 0 || a->no_wait)
		return rc;
	return a->wait_s ? daemon_watch(c, a->cluster, a->wait_s * NS_PER_S, on_status, w, err)
			 : -ETIMEDOUT;
}

/* The same; another key of this node is tried if the server does not accept the one in use. */
static int await_with_keys(struct cli *c, const struct connect_args *a, struct waiting *w,
			   struct err *err)
{
	int rc;

	w->bad_key = rotation_has_others(c->host, &c->store, a->cluster);
	rc = await(c, a, w, err);
	if (rc != 2)
		return rc;
	w->bad_key = false;
	rc = cli_turn_key(c, a->cluster) ? cli_hand_over(c, a->cluster, err, NULL) : 0;
	return rc < 0 ? rc : await(c, a, w, err);
}

static int connect_cluster(struct cli *c, const struct options_given *g)
{
	char cluster[LABEL_MAX + 1];
	struct connect_args a;
	struct err err = { 0 };
	struct waiting w = { .err = &err };
	bool absent;
	int rc = parse(g, &a);

	if (rc != EXIT_OK)
		return rc;
	if (copy_name(c, g->n_args ? g->arg[0] : NULL, cluster, &err) < 0)
		return cli_fail(&err);
	a.cluster = cluster;
	cli_settle_key(c, a.cluster);
	if (a.foreground)
		return foreground_run(c, a.cluster, a.json);
	progress_show("handing %s to mlshtund ...", a.cluster);
	rc = cli_hand_over(c, a.cluster, &err, &absent);
	if (rc < 0) {
		whose_explain(c, a.cluster, false, &err);
		int code = cli_fail(&err);

		return absent ? EXIT_NO_DAEMON : code;
	}
	progress_at_interrupt("mlshtund goes on connecting; `mlsh disconnect` ends that\n");
	notes_flush(c, a.cluster);
	rc = await_with_keys(c, &a, &w, &err);
	if ((rc == 0 || rc == -ETIMEDOUT) && strcmp(w.state, "connected") == 0)
		rc = 1; /* without names it is connected all the same */
	if (rc == 0 && a.no_wait) {
		if (!a.json)
			printf("Connecting to %s in the background; `mlsh status` shows how it "
			       "goes.\n",
			       a.cluster);
		else
			print_result(&a, &w);
		return EXIT_OK;
	}
	if (rc == 1) {
		print_result(&a, &w);
		return EXIT_OK;
	}
	return rc == -ETIMEDOUT ? say_not_yet(&a, &w) : cli_fail(&err);
}

const struct command connect_command = {
	.name = "connect",
	.summary = "bring a cluster's network up on this machine",
	.options = {
		.program = "mlsh connect",
		.usage = "[<cluster>] [options]",
		.about = "Brings the cluster's network up on this machine and waits until the "
			 "signal server has the node's session. The tunnel daemon mlshtund keeps "
			 "it up, over restarts too, until `mlsh disconnect`.",
		.max_args = 1,
		.row = {
			[FOREGROUND] = { "foreground", 'f', NULL,
					 "run the tunnel in this terminal, without the daemon, "
					 "until Ctrl-C (needs root); reads MLSH_LOG, "
					 "MLSH_PORT and MLSH_PORT_MAPPING as mlshtund does" },
			[WAIT] = { "wait", 0, "TIME", "how long to wait for the session (default "
						      "10); not with --foreground" },
			[NO_WAIT] = { "no-wait", 0, NULL, "do not wait; not with --foreground" },
			[JSON] = { "json", 0, NULL, "print the result as JSON; with --foreground a "
						    "line for each change" },
		},
	},
	.run = connect_cluster,
};
