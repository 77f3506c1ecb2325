/* SPDX-License-Identifier: MIT */
/*
 * Nodes behind NATs that remember strangers (a plain Linux masquerade): a datagram that comes
 * unasked takes the port away from the mapping that was to answer it. With links of every delay, in
 * both roles, on one side or on both.
 */
#include "nat_kit.h"
#include "overlay/internal.h"
#include "overlay/peering/effects.h"

#define LINUX(...) { .by_flow = true, .timeout_ns = 30 * SECOND, __VA_ARGS__ }

enum { OPEN, CONE, PORT, REMEMBERS, REMEMBERS_OTHER, REMEMBERS_HARD, KINDS };

static const struct kind {
	const char *name;
	bool nat;
	struct nat_config cfg;
} kinds[KINDS] = {
	[OPEN] = { "open", false, { .hairpin = false } },
	[CONE] = { "full cone", true, { .timeout_ns = 30 * SECOND } },
	[PORT] = { "port", true, LINUX(.drops = true, .preserve_port = true) },
	[REMEMBERS] = { "remembers", true, LINUX(.preserve_port = true) },
	[REMEMBERS_OTHER] = { "remembers, other port", true, LINUX(.preserve_port = false) },
	[REMEMBERS_HARD] = { "remembers, symmetric", true,
			     LINUX(.mapping = NAT_ADDRESS_AND_PORT_DEPENDENT) },
};

/* Of datagrams to a machine and from it, in ms. */
struct delay {
	unsigned down, up;
};

static void set_delays(struct mesh *m, struct delay a, struct delay b)
{
	const struct delay of[2] = { a, b };

	for (unsigned i = 0; i < 2; i++) {
		struct link_params up = { .delay_ns = of[i].up * MS }, down = up, across = up;

		down.delay_ns = of[i].down * MS;
		across.delay_ns += of[!i].down * MS;
		world_link(m->w, m->node[i].host, m->server_host, up);
		world_link(m->w, m->server_host, m->node[i].host, down);
		world_link(m->w, m->node[i].host, m->node[!i].host, across);
	}
}

static struct mesh *pair(const struct kind *a, const struct kind *b, struct delay da,
			 struct delay db)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, 2);
	if (a->nat)
		nat_before(&m->node[0], &a->cfg);
	if (b->nat)
		nat_before(&m->node[1], &b->cfg);
	set_delays(m, da, db);
	return m;
}

/* Milliseconds until both talk directly, `within` at most. */
static uint64_t to_direct(struct mesh *m, uint64_t within)
{
	uint64_t begin = world_now(m->w);

	mesh_reach(m, within);
	while (world_now(m->w) - begin < within && !nat_passed(m))
		sim_pass(m->w, 5 * MS);
	return (world_now(m->w) - begin) / MS;
}

/* Netcheck's word: the strangers' ports are no reason to call it a NAT that maps by destination. */
static void check_nat(struct mesh *m, unsigned node, size_t kind)
{
	struct overlay_nat nat;

	overlay_nat_get(tunnel_overlay(mesh_tunnel(&m->node[node])), &nat);
	MESH_CHECK(m, nat.kind.mapping == (kind == OPEN		    ? MAPPING_NONE
					   : kind == REMEMBERS_HARD ? MAPPING_VARIES
								    : MAPPING_SAME));
	MESH_CHECK(m, nat.kind.filtering == (kind >= PORT ? FILTERING_PORT : FILTERING_OPEN));
}

/* A filter that looks at the port, and a port that cannot be known: nothing gets through. */
static bool theory_direct(size_t a, size_t b)
{
	return !(a == REMEMBERS_HARD && b >= PORT) && !(b == REMEMBERS_HARD && a >= PORT);
}

static void check_cell(size_t a, size_t b, struct delay da, struct delay db)
{
	struct mesh *m = pair(&kinds[a], &kinds[b], da, db);
	bool direct = theory_direct(a, b);
	uint64_t ms;

	mesh_join_all(m);
	ms = to_direct(m, direct ? 5 * SECOND : 90 * SECOND);
	ck_assert_msg(nat_passed(m) == direct, "%s with %s, %u/%u and %u/%u ms: %s after %u ms",
		      kinds[a].name, kinds[b].name, da.down, da.up, db.down, db.up,
		      direct ? "relay" : "direct", (unsigned)ms);
	sim_pass(m->w, SECOND);
	check_nat(m, 0, a);
	check_nat(m, 1, b);
	MESH_CHECK(m, mesh_flow(m, SECOND, 20) == 0);
	mesh_free(m);
}

START_TEST(every_kind_meets_where_theory_allows_it)
{
	for (size_t a = 0; a < KINDS; a++) {
		for (size_t b = 0; b < KINDS; b++) {
			if (a >= REMEMBERS || b >= REMEMBERS)
				check_cell(a, b, (struct delay){ 5, 5 }, (struct delay){ 5, 5 });
		}
	}
}
END_TEST

static const struct delay all_delays[] = { { 0, 0 },   { 1, 1 },  { 20, 20 },
					   { 80, 80 }, { 0, 80 }, { 80, 0 } };

static void check_delays(size_t a, size_t b, struct delay da, struct delay db, unsigned hops,
			 uint64_t within)
{
	struct mesh *m = pair(&kinds[a], &kinds[b], da, db);
	uint64_t ms;

	world_hops(m->w, hops);
	mesh_join_all(m);
	ms = to_direct(m, within);
	ck_assert_msg(nat_passed(m), "%s with %s, %u/%u and %u/%u ms: %u", kinds[a].name,
		      kinds[b].name, da.down, da.up, db.down, db.up, (unsigned)ms);
	mesh_free(m);
}

/* Both roles, one side or both, all delays there and back of each side. */
START_TEST(with_every_delay)
{
	for (size_t i = 0; i < ARRAY_LEN(all_delays); i++) {
		for (size_t k = 0; k < ARRAY_LEN(all_delays); k++) {
			struct delay d = all_delays[i], e = all_delays[k];

			check_delays(REMEMBERS, REMEMBERS, d, e, 4, 5 * SECOND);
			if (i != k)
				continue;
			check_delays(REMEMBERS, REMEMBERS_OTHER, d, e, 4, 5 * SECOND);
			check_delays(REMEMBERS_OTHER, REMEMBERS, d, e, 4, 5 * SECOND);
			check_delays(PORT, REMEMBERS, d, e, 4, 5 * SECOND);
			check_delays(REMEMBERS, PORT, d, e, 4, 5 * SECOND);
		}
	}
}
END_TEST

/*
 * The two NATs are neighbours: openers get as far as the other one, so that pings have to cross on
 * the way. That needs a way that takes time in both directions. Where it takes none one side has to
 * be first, which is enough if only one of the NATs remembers.
 */
START_TEST(without_a_router_between_the_nats)
{
	for (size_t i = 0; i < ARRAY_LEN(all_delays); i++) {
		for (size_t k = 0; k < ARRAY_LEN(all_delays); k++) {
			struct delay d = all_delays[i], e = all_delays[k];
			bool takes_time = d.up + e.down > 0 && e.up + d.down > 0;
			uint64_t within = takes_time ? 5 * SECOND : 4 * MINUTE;

			if (takes_time)
				check_delays(REMEMBERS, REMEMBERS, d, e, 0, within);
			if (i != k)
				continue;
			check_delays(PORT, REMEMBERS, d, e, 0, within);
			check_delays(REMEMBERS, PORT, d, e, 0, within);
		}
	}
}
END_TEST

/* --- a stranger's datagram was there first ---------------------------------------------------- */

struct silence {
	uint64_t last, longest; /* between pings that go all the way */
};

static bool note_pings(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		       uint8_t *data, size_t *len)
{
	struct silence *s = ctx;
	uint64_t now = from ? clock_now(from) : s->last;

	(void)src;
	if (*len == 0 || data[0] != PROBE_PING || !addr_is_v4(dst) ||
	    (addr_ip4(dst) != NAT_OUTER(0) && addr_ip4(dst) != NAT_OUTER(1)))
		return true;
	if (s->last)
		s->longest = MAX(s->longest, now - s->last);
	s->last = now;
	return true;
}

static uint16_t port_of(struct mesh_node *n)
{
	return quic_socket_local(overlay_socket(tunnel_overlay(mesh_tunnel(n)))).port;
}

/* Where the node's datagrams to the server come from. */
static struct addr outer_of(struct mesh *m, unsigned i)
{
	return addr_v4(NAT_OUTER(i), port_of(&m->node[i]));
}

/*
 * Something of the one has come to the other's NAT before anything went there. Their rounds are in
 * vain, until they pause for longer than the NAT remembers.
 */
START_TEST(a_pause_makes_nats_forget)
{
	for (unsigned late = 0; late < 2; late++) {
		struct mesh *m = pair(&kinds[REMEMBERS], &kinds[late ? REMEMBERS : PORT],
				      (struct delay){ 5, 5 }, (struct delay){ 5, 5 });
		struct silence s = { 0 };
		struct addr at[2];
		uint64_t ms;

		mesh_setup(&m->node[0]);
		mesh_connect(&m->node[0]);
		mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
		mesh_connect(&m->node[1]);
		for (unsigned i = 0; i < 2; i++)
			at[i] = outer_of(m, i);
		world_inject(m->w, &at[!late], &at[late], 0, "?", 1);
		world_tap(m->w, note_pings, &s);
		ms = to_direct(m, 2 * MINUTE);
		printf("a stranger was at %s's NAT: direct after %.1f s\n", m->node[late].name,
		       (double)ms / 1e3);
		MESH_CHECK(m, nat_passed(m) && ms > 30000 && s.longest > 30 * SECOND);
		mesh_free(m);
	}
}
END_TEST

/* Of the node's only tunnel. */
static struct peer *peer_of(struct mesh_node *n)
{
	struct overlay *o = tunnel_overlay(mesh_tunnel(n));

	return list_entry(o->peering.peers.next, struct peer, in_overlay);
}

static struct reach *reach_of(struct mesh_node *n)
{
	return peer_of(n)->reach;
}

/*
 * One router between the two NATs, as between two customers of one provider, and bad luck: time and
 * again something of each side is at the other's NAT before the openers are. Once that ends two
 * rounds are enough, also when one side has counted more of them than the other one.
 */
START_TEST(bad_luck_ends)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned bad_s = i % 2 ? 30 : 50;
		struct mesh *m = pair(&kinds[REMEMBERS], &kinds[REMEMBERS], (struct delay){ 1, 1 },
				      (struct delay){ 1, 1 });
		struct addr at[2];
		uint64_t ms;

		world_hops(m->w, 1);
		mesh_setup(&m->node[0]);
		mesh_connect(&m->node[0]);
		mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
		mesh_connect(&m->node[1]);
		for (unsigned k = 0; k < 2; k++)
			at[k] = outer_of(m, k);
		for (unsigned s = 0; s < bad_s; s += 10) {
			world_inject(m->w, &at[0], &at[1], 0, "?", 1);
			world_inject(m->w, &at[1], &at[0], 0, "?", 1);
			sim_pass(m->w, 10 * SECOND);
		}
		MESH_CHECK(m, !nat_passed(m));
		if (i / 2)
			reach_of(&m->node[i % 2])->fruitless++;
		ms = to_direct(m, 20 * MINUTE);
		printf("strangers for %u s%s: direct after %u s more\n", bad_s,
		       i / 2 ? ", different counts" : "", (unsigned)(ms / 1000));
		MESH_CHECK(m, nat_passed(m) && ms < (135 - bad_s) * 1000);
		mesh_free(m);
	}
}
END_TEST

/* Handshakes get through over the relay only. */
static bool lose_handshakes(void *ctx, struct host *from, const struct addr *src,
			    const struct addr *dst, uint8_t *data, size_t *len)
{
	const struct mesh *m = ctx;
	bool handshake = *len > 0 && (data[0] & 0xc0) == 0xc0;

	(void)src;
	return !handshake || from == m->server_host || addr_ip4(dst) == IP(192, 0, 2, 1);
}

static bool meet_at_other_ports(void *mesh)
{
	struct mesh *m = mesh;

	for (unsigned i = 0; i < 2; i++) {
		struct addr at = mesh_peer(&m->node[!i], &m->node[i]).endpoint;

		if (addr_ip4(&at) != NAT_OUTER(i) || at.port == port_of(&m->node[i]))
			return false;
	}
	return nat_passed(m);
}

/*
 * Something of a third node was at both NATs, so their later mappings have other ports than the
 * server sees. The third node told each of the two of its new port, and they met there. It is gone
 * when both disconnect and connect again, while the NATs still remember.
 */
/* [P6-81] */
START_TEST(they_meet_again_where_they_were)
{
	for (unsigned first = 0; first < 2; first++) {
		struct mesh *m = mesh_new(sim_seed());
		struct addr third, at[2];

		mesh_nodes(m, 3);
		for (unsigned i = 0; i < 2; i++)
			nat_before(&m->node[i], &kinds[REMEMBERS].cfg);
		world_hops(m->w, 4);
		mesh_setup(&m->node[2]);
		mesh_connect(&m->node[2]);
		third = addr_v4(m->node[2].ip, port_of(&m->node[2]));
		for (unsigned i = 0; i < 2; i++) {
			mesh_adopt(&m->node[i], mesh_invite(&m->node[2], 3600));
			mesh_connect(&m->node[i]);
			at[i] = outer_of(m, i);
			free(mesh_control(&m->node[i], CONTROL_DISCONNECT));
		}
		sim_pass(m->w, 2 * MINUTE); /* the NATs forget */
		for (unsigned i = 0; i < 2; i++) {
			world_inject(m->w, &third, &at[i], 0, "?", 1);
			sim_pass(m->w, SECOND);
			mesh_connect(&m->node[i]);
		}
		mesh_until(m, 2 * MINUTE, meet_at_other_ports, m);
		for (int i = 2; i >= 0; i--)
			free(mesh_control(&m->node[(i + first) % 3], CONTROL_DISCONNECT));
		world_tap(m->w, lose_handshakes, m);
		mesh_connect(&m->node[first]);
		sim_pass(m->w, SECOND);
		mesh_connect(&m->node[!first]);
		mesh_until(m, 5 * SECOND, nat_passed, m);
		MESH_CHECK(m, meet_at_other_ports(m));
		mesh_free(m);
	}
}
END_TEST

/* --- a side that is late ---------------------------------------------------------------------- */

/*
 * One node, or its way to the server, is busy from the moment on in which the tunnel is there: what
 * the other one knows of the round trip is too little.
 */
/* [P6-59] [P6-60] */
START_TEST(pings_wait_for_a_side_that_is_late)
{
	for (unsigned late = 0; late < 2; late++) {
		struct mesh *m = pair(&kinds[REMEMBERS], &kinds[REMEMBERS], (struct delay){ 1, 1 },
				      (struct delay){ 1, 1 });
		struct link_params slow = { .delay_ns = 300 * MS };

		world_hops(m->w, 1);
		mesh_setup(&m->node[0]);
		mesh_connect(&m->node[0]);
		mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
		mesh_connect(&m->node[1]);
		while (mesh_peer(&m->node[!late], &m->node[late]).state != PEER_UP)
			sim_pass(m->w, MS / 4);
		world_link(m->w, m->node[late].host, m->server_host, slow);
		world_link(m->w, m->server_host, m->node[late].host, slow);
		MESH_CHECK(m, to_direct(m, 5 * SECOND) < 5000);
		mesh_free(m);
	}
}
END_TEST

static bool word_is_of_the_round(const struct reach *r)
{
	return r->word_at >= r->round_begun;
}

/*
 * Two that never meet, so that rounds of every order follow: the word of each side counts for the
 * round of the other one, whoever is first in it.
 */
START_TEST(word_counts_in_every_order)
{
	struct mesh *m = pair(&kinds[REMEMBERS_HARD], &kinds[REMEMBERS_HARD],
			      (struct delay){ 20, 20 }, (struct delay){ 20, 20 });
	unsigned client, rounds = 0;
	uint64_t seen = 0;

	mesh_join_all(m);
	mesh_reach(m, 10 * SECOND);
	client = !reach_of(&m->node[0])->client;
	for (unsigned s = 0; s < 900 && rounds < 6; s++) {
		const struct reach *us = reach_of(&m->node[client]);
		const struct reach *them = reach_of(&m->node[!client]);

		sim_pass(m->w, SECOND);
		if (us->round_begun == seen || us->fruitless < 3)
			continue;
		seen = us->round_begun;
		sim_pass(m->w, SECOND);
		MESH_CHECK(m, them->round_begun > seen); /* it was asked for it */
		MESH_CHECK(m, word_is_of_the_round(us));
		MESH_CHECK(m, word_is_of_the_round(them));
		rounds++;
	}
	ck_assert_uint_eq(rounds, 6);
	mesh_free(m);
}
END_TEST

/* What may be left out for a while is not forgotten. */
/* [P6-59] */
START_TEST(word_that_could_not_be_sent_is_sent_later)
{
	struct mesh *m = pair(&kinds[REMEMBERS_HARD], &kinds[REMEMBERS_HARD],
			      (struct delay){ 20, 20 }, (struct delay){ 20, 20 });
	struct reach *us, *them;
	uint64_t now;

	mesh_join_all(m);
	mesh_reach(m, 10 * SECOND);
	sim_pass(m->w, 10 * SECOND);
	us = reach_of(&m->node[0]);
	them = reach_of(&m->node[1]);
	now = clock_now(m->node[0].host);
	while (bucket_take(&peer_of(&m->node[0])->active->send_budget, 1, now))
		continue;
	us->word_due = true;
	peer_reach_candidates(peer_of(&m->node[0])); /* a run */
	MESH_CHECK(m, us->word_due);
	now = clock_now(m->node[1].host);
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, !us->word_due && them->word_at > now);
	mesh_free(m);
}
END_TEST

/* --- the NAT itself --------------------------------------------------------------------------- */

struct outside {
	struct host *host;
	struct addr addr;
	struct udp *udp;
	struct addr from; /* of the last datagram; unset: none */
};

static void take(void *ctx)
{
	struct outside *o = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t n = udp_recv(o->udp, rx, ARRAY_LEN(rx));

	if (n > 0)
		o->from = rx[n - 1].from;
}

static void outside_open(struct outside *o, struct host *h, ip4 ip, uint16_t port)
{
	struct udp_config cfg = { .bind = { .port = port } };
	struct err err = { 0 };

	*o = (struct outside){ .host = h, .addr = addr_v4(ip, port) };
	ck_assert_int_eq(udp_open(h, &cfg, take, o, &err, &o->udp), 0);
}

/* The other side's view: the port that a datagram comes from; 0 if it does not come. */
static uint16_t says(struct world *w, struct outside *from, struct outside *to,
		     const struct addr *at, uint8_t hops)
{
	struct udp_tx tx = {
		.data = (const uint8_t *)"?", .len = 1, .segment = 1, .to = *at, .hops = hops
	};

	to->from = (struct addr){ 0 };
	ck_assert_uint_eq(udp_send(from->udp, &tx, 1), 1);
	sim_pass(w, 50 * MS);
	return to->from.port;
}

/* The order of tests/lab/nat_kind.py and more: what Linux does. */
START_TEST(the_simulated_nat_does_what_linux_does)
{
	struct world *w = sim_new();
	struct nat *nat = nat_new(w, NULL, &kinds[REMEMBERS].cfg, NAT_OUTER(0));
	struct outside in, x, y, z;
	struct addr outer = addr_v4(NAT_OUTER(0), 700);
	uint16_t other;

	outside_open(&in, world_host_in(nat_net(nat), "in", IP(10, 7, 0, 2)), IP(10, 7, 0, 2), 700);
	outside_open(&x, world_host(w, "x", IP(192, 0, 2, 1)), IP(192, 0, 2, 1), 1);
	outside_open(&y, world_host(w, "y", IP(192, 0, 2, 2)), IP(192, 0, 2, 2), 2);
	outside_open(&z, world_host(w, "z", IP(192, 0, 2, 3)), IP(192, 0, 2, 3), 3);
	ck_assert_uint_eq(says(w, &in, &x, &x.addr, 0), 700);
	ck_assert_uint_eq(says(w, &x, &in, &outer, 0), 1);
	/* A host that comes unasked gets nothing, and another port later; so do later hosts. */
	ck_assert_uint_eq(says(w, &y, &in, &outer, 0), 0);
	other = says(w, &in, &y, &y.addr, 0);
	ck_assert(other != 0 && other != 700);
	ck_assert_uint_eq(says(w, &in, &z, &z.addr, 0), other);
	ck_assert_uint_eq(says(w, &in, &x, &x.addr, 0), 700);
	/* The NAT remembers a host that repeats it, and forgets it 30 s after the last one. */
	for (unsigned i = 0; i < 3; i++) {
		sim_pass(w, 29 * SECOND);
		ck_assert_uint_eq(says(w, &y, &in, &outer, 0), 0);
		ck_assert_uint_eq(says(w, &in, &x, &x.addr, 0), 700);
		ck_assert_uint_eq(says(w, &x, &in, &outer, 0), 1);
	}
	sim_pass(w, 31 * SECOND);
	ck_assert_uint_eq(says(w, &in, &y, &y.addr, 0), 700);
	ck_assert_uint_eq(says(w, &y, &in, &outer, 0), 2);
	/* An opener makes a mapping and gets no further. */
	sim_pass(w, 5 * MINUTE);
	ck_assert_uint_eq(says(w, &in, &z, &z.addr, 1), 0);
	ck_assert_uint_eq(says(w, &z, &in, &outer, 0), 0);
	sim_pass(w, 31 * SECOND);
	ck_assert_uint_eq(says(w, &in, &z, &z.addr, 2), 0);
	ck_assert_uint_eq(says(w, &z, &in, &outer, 0), 3);
	ck_assert_uint_eq(says(w, &in, &z, &z.addr, 0), 700);
	udp_close(in.udp);
	udp_close(x.udp);
	udp_close(y.udp);
	udp_close(z.udp);
	world_free(w);
}
END_TEST

UNIT_MAIN("sim/paths_strangers", the_simulated_nat_does_what_linux_does,
	  every_kind_meets_where_theory_allows_it, with_every_delay,
	  without_a_router_between_the_nats, a_pause_makes_nats_forget, bad_luck_ends,
	  they_meet_again_where_they_were, pings_wait_for_a_side_that_is_late,
	  word_counts_in_every_order, word_that_could_not_be_sent_is_sent_later)
