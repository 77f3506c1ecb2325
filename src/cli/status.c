/* SPDX-License-Identifier: MIT */
/* mlsh status: what the daemon says is true now. */
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/daemon_status.h"
#include "cli/drops.h"
#include "cli/resolv_conf.h"
#include "cli/roots.h"
#include "cli/table.h"
#include "cli/target.h"
#include "client/rotation.h"
#include "membership/words.h"

enum { JSON };

static void print_signal(struct json_object *o)
{
	struct json_object *s = json_object_object_get(o, "signal");
	char age[24], rtt[24];

	bool timed = json_object_object_get(s, "rtt_ms");
	bool heard = json_object_object_get(s, "last_verified_s");

	table_line("  signal    ", "%s, %s%s%s, %s%s%s", js(s, "host"), js(s, "state"),
		   timed ? ", rtt " : "", timed ? table_ms(s, "rtt_ms", rtt) : "",
		   heard ? "last heard " : "never heard",
		   heard ? table_age(s, "last_verified_s", age) : "", heard ? " ago" : "");
	if (*js(s, "moved_to"))
		table_line("            ", "has sent this node to %s", js(s, "moved_to"));
	if (*js(s, "observed"))
		table_line("            ", "sees this node at %s", js(s, "observed"));
	if (*js(s, "error"))
		table_line("            ", "%s", js(s, "error"));
}

/* All of them, and what other software took away from our interface. */
static void print_host(struct json_object *o)
{
	struct json_object *r = json_object_object_get(o, "repairs");
	char age[24];

	table_conflicts(o);
	if (*js(r, "missing"))
		table_line("  missing   ", "%s: %s", js(r, "missing"),
			   *js(r, "error") ? js(r, "error")
					   : "other software keeps taking it away");
	if (*js(r, "what"))
		table_line("  repaired  ", "%s %s, last %s ago: %s", js(r, "count"),
			   strcmp(js(r, "count"), "1") == 0 ? "time" : "times",
			   table_age(r, "last_s", age), js(r, "what"));
}

/* A mapping that does not exist matters to `mlsh netcheck` only. */
static void print_mapping(struct json_object *o)
{
	struct json_object *m = json_object_object_get(o, "mapping");
	char text[256];

	if (!m || strcmp(js(m, "state"), "mapped") != 0)
		return;
	table_mapping(m, text, sizeof(text));
	table_line("  mapping   ", "%s", text);
}

static void note_relay(struct table *t, struct json_object *cluster, struct json_object *p)
{
	char text[2 * LABEL_MAX + 64];

	snprintf(text, sizeof(text), "over the relay; `mlsh why %.63s.%.63s` says why",
		 js(p, "name"), js(cluster, "name"));
	table_note(t, text);
}

static void print_peers(struct json_object *o)
{
	static const char *const head[] = { "PEER",  "ADDRESS", "PATH", "ENDPOINT",    "RTT",
					    "HEARD", "RX",	"TX",	"KEY EXCHANGE" };
	struct json_object *peers = json_object_object_get(o, "peers");
	size_t n = peers ? json_object_array_length(peers) : 0;
	struct table t;

	if (!n) {
		table_line("  ", "no other nodes yet; `mlsh invite %s` adds one", js(o, "name"));
		return;
	}
	table_init(&t, 2, head, ARRAY_LEN(head));
	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(peers, i);
		bool up = strcmp(js(p, "state"), "connected") == 0;
		char b[4][24];

		table_cell(&t, js(p, "name"));
		table_cell(&t, js(p, "address"));
		table_cell(&t, up ? js(p, "path") : js(p, "state"));
		table_cell(&t, *js(p, "endpoint") ? js(p, "endpoint") : "-");
		table_cell(&t, table_ms(p, "rtt_ms", b[0]));
		table_cell(&t, table_age(p, "last_heard_s", b[1]));
		table_cell(&t, table_bytes(p, "rx_bytes", b[2]));
		table_cell(&t, table_bytes(p, "tx_bytes", b[3]));
		table_cell(&t, *js(p, "key_exchange") ? js(p, "key_exchange") : "-");
		if (*js(p, "detail"))
			table_note(&t, js(p, "detail"));
		else if (up && strcmp(js(p, "path"), "relay") == 0)
			note_relay(&t, o, p);
	}
	table_print(&t);
}

/* Nothing while it is up and has had nothing to do. */
static void print_fence(struct json_object *o)
{
	struct json_object *fence = json_object_object_get(o, "fence");
	int64_t dropped = json_object_get_int64(json_object_object_get(fence, "dropped"));

	if (strcmp(js(fence, "state"), "up") != 0)
		table_line("  fence     ",
			   "%s: %s. Hosts on this network can reach overlay "
			   "addresses, and pose as nodes",
			   js(fence, "state"), js(fence, "detail"));
	else if (dropped)
		table_line("  fence     ",
			   "kept out %lld packets that did not come through the "
			   "tunnel",
			   (long long)dropped);
}

/* Without systemd-resolved another resolver has to be told of the zone. */
static void print_dns(struct cli *c, struct json_object *o)
{
	struct json_object *dns = json_object_object_get(o, "dns");
	const char *state = js(dns, "state"), *detail = js(dns, "detail");
	const char *server = js(dns, "server"), *server_detail = js(dns, "server_detail");
	bool absent = strcmp(state, "unavailable") == 0;

	if (absent && strcmp(server, "off") != 0 && resolv_conf_names(c, js(o, "address"))) {
		table_line("  dns       ", "/etc/resolv.conf names this node, for .%s",
			   js(o, "name"));
		return;
	}
	table_line("  dns       ", "%s%s%s", state, *detail ? ": " : "", detail);
	if (strcmp(server, "off") == 0 && *server_detail && strcmp(detail, server_detail) != 0)
		table_line("            ", "server off: %s", server_detail);
	else if (strcmp(server, "udp") == 0)
		table_line("            ", "server %s", server_detail);
	if (strcmp(server, "off") != 0 && (absent || strcmp(state, "refused") == 0))
		table_line("            ",
			   "%s a forwarding resolver (dnsmasq, unbound) to ask %s "
			   "for .%s; until then: dig @%s %s.%s",
			   absent ? "Install it, or tell" : "Tell", js(o, "address"), js(o, "name"),
			   js(o, "address"), js(o, "node"), js(o, "name"));
}

/* Whose it is, where it is not the caller's own. */
static void print_owner(struct json_object *o)
{
	struct json_object *owner = json_object_object_get(o, "owner_uid");

	if (roots_is(o))
		table_line("  owner     ", "root: commands that change the cluster need sudo");
	else if (geteuid() == 0 && json_object_get_int64(owner) != 0)
		table_line("  owner     ", "the user with id %s", js(o, "owner_uid"));
}

static void print_head(struct json_object *o)
{
	char text[512], age[24], rx[24], tx[24];

	snprintf(text, sizeof(text), "%s: %s, %s.%s is %s on %s, up %s", js(o, "name"),
		 js(o, "state"), js(o, "node"), js(o, "name"), js(o, "address"), js(o, "interface"),
		 table_age(o, "uptime_s", age));
	options_wrap(stdout, text, 0, 2);
	putchar('\n');
	print_owner(o);
	printf("  traffic   received %s, sent %s\n", table_bytes(o, "rx_bytes", rx),
	       table_bytes(o, "tx_bytes", tx));
}

/* It was disconnected, or has failed. */
static void print_stopped(struct json_object *o)
{
	char text[1024];

	if (*js(o, "error"))
		snprintf(text, sizeof(text), "%s: %s: %s", js(o, "name"), js(o, "state"),
			 js(o, "error"));
	else
		snprintf(text, sizeof(text), "%s: %s; `mlsh connect %s` brings it up",
			 js(o, "name"), js(o, "state"), js(o, "name"));
	options_wrap(stdout, text, 0, 2);
	putchar('\n');
}

static uint64_t seconds_of(struct json_object *o, const char *key)
{
	return json_object_get_uint64(json_object_object_get(o, key));
}

static void print_removal(struct json_object *cluster, struct json_object *one)
{
	uint64_t since = seconds_of(one, "since");
	const char *name = js(one, "name"), *detail = js(one, "detail");
	bool self = strcmp(name, js(cluster, "node")) == 0;
	char when[WORDS_TIME_MAX];

	table_line("  removal   ", "of %s waits for the server since %s UTC (by %s). %s", name,
		   words_time(since, when), *js(one, "by") ? js(one, "by") : "a former member",
		   self ? "Nodes that know of it deny this one already"
			: "Nodes that know of it deny that one already");
	if (*detail)
		table_line("            ",
			   "not ordered yet: %s. It is tried again; a server that does not order "
			   "it for long can be left: `mlsh recover`",
			   detail);
}

/* They wait for the server, and hold all the same. */
static void print_removals(struct json_object *o)
{
	struct json_object *list = json_object_object_get(o, "removals_waiting");
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		print_removal(o, json_object_array_get_idx(list, i));
	}
}

/* Nodes that joined with an invite for an admin that was made here. */
static void print_promotions(struct json_object *o)
{
	struct json_object *list = json_object_object_get(o, "promotions");

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *node = json_object_get_string(json_object_array_get_idx(list, i));

		table_line("  invited   ",
			   "%s joined with your invite for an admin; `mlsh promote %s.%s` makes "
			   "it one",
			   node, node, js(o, "name"));
	}
}

/* A recovery ends what was proven; the proof stays. */
static void print_fork(struct json_object *o)
{
	struct json_object *log = json_object_object_get(o, "log");

	for (size_t i = 0; i < ARRAY_LEN(status_proofs); i++) {
		const struct status_proof *p = &status_proofs[i];
		bool kept = status_proof_kept(log, p), now = *js(log, p->member);

		if (now)
			table_line("  FORK      ", "%s", js(log, p->member));
		if (kept)
			table_line(now ? "            " : "  proof     ",
				   "%s`%smlsh log %s --%s > FILE` gives out the proof; anybody can "
				   "check it with `mlsh log --verify FILE`",
				   now ? "" : p->past, roots_is(o) ? "sudo " : "", js(o, "name"),
				   p->option);
	}
	if (*js(log, "let_back"))
		table_line("  RETURNED  ", "%s", js(log, "let_back"));
}

/* When an admin's node last said what its newest record is, and what of it is not here. */
static void print_news(struct json_object *o)
{
	struct json_object *log = json_object_object_get(o, "log"),
			   *unseen = json_object_object_get(log, "unseen");
	char age[24];

	if (*js(log, "news_by"))
		table_line("  news      ", "of %s ago, by %s", table_age(log, "news_s", age),
			   js(log, "news_by"));
	if (unseen)
		table_line("            ",
			   "not seen here: %s has record %d of the membership log, and for %s "
			   "neither the server nor a peer has shown it. The server may withhold "
			   "records: connect this node where it reaches %s directly, or ask who "
			   "runs the server",
			   js(unseen, "by"),
			   json_object_get_int(json_object_object_get(unseen, "record")),
			   table_age(unseen, "since_s", age), js(unseen, "by"));
}

/* Records of the log of which the dates do not fit this machine's clock. */
static void print_dated(struct json_object *o)
{
	struct json_object *log = json_object_object_get(o, "log"),
			   *held = json_object_object_get(log, "held"),
			   *late = json_object_object_get(log, "late");
	char ahead[24], dated[WORDS_TIME_MAX], came[WORDS_TIME_MAX];

	if (held) {
		table_line(
			"  HELD      ",
			"record %d of the membership log, shown by %s, is dated %s ahead of this "
			"machine's clock. It is held back, and so is all that follows",
			json_object_get_int(json_object_object_get(held, "record")),
			*js(held, "by") ? js(held, "by") : "the signal server",
			table_age(held, "ahead_s", ahead));
		table_line(
			"            ",
			"set this clock if it is wrong. If it is right, the server's was or is "
			"wrong, or the server lies: wait until that time, or recover the cluster "
			"(`mlsh recover %s`)",
			js(o, "name"));
	}
	if (late)
		table_line("  LATE      ",
			   "record %d of the membership log is dated %s UTC and was shown to this "
			   "node at %s UTC only: the server kept it back or dated it back, or a "
			   "clock is wrong. `mlsh log %s` shows it",
			   json_object_get_int(json_object_object_get(late, "record")),
			   words_time(seconds_of(late, "dated"), dated),
			   words_time(seconds_of(late, "came"), came), js(o, "name"));
}

static void print_cluster(struct cli *c, struct json_object *o)
{
	if (!json_object_object_get(o, "signal")) {
		print_stopped(o);
		return;
	}
	print_head(o);
	print_fork(o);
	print_news(o);
	print_dated(o);
	print_removals(o);
	if (*js(o, "error"))
		table_line("  error     ", "%s", js(o, "error"));
	print_promotions(o);
	print_host(o);
	print_signal(o);
	print_mapping(o);
	print_dns(c, o);
	print_fence(o);
	drops_print(o);
	print_peers(o);
}

/* The command was killed: the daemon may run with a key that is not in force any more. */
static void print_rotation(struct cli *c, struct json_object *o)
{
	if (rotation_begun(c->host, &c->store, js(o, "name")))
		table_line("  key       ",
			   "a rotation of this node's key was interrupted: `mlsh rotate %s` "
			   "completes it",
			   js(o, "name"));
}

/* Negative: refused. */
static int show(struct cli *c, const struct daemon_reply *reply, bool json, struct err *err)
{
	struct json_object *o, *list;
	int rc = daemon_reply_check(reply, err);

	if (rc < 0)
		return rc;
	if (json) {
		printf("%s\n", (const char *)reply->data);
		return EXIT_OK;
	}
	o = json_tokener_parse((const char *)reply->data);
	list = json_object_object_get(o, "clusters");
	size_t n = list ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < n; i++) {
		if (i)
			putchar('\n');
		print_cluster(c, json_object_array_get_idx(list, i));
		print_rotation(c, json_object_array_get_idx(list, i));
	}
	if (!n && target_none_connected(c, list, err) < 0)
		table_line("", "%c%s.", err->text[0] - 'a' + 'A', err->text + 1);
	json_object_put(o);
	return EXIT_OK;
}

static int status(struct cli *c, const struct options_given *g)
{
	struct control_request r = { .verb = CONTROL_STATUS };
	struct daemon_reply reply = { 0 };
	struct err err = { 0 };

	if (g->n_args) {
		if (label_check("cluster name", g->arg[0], &err) < 0)
			return cli_fail(&err);
		snprintf(r.cluster, sizeof(r.cluster), "%s", g->arg[0]);
	}
	int rc = daemon_call(c, &r, &err, &reply);
	if (rc < 0) {
		(void)cli_fail(&err);
		return daemon_is_absent(rc) ? EXIT_NO_DAEMON : EXIT_FAILED;
	}
	int code = show(c, &reply, g->value[JSON] != NULL, &err);
	daemon_reply_free(&reply);
	if (code >= 0)
		return code;
	target_no_cluster(c, r.cluster, &err);
	return cli_fail(&err);
}

const struct command status_command = {
	.name = "status",
	.summary = "show connected clusters, peers and paths",
	.options = {
		.program = "mlsh status",
		.usage = "[<cluster>] [--json]",
		.about = "Shows for each connected cluster its state, and for each peer the path "
			 "in use, its round trip and when it was last heard. The ages are those "
			 "of the last verified contact.",
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print JSON (docs/json.md)" } },
	},
	.run = status,
};
