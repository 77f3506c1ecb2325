/* SPDX-License-Identifier: MIT */
/* mlsh ping: does a node answer, by which way, and how soon? */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "cli/target.h"
#include "os/loop.h"

#define COUNT_DEFAULT 5
#define COUNT_UNTIL_DIRECT 30
#define COUNT_MAX 100000

enum { COUNT, INTERVAL, UNTIL_DIRECT, JSON };

struct pinging {
	const struct target *target;
	bool json;
	unsigned answered, sent;       /* with an outcome */
	double min_ms, max_ms, sum_ms; /* of the answers */
	bool direct;
	struct json_object *last; /* event; NULL before the first */
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

static void count(struct pinging *p, struct json_object *o, const char *event)
{
	double ms = json_object_get_double(json_object_object_get(o, "rtt_ms"));

	if (strcmp(event, "answer") == 0) {
		p->min_ms = p->answered == 0 ? ms : MIN(p->min_ms, ms);
		p->max_ms = MAX(p->max_ms, ms);
		p->sum_ms += ms;
		p->answered++;
		p->sent++;
		p->direct |= strcmp(js(o, "path"), "direct") == 0;
	} else if (strcmp(event, "silence") == 0) {
		p->sent++;
	}
}

/* The end is told by us, with the summary, whoever ended it. 1: over. */
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
	rc = strcmp(event, "end") == 0;
	count(p, o, event);
	if (!p->json)
		print_event(p, o, event);
	else if (!rc)
		printf("%s\n", (const char *)reply->data);
	json_object_put(p->last);
	p->last = o;
	return fflush(stdout) != 0 || rc; /* nobody reads it any more: over, too */
}

static void put_ms(struct json_object *o, const char *key, const struct pinging *p, double ms)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", ms);
	json_object_object_add(o, key, p->answered ? json_object_new_double_s(ms, text) : NULL);
}

static double lost_percent(const struct pinging *p)
{
	return p->sent ? 100.0 * (p->sent - p->answered) / p->sent : 0;
}

static void print_end_json(const struct pinging *p)
{
	struct json_object *o = json_object_new_object();
	char lost[16];

	snprintf(lost, sizeof(lost), "%.1f", lost_percent(p));
	json_object_object_add(o, "event", json_object_new_string("end"));
	json_object_object_add(o, "seq", json_object_new_int64(p->sent));
	json_object_object_add(o, "path",
			       json_object_new_string(p->last ? js(p->last, "path") : "none"));
	json_object_object_add(o, "endpoint",
			       !p->last || !*js(p->last, "endpoint")
				       ? NULL
				       : json_object_new_string(js(p->last, "endpoint")));
	json_object_object_add(o, "rtt_ms", NULL);
	json_object_object_add(o, "sent", json_object_new_int64(p->sent));
	json_object_object_add(o, "answered", json_object_new_int64(p->answered));
	json_object_object_add(o, "lost_percent",
			       p->sent ? json_object_new_double_s(lost_percent(p), lost) : NULL);
	put_ms(o, "rtt_min_ms", p, p->min_ms);
	put_ms(o, "rtt_avg_ms", p, p->answered ? p->sum_ms / p->answered : 0);
	put_ms(o, "rtt_max_ms", p, p->max_ms);
	json_print(o);
}

static void print_end(const struct pinging *p)
{
	const struct target *t = p->target;

	char lost[24] = "", rtt[96] = "";

	if (p->sent)
		snprintf(lost, sizeof(lost), ", %.*f%% lost", p->sent < 1000 ? 0 : 1,
			 lost_percent(p));
	if (p->answered)
		snprintf(rtt, sizeof(rtt), "\nround trip min/avg/max %.2f/%.2f/%.2f ms", p->min_ms,
			 p->sum_ms / p->answered, p->max_ms);
	printf("%s.%s: %u sent, %u answered%s%s\n", t->node, t->cluster, p->sent, p->answered, lost,
	       rtt);
}

static void on_interrupt(void *ctx)
{
	loop_stop(((struct cli *)ctx)->host);
}

/* -EINTR: ended by Ctrl-C or SIGTERM. */
static int stream(struct cli *c, const struct control_request *r, uint64_t most, struct pinging *p,
		  struct err *err)
{
	struct signal_watch *intr = signal_watch_new(c->host, SIGINT, on_interrupt, c);
	struct signal_watch *term = signal_watch_new(c->host, SIGTERM, on_interrupt, c);
	int rc = daemon_stream(c, r, most, on_reply, p, err);

	signal_watch_free(intr);
	signal_watch_free(term);
	return rc;
}

/* Seconds, with a fraction. */
static int parse_interval(const char *text, uint32_t *ret_ms, struct err *err)
{
	char *rest;
	double s = strtod(text, &rest);

	if (rest == text || *rest || !(s >= 0.2 && s <= 3600))
		return err_set(err, -EINVAL,
			       "--interval takes seconds from 0.2 to 3600, not "
			       "'%.40s'",
			       text);
	*ret_ms = (uint32_t)(s * 1000 + 0.5);
	return 0;
}

static int parse_count(const char *text, uint32_t *ret, struct err *err)
{
	char *rest;
	long n = strtol(text, &rest, 10);

	if (rest == text || *rest || n < 1 || n > COUNT_MAX)
		return err_set(err, -EINVAL, "--count takes a number from 1 to %d, not '%.40s'",
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
	rc = stream(c, r, most, &p, &err);
	if (rc >= 0 || rc == -EINTR || p.last)
		(json ? print_end_json : print_end)(&p);
	json_object_put(p.last);
	if (rc < 0 && rc != -EINTR) {
		fflush(stdout);
		if (p.err.code)
			target_no_cluster(c, t->cluster, &p.err);
		(void)cli_fail(p.err.code ? &p.err : &err);
		return daemon_is_absent(rc) && !p.err.code ? EXIT_NO_DAEMON : EXIT_FAILED;
	}
	if (!json && p.answered == 0)
		table_line("", "no answer %s; `mlsh why %s.%s` says why",
			   rc < 0 ? "so far" : "at all", t->node, t->cluster);
	else if (!json && r->until_direct && !p.direct)
		table_line("", "no direct path; `mlsh why %s.%s` says why", t->node, t->cluster);
	return (r->until_direct ? p.direct : p.answered > 0) ? EXIT_OK : EXIT_FAILED;
}

static int ping(struct cli *c, const struct options_given *g)
{
	struct control_request r = { .verb = CONTROL_PING,
				     .interval_ms = 1000,
				     .until_direct = g->value[UNTIL_DIRECT] != NULL };
	struct err err = { 0 };
	struct target t;
	int rc = 0;

	if (g->value[COUNT])
		rc = parse_count(g->value[COUNT], &r.count, &err);
	if (rc == 0 && g->value[INTERVAL])
		rc = parse_interval(g->value[INTERVAL], &r.interval_ms, &err);
	if (rc < 0)
		return cli_usage("ping", "%s", err.text);
	if (r.count == 0)
		r.count = r.until_direct ? COUNT_UNTIL_DIRECT : COUNT_DEFAULT;
	rc = target_find(c, g->arg[0], &t, &err);
	if (rc < 0) {
		(void)cli_fail(&err);
		return daemon_is_absent(rc) ? EXIT_NO_DAEMON : EXIT_FAILED;
	}
	return run(c, &t, &r, g->value[JSON] != NULL);
}

const struct command ping_command = {
	.name = "ping",
	.summary = "does a node answer, by which path, and how soon",
	.options = {
		.program = "mlsh ping",
		.usage = "<node>[.<cluster>] [options]",
		.about = "Sends authenticated probes by the path in use and shows of each answer "
			 "the path (direct, or over the relay) and the round trip. Builds the "
			 "tunnel if it is missing, and says at once when the path changes. Ends "
			 "with a line that sums it up, after Ctrl-C too.\n"
			 "Exit code 0: answered (with --until-direct: directly); 1: not.",
		.missing = "one node is needed",
		.min_args = 1,
		.max_args = 1,
		.row = {
			[COUNT] = { "count", 'c', "COUNT",
				    "how many probes to send (5; with --until-direct 30)" },
			[INTERVAL] = { "interval", 'i', "SECONDS",
				       "the time between them, at least 0.2 (1)" },
			[UNTIL_DIRECT] = { "until-direct", 0, NULL,
					   "end with the first answer by a direct path" },
			[JSON] = { "json", 0, NULL, "print a line of JSON for each event" },
		},
	},
	.run = ping,
};
