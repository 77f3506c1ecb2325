/* SPDX-License-Identifier: MIT */
/* The names of the caller's clusters. */
#include "cli/names.h"

#include <stdio.h>

static void add(void *ctx, const char *cluster)
{
	struct cluster_names *l = ctx;
	size_t at = strlen(l->all);

	if (l->n == NAMES_MAX)
		return;
	snprintf(l->name[l->n++], sizeof(l->name[0]), "%s", cluster);
	snprintf(l->all + at, sizeof(l->all) - at, "%s%s", at ? ", " : "", cluster);
}

void names_list(struct cli *c, struct cluster_names *ret)
{
	ret->n = 0;
	ret->all[0] = '\0';
	store_each_cluster(c->host, &c->store, add, ret);
}

int names_choose(struct cli *c, const char *named, const char *which, char ret[LABEL_MAX + 1],
		 struct err *err)
{
	struct cluster_names l;

	if (named) {
		int rc = label_check("cluster name", named, err);

		if (rc == 0)
			snprintf(ret, LABEL_MAX + 1, "%s", named);
		return rc;
	}
	names_list(c, &l);
	if (l.n > 1)
		return err_set(err, -EINVAL, "%s? There are %s", which, l.all);
	snprintf(ret, LABEL_MAX + 1, "%s", l.n == 1 ? l.name[0] : "");
	return 0;
}
