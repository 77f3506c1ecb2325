/* SPDX-License-Identifier: MIT */
/*
 * A hostile signal server: it has the true one's keys and address, speaks the protocol, checks
 * nothing, and shows whatever log the test has put together for it.
 */
#ifndef MLSH_TESTS_ROGUE_H
#define MLSH_TESTS_ROGUE_H

#include "mesh.h"
#include "proto/signal.h"
#include "quic/quic.h"
#include "signal/bootstrap.h"

#define ROGUE_RECORDS_MAX 16
#define ROGUE_CALLERS_MAX 256

struct rogue_caller {
	struct rogue *rogue;
	struct quic_conn *quic;
	int64_t events; /* stream, or -1 */
};

/* A second log, for those to whom it does not show the first. */
struct rogue_branch {
	struct record_bytes record[ROGUE_RECORDS_MAX];
	size_t n;
};

struct rogue {
	struct mesh *mesh;
	struct host **host; /* the last process of the server whose place it has */
	struct identity *identity;
	struct server_keys keys;
	struct quic_socket *socket;
	struct record_bytes record[ROGUE_RECORDS_MAX];
	size_t n_records;
	struct rogue_branch other;
	bool shows_other[MESH_NODES_MAX];  /* to that node */
	size_t shows_only[MESH_NODES_MAX]; /* so many records to that node; 0 for all */
	bool swallows;			   /* it answers no entry that it is given */
	bool only_says_yes;		   /* to entries, and orders none of them */
	bool says_removed;		   /* it refuses sessions: "not a member" */
	ip4 next_address; /* what it gives joiners; 0 if it says yes, and puts nothing in order */
	uint32_t busy_s;  /* it is busy for so long; 0 if it is not */
	const char *moved_to; /* it has moved to that host, for the next caller only; or NULL */
	struct rogue_caller caller[ROGUE_CALLERS_MAX];
	size_t n_callers;
	size_t sessions, admits, pushes, appends; /* requests of that kind so far */
};

/* Takes the place of the true server, which must be down. */
struct rogue *rogue_start(struct mesh *m);
/* The same for another server than the mesh's, with the keys in its database. */
struct rogue *rogue_start_at(struct mesh *m, struct host **host, const char *db);
/* Ends it; the true server can be started again. */
void rogue_stop(struct rogue *r);
/* Puts a record at the end of the log that it shows, whatever it is. */
void rogue_add(struct rogue *r, struct span record);
/* The first n records of a log. */
void rogue_add_log(struct rogue *r, const struct mlog *l, size_t n);
/* Puts an entry in order, behind what it shows, with its receipt; whatever it is. */
void rogue_order(struct rogue *r, struct span entry, ip4 address);
/* The same with another time of order than now. */
void rogue_order_at(struct rogue *r, struct span entry, ip4 address, uint64_t time_s);
/* Its second log becomes the first n records of the first. */
void rogue_branch_off(struct rogue *r, size_t n);
/* What it orders goes to the other log from now on. */
void rogue_swap(struct rogue *r);
/* Tells those who listen of the records from `first` on, as far as each is shown them. */
void rogue_tell(struct rogue *r, size_t first);
/* Says this to all who listen. */
void rogue_say(struct rogue *r, const struct signal_event *ev);
/* Closes all connections. */
void rogue_hang_up(struct rogue *r, enum signal_close code);

#endif
