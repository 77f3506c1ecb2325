/* SPDX-License-Identifier: MIT */
/* What root has connected, as the daemon shows it to the group mlsh. */
#include "cli/roots.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/daemon_status.h"
#include "cli/table.h"

bool roots_is(struct json_object *cluster)
{
	struct json_object *owner = json_object_object_get(cluster, "owner_uid");

	return geteuid() != 0 && owner && json_object_get_int64(owner) == 0;
}

void roots_list(struct cli *c, struct cluster_names *ret)
{
	struct json_object *status = NULL, *list;
	size_t n, at = 0;

	ret->n = 0;
	ret->all[0] = '\0';
	if (geteuid() == 0 || daemon_status(c, NULL, NULL, &status) < 0)
		return;
	list = json_object_object_get(status, "clusters");
	n = list ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < n && ret->n < NAMES_MAX; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (!roots_is(one))
			continue;
		snprintf(ret->name[ret->n++], sizeof(ret->name[0]), "%s", js(one, "name"));
		if (at < sizeof(ret->all))
			at += (size_t)snprintf(ret->all + at, sizeof(ret->all) - at, "%s%s",
					       at ? ", " : "", js(one, "name"));
	}
	json_object_put(status);
}

bool roots_has(struct cli *c, const char *cluster)
{
	struct cluster_names l;

	roots_list(c, &l);
	for (size_t i = 0; i < l.n; i++)
		if (strcmp(l.name[i], cluster) == 0)
			return true;
	return false;
}

int roots_refuse(struct cli *c, const char *cluster, struct err *err)
{
	bool named = c->command && strncmp(c->command->options.usage, "[<cluster>]", 11) == 0;

	return err_set(err, -EPERM, "the cluster %s is root's on this machine: sudo mlsh %s %s",
		       cluster, c->command ? c->command->name : "", named ? cluster : "...");
}

int roots_check_free(struct cli *c, const char *cluster, struct err *err)
{
	if (!roots_has(c, cluster))
		return 0;
	return err_set(err, -EEXIST,
		       "root has connected a cluster %s on this machine, which takes the name: "
		       "`mlsh status` shows it, and with sudo you can change it",
		       cluster);
}

int roots_name(struct cli *c, const char *named, char ret[LABEL_MAX + 1], struct err *err)
{
	struct cluster_names l;
	int rc = names_choose(c, named, "which cluster is meant", ret, err);

	if (rc < 0 || ret[0])
		return rc;
	roots_list(c, &l);
	if (l.n == 0)
		return copy_name(c, NULL, ret, err);
	if (l.n > 1)
		return err_set(err, -EINVAL, "which cluster is meant? There are %s", l.all);
	snprintf(ret, LABEL_MAX + 1, "%s", l.name[0]);
	return 0;
}
