/* SPDX-License-Identifier: MIT */
/* A knock that is heard, but that no call follows. */
#include "overlay_sim.h"

#define LISTENER_PORT 9999
#define DEAD_ADDRESS addr_v4(IP(192, 0, 2, 200), LISTENER_PORT) /* nobody is there */

/* Node 0 has the part of the one that calls back; here it is a bare end that never does. */
struct listener {
	struct quic_socket *s;
	unsigned knocks;
};

static bool refuse_knock(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			 const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct listener *l = ctx;

	(void)c, (void)profile, (void)ret_ops, (void)ret_ctx;
	l->knocks++;
	return false;
}

static bool any_key(void *ctx, const struct quic_profile *profile, const uint8_t key[32])
{
	(void)ctx, (void)profile, (void)key;
	return true;
}

static void listener_open(struct listener *l, const struct fleet_node *n)
{
	static const struct quic_profile *const serve[] = { &peer_profile, NULL };
	struct quic_socket_config cfg = {
		.udp = { .bind = { .port = LISTENER_PORT } },
		.identity = n->id,
		.serve = serve,
		.key_allowed = any_key,
		.accepted = refuse_knock,
		.ctx = l,
	};

	*l = (struct listener){ 0 };
	ck_assert_int_eq(quic_socket_open(n->h, &cfg, NULL, &l->s), 0);
}

/* Its call may get lost. Another candidate that does not answer must not keep us from knocking. */
/* [P4-11] */
START_TEST(a_knock_that_no_call_follows_is_repeated_while_other_candidates_are_silent)
{
	struct wire_candidates c = { .n = 0 };
	struct addr dead = DEAD_ADDRESS, alive = addr_v4(IP(192, 0, 2, 10), LISTENER_PORT);
	struct listener l;
	struct fleet m;

	fleet_init(&m, 2);
	m.server_down = true;
	listener_open(&l, &m.node[0]);
	fleet_start(&m.node[1]);
	candidates_add(&c, &dead);
	candidates_add(&c, &alive);
	overlay_presence(m.node[1].o,
			 roster_by_id(mlog_roster(m.node[1].log), &m.node[0].self->id,
				      ROSTER_CURRENT),
			 true, &c);
	sim_pass(m.w, 2 * NS_PER_S);
	ck_assert_uint_ge(l.knocks, 1);
	sim_pass(m.w, 6 * NS_PER_S); /* doubling: after 1, 2 and 4 s at the latest */
	printf("%u knocks in 8 s\n", l.knocks);
	ck_assert_uint_ge(l.knocks, 3);
	ck_assert_uint_le(l.knocks, 6); /* nor does it hammer */
	quic_socket_close(l.s);
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("sim/overlay_knock",
	  a_knock_that_no_call_follows_is_repeated_while_other_candidates_are_silent)
