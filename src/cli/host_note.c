/* SPDX-License-Identifier: MIT */
/* What a user should know about the server's name or address before others depend on it. */
#include "cli/cli.h"
#include "membership/entry.h"
#include "membership/hostport.h"

void host_note(const char *host, bool setup)
{
	switch (host_reach(host)) {
	case HOST_REACH_SELF:
		cli_complain("warning: %s leads every machine to itself. Another machine cannot "
			     "find the server there; %s",
			     host,
			     setup ? "begin again with the name or address by which other "
				     "machines know it"
				   : "set another host in the cluster file, then connect again");
		break;
	case HOST_REACH_LINK:
		cli_complain("warning: %s is known at one network link only. A machine elsewhere "
			     "cannot find the server there",
			     host);
		break;
	case HOST_REACH_NETWORK:
		if (setup)
			cli_complain("note: %s is known in a private network only. A machine "
				     "outside of it cannot find the server there",
				     host);
		break;
	case HOST_REACH_ALL:
		break;
	}
}

void host_note_zone(const char *host, const char *cluster)
{
	if (host_in_zone(host, cluster))
		cli_complain("warning: the cluster's zone .%s contains the server's name %s. While "
			     "connected, this machine finds no other name in .%s than those of "
			     "nodes",
			     cluster, host, cluster);
}
