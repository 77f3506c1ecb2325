/* SPDX-License-Identifier: MIT */
/* Reads the removals that wait out of the daemon's status. */
#include "cli/waiting.h"

#include <json-c/json.h>
#include <stdio.h>

#include "cli/table.h"

/* The daemon's status of the cluster; NULL if it does not have it. */
static struct json_object *status_of(struct cli *c, const char *cluster)
{
	struct control_request r = { .verb = CONTROL_STATUS };
	struct daemon_reply reply = { 0 };
	struct json_object *o = NULL;
	struct err ignored = { 0 };

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	if (daemon_call(c, &r, &ignored, &reply) == 0 && daemon_reply_check(&reply, &ignored) == 0)
		o = json_tokener_parse((const char *)reply.data);
	daemon_reply_free(&reply);
	return o;
}

static const struct member *member_named(const struct copy *p, const char *name)
{
	return roster_by_name(mlog_roster(p->log), span_str(name), ROSTER_CURRENT);
}

void waiting_each(struct cli *c, const struct copy *p, waiting_fn fn, void *ctx)
{
	struct json_object *status = p->connected ? status_of(c, p->cluster) : NULL;
	struct json_object *list = json_object_object_get(status, "clusters"), *waiting = NULL;

	if (list && json_object_array_length(list) == 1)
		waiting = json_object_object_get(json_object_array_get_idx(list, 0),
						 "removals_waiting");
	for (size_t i = 0; waiting && i < json_object_array_length(waiting); i++) {
		struct json_object *one = json_object_array_get_idx(waiting, i);
		const struct member *m = member_named(p, js(one, "name"));

		if (m)
			fn(ctx, m, member_named(p, js(one, "by")));
	}
	json_object_put(status);
}
