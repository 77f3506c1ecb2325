/* SPDX-License-Identifier: MIT */
/* Runs the loop until a join has its result. */
#include "cli/join_run.h"

#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/table.h"
#include "cli/whose.h"
#include "os/loop.h"

struct run {
	struct cli *cli;
	bool setup, json;
	int exit_code;
};

static void print_json(const struct join_result *r, bool setup)
{
	struct json_object *o = json_object_new_object();
	char ip[IP4_TEXT_MAX], id[2 * HASH_LEN + 1];

	hex_encode(r->cluster.cluster_id, HASH_LEN, id);
	json_object_object_add(o, "cluster", json_object_new_string(r->cluster.cluster));
	json_object_object_add(o, "cluster_id", json_object_new_string(id));
	json_object_object_add(o, "name", json_object_new_string(r->cluster.node_name));
	json_object_object_add(o, "address",
			       json_object_new_string(ip4_format(r->cluster.address, ip)));
	json_object_object_add(o, "note", r->note[0] ? json_object_new_string(r->note) : NULL);
	if (setup)
		json_object_object_add(o, "recovery_code",
				       json_object_new_string(r->recovery_code));
	json_print(o);
}

static void print_text(const struct join_result *r, bool setup)
{
	const char *cluster = r->cluster.cluster;
	/* What was typed with sudo belongs to root, who has to go on. */
	const char *sudo = geteuid() == 0 && *cli_env("SUDO_USER", "") ? "sudo " : "";
	char ip[IP4_TEXT_MAX];

	if (r->completed_pending)
		printf("An earlier request of yours had lost its reply; it is complete now.\n");
	printf("%s is %s.%s, %s\n\n", setup ? "Cluster created. This node" : "Welcome. This node",
	       r->cluster.node_name, cluster, ip4_format(r->cluster.address, ip));
	if (r->note[0])
		table_line("", "%s\n", r->note);
	if (setup)
		printf("Recovery code (shown only now; keep it on paper: `mlsh recover`\n"
		       "replaces lost admins with it):\n\n    %s\n\n",
		       r->recovery_code);
	printf("Next: %smlsh connect %s\n", sudo, cluster);
	if (setup)
		printf("Then: %smlsh invite %s        to add another machine\n", sudo, cluster);
}

static void on_done(void *ctx, const struct err *err, const struct join_result *r)
{
	struct run *run = ctx;

	progress_clear();
	if (err) {
		struct err why = *err;

		whose_explain(run->cli, "", true, &why);
		run->exit_code = cli_fail(&why);
	} else {
		run->exit_code = EXIT_OK;
		if (run->json)
			print_json(r, run->setup);
		else
			print_text(r, run->setup);
		/* It is shown only once: not to be lost with an output that cannot be written. */
		if (fflush(stdout) != 0 && run->setup) {
			cli_complain("the cluster was created; only printing it failed. Recovery "
				     "code: %s",
				     r->recovery_code);
			run->exit_code = EXIT_FAILED;
		}
	}
	loop_stop(run->cli->host);
}

static void on_progress(void *ctx, const char *line)
{
	(void)ctx;
	progress_show("%s", line);
}

static int run_loop(struct run *run, int rc, struct join *j, struct err *err)
{
	if (rc == 0) {
		rc = loop_run(run->cli->host);
		if (rc < 0)
			(void)err_set(err, rc, "the event loop failed");
	}
	join_free(j);
	if (rc < 0)
		whose_explain(run->cli, "", true, err);
	return rc < 0 ? cli_fail(err) : run->exit_code;
}

int join_run_setup(struct cli *c, const struct setup_params *p, bool json)
{
	struct run run = { .cli = c, .setup = true, .json = json, .exit_code = EXIT_FAILED };
	struct err err = { 0 };
	struct join *j = NULL;

	whose_note(c);
	int rc = setup_start(c->host, &c->store, p, on_done, on_progress, &run, &err, &j);

	return run_loop(&run, rc, j, &err);
}

int join_run_adopt(struct cli *c, const struct invite_url *url, const char *node_name, bool json)
{
	struct run run = { .cli = c, .json = json, .exit_code = EXIT_FAILED };
	struct err err = { 0 };
	struct join *j = NULL;

	whose_note(c);
	int rc = adopt_start(c->host, &c->store, url, node_name, on_done, on_progress, &run, &err,
			     &j);

	return run_loop(&run, rc, j, &err);
}
