/* SPDX-License-Identifier: MIT */
/*
 * The relay alone: a signal server in a process of its own, and two nodes in another that push
 * frames through it, over loopback, as fast as they are taken. The processor time is the server's.
 *
 *	relay [SECONDS [FRAMES [SIZE]]]		prints one JSON object
 *
 * FRAMES: joined in one send (GSO) of the client, and in one receive of the server. 1: each frame
 * arrives by itself.
 */
#include "path.h"
#include "server.h"

#define FRAMES_MAX 44
#define SIZE_MAX_BYTES 1452
#define IN_FLIGHT_MAX 1024     /* frames: fewer than a socket's buffer holds */
#define STALL (20 * NS_PER_MS) /* after which what is under way counts as lost */
#define WARM_UP (500 * NS_PER_MS)
#define BUFFER_BYTES (4u << 20)

struct pusher {
	struct raw *from, *to;
	struct relay_end end; /* of the sender */
	struct addr server;
	struct timer *stall;
	uint32_t counter;
	bool on;
	uint64_t arrived, arrived_before;
	uint64_t in_flight;
	uint8_t frames[FRAMES_MAX * SIZE_MAX_BYTES];
};

static uint64_t seconds = 2;
static size_t per_send = FRAMES_MAX, size = SIZE_MAX_BYTES;

static void push(struct pusher *p)
{
	struct udp_tx run = {
		.data = p->frames, .len = per_send * size, .segment = size, .to = p->server
	};

	while (p->on && p->in_flight + per_send <= IN_FLIGHT_MAX) {
		size_t n;

		for (size_t i = 0; i < per_send; i++)
			relay_wrap(&p->end, RELAY_TO_SERVER, p->counter++, p->frames + i * size,
				   size - RELAY_OVERHEAD);
		/* one at a time: several of them would be joined */
		n = quic_socket_send_runs(p->from->socket, &run, 1);
		p->in_flight += n;
		if (n == 0)
			return;
	}
}

static void on_stall(void *ctx)
{
	struct pusher *p = ctx;

	if (p->arrived == p->arrived_before)
		p->in_flight = 0;
	p->arrived_before = p->arrived;
	push(p);
	timer_set_in(p->stall, STALL);
}

/* The receiver's socket: it only counts. */
static void on_frames(void *ctx, struct udp_rx *runs, size_t n)
{
	struct pusher *p = *(struct pusher **)ctx;
	uint64_t before = p->arrived;

	for (size_t i = 0; i < n; i++)
		p->arrived += (runs[i].len + runs[i].segment - 1) / runs[i].segment;
	p->in_flight -= MIN(p->in_flight, p->arrived - before);
	push(p);
}

static struct raw *node_new(struct sig *g, struct pusher **p)
{
	struct quic_socket_config cfg = {
		.udp = { .bind = addr_v4(IP(127, 0, 0, 1), 0),
			 .rcvbuf_bytes = BUFFER_BYTES,
			 .sndbuf_bytes = BUFFER_BYTES },
		.others = on_frames,
		.ctx = p,
	};

	return server_client_new(g, &cfg);
}

static void channel_open(struct pusher *p)
{
	struct signal_request rq = { .type = SIGNAL_RELAY_OPEN };
	struct node_id id = identity_node_id(p->to->id);
	struct signal_reply reply;

	memcpy(rq.node_id, id.bytes, NODE_ID_LEN);
	ck_assert_int_eq(raw_ask(p->from, &rq, &reply), REFUSAL_NONE);
	p->end = reply.relay;
}

static void print(const struct server_sample *x, const struct server_sample *y, double elapsed_s)
{
	const struct relay_stats *a = &x->stats.relay, *b = &y->stats.relay;
	double frames = (double)(b->forwarded - a->forwarded);
	double user = (double)(y->user_ns - x->user_ns);
	double system = (double)(y->system_ns - x->system_ns);
	double rx = (double)(y->udp.rx_datagrams - x->udp.rx_datagrams);
	double tx = (double)(y->udp.tx_datagrams - x->udp.tx_datagrams);

	printf("{\"frames_per_send\":%zu,\"frame_bytes\":%zu,\"frames\":%.0f,"
	       "\"frames_per_s\":%.0f,\"mbit_per_s\":%.0f,\"ns_per_frame\":%.1f,"
	       "\"user_ns_per_frame\":%.1f,\"system_ns_per_frame\":%.1f,"
	       "\"server_cpu\":%.2f,\"mbit_per_s_and_core\":%.0f,\"datagrams_per_receive\":%.1f,"
	       "\"datagrams_per_send\":%.1f,\"dropped\":%.0f}\n",
	       per_send, size, frames, frames / elapsed_s, frames * (double)size * 8e-6 / elapsed_s,
	       (user + system) / frames, user / frames, system / frames,
	       (user + system) / 1e9 / elapsed_s, frames * (double)size * 8e3 / (user + system),
	       rx / (double)(y->udp.rx_calls - x->udp.rx_calls),
	       tx / (double)(y->udp.tx_calls - x->udp.tx_calls), rx - frames);
}

START_TEST(through_the_relay)
{
	static char code[1][BOOTSTRAP_CODE_TEXT_MAX];
	static struct pusher p;
	static struct pusher *pushing = &p;
	struct server_child server;
	struct server_sample before, after;
	struct raw_invite invite;
	uint64_t began;
	struct sig g;

	server_child_start(&server, &g, 1, code);
	p.from = node_new(&g, &pushing);
	p.to = node_new(&g, &pushing);
	raw_setup(p.from, code[0], "homelab", NULL);
	raw_online(p.from);
	invite = raw_invite(p.from);
	raw_adopt(p.to, &invite, "laptop");
	raw_online(p.to);
	channel_open(&p);
	p.server = g.at;
	p.stall = timer_new(g.h, on_stall, &p);
	p.on = true;
	timer_set_in(p.stall, 0);
	sim_pass(g.w, WARM_UP);
	before = server_child_sample(&server);
	began = clock_refresh(g.h);
	sim_pass(g.w, seconds * NS_PER_S);
	after = server_child_sample(&server);
	print(&before, &after, (double)(clock_refresh(g.h) - began) / 1e9);
	p.on = false;
	timer_free(p.stall);
	raw_free(p.to);
	raw_free(p.from);
	server_child_stop(&server, &g);
	ck_assert_uint_gt(after.stats.relay.forwarded, before.stats.relay.forwarded);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		per_send = MIN(strtoull(argv[2], NULL, 10), (unsigned long long)FRAMES_MAX);
	if (argc > 3)
		size = MIN(strtoull(argv[3], NULL, 10), (unsigned long long)SIZE_MAX_BYTES);
	if (per_send == 0 || size <= RELAY_OVERHEAD)
		return EXIT_FAILURE;
	return path_main(through_the_relay);
}
