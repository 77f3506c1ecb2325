/* SPDX-License-Identifier: MIT */
/*
 * The relay at its rate: senders that are told it keep to it, and so lose nothing on the way; those
 * who share it get equal parts, and who wants little waits for nobody.
 */
#include "mesh.h"
#include "os/sim/nat.h"
#include "overlay/datapath/record.h"
#include "proto/relay.h"

#define RATE 1000000 /* bytes a second, of frames */
#define FRAME (MESH_PING_MAX + 1 + RECORD_OVERHEAD + RELAY_OVERHEAD)
#define SETTLE SECOND /* until all have been told */

static struct mesh *m;

/* Nodes that reach nobody but the server, whose relay has these rates. */
static void begin(size_t nodes, uint64_t node_rate, uint64_t cluster_rate)
{
	struct nat_config cfg = { .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .timeout_ns = 30 * SECOND };

	m = mesh_new(sim_seed());
	m->relay_node_rate = node_rate;
	m->relay_cluster_rate = cluster_rate;
	mesh_server_stop(m);
	mesh_server_start(m);
	mesh_nodes(m, nodes);
	for (unsigned i = 0; i < nodes; i++) {
		struct nat *nat = nat_new(m->w, NULL, &cfg, IP(203, 0, 113, 10 + i));

		world_host_move(m->node[i].host, nat_net(nat), IP(10, 7, i, 2));
		nat_only(nat, IP(192, 0, 2, 1));
	}
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	m->ping_len = MESH_PING_MAX;
}

static struct relay_stats stats(void)
{
	return signal_server_stats_get(m->server).relay;
}

/* Each `each_us` microseconds a packet. */
struct stream {
	unsigned from, to;
	uint64_t each_us;
	uint64_t next;
	uint32_t got_before;
};

static void pass(struct stream *s, size_t n, uint64_t for_ns)
{
	uint64_t end = world_now(m->w) + for_ns;

	while (world_now(m->w) < end) {
		for (size_t i = 0; i < n; i++)
			for (; s[i].next <= world_now(m->w); s[i].next += s[i].each_us * NS_PER_US)
				mesh_ping(&m->node[s[i].from], &m->node[s[i].to]);
		sim_pass(m->w, MS);
		mesh_take(m);
	}
}

/* Lets the streams run until all know their rates, then for so long. */
static void run(struct stream *s, size_t n, uint64_t for_ns, struct relay_stats *ret_before)
{
	for (size_t i = 0; i < n; i++)
		s[i].next = world_now(m->w);
	pass(s, n, SETTLE);
	for (size_t i = 0; i < n; i++)
		s[i].got_before = m->pings_got[s[i].to][s[i].from];
	*ret_before = stats();
	pass(s, n, for_ns);
}

/* Bytes of frames that arrived in a second. */
static uint64_t rate_of(const struct stream *s, uint64_t for_ns)
{
	uint64_t got = m->pings_got[s->to][s->from] - s->got_before;
	uint64_t rate = got * FRAME * SECOND / for_ns;

	printf("%u to %u: %llu bytes a second\n", s->from, s->to, (unsigned long long)rate);
	return rate;
}

/* [P6-22] */
START_TEST(a_sender_keeps_to_the_rate_that_it_is_told)
{
	struct stream s[] = { { .from = 0, .to = 1, .each_us = 400 }, /* 3.6 times the rate */
			      { .from = 0, .to = 2, .each_us = 200000 } };
	struct relay_stats before;
	uint64_t rate;

	begin(3, RATE, 0);
	run(s, 1, 4 * SECOND, &before);
	rate = rate_of(&s[0], 4 * SECOND);
	MESH_CHECK(m, rate >= RATE - RATE / 20 && rate <= RATE);
	ck_assert_uint_eq(stats().dropped_node_rate, before.dropped_node_rate);

	/* A packet of another flow goes before the thousand that wait. */
	for (unsigned i = 0; i < 10; i++) {
		uint64_t begun = world_now(m->w);
		uint32_t got = m->pings_got[2][0];

		mesh_ping(&m->node[0], &m->node[2]);
		while (m->pings_got[2][0] == got && world_now(m->w) < begun + SECOND)
			pass(s, 1, MS);
		MESH_CHECK(m, world_now(m->w) - begun < 40 * MS);
	}
	mesh_free(m);
}
END_TEST

/* [P6-19] */
static bool drop_rate_words(void *ctx, struct host *from, const struct addr *src,
			    const struct addr *dst, uint8_t *data, size_t *len)
{
	(void)ctx, (void)from, (void)src, (void)dst;
	return relay_rate_channel(span_of(data, *len)) == NULL;
}

/* [P6-23] */
START_TEST(a_rate_that_is_not_repeated_ends_after_two_seconds)
{
	struct stream s = { .from = 0, .to = 1, .each_us = 400 };
	struct relay_stats before;

	begin(2, RATE, 0);
	run(&s, 1, SECOND, &before);
	world_tap(m->w, drop_rate_words, NULL);
	pass(&s, 1, 1700 * MS); /* the last word is at most a quarter of a second old */
	ck_assert_uint_eq(stats().dropped_node_rate, before.dropped_node_rate);
	pass(&s, 1, 500 * MS);
	ck_assert_uint_gt(stats().dropped_node_rate, before.dropped_node_rate);
	world_tap(m->w, NULL, NULL);
	mesh_free(m);
}
END_TEST

START_TEST(members_have_equal_parts_of_the_clusters_rate)
{
	struct stream s[] = { { .from = 0, .to = 1, .each_us = 300 },
			      { .from = 2, .to = 1, .each_us = 1000 } };
	struct relay_stats before;

	begin(3, 0, RATE);
	run(s, 2, 4 * SECOND, &before);
	for (size_t i = 0; i < 2; i++) {
		uint64_t rate = rate_of(&s[i], 4 * SECOND);

		MESH_CHECK(m, rate >= RATE / 2 - RATE / 12 && rate <= RATE / 2 + RATE / 12);
	}
	MESH_CHECK(m, stats().dropped_cluster_rate - before.dropped_cluster_rate <
			      (stats().forwarded - before.forwarded) / 50);
	mesh_free(m);
}
END_TEST

/* The acknowledgements of a transfer, say. */
/* [P6-19] */
START_TEST(what_one_leaves_is_the_others)
{
	struct stream s[] = { { .from = 0, .to = 1, .each_us = 300 },
			      { .from = 1, .to = 0, .each_us = 25000 } };
	struct relay_stats before;
	uint64_t rate;

	begin(2, 0, RATE);
	run(s, 2, 4 * SECOND, &before);
	rate = rate_of(&s[1], 4 * SECOND);
	MESH_CHECK(m, rate >= 38 * FRAME); /* all of them */
	rate = rate_of(&s[0], 4 * SECOND);
	MESH_CHECK(m, rate >= RATE - RATE / 6);
	mesh_free(m);
}
END_TEST

/* Nobody has set a rate; the server's line is full. Its socket holds 0.4 s of it. */
START_TEST(a_full_line_is_shared_out)
{
	struct stream s[] = { { .from = 0, .to = 1, .each_us = 150 },
			      { .from = 2, .to = 3, .each_us = 350 } };
	struct relay_stats before;
	uint64_t rate[2];

	begin(4, 0, 0);
	world_host_uplink(m->server_host, 40 * RATE); /* bits a second */
	run(s, 2, 3 * SECOND, &before);
	for (size_t i = 0; i < 2; i++)
		rate[i] = rate_of(&s[i], 3 * SECOND);
	MESH_CHECK(m, rate[0] + rate[1] >= 5 * RATE / 4 * 3);
	MESH_CHECK(m, rate[0] < 2 * rate[1] && rate[1] < 2 * rate[0]);
	/* with an idle line there is no rate again */
	world_host_uplink(m->server_host, 0);
	run(s, 2, 3 * SECOND, &before);
	run(s, 2, 3 * SECOND, &before);
	MESH_CHECK(m, rate_of(&s[0], 3 * SECOND) > 6 * RATE);
	mesh_free(m);
}
END_TEST

#define ANSWER_WAIT (10 * SECOND)

/* Sends a packet from node 4 to node 5 and waits for it while the streams run. */
static uint64_t delay_beside(struct stream *s, size_t n)
{
	uint64_t begun = world_now(m->w);
	uint32_t got = m->pings_got[5][4];

	mesh_ping(&m->node[4], &m->node[5]);
	while (m->pings_got[5][4] == got && world_now(m->w) < begun + ANSWER_WAIT)
		pass(s, n, MS);
	return world_now(m->w) - begun;
}

/*
 * A home's line of 10 Mbit/s: what waits for it at the server must be little. A second of it would
 * keep every answer of every node waiting, and tunnels would take each other for dead.
 */
START_TEST(a_slow_line_keeps_nobody_waiting)
{
	struct stream s[] = { { .from = 0, .to = 1, .each_us = 200 },
			      { .from = 2, .to = 3, .each_us = 200 } };
	uint64_t worst = 0, sum = 0;
	struct relay_stats settled = { 0 };
	unsigned lost = 0;

	begin(6, 0, 0);
	world_host_uplink(m->server_host, 10 * RATE);
	s[0].next = s[1].next = world_now(m->w);
	for (unsigned i = 0; i < 40; i++) { /* from the first moment on */
		uint64_t delay = delay_beside(s, 2);

		/*
		 * The full line may drop it before the senders know their rate. After that the
		 * relay tries a higher rate every two seconds, and finds the line full again.
		 */
		lost += delay >= ANSWER_WAIT;
		if (i == 1)
			settled = stats();
		worst = delay < ANSWER_WAIT ? MAX(worst, delay) : worst;
		sum += delay < ANSWER_WAIT ? delay : 0;
		pass(s, 2, 100 * MS);
	}
	printf("delay: at worst %llu ms, on average %llu ms, %u lost\n",
	       (unsigned long long)(worst / MS), (unsigned long long)(sum / 40 / MS), lost);
	fflush(stdout);
	MESH_CHECK(m, lost <= 3 && worst < 500 * MS && sum / 40 < 100 * MS);
	MESH_CHECK(m, (stats().dropped_full - settled.dropped_full) * 25 <
			      stats().forwarded - settled.forwarded);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/relay_rate", a_sender_keeps_to_the_rate_that_it_is_told,
	  a_rate_that_is_not_repeated_ends_after_two_seconds,
	  members_have_equal_parts_of_the_clusters_rate, what_one_leaves_is_the_others,
	  a_full_line_is_shared_out, a_slow_line_keeps_nobody_waiting)
