/* SPDX-License-Identifier: MIT */
/* What the files of the simulated world share: objects, the event queue, random streams. */
#ifndef MLSH_OS_SIM_SIM_H
#define MLSH_OS_SIM_SIM_H

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "os/sim/net.h"
#include "os/sim/world.h"

#define PUBLIC_HOPS 4		   /* routers between two addresses of the public net, at first */
#define INSTANT_EVENTS_MAX 2000000 /* so many at one instant are a loop that does not end */
#define TRACE_LINES 300		   /* log lines and other words that are kept for world_dump */
#define TRACE_MESSAGES 100	   /* lines at the level trace: what programs say to each other */
#define TRACE_PACKETS 300	   /* and packets, besides: they would push out the words */
#define IFINDEX_ETH 2
#define TRACE_TEXT_MAX 220
#define TRACE_MESSAGE_MAX 64

/* xoshiro256** (Blackman and Vigna), seeded by splitmix64. */
struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed, const char *stream);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t bound); /* uniform; bound > 0 */
bool rng_chance(struct rng *r, double p);
void rng_fill(struct rng *r, void *out, size_t len);

/*
 * Something that will happen. Embedded in what it happens to; `fire` may free it. `owner` is the
 * process it happens in, or NULL for the network: not fired once the owner is dead, and held back
 * (in the queue, at TIME_NEVER) while its machine is suspended.
 */
struct event {
	uint64_t at;
	uint64_t seq; /* order among events of one instant */
	size_t slot;  /* place in the heap, from 1; 0 if it is not queued */
	void (*fire)(struct event *e);
	struct host *owner;
};

void event_init(struct event *e, struct host *owner, void (*fire)(struct event *e));
void event_set(struct world *w, struct event *e, uint64_t at); /* again: moves it */
void event_cancel(struct world *w, struct event *e);
static inline bool event_is_set(const struct event *e)
{
	return e->slot != 0;
}
/* Fires the next event that is due until `until`; false when there is none. */
bool event_run_one(struct world *w, uint64_t until);
void world_release_events(struct world *w, const struct machine *m); /* those held back: due now */

struct trace_line {
	uint64_t at, order;
	char text[TRACE_TEXT_MAX];
};

struct trace_message {
	uint64_t at, order;
	const struct machine *machine;
	char text[TRACE_MESSAGE_MAX];
};

struct trace_packet {
	uint64_t at, order;
	const struct machine *from;    /* the sender */
	const struct machine *machine; /* where this happened */
	const char *what;	       /* a literal */
	struct addr src, dst;
	size_t len;
};

struct world {
	uint64_t seed, now, seq, digest;
	struct event **heap; /* binary heap, from slot 1 */
	size_t heap_len, heap_cap;
	size_t instant_events; /* fired at this instant: a loop without end is found by it */
	struct list deferred;  /* of struct deferred, in the order of their calls */
	struct list hosts;     /* of struct host: every process there ever was */
	struct list machines;
	struct list nets;
	struct net *public_net;
	unsigned public_hops;	 /* routers between two of its addresses */
	struct rng rng;		 /* the network's: loss, jitter */
	unsigned endpoints;	 /* how many endpoint ids were given out */
	struct machine *nowhere; /* where world_inject sends from */
	world_tap_fn tap;
	void *tap_ctx;
	struct list names; /* of struct dns_name */
	bool dns_down;
	struct trace_line *lines;	/* ring of TRACE_LINES */
	struct trace_packet *packets;	/* ring of TRACE_PACKETS */
	struct trace_message *messages; /* ring of TRACE_MESSAGES */
	uint64_t n_lines, n_packets, n_messages;
	int log_level; /* to standard error, or -1 */
};

struct machine_addr {
	struct addr addr; /* port 0 */
	unsigned ifindex;
	uint8_t bits;
};

struct machine_if {
	char name[16];
	unsigned index;
	enum netif_kind kind;
	bool up;
	unsigned mtu_bytes; /* of a tunnel device */
};

struct used_prefix {
	struct prefix4 prefix;
	char what[64];
};

struct link;

struct machine {
	struct list in_world;
	struct world *world;
	char name[64];
	struct net *net;
	struct endpoint endpoint;
	struct rng rng; /* random_fill */
	int64_t wall_skew_s;
	bool suspended, carrier;
	struct link **links; /* by the endpoint id of the other side */
	size_t n_links;
	uint64_t uplink_bps, uplink_free_at;
	unsigned mtu_bytes; /* of its interfaces */
	uint16_t next_port;
	unsigned next_ifindex;
	unsigned next_pid;
	struct machine_if *ifs;
	size_t n_ifs;
	struct machine_addr *addrs;
	size_t n_addrs;
	struct world_route *routes; /* that programs added */
	size_t n_routes;
	ip4 *guards;
	size_t n_guards;
	struct prefix4 *rules; /* subnets whose guards count */
	size_t n_rules;
	struct used_prefix *used;
	size_t n_used;
	/* of its processes */
	struct list udps, tuns, watches, listeners, splits, signals, services, fences, tcps;
	struct list files, folders, groups, locks;
	bool disk_full;
	uint64_t files_made;
	unsigned groups_asked;
	enum splitdns_state resolver;
	enum fence_state packet_filter;
};

struct host {
	struct list in_world;
	struct world *world;
	struct machine *machine;
	struct log log;
	unsigned uid, gid;
	int pid;
	bool alive, stopped;
	bool stopping;	   /* the next loop_run ends at once */
	bool dies;	   /* at its next step but `steps_left` */
	bool counts_sends; /* what it sends is a step, too */
	unsigned steps_left;
	struct list conns;	 /* struct local_conn: closed by a crash */
	struct managed *managed; /* NULL if no service manager started it */
};

/* Aborts with the message and a dump: a bug of the test or of the code it tests. */
_Noreturn void world_die(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void world_trace(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What became of a datagram at the machine `m`, which `from` (NULL: m itself) has sent. */
void world_trace_packet(struct world *w, const struct machine *from, const struct machine *m,
			const char *what, const struct packet *p);
void world_trace_message(struct world *w, const struct machine *m, const char *text);
void world_digest_add(struct world *w, const void *data, size_t len);
void world_digest_u64(struct world *w, uint64_t v);

/* Never NULL; zeroed. */
void *sim_alloc(size_t len);
void *sim_copy(const void *data, size_t len);
/* Grows an array to hold one more; returns the new, zeroed entry. */
void *sim_array_add(void *array_ptr, size_t *n, size_t entry_len);
void sim_array_del(void *array, size_t *n, size_t entry_len, size_t at);

/* It is about to send. Returns false if the process is dead, or dies of it. */
bool host_may_send(struct host *h);
/* Each file's part in the end of a process, of a machine and of the world. */
void machine_tuns_kill(struct host *h);
void machine_local_kill(struct host *h);
void machine_files_free(struct machine *m);
void machine_files_init(struct machine *m);
void names_free(struct world *w);
void machine_groups_free(struct machine *m);
/* The network did: tells the watches. */
void machine_changed(struct machine *m);
/* Only what is ours, or what the machine uses of a subnet, did. */
void machine_touched(struct machine *m);
void machine_routes_drop(struct machine *m, unsigned ifindex);

struct machine *machine_new(struct world *w, struct net *n, const char *name);
struct host *host_start(struct machine *m);
void machine_free(struct machine *m);
void hosts_free(struct world *w);
void deferred_run(struct world *w); /* all that are pending */

/* Is the name in a zone that a node's own DNS server answers? Other names in it are not found. */
bool machine_split_hides(const struct machine *m, const char *name);
struct machine_if *machine_if_find(struct machine *m, unsigned index);
struct machine_if *machine_if_add(struct machine *m, const char *name, enum netif_kind kind);
/* Adds the interface if none has this name. */
const struct machine_if *machine_if_named(struct machine *m, const char *name);
void machine_if_del(struct machine *m, unsigned index); /* its addresses and routes too */
int machine_addr_add(struct machine *m, const struct addr *a, const char *ifname) MUST_CHECK;
bool machine_owns(const struct machine *m, const struct addr *a);
/* Can it be used: is the interface that has it up? */
bool machine_speaks(const struct machine *m, const struct addr *a);
bool addr_has_no_ip(const struct addr *a); /* :: or 0.0.0.0 */
/* Which of the machine's addresses speaks to this one; false: none of that family. */
bool machine_source(const struct machine *m, const struct addr *to, struct addr *ret);
/* When bytes handed to the network card now will have left it. */
uint64_t machine_depart(struct machine *m, size_t bytes);
/* Of what programs added, the most specific; NULL for none. */
const struct world_route *machine_route(const struct machine *m, const struct addr *to);
/* Puts a datagram that the machine's own stack routed into the device. */
void machine_tun_route(struct machine *m, unsigned ifindex, const struct packet *p);

struct stream;
/* A stream to a program that listens on the machine (os/sim/stream.h); NULL if none does. */
struct stream *machine_stream_open(struct machine *m, const struct addr *from,
				   const struct addr *to);

/* Is the folder there in which something of this path would lie? */
bool machine_has_folder_of(const struct machine *m, const char *path);

/* The interface that has this address of the machine; "" if there is none. */
const char *machine_ifname_of(const struct machine *m, const struct addr *a);
/* Is there a socket for this address of the machine, and what comes in through that interface? */
bool machine_listens(struct machine *m, const struct addr *a, const char *ifname);
/* A datagram has reached the machine through that interface. */
void machine_receive(struct machine *m, const struct packet *p, const char *ifname);

#endif
