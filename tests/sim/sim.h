/* SPDX-License-Identifier: MIT */
/*
 * What every simulation shares: its seed, checks that show the world when they fail, a main program
 * (UNIT_MAIN), and a small UDP program to run on simulated hosts.
 *
 *	MLSH_SIM_SEED=7 build/asan/tests/sim/test_sim_net	another seed
 *	MLSH_SIM_LOG=debug ...					the hosts' logs
 *	MLSH_TEST_CASE=two_clusters ...				only tests whose names contain it
 *	CK_FORK=no ...						in this process, for a debugger
 */
#ifndef MLSH_TESTS_SIM_H
#define MLSH_TESTS_SIM_H

#include <errno.h>

#include "../unit/unit.h"
#include "os/sim/net.h"
#include "os/sim/world.h"
#include "os/udp.h"

/* The sanitizers' build takes every fifth case of a long row: it is several times slower. */
#ifdef __SANITIZE_ADDRESS__
#define SIM_STRIDE 5
#else
#define SIM_STRIDE 1
#endif

#define IP(a, b, c, d) ((ip4)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static inline uint64_t sim_seed(void)
{
	const char *text = getenv("MLSH_SIM_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

static inline struct world *sim_new(void)
{
	return world_new(sim_seed());
}

/* A check that is followed by the world's last events when it fails. */
#define SIM_CHECK(w, expr)                                                                         \
	do {                                                                                       \
		if (!(expr)) {                                                                     \
			world_dump(w);                                                             \
			ck_abort_msg("%s", #expr);                                                 \
		}                                                                                  \
	} while (0)

#define SIM_CHECK_OK(w, call)                                                                      \
	do {                                                                                       \
		int sim_rc = (call);                                                               \
		if (sim_rc < 0) {                                                                  \
			world_dump(w);                                                             \
			ck_abort_msg("%s: %s", #call, strerror(-sim_rc));                          \
		}                                                                                  \
	} while (0)

/* Runs until the time is over. */
static inline void sim_pass(struct world *w, uint64_t ns)
{
	ck_assert(world_run(w, ns, NULL, NULL));
}

/* A program that counts and keeps what arrives on a socket. */
struct sim_sink {
	struct host *host;
	struct udp *udp;
	size_t datagrams, bytes, runs, longest_run;
	uint64_t first_at, last_at;
	struct addr from, local;
	uint8_t ecn;
	uint8_t last[1500]; /* the last datagram */
	size_t last_len;
	bool echo; /* sends each one back */
};

static inline void sim_sink_take(struct sim_sink *s, const struct udp_rx *rx)
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

static inline void sim_sink_readable(void *ctx)
{
	struct sim_sink *s = ctx;
	struct udp_rx rx[4];
	size_t n = udp_recv(s->udp, rx, 4);

	for (size_t i = 0; i < n; i++)
		sim_sink_take(s, &rx[i]);
}

/* Opens the socket; the caller closes it. */
static inline void sim_sink_open(struct sim_sink *s, struct host *h, uint16_t port)
{
	struct udp_config cfg = { .bind = { .port = port } };

	*s = (struct sim_sink){ .host = h };
	ck_assert_int_eq(udp_open(h, &cfg, sim_sink_readable, s, NULL, &s->udp), 0);
}

static inline void sim_sink_send(struct sim_sink *s, struct addr to, const void *data, size_t len)
{
	struct udp_tx tx = { .data = data, .len = len, .segment = len, .to = to };

	ck_assert_uint_eq(udp_send(s->udp, &tx, 1), 1);
}

#endif
