/* SPDX-License-Identifier: MIT */
/* mlsh disconnect: takes a cluster down until the next connect. */
#include <stdio.h>

#include "cli/copy.h"
#include "cli/daemon_status.h"
#include "cli/target.h"

/* Returns true if the daemon knows the cluster and it is down already. */
static bool is_down(struct cli *c, const char *cluster)
{
	struct json_object *status = NULL;
	struct err ignored = { 0 };
	bool down;

	if (daemon_status(c, cluster, &ignored, &status) < 0)
		return false;
	down = status_is_stopped(status_cluster(status));
	json_object_put(status);
	return down;
}

static int disconnect(struct cli *c, const struct options_given *g)
{
	struct control_request r = { .verb = CONTROL_DISCONNECT };
	struct daemon_reply reply = { 0 };
	struct err err = { 0 };

	if (copy_name(c, g->n_args ? g->arg[0] : NULL, r.cluster, &err) < 0)
		return cli_fail(&err);
	bool was_down = is_down(c, r.cluster);
	int rc = daemon_call(c, &r, &err, &reply);
	if (daemon_is_absent(rc)) {
		(void)cli_fail(&err);
		return EXIT_NO_DAEMON;
	}
	if (rc == 0)
		rc = daemon_reply_check(&reply, &err);
	daemon_reply_free(&reply);
	if (rc < 0) {
		target_no_cluster(c, r.cluster, &err);
		return cli_fail(&err);
	}
	printf(was_down ? "%s was not connected.\n" : "Disconnected from %s.\n", r.cluster);
	return EXIT_OK;
}

const struct command disconnect_command = {
	.name = "disconnect",
	.summary = "take a cluster's network down on this machine",
	.options = {
		.program = "mlsh disconnect",
		.usage = "[<cluster>]",
		.about = "Takes the cluster's network down on this machine: device, routes and DNS "
			 "are removed, and it does not come back after a restart. `mlsh connect` "
			 "brings it up again.",
		.max_args = 1,
	},
	.run = disconnect,
};
