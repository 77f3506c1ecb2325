/* SPDX-License-Identifier: MIT */
/* What a machine's own connection means for direct tunnels, in words. */
#include <stdio.h>

#include "proto/refusal.h"
#include "tund/why.h"

#define MAP_A_PORT                                                                                 \
	"turn on port mapping (UPnP, NAT-PMP or PCP) in this machine's "                           \
	"router, or forward this node's UDP port there by hand: it stays the same"
#define USE_IP6 "IPv6, on both sides, needs no NAT at all"

static void put(struct why *w, const char *text)
{
	snprintf(w->text, sizeof(w->text), "%s", text);
}

static void advise(struct why *w, const char *text)
{
	size_t i = 0;

	while (i < WHY_ADVICE_MAX - 1 && w->advice[i][0])
		i++;
	snprintf(w->advice[i], WHY_ADVICE_LEN, "%s", text);
}

static void advise_file(struct why *w, const struct netcheck_facts *f, const char *what)
{
	char text[WHY_ADVICE_LEN];

	snprintf(text, sizeof(text),
		 "is the %s right? it is in ~/.config/mlsh/clusters/%s.toml; "
		 "after a change run `mlsh connect %s`",
		 what, f->cluster, f->cluster);
	advise(w, text);
}

static void explain_failure(const struct netcheck_facts *f, struct why *w)
{
	if (!f->network) {
		put(w, "This machine has no network: no interface that is up has an address.");
		advise(w, "is the cable in, or the wireless network joined? `ip address` shows "
			  "what there is");
	} else if (f->err_reason == REFUSAL_FINGERPRINT) {
		put(w, "UDP gets through, but the program that answers is not the server of "
		       "this cluster.");
		advise(w, "was the server reinstalled, or does the name lead elsewhere?");
	} else if (f->err_local) {
		put(w, "This machine itself does not let out packets to the signal server: the "
		       "relay does not work, and this node does not hear where other nodes are. "
		       "Tunnels that are up stay up.");
		advise(w, "`mlsh status` has the kernel's reason: a firewall, a route or an "
			  "interface of this machine");
	} else if (!f->server_known) {
		put(w, "The signal server's name does not resolve, so it cannot be asked for "
		       "anything.");
		advise(w, "does DNS work here? `getent hosts` with the server's name tells");
		advise_file(w, f, "name");
	} else if (f->err_reason == REFUSAL_UNREACHABLE || f->err_reason == REFUSAL_TIMEOUT ||
		   f->err_reason == 0) {
		put(w, "The signal server does not answer over UDP: the relay does not work, "
		       "and this node does not hear where other nodes are. Tunnels that are up "
		       "stay up.");
		advise(w, "does mlsh-signal run, and is its UDP port open in the server's "
			  "firewall and at its provider?");
		advise_file(w, f, "port");
		advise(w, "does this network let UDP out? Another one (a phone's) tells");
	} else if (f->err_reason == REFUSAL_BUSY) {
		put(w, "The signal server answers, but is busy: this node waits as long as it was "
		       "asked to.");
	} else {
		put(w, "The signal server answers, but refuses this node.");
		advise(w, "`mlsh status` has its reason");
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
			       ? "This NAT takes another port for each destination, but one after "
				 "the other, so that peers can guess them: tunnels are direct, "
				 "except with peers behind NATs that take another port for each "
				 "destination, too."
			       : "This NAT takes another port for each destination: tunnels are "
				 "direct with peers that have a public address or an easy NAT, the "
				 "others go over the relay.");
		advise(w, MAP_A_PORT);
		advise(w, USE_IP6);
		break;
	case MAPPING_UNKNOWN:
	case MAPPING_ASKED: /* of what we tell, not of what we find */
	case MAPPINGS:
		put(w, "What the NAT here does is not known: only the signal server has told "
		       "this node which address it comes from.");
		advise(w, "let the UDP port next to the signal server's (4434 beside 4433) "
			  "through its firewall, or wait until a peer is reached directly");
		break;
	}
}

static void explain_rewriting(const struct netcheck_facts *f, struct why *w)
{
	char text[ADDR_TEXT_MAX];

	snprintf(w->text, sizeof(w->text),
		 "Something in front of the signal server (a container's "
		 "published port, a proxy, a router) rewrites source addresses: the server sees "
		 "this machine at %s, an address of its own network. So nodes behind NATs cannot "
		 "learn their public addresses, and their tunnels go over the relay.",
		 addr_format_ip(&f->observed, text));
	advise(w, "on the server: run mlsh-signal in the network of its host (`docker run "
		  "--network host`), or let what is in front of it keep source addresses");
	advise(w, MAP_A_PORT);
	advise(w, USE_IP6);
}

void netcheck_explain(const struct netcheck_facts *f, struct why *ret)
{
	*ret = (struct why){ .reason = WHY_UNKNOWN };
	if (!f->session_up)
		explain_failure(f, ret);
	else if (f->mapped && f->nat.mapping != MAPPING_NONE)
		put(ret, "The router maps a port to this machine, whatever its NAT does otherwise: "
			 "its tunnels are direct, except with peers whose network blocks UDP.");
	else if (f->rewritten)
		explain_rewriting(f, ret);
	else
		explain_nat(f, ret);
}
