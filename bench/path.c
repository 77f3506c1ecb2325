/* SPDX-License-Identifier: MIT */
/*
 * The packet path alone: two overlays in one process, with real UDP sockets between them and TUNs
 * in memory. One sends TCP super-packets as fast as they are taken; both ends share one thread, so
 * that its processor time is what a packet costs from TUN to TUN, the kernel's UDP included.
 *
 *	path [SECONDS]		prints one JSON object
 */
#include <stdio.h>
#include <sys/resource.h>

#include "crypto/init.h"
#include "node.h"

#define CONNECT_LIMIT (5 * NS_PER_S)
#define WARM_UP (500 * NS_PER_MS) /* until congestion control and the path's size are found */

struct end {
	struct bench *bench;
	struct end *far;
	struct bench_node n;
};

struct bench {
	struct host *h;
	struct end end[2];
	struct timer *timer;
	bool up;
};

/* What was counted at one moment. */
struct sample {
	uint64_t packets, bytes, writes, user_ns, system_ns, ns;
	struct udp_stats sent;
};

static void tell(struct end *about, struct end *to)
{
	struct wire_candidates c;

	if (!about->n.o || !to->n.o)
		return;
	overlay_candidates_get(about->n.o, &c);
	overlay_presence(to->n.o,
			 roster_by_id(mlog_roster(to->n.log), &about->n.self->id, ROSTER_CURRENT),
			 true, &c);
}

static void on_candidates(void *ctx, const struct wire_candidates *c)
{
	struct end *e = ctx;

	(void)c;
	tell(e, e->far);
}

static void on_peer_changed(void *ctx, const struct member *m)
{
	struct end *e = ctx;
	struct peer_status s;

	if (overlay_peer_status(e->n.o, m, &s) && s.state == PEER_UP && e == &e->bench->end[0]) {
		e->bench->up = true;
		loop_stop(e->bench->h);
	}
}

static const struct overlay_ops ops = {
	.log_grew = bench_log_grew,
	.fork = bench_fork,
	.candidates = on_candidates,
	.peer_changed = on_peer_changed,
};

static void on_time(void *bench)
{
	loop_stop(((struct bench *)bench)->h);
}

static void run_for(struct bench *b, uint64_t ns)
{
	clock_refresh(b->h);
	timer_set_in(b->timer, ns);
	ck_assert_int_eq(loop_run(b->h), 0);
}

static void end_open(struct end *e, struct bench *b, unsigned number, const struct mlog *log)
{
	struct overlay_config cfg = { .ops = &ops, .ctx = e };

	e->bench = b;
	e->far = &b->end[1 - number];
	bench_node_open(&e->n, b->h, number, log, &cfg);
}

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

static struct sample sample(const struct bench *b)
{
	const struct end *from = &b->end[0], *to = &b->end[1];
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (struct sample){ .packets = to->n.tun.packets,
				.bytes = to->n.tun.bytes,
				.writes = to->n.tun.writes,
				.user_ns = timeval_ns(r.ru_utime),
				.system_ns = timeval_ns(r.ru_stime),
				.ns = clock_refresh(b->h),
				.sent = quic_socket_stats_get(overlay_socket(from->n.o)).udp };
}

static void print(const struct sample *x, const struct sample *y)
{
	double packets = (double)(y->packets - x->packets);
	double user = (double)(y->user_ns - x->user_ns);
	double system = (double)(y->system_ns - x->system_ns);
	double datagrams = (double)(y->sent.tx_datagrams - x->sent.tx_datagrams);
	double sent_bytes = (double)(y->sent.tx_bytes - x->sent.tx_bytes);

	printf("{\"packets\":%.0f,\"mbit_per_s\":%.0f,\"ns_per_packet\":%.0f,"
	       "\"user_ns_per_packet\":%.0f,\"system_ns_per_packet\":%.0f,"
	       "\"udp_bytes_per_datagram\":%.1f,\"datagrams_per_send\":%.1f,"
	       "\"packets_per_tun_write\":%.1f,\"datagrams_per_packet\":%.3f}\n",
	       packets, packets * PATH_MSS * 8e3 / (double)(y->ns - x->ns),
	       (user + system) / packets, user / packets, system / packets, sent_bytes / datagrams,
	       datagrams / (double)(y->sent.tx_calls - x->sent.tx_calls),
	       packets / (double)(y->writes - x->writes), datagrams / packets);
}

static uint64_t seconds = 3;

START_TEST(tun_to_tun)
{
	struct bench b = { .up = false };
	struct kit kit;
	struct sample before, after;

	ck_assert_int_eq(host_new(NULL, &b.h), 0);
	ck_assert_int_eq(crypto_init(NULL), 0);
	host_log(b.h)->level = LOG_LEVEL_ERROR;
	b.timer = timer_new(b.h, on_time, &b);
	kit = kit_open();
	kit_join(&kit, 1);
	for (unsigned i = 0; i < 2; i++)
		end_open(&b.end[i], &b, i, kit.log);
	for (unsigned i = 0; i < 2; i++) {
		b.end[i].n.tun.self = b.end[i].n.self->address;
		b.end[i].n.tun.other = b.end[i].far->n.self->address;
		tell(&b.end[i], b.end[i].far);
	}
	run_for(&b, CONNECT_LIMIT);
	ck_assert_msg(b.up, "no tunnel: the machine needs an address besides loopback");
	run_for(&b, WARM_UP);
	path_tun_start(&b.end[0].n.tun);
	run_for(&b, WARM_UP);
	before = sample(&b);
	run_for(&b, seconds * NS_PER_S);
	after = sample(&b);
	print(&before, &after);
	for (unsigned i = 0; i < 2; i++)
		bench_node_close(&b.end[i].n);
	timer_free(b.timer);
	kit_close(&kit);
	host_free(b.h);
	ck_assert_uint_gt(after.packets, before.packets);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = strtoull(argv[1], NULL, 10);
	return path_main(tun_to_tun);
}
