/* SPDX-License-Identifier: MIT */
/* mlsh disconnect: takes a cluster down until the next connect. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/target.h"

static const char help[] = "Usage: mlsh disconnect <cluster>\n\n"
			   "Takes the cluster's network down on this machine: device, routes and "
			   "DNS are removed, and it does\n"
			   "not come back after a restart. `mlsh connect` brings it up again.\n";

int cmd_disconnect(struct cli *c, int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	struct control_request r = { .verb = CONTROL_DISCONNECT };
	struct daemon_reply reply = { 0 };
	struct err err = { 0 };
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (o != 'h')
			return cli_usage("disconnect", "wrong option");
		fputs(help, stdout);
		return EXIT_OK;
	}
	if (optind + 1 != argc)
		return cli_usage("disconnect", "one cluster name is needed");
	if (label_check("cluster name", argv[optind], &err) < 0)
		return cli_fail(&err);
	snprintf(r.cluster, sizeof(r.cluster), "%s", argv[optind]);
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
	printf("Disconnected from %s.\n", r.cluster);
	return EXIT_OK;
}
