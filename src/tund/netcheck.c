/* SPDX-License-Identifier: MIT */
/* What a machine's own connection means for direct tunnels, in words. */
#include <stdio.h>

#include "proto/refusal.h"
#include "tund/why.h"

#define MAP_A_PORT "turn on port mapping (UPnP, NAT-PMP or PCP) in this machine's " \
		   "router, or forward this node's UDP port there by hand: it stays the same"
#define USE_IP6 "IPv6, on both sides, needs no NAT at all"

static void put(struct why *w, const char *text)
{
	snprintf(w->text, sizeof(w->text), "%s", text);
}

static void explain_failure(const struct netcheck_facts *f, struct why *w)
{
	if (f->err_reason == REFUSAL_FINGERPRINT) {
		put(w, "UDP gets through, but who answers is not the server of this cluster.");
		w->advice[0] = "was the server reinstalled, or does the name lead elsewhere?";
	} else if (!f->server_known) {
		put(w, "The signal server's name does not resolve, so it can not be asked for "
		       "anything.");
		w->advice[0] = "does DNS work here? `getent hosts` with the server's name tells";
		w->advice[1] = "is the name right? it is in the cluster's file";
	} else if (f->err_reason == REFUSAL_UNREACHABLE || f->err_reason == REFUSAL_TIMEOUT ||
		   f->err_reason == 0) {
		put(w, "The signal server does not answer over UDP: no relay, and no news of where "
		       "nodes are. Tunnels that are up stay up.");
		w->advice[0] = "does mlsh-signal run, and is its UDP port open in the server's "
			       "firewall and at its provider?";
		w->advice[1] = "is the port right? it is in the cluster's file";
		w->advice[2] = "does this network let UDP out? Another one (a phone's) tells";
	} else {
		put(w, "The signal server answers, but refuses this node.");
		w->advice[0] = "`mlsh status` has its reason";
	}
}

static void explain_nat(const struct netcheck_facts *f, struct why *w)
{
	bool open = f->nat.filtering == FILTERING_OPEN;

	switch (f->nat.mapping) {
	case MAPPING_NONE:
		put(w, open ? "No NAT is between this machine and the server: its tunnels are "
			      "direct, except with peers whose network blocks UDP."
			    : "No NAT is between this machine and the server, but a firewall that "
			      "lets only answers in: its tunnels are direct, except with peers "
			      "behind NATs that take another port for each destination.");
		break;
	case MAPPING_SAME:
		put(w, open ? "This NAT is an easy one: its tunnels are direct, except with peers "
			      "whose network blocks UDP."
			    : "This NAT can be traversed: its tunnels are direct, except with "
			      "peers behind NATs that take another port for each destination.");
		break;
	case MAPPING_VARIES:
		put(w, f->in_turn
		       ? "This NAT takes another port for each destination, but one after the "
			 "other, so that peers can guess them: tunnels are direct, except with "
			 "peers behind NATs that take another port for each destination, too."
		       : "This NAT takes another port for each destination: tunnels are direct "
			 "with peers that have a public address or an easy NAT, the others go over "
			 "the relay.");
		w->advice[0] = MAP_A_PORT;
		w->advice[1] = USE_IP6;
		break;
	case MAPPING_UNKNOWN:
	case MAPPING_ASKED: /* of what we tell, not of what we find */
	case MAPPINGS:
		put(w, "What the NAT here does is not known: nobody but the signal server has told "
		       "where he sees this machine.");
		w->advice[0] = "let the UDP port next to the signal server's (4434 beside 4433) "
			       "through its firewall, or wait until a peer is reached directly";
		break;
	}
}

void netcheck_explain(const struct netcheck_facts *f, struct why *ret)
{
	*ret = (struct why){ .reason = WHY_UNKNOWN };
	if (!f->session_up)
		explain_failure(f, ret);
	else if (f->mapped && f->nat.mapping != MAPPING_NONE)
		put(ret, "The router maps a port to this machine, whatever its NAT does otherwise: "
			 "its tunnels are direct, except with peers whose network blocks UDP.");
	else
		explain_nat(f, ret);
}
