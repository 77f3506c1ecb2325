/* SPDX-License-Identifier: MIT */
/* mlsh ping: does a node answer, by which way, and how soon? */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "cli/target.h"

#define COUNT_DEFAULT 5
#define COUNT_UNTIL_DIRECT 30
#define COUNT_MAX 100000

static const char help[] =
	"Usage: mlsh ping <node>[.<cluster>] [-c COUNT] [-i SECONDS] [--until-direct] [--json]\n\n"
	"Sends authenticated probes by the path in use and shows of each answer the path (direct,\n"
	"or over the relay) and the round trip. Builds the tunnel if there is none, and says at\n"
	"once when the path changes.\n\n"
	"  -c, --count COUNT        so many probes (5; with --until-direct 30)\n"
	"  -i, --interval SECONDS   between them, at least 0.2 (1)\n"
	"      --until-direct       ends with the first answer by a direct path\n"
	"      --json               a line of JSON for each event\n\n"
	"Exit code 0: answered (with --until-direct: directly); 1: not.\n";

struct pinging {
	const struct target *target;
	bool json;
	unsigned answered, sent;
	bool direct;
	struct err err;
};

static void print_path(struct json_object *o)
{
	printf("%s %s", js(o, "path"), js(o, "endpoint"));
}

static void print_event(const struct pinging *p, struct json_object *o, const char *event)
{
	char rtt[24];

	if (strcmp(event, "answer") == 0) {
		printf("%s.%s answers by ", p->target->node, p->target->cluster);
		print_path(o);
		printf(" in %s\n", table_ms(o, "rtt_ms", rtt));
	} else if (strcmp(event, "path") == 0) {
		printf("%s.%s is now reached by ", p->target->node, p->target->cluster);
		print_path(o);
		putchar('\n');
	} else if (strcmp(event, "silence") == 0) {
		if (strcmp(js(o, "path"), "none") == 0)
			printf("there is no tunnel to %s.%s\n", p->target->node,
			       p->target->cluster);
		else
			printf("no answer from %s.%s\n", p->target->node, p->target->cluster);
	}
}

/* 1: over. */
static int on_reply(void *ctx, const struct daemon_reply *reply)
{
	struct pinging *p = ctx;
	struct json_object *o;
	const char *event;
	int rc = daemon_reply_check(reply, &p->err);

	if (rc < 0)
		return rc;
	o = json_tokener_parse((const char *)reply->data);
	event = js(o, "event");
	p->sent = (unsigned)json_object_get_int(json_object_object_get(o, "sent"));
	p->answered = (unsigned)json_object_get_int(json_object_object_get(o, "answered"));
	p->direct |= strcmp(event, "answer") == 0 && strcmp(js(o, "path"), "direct") == 0;
	if (p->json)
		printf("%s\n", (const char *)reply->data);
	else
		print_event(p, o, event);
	fflush(stdout);
	rc = strcmp(event, "end") == 0;
	json_object_put(o);
	return rc;
}

/* Seconds, with a fraction. */
static int parse_interval(const char *text, uint32_t *ret_ms, struct err *err)
{
	char *rest;
	double s = strtod(text, &rest);

	if (rest == text || *rest || !(s >= 0.2 && s <= 3600))
		return err_set(err, -EINVAL, "--interval takes seconds from 0.2 to 3600, not '%s'",
			       text);
	*ret_ms = (uint32_t)(s * 1000 + 0.5);
	return 0;
}

static int parse_count(const char *text, uint32_t *ret, struct err *err)
{
	char *rest;
	long n = strtol(text, &rest, 10);

	if (rest == text || *rest || n < 1 || n > COUNT_MAX)
		return err_set(err, -EINVAL, "--count takes a number from 1 to %d, not '%s'",
			       COUNT_MAX, text);
	*ret = (uint32_t)n;
	return 0;
}

static int run(struct cli *c, const struct target *t, struct control_request *r, bool json)
{
	struct pinging p = { .target = t, .json = json };
	/* The first one may wait for the tunnel. */
	uint64_t most = (uint64_t)r->count * (r->interval_ms + 2000) * NS_PER_MS + 20 * NS_PER_S;
	struct err err = { 0 };
	int rc;

	snprintf(r->cluster, sizeof(r->cluster), "%s", t->cluster);
	snprintf(r->node, sizeof(r->node), "%s", t->node);
	rc = daemon_stream(c, r, most, on_reply, &p, &err);
	if (rc < 0) {
		(void)cli_fail(p.err.code ? &p.err : &err);
		return daemon_is_absent(rc) && !p.err.code ? EXIT_NO_DAEMON : EXIT_FAILED;
	}
	if (!json && p.answered == 0)
		printf("no answer at all; `mlsh why %s.%s` says why\n", t->node, t->cluster);
	else if (!json && r->until_direct && !p.direct)
		printf("no direct path; `mlsh why %s.%s` says why\n", t->node, t->cluster);
	return (r->until_direct ? p.direct : p.answered > 0) ? EXIT_OK : EXIT_FAILED;
}

int cmd_ping(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = { { "count", required_argument, NULL, 'c' },
						 { "interval", required_argument, NULL, 'i' },
						 { "until-direct", no_argument, NULL, 'd' },
						 { "json", no_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct control_request r = { .verb = CONTROL_PING, .interval_ms = 1000 };
	struct err err = { 0 };
	struct target t;
	bool json = false;
	int o, rc = 0;

	while (rc == 0 && (o = getopt_long(argc, argv, "c:i:h", options, NULL)) != -1) {
		switch (o) {
		case 'c': rc = parse_count(optarg, &r.count, &err); break;
		case 'i': rc = parse_interval(optarg, &r.interval_ms, &err); break;
		case 'd': r.until_direct = true; break;
		case 'j': json = true; break;
		case 'h': fputs(help, stdout); return EXIT_OK;
		default: return cli_usage("ping", "wrong option");
		}
	}
	if (rc < 0)
		return cli_usage("ping", "%s", err.text);
	if (optind + 1 != argc)
		return cli_usage("ping", "one node is needed");
	if (r.count == 0)
		r.count = r.until_direct ? COUNT_UNTIL_DIRECT : COUNT_DEFAULT;
	rc = target_find(c, argv[optind], &t, &err);
	if (rc < 0) {
		(void)cli_fail(&err);
		return daemon_is_absent(rc) ? EXIT_NO_DAEMON : EXIT_FAILED;
	}
	return run(c, &t, &r, json);
}
