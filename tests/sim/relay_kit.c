/* SPDX-License-Identifier: MIT */
/* Two raw nodes with sessions, and relay channels between them. */
#include "relay_kit.h"

struct sig chan_g;
struct raw *chan_a, *chan_b;

void chan_begin_rates(uint64_t node_rate, uint64_t cluster_rate)
{
	sig_init(&chan_g, "100.64.0.0/10");
	chan_g.cfg.relay_node_rate = node_rate;
	chan_g.cfg.relay_cluster_rate = cluster_rate;
	sig_open(&chan_g);
	chan_a = raw_founder(&chan_g);
	chan_b = raw_member(chan_a, "laptop");
	raw_online(chan_b);
}

void chan_begin(void)
{
	chan_begin_rates(0, 0);
}

void chan_end(void)
{
	raw_free(chan_b);
	raw_free(chan_a);
	sig_stop(&chan_g);
}

struct relay_stats chan_stats(void)
{
	return sig_stats(&chan_g).relay;
}

enum refusal chan_open_id(struct raw *r, const struct node_id *id, struct relay_end *ret)
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

enum refusal chan_open_to(struct raw *r, const struct raw *other, struct relay_end *ret)
{
	struct node_id id = identity_node_id(other->id);

	return chan_open_id(r, &id, ret);
}

void chan_new(struct relay_end *ret_a, struct relay_end *ret_b)
{
	struct node_id id = identity_node_id(chan_a->id);
	unsigned before = chan_b->relay_events;

	SIM_CHECK(chan_g.w, chan_open_to(chan_a, chan_b, ret_a) == REFUSAL_NONE);
	sim_pass(chan_g.w, NS_PER_S);
	SIM_CHECK(chan_g.w, chan_b->relay_events == before + 1);
	ck_assert_mem_eq(chan_b->relay.node_id, id.bytes, NODE_ID_LEN);
	*ret_b = chan_b->relay.relay;
}

struct addr chan_server(void)
{
	return addr_v4(SIGNAL_SIM_IP, SIGNAL_PORT);
}

void chan_fill(uint8_t frame[FRAME], uint8_t first)
{
	for (size_t i = 0; i < PACKET; i++)
		frame[RELAY_OVERHEAD + i] = (uint8_t)(first + i);
}

void chan_send_raw(struct raw *r, const void *data, size_t len)
{
	struct addr to = chan_server();

	quic_socket_send_other(r->socket, &to, data, len);
}

void chan_send_frame(struct raw *r, const struct relay_end *e, uint32_t counter, size_t len)
{
	uint8_t frame[FRAME];

	chan_fill(frame, (uint8_t)counter);
	relay_wrap(e, RELAY_TO_SERVER, counter, frame, len);
	chan_send_raw(r, frame, RELAY_OVERHEAD + len);
}

void chan_arrived(const struct raw *r, const struct relay_end *e, uint32_t counter, size_t len)
{
	struct relay_window w = { .begun = false };
	struct addr from = chan_server();
	uint8_t want[FRAME];
	struct span packet;

	chan_fill(want, (uint8_t)counter);
	SIM_CHECK(chan_g.w, r->frame_len == RELAY_OVERHEAD + len);
	SIM_CHECK(chan_g.w, addr_equal(&r->frame_from, &from));
	SIM_CHECK(chan_g.w, relay_open_frame(e, RELAY_FROM_SERVER, &w,
					     span_of(r->frame, r->frame_len), &packet) == 0);
	ck_assert_uint_eq(w.highest, counter);
	ck_assert_mem_eq(packet.data, want + RELAY_OVERHEAD, len);
}
