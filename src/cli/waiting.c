/* SPDX-License-Identifier: MIT */
/* Reads the removals that wait out of the daemon's status. */
#include "cli/waiting.h"

#include "cli/daemon_status.h"
#include "cli/table.h"

static const struct member *member_named(const struct copy *p, const char *name)
{
	return roster_by_name(mlog_roster(p->log), span_str(name), ROSTER_CURRENT);
}

void waiting_each(struct cli *c, const struct copy *p, waiting_fn fn, void *ctx)
{
	struct json_object *status = NULL, *waiting;
	struct err ignored = { 0 };

	if (!p->connected || daemon_status(c, p->cluster, &ignored, &status) < 0)
		return;
	waiting = json_object_object_get(status_cluster(status), "removals_waiting");
	for (size_t i = 0; waiting && i < json_object_array_length(waiting); i++) {
		struct json_object *one = json_object_array_get_idx(waiting, i);
		const struct member *m = member_named(p, js(one, "name"));

		if (m)
			fn(ctx, m, member_named(p, js(one, "by")));
	}
	json_object_put(status);
}
