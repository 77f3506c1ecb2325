/* SPDX-License-Identifier: MIT */
/* Two raw nodes with sessions at a simulated server, and relay channels between them. */
#ifndef MLSH_RELAY_KIT_H
#define MLSH_RELAY_KIT_H

#include "signal/caller.h"
#include "signal/config.h"
#include "signal_steps.h"

#define PACKET 1200
#define FRAME (RELAY_OVERHEAD + PACKET)

static struct sig g;
static struct raw *a, *b;

static inline void begin_rates(uint64_t node_rate, uint64_t cluster_rate)
{
	sig_init(&g, "100.64.0.0/10");
	g.cfg.relay_node_rate = node_rate;
	g.cfg.relay_cluster_rate = cluster_rate;
	sig_open(&g);
	a = raw_founder(&g);
	b = raw_member(a, "laptop");
	raw_online(b);
}

static inline void begin(void)
{
	begin_rates(0, 0);
}

static inline void end(void)
{
	raw_free(b);
	raw_free(a);
	sig_stop(&g);
}

static inline struct relay_stats stats(void)
{
	return sig_stats(&g).relay;
}

static inline enum refusal open_id(struct raw *r, const struct node_id *id, struct relay_end *ret)
{
	struct signal_request rq = { .type = SIGNAL_RELAY_OPEN };
	struct signal_reply reply;
	enum refusal refused;

	memcpy(rq.node_id, id->bytes, NODE_ID_LEN);
	refused = raw_ask(r, &rq, &reply);
	if (refused == REFUSAL_NONE)
		*ret = reply.relay;
	return refused;
}

static inline enum refusal open_to(struct raw *r, const struct raw *other, struct relay_end *ret)
{
	struct node_id id = identity_node_id(other->id);

	return open_id(r, &id, ret);
}

/* A channel from a to b: the end of a in the reply, that of b in the event. */
static inline void channel(struct relay_end *ret_a, struct relay_end *ret_b)
{
	struct node_id id = identity_node_id(a->id);
	unsigned before = b->relay_events;

	SIM_CHECK(g.w, open_to(a, b, ret_a) == REFUSAL_NONE);
	sim_pass(g.w, NS_PER_S);
	SIM_CHECK(g.w, b->relay_events == before + 1);
	ck_assert_mem_eq(b->relay.node_id, id.bytes, NODE_ID_LEN);
	*ret_b = b->relay.relay;
}

static inline struct addr server(void)
{
	return addr_v4(SIGNAL_SIM_IP, SIGNAL_PORT);
}

static inline void fill(uint8_t frame[FRAME], uint8_t first)
{
	for (size_t i = 0; i < PACKET; i++)
		frame[RELAY_OVERHEAD + i] = (uint8_t)(first + i);
}

static inline void send_raw(struct raw *r, const void *data, size_t len)
{
	struct addr to = server();

	quic_socket_send_other(r->socket, &to, data, len);
}

static inline void send_frame(struct raw *r, const struct relay_end *e, uint32_t counter,
			      size_t len)
{
	uint8_t frame[FRAME];

	fill(frame, (uint8_t)counter);
	relay_wrap(e, RELAY_TO_SERVER, counter, frame, len);
	send_raw(r, frame, RELAY_OVERHEAD + len);
}

/* The last frame that r has: with this counter and length, whole, from the server. */
static inline void arrived(const struct raw *r, const struct relay_end *e, uint32_t counter,
			   size_t len)
{
	struct relay_window w = { .begun = false };
	struct addr from = server();
	uint8_t want[FRAME];
	struct span packet;

	fill(want, (uint8_t)counter);
	SIM_CHECK(g.w, r->frame_len == RELAY_OVERHEAD + len);
	SIM_CHECK(g.w, addr_equal(&r->frame_from, &from));
	SIM_CHECK(g.w, relay_open_frame(e, RELAY_FROM_SERVER, &w, span_of(r->frame, r->frame_len),
					&packet) == 0);
	ck_assert_uint_eq(w.highest, counter);
	ck_assert_mem_eq(packet.data, want + RELAY_OVERHEAD, len);
}

#endif
