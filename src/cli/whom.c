/* SPDX-License-Identifier: MIT */
/* Nodes and clusters as people type them, found in the user's files. */
#include "cli/whom.h"

#include <stdio.h>

#include "cli/names.h"

/* By this user's copy of the log alone. */
static bool has_node(struct cli *c, const char *cluster, const char *node)
{
	struct cluster_file f = { 0 };
	struct govern g = { .log = NULL };
	const struct member *m = NULL;
	struct mlog *log = NULL;

	if (store_load_cluster(c->host, &c->store, cluster, &f, NULL) == 0 &&
	    store_load_log(c->host, &c->store, &f, &log, NULL, NULL) == 0) {
		g.log = log;
		if (govern_find(&g, node, &m, NULL) < 0)
			m = NULL;
	}
	mlog_free(log);
	secret_wipe(&f, sizeof(f));
	return m != NULL;
}

static int cluster_of_node(struct cli *c, const char *node, char out[LABEL_MAX + 1],
			   struct err *err)
{
	struct cluster_names l;
	size_t found = 0;

	names_list(c, &l);
	if (l.n <= 1)
		return copy_name(c, NULL, out, err);
	for (size_t i = 0; i < l.n; i++) {
		if (has_node(c, l.name[i], node) && found++ == 0)
			snprintf(out, LABEL_MAX + 1, "%s", l.name[i]);
	}
	if (found == 1)
		return 0;
	if (found == 0)
		return err_set(err, -ENOENT,
			       "no cluster here has a node %s; there is %s. `mlsh nodes "
			       "<cluster>` lists its nodes",
			       node, l.all);
	return err_set(err, -EINVAL, "several clusters have a node %s; say which: %s.%s", node,
		       node, out);
}

/* The cluster that the words name; "" if none does. */
static int named_cluster(const char *const *typed, size_t n, struct target *first,
			 char out[LABEL_MAX + 1], struct err *err)
{
	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		struct target t;
		int rc = target_split(typed[i], &t, err);

		if (rc < 0)
			return rc;
		if (i == 0)
			*first = t;
		if (t.cluster[0] && out[0] && strcmp(t.cluster, out) != 0)
			return err_set(err, -EINVAL,
				       "%.63s and %.63s are two clusters: one at a time", out,
				       t.cluster);
		if (t.cluster[0])
			snprintf(out, LABEL_MAX + 1, "%s", t.cluster);
	}
	return 0;
}

/* Does this machine's log have them all? It may be older than a node that joined. */
static bool all_known(const struct governing *g, const char *const *typed, size_t n)
{
	const struct member *m;

	for (size_t i = 0; i < n; i++)
		if (whom_find(g, typed[i], &m, NULL) < 0)
			return false;
	return true;
}

int whom_open(struct cli *c, const char *const *typed, size_t n, struct governing *ret,
	      struct err *err)
{
	char cluster[LABEL_MAX + 1];
	struct target first = { .node = "" };
	int rc = named_cluster(typed, n, &first, cluster, err);

	*ret = (struct governing){ .cli = c };
	if (rc == 0 && !cluster[0])
		rc = cluster_of_node(c, first.node, cluster, err);
	if (rc == 0)
		rc = governing_open(c, cluster, ret, err);
	if (rc == 0 && !all_known(ret, typed, n))
		governing_update(ret);
	return rc;
}

int whom_find(const struct governing *g, const char *typed, const struct member **ret,
	      struct err *err)
{
	struct govern author = governing_author(g);
	struct target t;
	int rc = target_split(typed, &t, err);

	return rc < 0 ? rc : govern_find(&author, t.node, ret, err);
}

struct submitted {
	const struct governing *governing;
	struct whom_change *change;
};

static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	const struct submitted *s = ctx;
	struct whom_change *w = s->change;
	const struct member *m;
	int rc = whom_find(s->governing, w->typed, &m, err);

	if (rc < 0)
		return rc;
	snprintf(w->name, sizeof(w->name), "%s", m->name);
	return w->make(w, g, m, ret, err);
}

int whom_submit(struct governing *g, struct whom_change *w, struct governed *ret, struct err *err)
{
	struct submitted s = { g, w };

	return governing_submit(g, make, &s, ret, err);
}
