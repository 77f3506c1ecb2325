/* SPDX-License-Identifier: MIT */
/* Reasons from facts: every cell of the NAT matrix, and every other reason. */
#include "proto/names.h"
#include "proto/refusal.h"
#include "tund/why.h"
#include "unit.h"

#define NOW (1000 * NS_PER_S)

enum { OPEN, FULL, PORT, SYM, SYM_OPEN, SAME_UNKNOWN, SYM_UNKNOWN, NOTHING, KINDS };

static const struct nat_kind kinds[KINDS] = {
	[OPEN] = { MAPPING_NONE, FILTERING_OPEN },
	[FULL] = { MAPPING_SAME, FILTERING_OPEN },
	[PORT] = { MAPPING_SAME, FILTERING_PORT },
	[SYM] = { MAPPING_VARIES, FILTERING_PORT },
	[SYM_OPEN] = { MAPPING_VARIES, FILTERING_OPEN },
	[SAME_UNKNOWN] = { MAPPING_SAME, FILTERING_UNKNOWN },
	[SYM_UNKNOWN] = { MAPPING_VARIES, FILTERING_UNKNOWN },
	[NOTHING] = { MAPPING_UNKNOWN, FILTERING_UNKNOWN },
};

/* y: they meet, n: they do not, ?: it cannot be told. */
static const char *const meeting[KINDS] = {
	[OPEN] = "yyyyyyyy",	    [FULL] = "yyyyyyyy",     [PORT] = "yyynnyn?",
	[SYM] = "yynnn?n?",	    [SYM_OPEN] = "yynnn?n?", [SAME_UNKNOWN] = "yyy??y??",
	[SYM_UNKNOWN] = "yynnn?n?", [NOTHING] = "yy??????",
};

static struct peer_path_status path(enum peer_path_kind kind, const char *to)
{
	struct peer_path_status p = { .kind = kind,
				      .named = kind != PEER_PATH_SERVER,
				      .pings = 20 };

	ck_assert_int_eq(addr_parse(to, &p.to), 0);
	return p;
}

/* A tunnel over the relay, with a LAN and a public address of which none answers. */
static struct peer_path_status relayed[3];
static struct why_facts facts(void)
{
	struct why_facts f = {
		.peer = "nas",
		.cluster = "homelab",
		.state = PEER_UP,
		.path = PEER_PATH_RELAY,
		.now = NOW,
		.up_since = NOW - 60 * NS_PER_S,
		.session_up = true,
		.online = true,
		.paths = relayed,
		.n_paths = 3,
	};

	relayed[0] = path(PEER_PATH_SERVER, "192.0.2.1:4433");
	relayed[0].in_use = relayed[0].proven = relayed[0].proven_by_them = true;
	relayed[1] = path(PEER_PATH_LAN, "10.1.1.1:7000");
	relayed[2] = path(PEER_PATH_PUBLIC, "203.0.113.9:7000");
	ck_assert_int_eq(addr_parse("198.51.100.4:7001", &f.observed), 0);
	return f;
}

START_TEST(nats_meet_as_theory_says)
{
	for (int a = 0; a < KINDS; a++) {
		for (int b = 0; b < KINDS; b++) {
			enum nat_meeting m = nats_meet(kinds[a], kinds[b]);
			char got = m == NATS_MEET ? 'y' : m == NATS_MISS ? 'n' : '?';

			ck_assert_msg(got == meeting[a][b], "%d with %d: %c", a, b, got);
			ck_assert_int_eq(m, nats_meet(kinds[b], kinds[a]));
		}
	}
}
END_TEST

START_TEST(every_cell_has_its_reason_and_words)
{
	for (int a = 0; a < KINDS; a++) {
		for (int b = 0; b < KINDS; b++) {
			struct why_facts f = facts();
			enum why_reason want = meeting[a][b] == 'y'   ? WHY_BLOCKED
					       : meeting[a][b] == 'n' ? WHY_HARD_NATS
								      : WHY_UNKNOWN;
			struct why w;

			f.ours = kinds[a];
			f.theirs = kinds[b];
			why_explain(&f, &w);
			ck_assert_int_eq(w.reason, want);
			ck_assert(strstr(w.text, "nas") && !strchr(w.text, '%'));
			ck_assert(w.text[strlen(w.text) - 1] == '.');
			ck_assert(w.advice[0][0]);
		}
	}
}
END_TEST

START_TEST(the_side_at_fault_is_named)
{
	struct why_facts f = facts();
	struct why w;

	f.ours = kinds[SYM];
	f.theirs = kinds[PORT];
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "this side's NAT takes another port"));
	ck_assert(strstr(w.text, "and its NAT or firewall lets in"));
	ck_assert(!strstr(w.text, "in turn"));
	f.foretold = true;
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "come in turn, and the next ones are tried"));
	f.ours = kinds[PORT];
	f.theirs = kinds[SYM];
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "its NAT takes another port"));
	ck_assert(strstr(w.text, "and this side's NAT or firewall"));
	f.ours = kinds[SYM];
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "both sides"));
	f.ours = kinds[NOTHING];
	f.theirs = kinds[PORT];
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "the NAT of this side does is not known"));
	f.ours = f.theirs = kinds[OPEN];
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "public addresses: a firewall"));
}
END_TEST

/* A router's word that it maps a port is no proof, and not the same as an easy NAT. */
START_TEST(a_mapped_port_that_fails_is_named)
{
	static const struct nat_kind mapped = { MAPPING_ASKED, FILTERING_OPEN };
	struct why_facts f = facts();
	struct why w;

	ck_assert_str_eq(nat_mapping_name(MAPPING_ASKED), "mapped");
	f.ours = kinds[SYM];
	f.theirs = mapped;
	why_explain(&f, &w);
	ck_assert_int_eq(w.reason, WHY_BLOCKED);
	ck_assert(strstr(w.text, "its router says that it maps a port"));
	ck_assert(strstr(w.advice[2], "faces the internet"));
	f.ours = mapped;
	f.theirs = kinds[PORT];
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "the router of this side says that it maps a port"));
	f.theirs = mapped;
	why_explain(&f, &w);
	ck_assert(strstr(w.text, "both sides say"));
	ck_assert(w.text[strlen(w.text) - 1] == '.');
	f.ours = f.theirs = kinds[OPEN];
	why_explain(&f, &w);
	ck_assert_str_eq(w.advice[2], "");
}
END_TEST

/* What is seen on the paths counts before what the NATs are said to do. */
START_TEST(paths_come_first)
{
	struct why_facts f = facts();

	f.ours = kinds[SYM];
	f.theirs = kinds[SYM];
	f.up_since = NOW - NS_PER_S;
	ck_assert_int_eq(why_decide(&f), WHY_HARD_NATS);
	f.foretold = true;
	ck_assert_int_eq(why_decide(&f), WHY_TRYING);
	f.foretold = false;
	relayed[1].pings = 1;
	ck_assert_int_eq(why_decide(&f), WHY_TRYING);
	relayed[1].pings = 20;
	f.theirs = kinds[NOTHING];
	ck_assert_int_eq(why_decide(&f), WHY_TRYING);
	f.theirs = kinds[SYM];
	f.up_since = NOW - 60 * NS_PER_S;
	ck_assert_int_eq(why_decide(&f), WHY_HARD_NATS);
	relayed[2].heard = 3;
	ck_assert_int_eq(why_decide(&f), WHY_ONE_WAY);
	relayed[2].pongs = 3;
	relayed[2].last_echo = NOW - 30 * NS_PER_S;
	relayed[2].lost = true;
	ck_assert_int_eq(why_decide(&f), WHY_LOST);
	f.now = f.now + 600 * NS_PER_S;
	ck_assert_int_eq(why_decide(&f), WHY_HARD_NATS);
	relayed[2].lost = false;
	relayed[2].proven = true;
	ck_assert_int_eq(why_decide(&f), WHY_HARD_NATS);
	relayed[2].proven_by_them = true;
	ck_assert_int_eq(why_decide(&f), WHY_SETTLING);
}
END_TEST

static const char *text_of(const struct why_facts *f)
{
	static struct why w;

	why_explain(f, &w);
	return w.text;
}

START_TEST(addresses_that_can_not_do)
{
	struct why_facts f = facts();

	f.observed = relayed[2].to;
	f.observed.port = 1;
	ck_assert_int_eq(why_decide(&f), WHY_SAME_ROUTER);
	f.n_paths = 2;
	ck_assert_int_eq(why_decide(&f), WHY_OTHER_LAN);
	f.n_paths = 1;
	ck_assert_int_eq(why_decide(&f), WHY_NO_ADDRESS);
	f.n_paths = 2;
	relayed[1] = path(PEER_PATH_IP6, "[2001:db8::9]:7000");
	ck_assert_int_eq(why_decide(&f), WHY_OTHER_FAMILY);
	ck_assert_str_eq(text_of(&f),
			 "nas can only be reached over IPv6, which this machine does not have.");
	f.have_ip6 = true;
	ck_assert_int_eq(why_decide(&f), WHY_BLOCKED);
	relayed[1] = path(PEER_PATH_PUBLIC, "203.0.113.77:7000");
	f.no_ip4 = true;
	ck_assert_int_eq(why_decide(&f), WHY_OTHER_FAMILY);
	ck_assert_str_eq(text_of(&f),
			 "nas can only be reached over IPv4, which this machine does not have.");
	relayed[2] = path(PEER_PATH_IP6, "[2001:db8::9]:7000");
	f.n_paths = 3;
	ck_assert_int_ne(why_decide(&f), WHY_OTHER_FAMILY);
	f.no_ip4 = false;
	f.hidden =
		true; /* the server has not said yet where it sees us, or not at such an address */
	ck_assert_int_ne(why_decide(&f), WHY_HIDDEN);
	ck_assert_int_eq(addr_parse("203.0.113.1:7000", &f.observed), 0);
	ck_assert_int_ne(why_decide(&f), WHY_HIDDEN);
	ck_assert_int_eq(addr_parse("192.168.1.7:7000", &f.observed), 0);
	ck_assert_int_eq(why_decide(&f), WHY_HIDDEN);
	ck_assert_ptr_nonnull(strstr(text_of(&f), "nas cannot know the public address"));
	ck_assert_ptr_nonnull(strstr(text_of(&f), "sees it at 192.168.1.7,"));
}
END_TEST

START_TEST(direct_ones_say_how)
{
	struct why_facts f = facts();

	f.path = PEER_PATH_DIRECT;
	relayed[0].in_use = false;
	relayed[2].in_use = true;
	ck_assert_int_eq(why_decide(&f), WHY_DIRECT_PUBLIC);
	relayed[2].kind = PEER_PATH_IP6;
	ck_assert_int_eq(why_decide(&f), WHY_DIRECT_IP6);
	relayed[2].kind = PEER_PATH_LAN;
	ck_assert_int_eq(why_decide(&f), WHY_DIRECT_LAN);
}
END_TEST

START_TEST(without_a_tunnel)
{
	struct why_facts f = {
		.peer = "nas", .cluster = "homelab", .state = PEER_LOST, .now = NOW
	};
	struct why w;

	ck_assert_int_eq(why_decide(&f), WHY_NO_SERVER);
	f.session_up = true;
	ck_assert_int_eq(why_decide(&f), WHY_OFFLINE);
	f.online = true;
	ck_assert_int_eq(why_decide(&f), WHY_NO_ANSWER);
	f.session_spare = true;
	ck_assert_int_eq(why_decide(&f), WHY_OWN_PORT);
	f.session_spare = false;
	f.state = PEER_CONNECTING;
	ck_assert_int_eq(why_decide(&f), WHY_CONNECTING);
	f.state = PEER_IDLE;
	why_explain(&f, &w);
	ck_assert_int_eq(w.reason, WHY_IDLE);
	ck_assert_str_eq(w.advice[0], "`mlsh ping nas.homelab` builds it, too");
	f.tried = true;
	ck_assert_int_eq(why_decide(&f), WHY_NO_ANSWER);
	/* A node that never had a session is offline, and needs more than a first packet. */
	f.online = f.tried = false;
	why_explain(&f, &w);
	ck_assert_int_eq(w.reason, WHY_OFFLINE);
	ck_assert(strstr(w.text, "no session with the signal server"));
	ck_assert(strstr(w.advice[0], "does mlshtund run there, and was `mlsh connect` done"));
	f.session_up = false;
	ck_assert_int_eq(why_decide(&f), WHY_NO_SERVER);
}
END_TEST

START_TEST(every_reason_has_a_name_of_its_own)
{
	for (int i = 0; i < WHY_REASONS; i++) {
		ck_assert(why_reason_name((enum why_reason)i) != NULL);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(why_reason_name((enum why_reason)i),
					 why_reason_name((enum why_reason)k));
	}
}
END_TEST

START_TEST(verdicts_of_paths)
{
	struct peer_path_status p = { .kind = PEER_PATH_LAN };

	ck_assert_str_eq(why_verdict(&p), "not tried yet");
	p.pings = 8;
	ck_assert_str_eq(why_verdict(&p), "no answer");
	p.heard = 1;
	ck_assert_str_eq(why_verdict(&p), "their pings come, ours are not answered");
	p.pongs = 1;
	ck_assert_str_eq(why_verdict(&p), "answered once, not now");
	p.proven = true;
	ck_assert_str_eq(why_verdict(&p), "answers us; they wait for our answer");
	p.proven_by_them = true;
	ck_assert_str_eq(why_verdict(&p), "works");
	p.in_use = true;
	ck_assert_str_eq(why_verdict(&p), "in use");
}
END_TEST

START_TEST(without_a_network_the_server_is_not_at_fault)
{
	struct netcheck_facts f = { .cluster = "homelab", .err_reason = REFUSAL_TIMEOUT };
	struct why w;

	netcheck_explain(&f, &w);
	ck_assert(strstr(w.text, "This machine has no network"));
	ck_assert(!strstr(w.advice[0], "server"));
}
END_TEST

/* Not this machine's NAT is at fault, and no port of it is spoken of. */
START_TEST(a_server_behind_rewritten_addresses_is_named)
{
	struct netcheck_facts n = { .cluster = "homelab",
				    .network = true,
				    .session_up = true,
				    .nat = kinds[SYM],
				    .rewritten = true };
	struct why_facts f = facts();
	struct why w;

	ck_assert_int_eq(addr_parse("172.17.0.1:7001", &n.observed), 0);
	netcheck_explain(&n, &w);
	ck_assert(strstr(w.text, "at 172.17.0.1, an address of its own network"));
	ck_assert(!strstr(w.text, "another port"));
	ck_assert(strstr(w.advice[0], "on the server"));
	f.rewritten = true;
	f.observed = n.observed;
	ck_assert_int_ne(why_decide(&f), WHY_REWRITTEN); /* there is a public address to try */
	f.n_paths = 2;
	why_explain(&f, &w);
	ck_assert_int_eq(w.reason, WHY_REWRITTEN);
	ck_assert(strstr(w.text, "of nas is not known") && strstr(w.text, "172.17.0.1"));
	f.n_paths = 1;
	ck_assert_int_eq(why_decide(&f), WHY_NO_ADDRESS);
}
END_TEST

#define LOCALLY (-1) /* REFUSAL_UNREACHABLE by the kernel of this machine */

START_TEST(netcheck_says_what_it_means)
{
	static const struct {
		bool up, known;
		int reason;
		struct nat_kind nat;
		const char *says;
		bool mapped;
	} cases[] = {
		{ true, true, 0, { MAPPING_VARIES, FILTERING_PORT }, "maps a port", true },
		{ true, true, 0, { MAPPING_NONE, FILTERING_PORT }, "a firewall", true },
		{ false, true, REFUSAL_TIMEOUT, { 0 }, "does not answer", true },
		{ false, false, REFUSAL_UNREACHABLE, { 0 }, "does not resolve", false },
		{ false, true, REFUSAL_UNREACHABLE, { 0 }, "does not answer over UDP", false },
		{ false, true, REFUSAL_TIMEOUT, { 0 }, "does not answer over UDP", false },
		{ false, true, LOCALLY, { 0 }, "This machine itself", false },
		{ false, true, REFUSAL_FINGERPRINT, { 0 }, "not the server", false },
		{ false, true, REFUSAL_BAD_TOKEN, { 0 }, "refuses", false },
		{ true, true, 0, { MAPPING_NONE, FILTERING_OPEN }, "No NAT", false },
		{ true, true, 0, { MAPPING_NONE, FILTERING_PORT }, "lets only answers in", false },
		{ true, true, 0, { MAPPING_SAME, FILTERING_OPEN }, "an easy one", false },
		{ true, true, 0, { MAPPING_SAME, FILTERING_PORT }, "can be traversed", false },
		{ true, true, 0, { MAPPING_VARIES, FILTERING_PORT }, "another port", false },
		{ true, true, 0, { MAPPING_UNKNOWN, FILTERING_UNKNOWN }, "is not known", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct netcheck_facts f = { .cluster = "homelab",
					    .network = true,
					    .session_up = cases[i].up,
					    .server_known = cases[i].known,
					    .err_reason = cases[i].reason == LOCALLY
								  ? REFUSAL_UNREACHABLE
								  : cases[i].reason,
					    .err_local = cases[i].reason == LOCALLY,
					    .nat = cases[i].nat,
					    .mapped = cases[i].mapped };
		struct why w;

		netcheck_explain(&f, &w);
		ck_assert_msg(strstr(w.text, cases[i].says), "%zu: %s", i, w.text);
		ck_assert(cases[i].up || w.advice[0][0]);
		if (!cases[i].known)
			ck_assert(strstr(w.advice[1], "~/.config/mlsh/clusters/homelab.toml"));
		f.in_turn = true;
		netcheck_explain(&f, &w);
		ck_assert_int_eq(strstr(w.text, "can guess") != NULL,
				 f.session_up && !f.mapped && f.nat.mapping == MAPPING_VARIES);
	}
}
END_TEST

UNIT_MAIN("tund/why", nats_meet_as_theory_says, every_cell_has_its_reason_and_words,
	  the_side_at_fault_is_named, a_mapped_port_that_fails_is_named, paths_come_first,
	  addresses_that_can_not_do, direct_ones_say_how, without_a_tunnel,
	  every_reason_has_a_name_of_its_own, verdicts_of_paths,
	  without_a_network_the_server_is_not_at_fault,
	  a_server_behind_rewritten_addresses_is_named, netcheck_says_what_it_means)
