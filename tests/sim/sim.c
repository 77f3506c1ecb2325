/* SPDX-License-Identifier: MIT */
/* The simulations' seed, and a UDP program for simulated hosts. */
#include "sim.h"

uint64_t sim_seed(void)
{
	const char *text = getenv("MLSH_SIM_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

struct world *sim_new(void)
{
	return world_new(sim_seed());
}

void sim_pass(struct world *w, uint64_t ns)
{
	ck_assert(world_run(w, ns, NULL, NULL));
}

static void sim_sink_take(struct sim_sink *s, const struct udp_rx *rx)
{
	s->runs++;
	s->from = rx->from;
	s->local = rx->local;
	s->ecn = rx->ecn;
	for (size_t at = 0, n = 0; at < rx->len || n == 0; at += rx->segment, n++) {
		s->last_len = rx->segment < rx->len - at ? rx->segment : rx->len - at;
		ck_assert_uint_le(s->last_len, sizeof(s->last));
		memcpy(s->last, rx->data + at, s->last_len);
		s->datagrams++;
		s->bytes += s->last_len;
		if (n + 1 > s->longest_run)
			s->longest_run = n + 1;
	}
	s->last_at = clock_now(s->host);
	if (s->first_at == 0)
		s->first_at = s->last_at;
	if (s->echo) {
		struct udp_tx tx = {
			.data = rx->data, .len = rx->len, .segment = rx->segment, .to = rx->from
		};

		ck_assert_uint_eq(udp_send(s->udp, &tx, 1), 1);
	}
}

static void sim_sink_readable(void *ctx)
{
	struct sim_sink *s = ctx;
	struct udp_rx rx[4];
	size_t n = udp_recv(s->udp, rx, 4);

	for (size_t i = 0; i < n; i++)
		sim_sink_take(s, &rx[i]);
}

void sim_sink_open(struct sim_sink *s, struct host *h, uint16_t port)
{
	struct udp_config cfg = { .bind = { .port = port } };

	*s = (struct sim_sink){ .host = h };
	ck_assert_int_eq(udp_open(h, &cfg, sim_sink_readable, s, NULL, &s->udp), 0);
}

void sim_sink_send(struct sim_sink *s, struct addr to, const void *data, size_t len)
{
	struct udp_tx tx = { .data = data, .len = len, .segment = len, .to = to };

	ck_assert_uint_eq(udp_send(s->udp, &tx, 1), 1);
}
