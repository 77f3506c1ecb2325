/* SPDX-License-Identifier: MIT */
/*
 * Strangers with forged source addresses: what they send in masses keeps nobody from a tunnel, on a
 * way so long that much of it arrives between two packets of a handshake.
 */
#include "overlay_sim.h"

#define CALLERS 300

static struct addr stranger(unsigned i)
{
	return addr_v4(IP(198, 51, 100, 0) + (i >> 8), (uint16_t)(1024 + (i & 0xff)));
}

/* The form of a first packet, with nothing in it that can be read. */
static void forge_initial(uint8_t p[1200], unsigned seed)
{
	for (size_t i = 0; i < 1200; i++)
		p[i] = fleet_byte(seed, i);
	p[0] = 0xc3;
	store_be32(p + 1, 1);
	p[5] = 8;
	store_be32(p + 6, seed);
	p[14] = 8;
	p[23] = 0; /* no token */
	store_be16(p + 24, 0x4000 | (1200 - 26));
}

static void flood(struct fleet *m, unsigned ms, bool (*until)(void *))
{
	uint8_t p[1200];

	for (unsigned i = 0; i < ms * 4; i++) {
		struct fleet_node *to = &m->node[i % 2];
		struct addr src = stranger(i),
			    dst = addr_v4(IP(192, 0, 2, 10 + i % 2),
					  quic_socket_local(to->o->peering.socket).port);

		forge_initial(p, i);
		world_inject(m->w, &src, &dst, 0, p, sizeof(p));
		if (i % 4 == 0)
			sim_pass(m->w, NS_PER_MS);
		if (until && until(m))
			return;
	}
}

START_TEST(forged_initials_keep_nobody_from_a_tunnel)
{
	struct link_params far = { .delay_ns = 100 * NS_PER_MS, .mtu_bytes = 1500 };
	struct fleet m;

	fleet_init(&m, 2);
	world_link_both(m.w, m.node[0].h, m.node[1].h, far);
	fleet_start(&m.node[0]);
	m.server_down = true; /* it knows of nobody until the flood is under way */
	fleet_start(&m.node[1]);
	flood(&m, 500, NULL);
	m.server_down = false;
	fleet_announce(&m.node[0]);
	fleet_announce(&m.node[1]);
	flood(&m, 5000, fleet_all_up);
	SIM_CHECK(m.w, fleet_all_up(&m));
	fleet_send(&m.node[0], &m.node[1], 90, 1);
	flood(&m, 500, NULL);
	SIM_CHECK(m.w, fleet_received(&m.node[0], &m.node[1], 90, 1));
	/* A caller that has not shown that packets reach it is told to try again, and forgotten. */
	ck_assert_uint_ge(quic_socket_stats_get(m.node[1].o->peering.socket).retries_sent, 1000);
	ck_assert_uint_le(m.node[1].o->peering.labels.next, 8);
	fleet_free(&m);
}
END_TEST

/* Handshakes from this many ports of one address, which do get what is sent to them. */
struct callers {
	struct host *h;
	struct identity *id;
	struct quic_socket *s[CALLERS];
	struct quic_conn *c[CALLERS];
	unsigned n;
};

static void caller_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	(void)ctx, (void)c, (void)ev;
}

static const struct quic_conn_ops caller_ops = { .event = caller_event };

static void call(struct callers *k, struct fleet_node *to)
{
	struct quic_socket_config cfg = { .identity = k->id };
	struct quic_pin pin = { .by_key = true };
	struct addr a = addr_v4(IP(192, 0, 2, 10) + (ip4)(to - to->fleet->node),
				quic_socket_local(to->o->peering.socket).port);
	unsigned i = k->n++ % CALLERS;

	quic_conn_free(k->c[i]);
	quic_socket_close(k->s[i]);
	ck_assert_int_eq(quic_socket_open(k->h, &cfg, NULL, &k->s[i]), 0);
	ck_assert_int_eq(quic_connect(k->s[i], &peer_profile, &pin, 0, &a, &caller_ops, k, NULL,
				      &k->c[i]),
			 0);
}

/* They are near, the member is far away: all of them call between two packets of its handshake. */
START_TEST(who_calls_from_many_ports_pushes_no_member_out)
{
	struct link_params far = { .delay_ns = 150 * NS_PER_MS, .mtu_bytes = 1500 };
	struct callers k = { .id = kit_identity(50) };
	struct fleet m;
	uint64_t begun;

	fleet_init(&m, 2);
	k.h = world_host(m.w, "callers", IP(192, 0, 2, 99));
	world_link_both(m.w, m.node[0].h, m.node[1].h, far);
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	begun = world_now(m.w);
	while (!fleet_all_up(&m) && world_now(m.w) - begun < 30 * NS_PER_S) {
		call(&k, &m.node[1]);
		sim_pass(m.w, NS_PER_MS);
	}
	printf("%u callers, up after %llu ms\n", k.n,
	       (unsigned long long)((world_now(m.w) - begun) / NS_PER_MS));
	SIM_CHECK(m.w, fleet_all_up(&m));
	ck_assert_uint_le(world_now(m.w) - begun, 2 * NS_PER_S);
	ck_assert_uint_ge(k.n, 500);
	ck_assert_uint_ge(quic_socket_stats_get(m.node[1].o->peering.socket).refused_limit, 100);
	for (unsigned i = 0; i < CALLERS; i++) {
		quic_conn_free(k.c[i]);
		quic_socket_close(k.s[i]);
	}
	sim_pass(m.w, 15 * NS_PER_S);
	for (unsigned i = 0; i < PENDING_PATHS; i++)
		ck_assert_uint_eq(m.node[1].o->peering.labels.pending[i].users, 0);
	identity_free(k.id);
	fleet_free(&m);
}
END_TEST

#define HOLDERS 10

/* Each port of theirs says just enough to have a handshake begun, and no more. */
struct holders {
	struct callers k[HOLDERS];
	unsigned said[HOLDERS][65536];
};

static bool holds_back(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		       uint8_t *data, size_t *len)
{
	struct holders *h = ctx;

	(void)dst, (void)data, (void)len;
	for (unsigned i = 0; i < HOLDERS; i++) {
		if (from && from == h->k[i].h)
			return h->said[i][src->port]++ < 4;
	}
	return true;
}

/* More places than there are, from ten addresses, again and again: a member gets one as well. */
START_TEST(handshakes_that_never_end_keep_no_member_out)
{
	struct link_params far = { .delay_ns = 50 * NS_PER_MS, .mtu_bytes = 1500 };
	struct holders *h = calloc(1, sizeof(*h));
	struct identity *id = kit_identity(50);
	struct fleet m;
	uint64_t begun = 0;

	ck_assert_ptr_nonnull(h);
	fleet_init(&m, 2);
	world_link_both(m.w, m.node[0].h, m.node[1].h, far);
	world_tap(m.w, holds_back, h);
	for (unsigned i = 0; i < HOLDERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "holder%u", i);
		h->k[i].id = id;
		h->k[i].h = world_host(m.w, name, IP(192, 0, 2, 100 + i));
	}
	fleet_start(&m.node[1]);
	for (unsigned n = 0; n < 3000; n++) {
		call(&h->k[n % HOLDERS], &m.node[1]);
		if (n == 300) {
			sim_pass(m.w, 500 * NS_PER_MS);
			ck_assert_uint_eq(quic_socket_stats_get(m.node[1].o->peering.socket)
						  .half_open,
					  64);
			fleet_start(&m.node[0]);
			begun = world_now(m.w);
		}
		if (n > 300 && fleet_all_up(&m))
			break;
		sim_pass(m.w, 2 * NS_PER_MS);
	}
	SIM_CHECK(m.w, fleet_all_up(&m));
	printf("up after %llu ms\n", (unsigned long long)((world_now(m.w) - begun) / NS_PER_MS));
	ck_assert_uint_le(world_now(m.w) - begun, 3 * NS_PER_S);
	for (unsigned i = 0; i < HOLDERS; i++) {
		for (unsigned n = 0; n < CALLERS; n++) {
			quic_conn_free(h->k[i].c[n]);
			quic_socket_close(h->k[i].s[n]);
		}
	}
	identity_free(id);
	fleet_free(&m);
	free(h);
}
END_TEST

/* A valid frame of a channel that node 0 hears of later, or something like it. */
static size_t relay_frame_make(const struct relay_end *end, uint32_t counter, uint8_t out[100])
{
	memset(out, 0x40, 100);
	relay_wrap(end, RELAY_FROM_SERVER, counter, out, 100 - RELAY_OVERHEAD);
	return 100;
}

START_TEST(strangers_do_not_push_out_what_the_server_relays)
{
	struct relay_end end = { .channel = "channel", .key = "key" }, other = end;
	struct addr server = FLEET_SERVER, to;
	struct fleet m;
	struct peer *p;
	uint8_t f[100];

	fleet_new(&m, 2);
	fleet_wait_up(&m, 5 * NS_PER_S);
	to = addr_v4(IP(192, 0, 2, 10), quic_socket_local(m.node[0].o->peering.socket).port);
	world_inject(m.w, &server, &to, 0, f, relay_frame_make(&end, 0, f));
	for (unsigned i = 0; i < 10000; i++) {
		struct addr src = stranger(i);

		memcpy(other.channel, &i, sizeof(i));
		world_inject(m.w, &src, &to, 0, f, relay_frame_make(&other, i, f));
		if (i % 100 == 0)
			sim_pass(m.w, NS_PER_MS);
	}
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_relay_unknown), 10000);
	const struct member *other_node = roster_by_id(mlog_roster(m.node[0].log),
						       &m.node[1].self->id, ROSTER_CURRENT);
	overlay_relay(m.node[0].o, other_node, &end, &server);
	sim_pass(m.w, 10 * NS_PER_MS);
	p = peer_of_address(&m.node[0].o->peering, other_node->address);
	ck_assert(p->relay.on && p->relay.window.begun);
	/* And now that the channel is there, what is wrong is counted for what it is. */
	world_inject(m.w, &server, &to, 0, f, relay_frame_make(&end, 0, f));
	f[RELAY_OVERHEAD + 3] ^= 1;
	world_inject(m.w, &server, &to, 0, f, sizeof(f));
	world_inject(m.w, &server, &to, 0, f, RELAY_OVERHEAD);
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_relay_replay), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_relay_forged), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_relay_malformed), 1);
	ck_assert_uint_eq(fleet_all_drops(&m.node[0]), 10003);
	/* Of channels that the server invents, as many as there are places wait. */
	for (unsigned i = 0; i < 3 * EARLY_FRAMES; i++) {
		memcpy(other.channel, &i, sizeof(i));
		world_inject(m.w, &server, &to, 0, f, relay_frame_make(&other, i, f));
	}
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_in_relay_unknown), 10000 + 2 * EARLY_FRAMES);
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/strangers", forged_initials_keep_nobody_from_a_tunnel,
	  who_calls_from_many_ports_pushes_no_member_out,
	  handshakes_that_never_end_keep_no_member_out,
	  strangers_do_not_push_out_what_the_server_relays)
