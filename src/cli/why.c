/* SPDX-License-Identifier: MIT */
/* mlsh why: which ways to a node were tried, what became of each, and what could be changed. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "cli/target.h"

enum { JSON };

static void print_paths(struct json_object *o)
{
	static const char *const head[] = { "KIND", "ADDRESS",	  "NAMED BY", "SENT",
					    "BACK", "FROM THERE", "RTT",      "STATE" };
	struct json_object *list = json_object_object_get(o, "paths");
	struct table t;

	if (!list || json_object_array_length(list) == 0)
		return;
	printf("\n");
	table_init(&t, 2, head, ARRAY_LEN(head));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *p = json_object_array_get_idx(list, i);
		char rtt[24];

		table_cell(&t, js(p, "kind"));
		table_cell(&t, js(p, "endpoint"));
		table_cell(&t, js(p, "named_by"));
		table_cell(&t, js(p, "pings"));
		table_cell(&t, js(p, "pongs"));
		table_cell(&t, js(p, "heard"));
		table_cell(&t, table_ms(p, "rtt_ms", rtt));
		table_cell(&t, js(p, "verdict"));
	}
	table_print(&t);
}

static void print_nat(struct json_object *o, const char *whose, const char *key)
{
	struct json_object *nat = json_object_object_get(o, key);
	char text[160], head[LABEL_MAX + 16];

	if (!nat)
		return;
	table_nat(nat, text, sizeof(text));
	snprintf(head, sizeof(head), "  %-9s ", whose);
	table_line(head, "%s", text);
}

/* What keeps this node from the server, or where that has sent it. */
static void print_server(struct json_object *signal)
{
	if (*js(signal, "error"))
		table_line("", "The session with the signal server: %s.", js(signal, "error"));
	if (*js(signal, "moved_to"))
		table_line("", "The signal server has sent this node to %s.",
			   js(signal, "moved_to"));
}

static void print_why(struct json_object *o)
{
	char rtt[24];

	printf("%s.%s (%s): ", js(o, "node"), js(o, "cluster"), js(o, "address"));
	if (strcmp(js(o, "path"), "none") == 0)
		printf("no tunnel\n");
	else
		printf("%s %s, round trip %s\n", js(o, "path"), js(o, "endpoint"),
		       table_ms(o, "rtt_ms", rtt));
	table_line("", "%s", js(o, "text"));
	if (*js(o, "detail"))
		table_line("", "The last attempt: %s.", js(o, "detail"));
	print_server(json_object_object_get(o, "signal"));
	table_conflicts(o);
	table_advice(json_object_object_get(o, "advice"));
	print_paths(o);
	printf("\n");
	if (strcmp(js(o, "guessed_ports"), "0") != 0)
		table_line("  ", "%s ports that its NAT might give next were tried, too\n",
			   js(o, "guessed_ports"));
	print_nat(o, "here", "nat");
	print_nat(o, "as seen", "nat_found");
	print_nat(o, js(o, "node"), "peer_nat");
}

static int why(struct cli *c, const struct options_given *g)
{
	struct control_request r = { .verb = CONTROL_WHY };
	struct daemon_reply reply = { 0 };
	struct err err = { 0 };
	struct target t;
	int rc, code = EXIT_OK;

	rc = target_find(c, g->arg[0], &t, &err);
	if (rc == 0) {
		snprintf(r.cluster, sizeof(r.cluster), "%s", t.cluster);
		snprintf(r.node, sizeof(r.node), "%s", t.node);
		rc = daemon_call(c, &r, &err, &reply);
	}
	if (rc < 0) {
		(void)cli_fail(&err);
		return daemon_is_absent(rc) ? EXIT_NO_DAEMON : EXIT_FAILED;
	}
	if (daemon_reply_check(&reply, &err) < 0) {
		target_no_cluster(c, t.cluster, &err);
		code = cli_fail(&err);
	} else if (g->value[JSON]) {
		printf("%s\n", (const char *)reply.data);
	} else {
		struct json_object *o = json_tokener_parse((const char *)reply.data);

		print_why(o);
		json_object_put(o);
	}
	daemon_reply_free(&reply);
	return code;
}

const struct command why_command = {
	.name = "why",
	.summary = "why a node is reached the way it is, and what could be changed",
	.options = {
		.program = "mlsh why",
		.usage = "<node>[.<cluster>] [--json]",
		.about = "Says why packets for a node go the way they go: which addresses were "
			 "tried, what each of them answered, what the NATs on both sides do, and "
			 "what could be changed.",
		.missing = "one node is needed",
		.min_args = 1,
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print JSON (docs/json.md)" } },
	},
	.run = why,
};
