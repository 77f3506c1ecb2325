/* SPDX-License-Identifier: MIT */
/*
 * A spy on the way sees all that two nodes send, and delivers copies of it from an address of its
 * own: later, or sooner than the originals come.
 */
#include "overlay/internal.h"
#include "overlay_sim.h"

#define KEPT 64
#define FLAGS_AT 17 /* of a probe frame */
#define ANY 0x00

struct spy {
	struct fleet m;
	struct addr at;			    /* the spy's */
	uint8_t kept[KEPT][PROBE_PING_MIN]; /* pings of node 1 to node 0 */
	size_t n_kept;
	unsigned pings, pongs; /* node 1's, and node 0's to it */
	unsigned urgent;       /* node 0's pings */
	unsigned to_spy;       /* datagrams that nodes sent to it */
	bool races;	       /* with copies of what has these bits in the first byte: */
	uint8_t mask, first;
	unsigned copies;
	uint64_t up_since[2];
	bool delays; /* every other ping of node 1, by a second */
	struct held {
		struct addr src, dst;
		uint8_t data[PROBE_MAX];
		size_t len;
		uint64_t at;
	} held[256];
	size_t n_held;
};

static struct addr addr_of(struct fleet_node *n)
{
	return addr_v4(IP(192, 0, 2, 10) + (ip4)(n - n->fleet->node),
		       quic_socket_local(n->o->peering.socket).port);
}

static void look(struct spy *s, const struct host *from, const uint8_t *data, size_t len)
{
	bool of_node1 = from == s->m.node[1].h;

	if (data[0] == PROBE_PING && of_node1) {
		s->pings++;
		if (len == PROBE_PING_MIN)
			memcpy(s->kept[s->n_kept++ % KEPT], data, len);
	}
	s->pongs += data[0] == PROBE_PONG && !of_node1;
	s->urgent += data[0] == PROBE_PING && !of_node1 && (data[FLAGS_AT] & PROBE_URGENT);
}

static bool spy_tap(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		    uint8_t *data, size_t *len)
{
	struct spy *s = ctx;
	struct held *h = &s->held[s->n_held % ARRAY_LEN(s->held)];

	if (!from)
		return true; /* its own */
	if (addr_equal(dst, &s->at)) {
		s->to_spy++;
		return false;
	}
	look(s, from, data, *len);
	if (s->races && (data[0] & s->mask) == s->first) {
		s->copies++;
		world_inject(s->m.w, &s->at, dst, 0, data, *len);
	}
	if (s->delays && data[0] == PROBE_PING && from == s->m.node[1].h && s->pings % 2) {
		*h = (struct held){ .src = addr_of(&s->m.node[1]),
				    .dst = *dst,
				    .len = *len,
				    .at = world_now(s->m.w) + NS_PER_S };
		memcpy(h->data, data, *len);
		s->n_held++;
		return false;
	}
	(void)src;
	return true;
}

static void release(struct spy *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->held); i++) {
		struct held *h = &s->held[i];

		if (h->len == 0 || world_now(s->m.w) < h->at)
			continue;
		world_inject(s->m.w, &h->src, &h->dst, 0, h->data, h->len);
		h->len = 0;
	}
}

static void spy_begin(struct spy *s)
{
	struct link_params far = { .delay_ns = 20 * NS_PER_MS, .mtu_bytes = 1500 };

	s->at = addr_v4(IP(198, 51, 100, 66), 6666);
	fleet_init(&s->m, 2);
	world_link_both(s->m.w, s->m.node[0].h, s->m.node[1].h, far); /* its way takes 5 ms */
	world_tap(s->m.w, spy_tap, s);
	fleet_start(&s->m.node[0]);
	fleet_start(&s->m.node[1]);
	fleet_wait_up(&s->m, 5 * NS_PER_S);
	sim_pass(s->m.w, 5 * NS_PER_S);
	for (unsigned i = 0; i < 2; i++)
		s->up_since[i] = fleet_peer(&s->m.node[i], &s->m.node[1 - i]).up_since;
	s->n_kept = 0; /* the first ones may have come before there were keys for them */
}

static struct spy *spy_new(void)
{
	struct spy *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	spy_begin(s);
	return s;
}

static void spy_free(struct spy *s)
{
	fleet_free(&s->m);
	free(s);
}

static struct pathset *paths_of(struct spy *s, unsigned node)
{
	struct fleet_node *n = &s->m.node[node];
	const struct member *other = roster_by_id(mlog_roster(n->log),
						  &s->m.node[1 - node].self->id, ROSTER_CURRENT);
	struct peer *p = peer_of_address(&n->o->peering, other->address);

	ck_assert_ptr_nonnull(p->reach);
	return reach_paths(p->reach);
}

/* The tunnel is where it was. */
static void nothing_has_moved(struct spy *s)
{
	for (unsigned i = 0; i < 2; i++) {
		struct addr to = addr_of(&s->m.node[1 - i]);
		const struct pathset *ps = paths_of(s, i);
		const struct path *current = pathset_current(paths_of(s, i));

		SIM_CHECK(s->m.w, current && addr_equal(&current->to, &to) && current->proven);
		SIM_CHECK(s->m.w, ps->doubt.since == 0);
		ck_assert_uint_eq(fleet_peer(&s->m.node[i], &s->m.node[1 - i]).up_since,
				  s->up_since[i]);
	}
}

/* So many packets each way, 10 ms apart: each comes once, in its order. */
static void talk(struct spy *s, unsigned packets)
{
	for (unsigned i = 0; i < packets; i++) {
		fleet_send(&s->m.node[0], &s->m.node[1], 200, i);
		fleet_send(&s->m.node[1], &s->m.node[0], 200, i);
		sim_pass(s->m.w, 10 * NS_PER_MS);
		release(s);
		nothing_has_moved(s);
		if (i < 2)
			continue;
		SIM_CHECK(s->m.w, fleet_received(&s->m.node[0], &s->m.node[1], 200, i - 2));
		SIM_CHECK(s->m.w, fleet_received(&s->m.node[1], &s->m.node[0], 200, i - 2));
	}
	sim_pass(s->m.w, 100 * NS_PER_MS);
	for (unsigned i = packets - 2; i < packets; i++) {
		SIM_CHECK(s->m.w, fleet_received(&s->m.node[0], &s->m.node[1], 200, i));
		SIM_CHECK(s->m.w, fleet_received(&s->m.node[1], &s->m.node[0], 200, i));
	}
	ck_assert(fleet_tun_silent(&s->m.node[0]) && fleet_tun_silent(&s->m.node[1]));
}

/* --- later ----------------------------------------------------------------------------------- */

/* [P6-33] [P6-34] */
START_TEST(pings_that_came_before_get_nothing_elsewhere)
{
	struct spy *s = spy_new();
	struct addr to;

	talk(s, 500);
	to = addr_of(&s->m.node[0]);
	ck_assert_uint_ge(s->n_kept, 4);
	for (unsigned n = 0; n < 200; n++) {
		struct addr from = addr_v4(IP(198, 51, 100, 66), (uint16_t)(6666 + n % 20));

		world_inject(s->m.w, &from, &to, 0, s->kept[n % MIN(s->n_kept, KEPT)],
			     PROBE_PING_MIN);
		sim_pass(s->m.w, 10 * NS_PER_MS);
		ck_assert_ptr_null(pathset_of_addr(paths_of(s, 0), &from));
	}
	ck_assert_uint_eq(s->to_spy, 0);
	spy_free(s);
}
END_TEST

/* Those from the right address are answered, which does no harm, but not without end. */
/* [P6-34] */
START_TEST(a_flood_of_old_pings_keeps_no_real_one_from_its_answer)
{
	struct spy *s = spy_new();
	struct addr to, from;
	struct path *theirs;
	uint32_t pings, pongs, heard;

	talk(s, 200);
	to = addr_of(&s->m.node[0]);
	from = addr_of(&s->m.node[1]);
	theirs = pathset_current(paths_of(s, 1));
	pings = theirs->pings;
	pongs = theirs->pongs;
	heard = pathset_current(paths_of(s, 0))->heard;
	s->pongs = s->pings = 0;
	for (unsigned n = 0; n < 20000; n++) {
		world_inject(s->m.w, &from, &to, 0, s->kept[0], PROBE_PING_MIN);
		if (n % 2 == 0)
			sim_pass(s->m.w, NS_PER_MS);
		if (n % 500 == 0)
			fleet_send(&s->m.node[1], &s->m.node[0], 200, n);
	}
	sim_pass(s->m.w, NS_PER_S);
	ck_assert_uint_ge(theirs->pings - pings, 8);
	ck_assert_uint_eq(theirs->pings - pings, theirs->pongs - pongs);
	ck_assert_uint_eq(pathset_current(paths_of(s, 0))->heard - heard, s->pings);
	ck_assert_uint_le(s->pongs,
			  s->pings + REACH_REPEATED_PONGS_BURST + 12 * REACH_REPEATED_PONGS_PER_S);
	spy_free(s);
}
END_TEST

/* The last ping of node 1 with a flag, as it was sent. */
static const uint8_t *kept_with(const struct spy *s, uint8_t flag)
{
	for (size_t n = MIN(s->n_kept, KEPT); n > 0; n--) {
		if (s->kept[(s->n_kept - 1 - (MIN(s->n_kept, KEPT) - n)) % KEPT][FLAGS_AT] & flag)
			return s->kept[(s->n_kept - 1 - (MIN(s->n_kept, KEPT) - n)) % KEPT];
	}
	return NULL;
}

/* [P6-33] */
START_TEST(an_old_cry_for_help_is_not_heard_again)
{
	struct spy *s = spy_new();
	const uint8_t *cry;
	struct addr to;

	to = addr_of(&s->m.node[0]);
	world_link_cut(s->m.w, s->m.node[0].h, s->m.node[1].h, true);
	fleet_send(&s->m.node[1], &s->m.node[0], 200, 1);
	sim_pass(s->m.w, 600 * NS_PER_MS);
	world_link_cut(s->m.w, s->m.node[0].h, s->m.node[1].h, false);
	cry = kept_with(s, PROBE_URGENT);
	ck_assert_ptr_nonnull(cry);
	world_inject(s->m.w, &s->at, &to, 0, cry, PROBE_PING_MIN); /* it never came: it counts */
	s->urgent = 0;
	sim_pass(s->m.w, 10 * NS_PER_S);
	SIM_CHECK(s->m.w, s->urgent > 0);
	s->urgent = 0;
	for (unsigned i = 0; i < 20; i++) {
		world_inject(s->m.w, &s->at, &to, 0, cry, PROBE_PING_MIN);
		sim_pass(s->m.w, 2 * NS_PER_S);
	}
	ck_assert_uint_eq(s->urgent, 0);
	spy_free(s);
}
END_TEST

/* [P6-33] */
START_TEST(an_old_proof_proves_nothing)
{
	struct spy *s = spy_new();
	struct addr to, from;
	const uint8_t *ping;
	struct path *path;

	talk(s, 200);
	to = addr_of(&s->m.node[0]);
	from = addr_of(&s->m.node[1]);
	ping = kept_with(s, PROBE_PROVEN);
	ck_assert_ptr_nonnull(ping);
	path = pathset_current(paths_of(s, 0));
	path->theirs = false; /* as after the path was given up */
	world_inject(s->m.w, &from, &to, 0, ping, PROBE_PING_MIN);
	sim_pass(s->m.w, 20 * NS_PER_MS);
	ck_assert(!path->theirs);
	sim_pass(s->m.w, 20 * NS_PER_S);
	ck_assert(path->theirs);
	spy_free(s);
}
END_TEST

/* Every other ping takes a second longer, and is overtaken by all the others: all are answered. */
/* [P6-32] */
START_TEST(pings_may_come_a_second_late)
{
	struct spy *s = spy_new();
	struct path *theirs;
	uint32_t pings, pongs;

	talk(s, 200);
	theirs = pathset_current(paths_of(s, 1));
	s->pings = s->pongs = 0;
	pings = theirs->pings;
	pongs = theirs->pongs;
	s->delays = true;
	talk(s, 3000);
	s->delays = false;
	sim_pass(s->m.w, NS_PER_S);
	release(s);
	sim_pass(s->m.w, NS_PER_S);
	ck_assert_uint_ge(s->n_held, 10);
	ck_assert_uint_ge(s->pongs, s->pings);
	ck_assert_uint_eq(theirs->pings - pings, theirs->pongs - pongs);
	spy_free(s);
}
END_TEST

/* --- sooner ---------------------------------------------------------------------------------- */

static void race(uint8_t mask, uint8_t first, bool pings)
{
	struct spy *s = spy_new();

	talk(s, 100);
	s->to_spy = 0;
	s->mask = mask;
	s->first = first;
	s->races = true;
	talk(s, 3000);
	s->races = false;
	ck_assert_uint_ge(s->copies, 5);
	/* The first sender of a ping gets pings and an answer, as a NAT's new mapping would. */
	if (pings)
		ck_assert_uint_le(s->to_spy, 3 * s->copies);
	else
		ck_assert_uint_eq(s->to_spy, 0);
	talk(s, 100);
	spy_free(s);
}

/* [P7-15] */
START_TEST(records_that_are_copied_sooner_move_nothing)
{
	race(0xff, RECORD_TYPE, false);
}
END_TEST

START_TEST(quic_that_is_copied_sooner_moves_nothing)
{
	race(0x40, 0x40, false);
}
END_TEST

START_TEST(pings_that_are_copied_sooner_move_nothing)
{
	race(0xff, PROBE_PING, true);
}
END_TEST

/* [P6-35] */
START_TEST(pongs_that_are_copied_sooner_move_nothing)
{
	race(0xff, PROBE_PONG, false);
}
END_TEST

START_TEST(nothing_moves_when_all_is_copied_sooner)
{
	race(ANY, ANY, true);
}
END_TEST

/* From the beginning: the tunnel comes up just the same. */
START_TEST(a_tunnel_comes_up_though_all_is_copied_sooner)
{
	struct spy *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	s->races = true;
	spy_begin(s);
	talk(s, 1000);
	spy_free(s);
}
END_TEST

UNIT_MAIN("overlay/replay", pings_that_came_before_get_nothing_elsewhere,
	  a_flood_of_old_pings_keeps_no_real_one_from_its_answer,
	  an_old_cry_for_help_is_not_heard_again, an_old_proof_proves_nothing,
	  pings_may_come_a_second_late, records_that_are_copied_sooner_move_nothing,
	  quic_that_is_copied_sooner_moves_nothing, pings_that_are_copied_sooner_move_nothing,
	  pongs_that_are_copied_sooner_move_nothing, nothing_moves_when_all_is_copied_sooner,
	  a_tunnel_comes_up_though_all_is_copied_sooner)
