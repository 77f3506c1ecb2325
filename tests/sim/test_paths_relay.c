/* SPDX-License-Identifier: MIT */
/*
 * A hostile server alters what it relays. It has the keys of the channels, so its frames are
 * valid: what protects is inside.
 */
#include "mesh.h"
#include "os/sim/nat.h"
#include "overlay/internal.h"
#include "overlay/peering/relay.h"
#include "proto/relay.h"

#define KEPT 64

struct tamperer {
	struct mesh *m;
	uint64_t state; /* of its dice */
	bool honest;
	unsigned flipped, cut, repeated;
	uint8_t old[KEPT][2048]; /* packets that it relayed before */
	size_t old_len[KEPT], n_old;
};

static uint32_t dice(struct tamperer *t, uint32_t sides)
{
	t->state = t->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(t->state >> 33) % sides;
}

static const struct relay_end *end_of(const struct tamperer *t, const uint8_t *channel)
{
	for (unsigned i = 0; i < 2; i++) {
		struct tunnel *tunnel = mesh_tunnel(&t->m->node[i]);
		const struct peer *p;

		if (!tunnel)
			continue;
		p = peer_of_address(&tunnel_overlay(tunnel)->peering, t->m->node[1 - i].address);
		if (p && p->relay.on &&
		    memcmp(p->relay.end.channel, channel, RELAY_CHANNEL_LEN) == 0)
			return &p->relay.end;
	}
	return NULL;
}

static void keep(struct tamperer *t, const uint8_t *packet, size_t len)
{
	size_t at = t->n_old++ % KEPT;

	memcpy(t->old[at], packet, len);
	t->old_len[at] = len;
}

/* What becomes of a packet; its new length. */
static size_t alter(struct tamperer *t, uint8_t *packet, size_t len)
{
	size_t at = dice(t, KEPT);

	switch (dice(t, 6)) {
	case 0:
		packet[dice(t, (uint32_t)len)] ^= (uint8_t)(1 << dice(t, 8));
		t->flipped++;
		return len;
	case 1:
		t->cut++;
		return 1 + dice(t, (uint32_t)len);
	case 2:
		if (t->n_old < KEPT || t->old_len[at] > len)
			return len;
		memcpy(packet, t->old[at], t->old_len[at]);
		t->repeated++;
		return t->old_len[at];
	default:
		return len;
	}
}

static bool tamper(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		   uint8_t *data, size_t *len)
{
	struct tamperer *t = ctx;
	const struct relay_end *end;
	size_t packet_len;

	(void)src, (void)dst;
	if (t->honest || from != t->m->server_host || *len <= RELAY_OVERHEAD ||
	    *len > sizeof(t->old[0]) || data[0] != RELAY_FRAME_TYPE)
		return true;
	end = end_of(t, data + 1);
	if (!end)
		return true;
	packet_len = *len - RELAY_OVERHEAD;
	keep(t, data + RELAY_OVERHEAD, packet_len);
	packet_len = alter(t, data + RELAY_OVERHEAD, packet_len);
	relay_wrap(end, RELAY_FROM_SERVER, load_be32(data + 1 + RELAY_CHANNEL_LEN), data,
		   packet_len);
	*len = RELAY_OVERHEAD + packet_len;
	return true;
}

/* Two nodes that reach nobody but the server. */
static void relayed_pair(struct mesh *m)
{
	struct nat_config cfg = { .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .timeout_ns = 30 * SECOND };

	mesh_nodes(m, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct nat *nat = nat_new(m->w, NULL, &cfg, IP(203, 0, 113, 10 + i));

		world_host_move(m->node[i].host, nat_net(nat), IP(10, 7, i, 2));
		nat_only(nat, IP(192, 0, 2, 1));
	}
	mesh_join_all(m);
	mesh_reach(m, 2 * SECOND);
	ck_assert_int_eq(mesh_peer(&m->node[0], &m->node[1]).path, PEER_PATH_RELAY);
}

/* mesh_take fails the test when something comes out that was not put in. */
START_TEST(nothing_that_the_server_altered_is_delivered)
{
	struct mesh *m = mesh_new(sim_seed());
	struct tamperer *t = calloc(1, sizeof(*t));
	uint32_t lost, sent;

	ck_assert_ptr_nonnull(t);
	t->m = m;
	t->state = sim_seed();
	relayed_pair(m);
	world_tap(m->w, tamper, t);
	mesh_flow_begin(m);
	sent = m->pings_sent[0][1] + m->pings_sent[1][0];
	mesh_flow_run(m, 20 * SECOND, 100);
	sent = m->pings_sent[0][1] + m->pings_sent[1][0] - sent;
	lost = mesh_flow_end(m);
	/*
	 * A third of the packets is lost, and more is not: acknowledgements are lost, too, and in
	 * one of a hundred runs a whole two seconds of them, which ends the tunnel.
	 */
	ck_assert_uint_gt(t->flipped, 200);
	ck_assert_uint_gt(t->cut, 200);
	ck_assert_uint_gt(t->repeated, 200);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_lt(lost, sent * 3 / 4);
	ck_assert_uint_eq(m->doubled, 0);
	t->honest = true;
	sim_pass(m->w, 5 * SECOND);
	ck_assert_uint_eq(mesh_flow(m, 5 * SECOND, 100), 0);
	ck_assert_uint_eq(m->doubled, 0);
	mesh_free(m);
	free(t);
}
END_TEST

static struct peer *other_of(struct mesh *m, unsigned i)
{
	return list_entry(tunnel_overlay(mesh_tunnel(&m->node[i]))->peering.peers.next, struct peer,
			  in_overlay);
}

/* TCP with data: such packets wait for others of their flow until the batch is over. */
static void tcp_make(const struct mesh *m, uint8_t *p, size_t len)
{
	memset(p, 0, len);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)len);
	p[8] = 64;
	p[9] = IPPROTO_TCP4;
	store_be32(p + 12, m->node[1].address);
	store_be32(p + 16, m->node[0].address);
	packet_ip_checksum(p, 20);
	p[32] = 5 << 4;
	p[33] = 0x10;
}

/* Pings of sizes may follow the record at any time, and would push it out of the few places. */
static bool record_waits(void *overlay)
{
	const struct overlay *o = overlay;
	bool waits = false;

	for (size_t i = 0; i < EARLY_FRAMES; i++) {
		const struct early_frame *f = &o->early[i];

		waits |= f->len > RELAY_OVERHEAD &&
			 record_tag(f->data + RELAY_OVERHEAD, f->len - RELAY_OVERHEAD);
	}
	return waits;
}

/* A record that overtook the word of its channel does not wait for the next datagram. */
START_TEST(what_overtook_its_channel_is_delivered_with_it)
{
	struct mesh *m = mesh_new(sim_seed());
	uint8_t tcp[100], out[MESH_PING_MAX];
	struct tun_packet t = { .data = tcp,
				.len = sizeof(tcp),
				.csum_partial = true,
				.csum_start = 20,
				.csum_offset = 16 };
	struct overlay *o;
	struct relay_end end;
	struct addr server;
	struct peer *p;
	size_t len;

	relayed_pair(m);
	p = other_of(m, 0);
	o = container_of(p->g, struct overlay, peering);
	end = p->relay.end;
	server = p->relay.server;
	mesh_flow(m, SECOND, 100);
	relay_forget(p);
	tcp_make(m, tcp, sizeof(tcp));
	SIM_CHECK_OK(m->w, world_tun_inject_gso(m->node[1].host, m->tun, &t));
	SIM_CHECK(m->w, world_run(m->w, 200 * MS, record_waits, o));
	ck_assert_int_eq(world_tun_take(m->node[0].host, m->tun, out, sizeof(out), &len), 0);
	overlay_relay(o, p->member, &end, &server);
	sim_pass(m->w, MS / 100);
	ck_assert_int_eq(world_tun_take(m->node[0].host, m->tun, out, sizeof(out), &len), 1);
	ck_assert_uint_eq(len, sizeof(tcp));
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/paths_relay", nothing_that_the_server_altered_is_delivered,
	  what_overtook_its_channel_is_delivered_with_it)
