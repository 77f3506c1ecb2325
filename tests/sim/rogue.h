/* SPDX-License-Identifier: MIT */
/*
 * A hostile signal server: it has the true one's key and address, speaks the protocol, checks
 * nothing, and shows whatever log the test has put together for it.
 */
#ifndef MLSH_TESTS_ROGUE_H
#define MLSH_TESTS_ROGUE_H

#include "mesh.h"
#include "quic/quic.h"

#define ROGUE_ENTRIES_MAX 16
#define ROGUE_CALLERS_MAX 64

struct rogue_caller {
	struct rogue *rogue;
	struct quic_conn *quic;
	int64_t events; /* stream, or -1 */
};

struct rogue {
	struct mesh *mesh;
	struct identity *identity;
	struct quic_socket *socket;
	struct entry_bytes entry[ROGUE_ENTRIES_MAX];
	size_t n_entries;
	ip4 next_address;     /* what it tells joiners */
	uint32_t busy_s;      /* it is busy for so long; 0: it is not */
	const char *moved_to; /* it has moved to that host, for the next caller only; NULL: no */
	struct rogue_caller caller[ROGUE_CALLERS_MAX];
	size_t n_callers;
	size_t sessions, admits, pushes; /* requests of that kind so far */
};

/* Takes the place of the true server, which must be down. */
struct rogue *rogue_start(struct mesh *m);
/* Ends it; the true server can be started again. */
void rogue_stop(struct rogue *r);
/* Puts an entry at the end of the log that it shows, whatever it is. */
void rogue_add(struct rogue *r, struct span entry);
/* All entries of a log. */
void rogue_add_log(struct rogue *r, const struct mlog *l, size_t n);
/* Tells those who listen of the entries from `first` on. */
void rogue_tell(struct rogue *r, size_t first);

#endif
