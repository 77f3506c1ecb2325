/* SPDX-License-Identifier: MIT */
/* Runs the loop until a join has its result. */
#include "cli/join_run.h"

#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/code.h"
#include "cli/table.h"
#include "cli/whose.h"
#include "membership/invite_url.h"
#include "membership/words.h"
#include "os/loop.h"

struct run {
	struct cli *cli;
	const char *cluster; /* of a setup */
	enum join_output output;
	uint16_t port; /* the same: of the server */
	bool setup, showed_code;
	int exit_code;
};

static void print_json(const struct join_result *r, bool setup)
{
	struct json_object *o = json_object_new_object();
	char ip[IP4_TEXT_MAX], id[2 * HASH_LEN + 1];

	hex_encode(r->cluster.cluster_id, HASH_LEN, id);
	if (setup)
		json_object_object_add(o, "state", json_object_new_string("created"));
	json_object_object_add(o, "cluster", json_object_new_string(r->cluster.cluster));
	json_object_object_add(o, "cluster_id", json_object_new_string(id));
	json_object_object_add(o, "name", json_object_new_string(r->cluster.node_name));
	json_object_object_add(o, "address",
			       json_object_new_string(ip4_format(r->cluster.address, ip)));
	json_object_object_add(o, "note", r->note[0] ? json_object_new_string(r->note) : NULL);
	json_print(o);
}

/* The code was printed by the run that signed the request, before it was written or sent. */
static void print_where_code_is(const struct join_result *r)
{
	char when[WORDS_TIME_MAX];

	table_line("",
		   "The recovery code is the one that was printed then (%s), the last one if "
		   "there were several. No machine keeps it. If you have lost it, run `mlsh "
		   "forget %s` and set up another cluster while this one is empty; later two "
		   "admins can renew the code (`mlsh renew --ask`).\n",
		   words_time_utc(r->signed_s, when), r->cluster.cluster);
}

static void print_text(struct cli *c, const struct join_result *r, bool setup, bool brief)
{
	const char *cluster = r->cluster.cluster;
	const char *sudo = whose_sudo();
	char ip[IP4_TEXT_MAX];

	if (r->completed_pending)
		printf("An earlier request of yours had lost its reply; it is complete now.\n");
	printf("%s is %s.%s, %s\n\n", setup ? "Cluster created. This node" : "Welcome. This node",
	       r->cluster.node_name, cluster, ip4_format(r->cluster.address, ip));
	if (r->note[0])
		table_line("", "%s\n", r->note);
	if (setup && r->completed_pending)
		print_where_code_is(r);
	if (brief)
		return;
	if (whose_needs_group(c))
		printf("Next: sudo usermod -aG %s $USER        lets you connect it\nThen: ",
		       CONTROL_GROUP);
	else
		printf("Next: ");
	printf("%smlsh connect %s\n", sudo, cluster);
	if (setup)
		printf("Then: %smlsh invite %s        to add another machine\n", sudo, cluster);
}

/* Nobody can see from here which of them it is. */
static void print_firewalls(uint16_t port)
{
	unsigned n = port;

	cli_note("The server needs UDP port %u open to everybody, in two firewalls: that of its "
		 "provider (an inbound rule: security group, cloud firewall; at home the router "
		 "forwards the port), and its own, if it has one:",
		 n);
	fprintf(stderr,
		"    ufw:       sudo ufw allow %u/udp\n"
		"    firewalld: sudo firewall-cmd --permanent --add-port=%u/udp\n"
		"               sudo firewall-cmd --reload\n"
		"    nftables:  sudo nft add rule inet filter input udp dport %u accept\n",
		n, n, n);
	cli_note("On the server `sudo ss -ulpn sport = :%u` shows whether mlsh-signal runs.", n);
}

static void on_done(void *ctx, const struct err *err, const struct join_result *r)
{
	struct run *run = ctx;

	progress_clear();
	if (err) {
		struct err why = *err;

		whose_explain(run->cli, "", true, &why);
		run->exit_code = cli_fail(&why);
		if (run->setup && why.code == -ETIMEDOUT)
			print_firewalls(run->port);
		if (run->showed_code && !r->pending)
			(void)code_void(0);
		else if (run->showed_code)
			cli_note("The recovery code above is worth something only if the same "
				 "command completes this setup: keep it until then.");
	} else {
		run->exit_code = EXIT_OK;
		if (run->output == JOIN_JSON)
			print_json(r, run->setup);
		else
			print_text(run->cli, r, run->setup, run->output == JOIN_BRIEF);
	}
	loop_stop(run->cli->host);
}

static bool on_code(void *ctx, const char *recovery_code)
{
	struct run *run = ctx;

	progress_clear();
	run->showed_code = code_print(run->cluster, recovery_code, true, run->output == JOIN_JSON);
	return run->showed_code;
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
	struct run run = { .cli = c,
			   .cluster = p->cluster,
			   .port = p->port,
			   .setup = true,
			   .output = json ? JOIN_JSON : JOIN_TEXT,
			   .exit_code = EXIT_FAILED };
	struct err err = { 0 };
	struct join *j = NULL;

	whose_note(c);
	int rc = setup_start(c->host, &c->store, p, on_code, on_done, on_progress, &run, &err, &j);

	return run_loop(&run, rc, j, &err);
}

int join_run_adopt(struct cli *c, const struct invite_url *url, const char *node_name,
		   enum join_output output)
{
	struct run run = { .cli = c, .output = output, .exit_code = EXIT_FAILED };
	struct err err = { 0 };
	struct join *j = NULL;

	whose_note(c);
	int rc = adopt_start(c->host, &c->store, url, node_name, on_done, on_progress, &run, &err,
			     &j);

	return run_loop(&run, rc, j, &err);
}
