/* SPDX-License-Identifier: MIT */
/* From facts to reasons, and from reasons to words. */
#include "tund/why.h"

#include <stdio.h>

#include "base/assert.h"

#define EARLY (8 * NS_PER_S) /* rounds need a while */
#define LOST_LATELY (120 * NS_PER_S)
#define PINGS_TELL 3 /* so many without answer, to where NATs are in the way */

/* --- deciding -------------------------------------------------------------------------------- */

enum nat_meeting nats_meet(struct nat_kind a, struct nat_kind b)
{
	struct nat_kind swap = a;

	/* b is the one that varies, if there is one. */
	if (a.mapping == MAPPING_VARIES) {
		a = b;
		b = swap;
	}
	if (a.mapping == MAPPING_VARIES)
		return NATS_MISS;
	if (b.mapping == MAPPING_VARIES) {
		/* It comes from a port that nobody can know before. */
		if (a.mapping == MAPPING_UNKNOWN || a.filtering == FILTERING_UNKNOWN)
			return NATS_UNKNOWN;
		return a.filtering == FILTERING_PORT ? NATS_MISS : NATS_MEET;
	}
	if (a.mapping != MAPPING_UNKNOWN && b.mapping != MAPPING_UNKNOWN)
		return NATS_MEET;
	/* A NAT that lets in any port can be reached, whatever the other NAT does. */
	if ((a.mapping != MAPPING_UNKNOWN && a.filtering == FILTERING_OPEN) ||
	    (b.mapping != MAPPING_UNKNOWN && b.filtering == FILTERING_OPEN))
		return NATS_MEET;
	return NATS_UNKNOWN;
}

/* What the direct paths say, all together. */
struct tally {
	size_t direct, named[PEER_PATH_SERVER + 1];
	bool settling, lost, one_way, same_router, waiting, names_ip4, names_ip6;
};

static struct tally count(const struct why_facts *f)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < f->n_paths; i++) {
		const struct peer_path_status *p = &f->paths[i];

		if (p->kind == PEER_PATH_SERVER)
			continue;
		t.direct++;
		t.named[p->kind] += p->named;
		t.names_ip4 |= p->named && addr_is_v4(&p->to);
		t.names_ip6 |= p->named && !addr_is_v4(&p->to);
		t.settling |= p->proven && p->proven_by_them && !p->lost;
		t.lost |= p->lost && p->last_echo && f->now - p->last_echo < LOST_LATELY;
		t.waiting |= p->heard > 0 || p->pongs > 0 || p->pings < PINGS_TELL;
		t.one_way |= p->heard > 0 && p->pongs == 0 && p->pings > 0;
		t.same_router |= p->named && p->kind == PEER_PATH_PUBLIC &&
				 addr_same_ip(&p->to, &f->observed);
	}
	return t;
}

static enum why_reason without_tunnel(const struct why_facts *f)
{
	if (!f->session_up)
		return WHY_NO_SERVER;
	if (!f->online)
		return WHY_OFFLINE;
	if (f->session_spare)
		return WHY_OWN_PORT;
	if (f->state == PEER_CONNECTING)
		return WHY_CONNECTING;
	return f->state == PEER_IDLE && !f->tried ? WHY_IDLE : WHY_NO_ANSWER;
}

static enum why_reason of_addresses(const struct why_facts *f, const struct tally *t)
{
	if (t->direct == 0)
		return WHY_NO_ADDRESS;
	if (f->no_ip4 && t->names_ip4 && !t->names_ip6)
		return WHY_OTHER_FAMILY;
	if (f->rewritten && t->named[PEER_PATH_PUBLIC] == 0)
		return WHY_REWRITTEN;
	if (t->named[PEER_PATH_PUBLIC] == 0 && t->named[PEER_PATH_LAN] == 0)
		return f->have_ip6 ? WHY_BLOCKED : WHY_OTHER_FAMILY;
	if (t->named[PEER_PATH_PUBLIC] == 0 && (t->named[PEER_PATH_IP6] == 0 || !f->have_ip6))
		return WHY_OTHER_LAN;
	if (f->hidden && addr_is_private(&f->observed))
		return WHY_HIDDEN;
	switch (nats_meet(f->ours, f->theirs)) {
	case NATS_MEET:
		return WHY_BLOCKED;
	case NATS_MISS:
		return WHY_HARD_NATS;
	case NATS_UNKNOWN:
		return WHY_UNKNOWN;
	}
	UNREACHABLE();
}

/* The NATs rule it out, no port is guessed, and nothing answers that is not behind them. */
static bool is_hopeless(const struct why_facts *f, const struct tally *t)
{
	return !f->foretold && !t->waiting && !t->same_router &&
	       nats_meet(f->ours, f->theirs) == NATS_MISS && of_addresses(f, t) == WHY_HARD_NATS;
}

static enum why_reason by_relay(const struct why_facts *f)
{
	struct tally t = count(f);

	if (t.settling)
		return WHY_SETTLING;
	if (t.lost)
		return WHY_LOST;
	if (f->now - f->up_since < EARLY && !is_hopeless(f, &t))
		return WHY_TRYING;
	if (t.one_way)
		return WHY_ONE_WAY;
	if (t.same_router)
		return WHY_SAME_ROUTER;
	return of_addresses(f, &t);
}

static enum why_reason directly(const struct why_facts *f)
{
	for (size_t i = 0; i < f->n_paths; i++) {
		if (f->paths[i].in_use && f->paths[i].kind == PEER_PATH_LAN)
			return WHY_DIRECT_LAN;
		if (f->paths[i].in_use && f->paths[i].kind == PEER_PATH_IP6)
			return WHY_DIRECT_IP6;
	}
	return WHY_DIRECT_PUBLIC;
}

enum why_reason why_decide(const struct why_facts *f)
{
	if (f->state != PEER_UP || f->path == PEER_PATH_NONE)
		return without_tunnel(f);
	return f->path == PEER_PATH_RELAY ? by_relay(f) : directly(f);
}

/* --- saying it ------------------------------------------------------------------------------- */

#define MAP_A_PORT                                                                                 \
	"turn on port mapping (UPnP, NAT-PMP or PCP) in the router of "                            \
	"either side, or forward the node's UDP port there (`mlsh netcheck` has it)"
#define KEEP_SOURCES                                                                               \
	"run mlsh-signal in the network of its host (`docker run --network "                       \
	"host`), or let the proxy, load balancer or router in front of it keep "                   \
	"source addresses"
#define USE_IP6 "IPv6 on both sides needs no NAT at all"
#define LET_UDP "let UDP out and its answers in, in the firewall of either side"

/* In `words` %s is the peer's name, in `advice` the one that commands take: nas.homelab. */
static const struct {
	const char *name, *words;
	const char *advice[WHY_ADVICE_MAX];
} reasons[WHY_REASONS] = {
	[WHY_DIRECT_LAN] = { "direct-lan",
			     "%s is reached over a local network, directly.",
			     { NULL } },
	[WHY_DIRECT_IP6] = { "direct-ip6", "%s is reached directly over IPv6.", { NULL } },
	[WHY_DIRECT_PUBLIC] = { "direct-public",
				"%s is reached directly at its public address.",
				{ NULL } },
	[WHY_IDLE] = { "idle",
		       "There is no tunnel to %s yet, since nothing was sent there. The first "
		       "packet builds it.",
		       { "`mlsh ping %s` builds it, too" } },
	[WHY_NO_SERVER] = { "no-server",
			    "There is no tunnel to %s: the signal server is not reached from here, "
			    "and no address that is known answers.",
			    { "`mlsh netcheck` says what is wrong with the server" } },
	[WHY_OFFLINE] = { "offline",
			  "There is no tunnel to %s: it has no session with the signal server, and "
			  "no address that is known answers.",
			  { "is the machine on, in a network, does mlshtund run there, and was "
			    "`mlsh connect` done?",
			    "`mlsh status` on that machine says more" } },
	[WHY_CONNECTING] = { "connecting", "The tunnel to %s is being built.", { NULL } },
	[WHY_OWN_PORT] = { "own-port",
			   "There is no tunnel to %s: this node's own port gets no answer from the "
			   "signal server, so that the session goes from another one, and there is "
			   "no relay.",
			   { "a NAT or firewall holds on to a dead mapping: it goes by itself, or "
			     "with a restart of the router",
			     "`mlsh disconnect` and `mlsh connect` take a new port" } },
	[WHY_NO_ANSWER] = { "no-answer",
			    "There is no tunnel to %s: it is online, but does not answer, neither "
			    "directly nor over the relay.",
			    { "`mlsh status` on that machine says whether it knows this node" } },
	[WHY_SETTLING] = { "settling",
			   "A direct path to %s answers; the tunnel moves to it in a moment.",
			   { NULL } },
	[WHY_TRYING] = { "trying",
			 "The tunnel to %s has just come up over the relay; direct paths are being "
			 "tried.",
			 { "`mlsh ping %s --until-direct` waits for it" } },
	[WHY_LOST] = { "lost",
		       "The direct path to %s has stopped answering; until it or another one "
		       "answers, packets go over the relay.",
		       { NULL } },
	[WHY_NO_ADDRESS] = { "no-address",
			     "%s names no address that could be tried.",
			     { "`mlsh netcheck` on that machine lists its addresses" } },
	[WHY_OTHER_FAMILY] = { "other-family",
			       "%s can only be reached over %s, which this machine does not have.",
			       { NULL } },
	[WHY_OTHER_LAN] = { "other-lan",
			    "%s names private addresses only, and none of them answers: it is in "
			    "another local network, and its public address is not known.",
			    { "a signal server outside both networks sees their public addresses",
			      "or route between the two networks" } },
	[WHY_HIDDEN] = { "own-address",
			 "%s cannot know the public address of this machine: the signal server "
			 "sees it at %s, in a network of its own.",
			 { MAP_A_PORT, "a signal server outside of this network sees that address",
			   USE_IP6 } },
	[WHY_REWRITTEN] = { "server-rewrites",
			    "The public address of %s is not known: something in front of the "
			    "signal server rewrites source addresses, so that it sees this machine "
			    "at %s, an address of the server's own network.",
			    { KEEP_SOURCES, MAP_A_PORT, USE_IP6 } },
	[WHY_HARD_NATS] = { "hard-nats",
			    "No direct path to %s is possible: %s",
			    { MAP_A_PORT, USE_IP6 } },
	[WHY_SAME_ROUTER] = { "same-router",
			      "%s has the same public address as this machine, but none of its "
			      "local addresses answers: the router or access point keeps the two "
			      "apart.",
			      { "turn off client isolation (guest network) of the access point",
				"or let the router hairpin (NAT loopback)" } },
	[WHY_ONE_WAY] = { "one-way",
			  "Packets of %s arrive here directly, but ours are not answered: "
			  "something drops one direction.",
			  { LET_UDP } },
	[WHY_BLOCKED] = { "blocked",
			  "No packet of %s arrives here directly, and none of ours arrives "
			  "there, though %s: a firewall between the two drops UDP.",
			  { LET_UDP, "`mlsh netcheck` on both sides tells more" } },
	[WHY_UNKNOWN] = { "unknown",
			  "No address of %s has answered, and %s, so that the cause is not known.",
			  { "let the UDP port next to the signal server's (4434 beside 4433) pass "
			    "its firewall: there nodes learn what their NATs do",
			    MAP_A_PORT, USE_IP6 } },
};

const char *why_reason_name(enum why_reason r)
{
	return reasons[r].name;
}

/* Which NAT is the one that cannot be foretold. */
static void tell_hard(const struct why_facts *f, char *out, size_t cap)
{
	bool ours = f->ours.mapping == MAPPING_VARIES, theirs = f->theirs.mapping == MAPPING_VARIES;

	if (ours && theirs)
		snprintf(out, cap,
			 "the NATs of both sides take another port for every "
			 "destination, which the other side cannot know.");
	else
		snprintf(out, cap,
			 "%s NAT takes another port for every destination, and %s NAT or "
			 "firewall lets in only ports that it has sent to.",
			 ours ? "this side's" : "its", ours ? "its" : "this side's");
	if (ours != theirs && f->foretold)
		snprintf(out + strlen(out), cap - strlen(out),
			 " The ports of that NAT come in "
			 "turn, and the next ones are tried.");
}

static void tell_unknown(const struct why_facts *f, char *out, size_t cap)
{
	bool ours = f->ours.mapping == MAPPING_UNKNOWN || f->ours.filtering == FILTERING_UNKNOWN;
	bool theirs = f->theirs.mapping == MAPPING_UNKNOWN ||
		      f->theirs.filtering == FILTERING_UNKNOWN;

	snprintf(out, cap, "what %s is not known (it takes a second machine to compare with)",
		 ours && theirs ? "the NATs of the two sides do"
		 : ours		? "the NAT of this side does"
				: "its NAT does");
}

static void tell_ip(const struct addr *a, char *out, size_t cap)
{
	char text[ADDR_TEXT_MAX];

	snprintf(out, cap, "%s", addr_format_ip(a, text));
}

static void tell_family(const struct why_facts *f, struct why *w, char *out, size_t cap)
{
	int lacks = f->no_ip4 ? 4 : 6, has = f->no_ip4 ? 6 : 4;

	snprintf(out, cap, "IPv%d", lacks);
	snprintf(w->advice[0], WHY_ADVICE_LEN, "give this machine IPv%d, or the other one IPv%d",
		 lacks, has);
}

static void tell_blocked(const struct why_facts *f, struct why *w, char *out, size_t cap)
{
	bool none = f->ours.mapping == MAPPING_NONE && f->theirs.mapping == MAPPING_NONE;
	bool ours = f->ours.mapping == MAPPING_ASKED, theirs = f->theirs.mapping == MAPPING_ASKED;

	if (!ours && !theirs) {
		snprintf(out, cap, "%s",
			 none ? "both have public addresses" : "their NATs would let it through");
		return;
	}
	snprintf(out, cap, "%s (or the router does not do what it says)",
		 ours && theirs ? "the routers of both sides say that they map a port"
		 : ours		? "the router of this side says that it maps a port"
				: "its router says that it maps a port");
	snprintf(w->advice[2], WHY_ADVICE_LEN,
		 "is that router the one that faces the internet? "
		 "Another NAT or a firewall before it knows nothing of the mapping");
}

/* The first %s of `words` becomes `name`, the others `detail`. */
static void put_words(char *out, size_t cap, const char *words, const char *name,
		      const char *detail)
{
	const char *at = words;
	size_t n = 0;

	out[0] = '\0';
	for (unsigned k = 0; *at && n < cap - 1; k++) {
		size_t plain = strcspn(at, "%");
		int len = snprintf(out + n, cap - n, "%.*s%s", (int)plain, at,
				   !at[plain] ? ""
				   : k == 0   ? name
					      : detail);

		n += MIN((size_t)MAX(len, 0), cap - 1 - n);
		at += plain + (at[plain] ? 2 : 0);
	}
}

static void put_advice(struct why *w, const struct why_facts *f)
{
	char node[2 * LABEL_MAX + 2];

	snprintf(node, sizeof(node), "%s.%s", f->peer, f->cluster);
	for (size_t i = 0; i < WHY_ADVICE_MAX && reasons[w->reason].advice[i]; i++)
		put_words(w->advice[i], WHY_ADVICE_LEN, reasons[w->reason].advice[i], node, "");
}

void why_explain(const struct why_facts *f, struct why *ret)
{
	char detail[WHY_TEXT_MAX] = "";

	*ret = (struct why){ .reason = why_decide(f) };
	if (ret->reason == WHY_HARD_NATS)
		tell_hard(f, detail, sizeof(detail));
	else if (ret->reason == WHY_UNKNOWN)
		tell_unknown(f, detail, sizeof(detail));
	else if (ret->reason == WHY_REWRITTEN || ret->reason == WHY_HIDDEN)
		tell_ip(&f->observed, detail, sizeof(detail));
	put_advice(ret, f);
	if (ret->reason == WHY_OTHER_FAMILY)
		tell_family(f, ret, detail, sizeof(detail));
	else if (ret->reason == WHY_BLOCKED)
		tell_blocked(f, ret, detail, sizeof(detail));
	put_words(ret->text, sizeof(ret->text), reasons[ret->reason].words, f->peer, detail);
}

const char *why_verdict(const struct peer_path_status *p)
{
	if (p->in_use)
		return p->lost ? "in use, does not answer" : "in use";
	if (p->lost)
		return "was in use, stopped answering";
	if (p->proven && p->proven_by_them)
		return "works";
	if (p->proven)
		return "answers us; they wait for our answer";
	if (p->pongs > 0)
		return "answered once, not now";
	if (p->heard > 0)
		return "their pings come, ours are not answered";
	return p->pings > 0 ? "no answer" : "not tried yet";
}
