/* SPDX-License-Identifier: MIT */
/*
 * A signal server in a process of its own, whose processor time and memory can be asked for, and
 * the clients' side of it.
 */
#ifndef MLSH_BENCH_SERVER_H
#define MLSH_BENCH_SERVER_H

#include "real_sim.h"

#include "../tests/sim/signal_steps.h"

/* What the server's process says of itself. */
struct server_sample {
	uint64_t user_ns, system_ns;
	uint64_t rss_bytes;	       /* resident, its program's pages included */
	uint64_t heap_used, heap_free; /* of malloc: live, and kept without use */
	struct signal_server_stats stats;
	struct udp_stats udp;
};

struct server_child {
	int pid, fd;
};

/*
 * Forks; to be called before anything else is open. Fills `g` for clients of the new server, and
 * `codes` with setup codes for so many clusters.
 */
void server_child_start(struct server_child *c, struct sig *g, size_t clusters,
			char (*codes)[BOOTSTRAP_CODE_TEXT_MAX]);
struct server_sample server_child_sample(const struct server_child *c);
/* Ends it, and removes its files. */
void server_child_stop(struct server_child *c, struct sig *g);
/* A node with an identity and a socket of its own; `cfg` needs none. */
struct raw *server_client_new(struct sig *g, struct quic_socket_config *cfg);

#endif
