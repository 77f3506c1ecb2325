/* SPDX-License-Identifier: MIT */
/* What a user should know about the server's name or address before others depend on it. */
#include <stdio.h>

#include "cli/cli.h"
#include "membership/entry.h"

void host_note(const char *host, bool setup)
{
	switch (host_reach(host)) {
	case HOST_REACH_SELF:
		fprintf(stderr, "mlsh: warning: %s leads every machine to itself. Another machine "
			"cannot find the\nserver there; %s\n", host,
			setup ? "begin again with the name or address that others know it by"
			      : "set another host in the cluster file, then connect again");
		break;
	case HOST_REACH_LINK:
		fprintf(stderr, "mlsh: warning: %s is known at one network link only. A machine "
			"elsewhere cannot\nfind the server there\n", host);
		break;
	case HOST_REACH_NETWORK:
		if (setup)
			fprintf(stderr, "mlsh: note: %s is known in a private network only. A "
				"machine outside of it\ncannot find the server there\n", host);
		break;
	case HOST_REACH_ALL:
		break;
	}
}

void host_note_zone(const char *host, const char *cluster)
{
	if (host_in_zone(host, cluster))
		fprintf(stderr, "mlsh: warning: the cluster's zone .%s contains the server's name "
			"%s. While\nconnected, this machine finds no other name in .%s than those "
			"of nodes\n", cluster, host, cluster);
}
