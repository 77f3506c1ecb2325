/* SPDX-License-Identifier: MIT */
/* mlsh __complete: what a shell asks while a person types. */
#include "cli/complete.h"

#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/names.h"
#include "client/invite_book.h"

#define COMPLETE_TIME_US 300000 /* for all, a folder that hangs included */
#define DAEMON_TIME (100 * NS_PER_MS)

struct node_name {
	char node[LABEL_MAX + 1], cluster[LABEL_MAX + 1];
};

struct found {
	struct node_name *item;
	size_t n, cap;
	struct cluster_names clusters; /* of the files and the daemon together */
	bool told[NAMES_MAX];	       /* the daemon has named the nodes of this one */
};

/* --- what there is ---------------------------------------------------------------------------- */

static size_t add_cluster(struct found *f, const char *cluster)
{
	struct cluster_names *l = &f->clusters;
	size_t i = 0;

	while (i < l->n && strcmp(l->name[i], cluster) != 0)
		i++;
	if (i == l->n && l->n < NAMES_MAX)
		snprintf(l->name[l->n++], sizeof(l->name[0]), "%s", cluster);
	return i;
}

static void add_node(struct found *f, const char *node, const char *cluster)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		struct node_name *grown = realloc(f->item, cap * sizeof(*grown));

		if (!grown)
			return;
		f->item = grown;
		f->cap = cap;
	}
	snprintf(f->item[f->n].node, sizeof(f->item[0].node), "%s", node);
	snprintf(f->item[f->n++].cluster, sizeof(f->item[0].cluster), "%s", cluster);
}

/* A text of the daemon's that can be a name; else NULL. */
static const char *label_of(struct json_object *o)
{
	const char *s = json_object_get_string(o);

	return s && label_ok(span_str(s)) ? s : NULL;
}

static void take_cluster(struct found *f, struct json_object *o)
{
	const char *cluster = label_of(json_object_object_get(o, "name"));
	struct json_object *nodes = json_object_object_get(o, "nodes");
	size_t n = json_object_is_type(nodes, json_type_array) ? json_object_array_length(nodes)
							       : 0;
	size_t at = cluster ? add_cluster(f, cluster) : NAMES_MAX;

	if (at == NAMES_MAX)
		return;
	for (size_t i = 0; i < n; i++) {
		const char *node = label_of(json_object_array_get_idx(nodes, i));

		if (node)
			add_node(f, node, cluster);
	}
	f->told[at] = n > 0;
}

static int on_reply(void *ctx, const struct daemon_reply *reply)
{
	struct json_object *o = json_tokener_parse((const char *)reply->data);
	struct json_object *list = json_object_object_get(o, "clusters");

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		take_cluster(ctx, json_object_array_get_idx(list, i));
	json_object_put(o);
	return 1;
}

/* The members by this user's copy of the log. */
static void add_stored_nodes(struct cli *c, struct found *f, const char *cluster)
{
	struct cluster_file file = { 0 };
	const struct member *m = NULL;
	struct mlog *log = NULL;

	if (store_load_cluster(c->host, &c->store, cluster, &file, NULL) == 0 &&
	    store_load_log(c->host, &c->store, &file, &log, NULL, NULL) == 0)
		while ((m = roster_next(mlog_roster(log), m, ROSTER_CURRENT)))
			add_node(f, m->name, cluster);
	mlog_free(log);
	secret_wipe(&file, sizeof(file));
}

static void find(struct cli *c, struct found *f, bool nodes)
{
	struct control_request r = { .verb = nodes ? CONTROL_NAMES : CONTROL_CLUSTERS };

	names_list(c, &f->clusters);
	(void)!daemon_stream(c, &r, DAEMON_TIME, on_reply, f, NULL);
	for (size_t i = 0; nodes && i < f->clusters.n; i++)
		if (!f->told[i])
			add_stored_nodes(c, f, f->clusters.name[i]);
}

/* --- printing --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct node_name *)a)->node, ((const struct node_name *)b)->node);
}

/* "nas", or "nas.homelab" where that is asked for or nothing else is clear. */
static void print_nodes(struct found *f, bool whole)
{
	if (f->n)
		qsort(f->item, f->n, sizeof(f->item[0]), by_name);
	for (size_t i = 0; i < f->n; i++) {
		const struct node_name *o = &f->item[i];
		bool twice = (i > 0 && by_name(o, o - 1) == 0) ||
			     (i + 1 < f->n && by_name(o, o + 1) == 0);

		printf("%s%s%s\n", o->node, whole || twice ? "." : "",
		       whole || twice ? o->cluster : "");
	}
}

static void print_invites(struct cli *c, const char *cluster)
{
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(c->host), 0);
	struct invite_book b = { .n = 0 };

	if (invite_book_load(c->host, &c->store, cluster, &b, NULL) < 0)
		return;
	invite_book_clear(&b, NULL, now_s);
	for (size_t i = 0; i < b.n; i++) {
		char id[INVITE_ID_LEN + 1];

		invite_id(b.item[i].note.nonce, id);
		puts(id);
	}
	invite_book_free(&b);
}

static void on_late(int number)
{
	(void)number;
	_exit(EXIT_OK);
}

void complete_print(struct cli *c, const char *kind, const char *word)
{
	const struct itimerval late = { .it_value = { .tv_usec = COMPLETE_TIME_US } };
	struct found f = { .n = 0 };
	bool nodes = strcmp(kind, "nodes") == 0;

	signal(SIGALRM, on_late);
	setitimer(ITIMER_REAL, &late, NULL);
	host_log(c->host)->level = LOG_LEVEL_ERROR;
	find(c, &f, nodes);
	if (nodes)
		print_nodes(&f, strchr(word, '.') != NULL);
	for (size_t i = 0; i < f.clusters.n; i++) {
		if (strcmp(kind, "clusters") == 0)
			puts(f.clusters.name[i]);
		if (strcmp(kind, "invites") == 0)
			print_invites(c, f.clusters.name[i]);
	}
	free(f.item);
}
