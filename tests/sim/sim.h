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

uint64_t sim_seed(void);
struct world *sim_new(void);

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
void sim_pass(struct world *w, uint64_t ns);

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

/* Opens the socket; the caller closes it. */
void sim_sink_open(struct sim_sink *s, struct host *h, uint16_t port);

void sim_sink_send(struct sim_sink *s, struct addr to, const void *data, size_t len);

#endif
