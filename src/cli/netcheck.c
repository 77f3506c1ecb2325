/* SPDX-License-Identifier: MIT */
/* mlsh netcheck: this machine's own connection, and what it means for direct tunnels. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "cli/target.h"

#define NETCHECK_CLUSTERS_MAX 64
#define LOOK_AGAIN (400 * NS_PER_MS) /* while the daemon is finding out */
#define LOOKS_MAX 10

enum { JSON };

static void print_server(struct json_object *s)
{
	char rtt[24];

	if (*js(s, "moved_to"))
		table_line("  server       ", "has sent this node to %s", js(s, "moved_to"));
	if (!json_object_get_boolean(json_object_object_get(s, "reachable"))) {
		table_line("  server       ", "%s port %s: not reached", js(s, "host"),
			   js(s, "port"));
		if (*js(s, "error"))
			table_line("               ", "%s", js(s, "error"));
		return;
	}
	table_line("  server       ", "%s port %s: reached over UDP in %s (%s)", js(s, "host"),
		   js(s, "port"), table_ms(s, "rtt_ms", rtt), js(s, "endpoint"));
	if (!json_object_get_boolean(json_object_object_get(s, "own_port")))
		table_line("               ", "from another port than this node's own, which gets "
					      "no answer: no relay");
}

static const char *yes_no(struct json_object *o, const char *key)
{
	return json_object_get_boolean(json_object_object_get(o, key)) ? "yes" : "no";
}

static void print_candidates(struct json_object *o)
{
	struct json_object *list = json_object_object_get(o, "candidates");
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *a = json_object_array_get_idx(list, i);

		printf("  %-12s %s (%s)\n", i ? "" : "addresses", js(a, "address"), js(a, "kind"));
	}
	if (!n)
		printf("  addresses    none found: is there a network?\n");
}

static void print_mapping(struct json_object *o)
{
	char text[256];

	table_mapping(json_object_object_get(o, "mapping"), text, sizeof(text));
	table_line("  port mapping ", "%s", text);
}

static void print_netcheck(struct json_object *o)
{
	char nat[160];

	printf("%s:\n", js(o, "cluster"));
	print_server(json_object_object_get(o, "server"));
	printf("  seen as      %s\n", *js(o, "observed") ? js(o, "observed") : "unknown");
	printf("  UDP port     %s\n", js(o, "port"));
	printf("  IPv4, IPv6   %s, %s\n", yes_no(o, "ip4"), yes_no(o, "ip6"));
	table_nat(json_object_object_get(o, "nat"), nat, sizeof(nat));
	table_line("  NAT          ", "%s", nat);
	print_mapping(o);
	print_candidates(o);
	table_line("", "%s", js(o, "text"));
	table_conflicts(o);
	table_advice(json_object_object_get(o, "advice"));
}

/* Returns true while the daemon is still finding out. */
static bool is_checking(struct json_object *o)
{
	return json_object_get_boolean(json_object_object_get(json_object_object_get(o, "nat"),
							      "checking"));
}

static int check(struct cli *c, const char *cluster, bool json)
{
	struct control_request r = { .verb = CONTROL_NETCHECK };
	struct json_object *o = NULL;
	struct err err = { 0 };
	int code;

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	for (int look = 0; look < LOOKS_MAX; look++) {
		struct daemon_reply reply = { 0 };
		int rc = daemon_call(c, &r, &err, &reply);

		if (rc < 0) {
			(void)cli_fail(&err);
			return daemon_is_absent(rc) ? EXIT_NO_DAEMON : EXIT_FAILED;
		}
		if (daemon_reply_check(&reply, &err) < 0) {
			daemon_reply_free(&reply);
			target_no_cluster(c, cluster, &err);
			return cli_fail(&err);
		}
		json_object_put(o);
		o = json_tokener_parse((const char *)reply.data);
		daemon_reply_free(&reply);
		if (!is_checking(o) || cli_wait(c, LOOK_AGAIN) < 0)
			break;
	}
	if (json)
		json_print(json_object_get(o));
	else
		print_netcheck(o);
	code = json_object_get_boolean(json_object_object_get(json_object_object_get(o, "server"),
							      "reachable"))
		       ? EXIT_OK
		       : EXIT_UNREACHABLE;
	json_object_put(o);
	return code;
}

static int check_all(struct cli *c, bool json)
{
	char name[NETCHECK_CLUSTERS_MAX][LABEL_MAX + 1];
	struct err err = { 0 };
	int n = target_clusters(c, name, NETCHECK_CLUSTERS_MAX, &err), worst = EXIT_OK;

	if (n < 0) {
		(void)cli_fail(&err);
		return daemon_is_absent(n) ? EXIT_NO_DAEMON : EXIT_FAILED;
	}
	for (int i = 0; i < n; i++) {
		int code;

		if (i && !json)
			putchar('\n');
		code = check(c, name[i], json);
		worst = MAX(worst, code);
	}
	return worst;
}

static int netcheck(struct cli *c, const struct options_given *g)
{
	bool json = g->value[JSON] != NULL;
	struct err err = { 0 };

	if (!g->n_args)
		return check_all(c, json);
	if (label_check("cluster name", g->arg[0], &err) < 0)
		return cli_fail(&err);
	return check(c, g->arg[0], json);
}

const struct command netcheck_command = {
	.name = "netcheck",
	.summary = "what this machine's network lets through",
	.options = {
		.program = "mlsh netcheck",
		.usage = "[<cluster>] [--json]",
		.about = "Shows whether the signal server is reached over UDP and how soon it "
			 "answers, what it sees this machine as, what the NAT in between does, "
			 "which addresses are offered to peers, and what that means for direct "
			 "tunnels.\nExit code 5 when the server is not reached.",
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print JSON (docs/json.md)" } },
	},
	.run = netcheck,
};
