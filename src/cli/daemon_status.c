/* SPDX-License-Identifier: MIT */
/* Asks the daemon for its status. */
#include "cli/daemon_status.h"

#include <stdio.h>

#include "cli/table.h"

int daemon_status(struct cli *c, const char *cluster, struct err *err, struct json_object **ret)
{
	struct control_request r = { .verb = CONTROL_STATUS };
	struct daemon_reply reply = { 0 };
	int rc;

	*ret = NULL;
	if (cluster)
		snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	rc = daemon_call(c, &r, err, &reply);
	if (rc == 0 && daemon_reply_check(&reply, err) == 0) {
		*ret = json_tokener_parse((const char *)reply.data);
		if (!*ret)
			rc = err_set(err, -EBADMSG, "mlshtund's answer was not understood");
	}
	daemon_reply_free(&reply);
	return rc;
}

const struct status_proof status_proofs[STATUS_PROOFS] = {
	{ "fork", "server", "proof",
	  "before the last recovery the signal server lied, or was restored from an old copy: " },
	{ "code_misused", "recovery-code", "code-proof",
	  "before the last recovery a recovery code was misused: " },
};

bool status_proof_kept(struct json_object *log, const struct status_proof *p)
{
	struct json_object *list = json_object_object_get(log, "proofs");

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), p->name) ==
		    0)
			return true;
	return false;
}

struct json_object *status_cluster(struct json_object *status)
{
	struct json_object *list = json_object_object_get(status, "clusters");

	return list && json_object_array_length(list) == 1 ? json_object_array_get_idx(list, 0)
							   : NULL;
}

bool status_is_stopped(struct json_object *cluster)
{
	return cluster && strcmp(js(cluster, "state"), "stopped") == 0;
}
