/* SPDX-License-Identifier: MIT */
/*
 * A simulated world: machines, links and one clock in one process, repeatable from a seed. It
 * implements the os headers at link time in place of src/os/linux. Time stands still while code
 * runs and jumps to the next event. What tests do to the world is here; what programs see of it is
 * in os/.
 *
 * A `struct host` is one process on a machine. The machine keeps its name, addresses, links and
 * files; world_host_crash ends a process, world_host_boot starts the next one. Functions below that
 * concern the machine take any of its hosts, dead ones too.
 *
 * Handles (timers, sockets, ...) belong to whoever made them, and must be closed before world_free,
 * also after a crash: on a dead host they do nothing more, but stay valid until then.
 *
 * Misuse by a test and the end of memory abort, after world_dump.
 */
#ifndef MLSH_OS_SIM_WORLD_H
#define MLSH_OS_SIM_WORLD_H

#include <stdio.h>

#include "base/addr.h"
#include "os/fence.h"
#include "os/host.h"
#include "os/netconf.h"
#include "os/splitdns.h"
#include "os/tun.h"

#define WORLD_START_NS (1000 * NS_PER_S) /* the clock when a world begins */
#define WORLD_WALL_OFFSET_S 1800000000	 /* wall clock less clock, in seconds */

struct world;

struct world *world_new(uint64_t seed);
void world_free(struct world *w); /* frees hosts and machines too; NULL allowed */
uint64_t world_now(const struct world *w);
uint64_t world_seed(const struct world *w);
/*
 * Runs events for that long, or until `done` (may be NULL) says so; it is asked first, and after
 * each event. True when `done` said so; without `done`, true when the time is over.
 */
bool world_run(struct world *w, uint64_t for_ns, bool (*done)(void *ctx), void *ctx);
/* Running digest (in the manner of FNV-1a) of all that happened: equal for equal seeds. */
uint64_t world_digest(const struct world *w);
/*
 * Seed, log lines and the last events, to standard error: called when a test fails. Log lines go
 * nowhere else, unless MLSH_SIM_LOG is set in the environment to a level: then to standard error.
 */
void world_dump(const struct world *w);
/*
 * The end of world_dump: the last datagrams and messages as a sequence diagram, a column for each
 * machine that took part. Equal neighbours are one row. Empty if there were none.
 */
void world_diagram(const struct world *w, FILE *out);
/*
 * Makes OpenSSL's randomness (of the whole process) a function of the seed, so that handshakes are
 * equal byte for byte. Before the first use of OpenSSL; again for every new world.
 */
void world_seed_tls(struct world *w);

/* --- machines and processes ------------------------------------------------------------------- */

/* A machine with interface eth0 and this address (/24; 0 for none), linked to every other. */
struct host *world_host(struct world *w, const char *name, ip4 ip);
/* Kills the process as kill -9 does: nothing of it is called again, what it sends vanishes. */
void world_host_crash(struct host *h);
/* A further process on the machine; the others, if they live, stay. */
struct host *world_host_boot(struct host *h);
bool world_host_alive(const struct host *h);
/* Has it called loop_stop? (loop_run runs the whole world until then.) */
bool world_host_stopped(const struct host *h);
/* The user a process runs as (default 0), seen by local sockets; groups are the machine's. */
void world_host_user(struct host *h, unsigned uid, unsigned gid);
void world_group_add(struct host *h, const char *group, unsigned gid, unsigned uid);
/* How often programs on the machine have asked who is in a group. */
unsigned world_groups_asked(const struct host *h);
/* Wall clock of the machine, relative to the right one. */
void world_host_wall_skew(struct host *h, int64_t skew_s);
/* Timers and sockets of the machine stand still while its clock runs on; packets to it are lost. */
void world_host_suspend(struct host *h);
void world_host_resume(struct host *h);
/* The watchers of this signal in that process are called at once when the world runs on. */
void world_host_signal(struct host *h, int signum);
/* Before manager_new: a service manager started the process; 0 if it watches no watchdog. */
void world_host_managed(struct host *h, uint64_t watchdog_ns);
/* All that it was told but signs of life, oldest first, each word with a new line behind it. */
const char *world_managed_words(const struct host *h);
/* When it last had a sign of life; 0 before that. */
uint64_t world_managed_alive_at(const struct host *h);
/* While deaf it takes nothing: its queue is full. */
void world_managed_deaf(struct host *h, bool deaf);

/* --- addresses and packets -------------------------------------------------------------------- */

/* A further address (/24, /64) on an interface; IPv6 too. -EEXIST when another machine has it. */
int world_host_addr(struct host *h, const struct addr *a, const char *ifname) MUST_CHECK;
int world_host_addr_del(struct host *h, const struct addr *a) MUST_CHECK; /* -ENOENT */
/* All at once: the machine has only this address on eth0 from now on, in its present net. */
void world_host_roam(struct host *h, ip4 ip);
/* Pulls or plugs the cable of eth0, wlan0, ...: addresses stay, nothing passes. */
void world_host_carrier(struct host *h, bool up);
/* The same for one of several interfaces: the others are used instead. */
void world_host_interface(struct host *h, const char *ifname, bool up);
/* Of the machine's interfaces (default 1500): more than this is refused at once. */
void world_host_mtu(struct host *h, unsigned bytes);
/* A prefix that the host uses itself, for netconf_conflict. */
void world_host_uses(struct host *h, struct prefix4 p, const char *what);
void world_host_uses_no_more(struct host *h, struct prefix4 p);
/* The machine's own network card: sends wait in socket buffers when it is slow. 0 for no limit. */
void world_host_uplink(struct host *h, uint64_t rate_bps);

/* What happens to packets one way. */
struct link_params {
	uint64_t delay_ns, jitter_ns; /* jitter: 0..jitter_ns more, evenly spread */
	double loss, duplicate;	      /* 0..1 */
	uint64_t rate_bps;	      /* 0 for no limit */
	size_t queue_bytes;	      /* 0: 100 ms worth, 64 KiB at least */
	size_t ecn_bytes;	      /* mark ECN-capable packets when more waits; 0 for no mark */
	unsigned mtu_bytes;	      /* bigger packets vanish; 0: 1500 */
	bool reorder;		      /* jitter may change the order */
	bool down;
};
#define LINK_DEFAULT ((struct link_params){ .delay_ns = 5 * NS_PER_MS, .mtu_bytes = 1500 })

struct link_stats {
	uint64_t sent, delivered, lost, queue_full, too_big, down, marked;
};

void world_link(struct world *w, struct host *from, struct host *to, struct link_params p);
void world_link_both(struct world *w, struct host *a, struct host *b, struct link_params p);
/* Keeps the parameters and only takes the link down or up, both ways. */
void world_link_cut(struct world *w, struct host *a, struct host *b, bool down);
struct link_stats world_link_stats(struct world *w, struct host *from, struct host *to);

/*
 * A hook that sees (and may change, shorten or swallow) every datagram between machines when it is
 * sent: for captures, tampering and hostile networks. `src` is what the sending machine wrote (NAT
 * comes later); `from` is NULL for world_inject. Return false to drop.
 */
typedef bool (*world_tap_fn)(void *ctx, struct host *from, const struct addr *src,
			     const struct addr *dst, uint8_t *data, size_t *len);
void world_tap(struct world *w, world_tap_fn fn, void *ctx);
/* A datagram out of nowhere in the public net, with any source. */
void world_inject(struct world *w, const struct addr *src, const struct addr *dst, uint8_t ecn,
		  const void *data, size_t len);

/* --- names ------------------------------------------------------------------------------------ */

/* Adds an address (port ignored) to a name that resolve_start knows in this world. */
int world_dns_set(struct world *w, const char *name, const struct addr *a) MUST_CHECK;
void world_dns_del(struct world *w, const char *name);
/* While down (or without carrier), names, but not literals, run into the time limit. */
void world_dns_down(struct world *w, bool down);

/* --- the machine's tunnel devices, routes and files, from outside ----------------------------- */

/* A packet as if the host's stack had routed it into its index-th TUN. -ENODEV, -ENOBUFS. */
int world_tun_inject(struct host *h, unsigned index, const void *packet, size_t len) MUST_CHECK;
/* The same for a super-packet. */
int world_tun_inject_gso(struct host *h, unsigned index, const struct tun_packet *p) MUST_CHECK;
/*
 * The next packet that was written to it, cut and with its checksum completed as a kernel does: 1
 * and the packet (at most `cap` bytes), or 0. The device holds 4096 of them. UDP to an open socket
 * of the machine goes there instead.
 */
int world_tun_take(struct host *h, unsigned index, void *packet, size_t cap, size_t *ret_len)
	MUST_CHECK;
bool world_tun_up(struct host *h, unsigned index);
/* Removes the device under its owner, as `ip link del` does. */
void world_tun_kill(struct host *h, unsigned index);

struct world_route {
	struct prefix4 prefix;
	unsigned ifindex; /* 0: unreachable */
	ip4 source;
};

/* What programs added: copies at most `max`, returns how many there are. */
size_t world_routes(struct host *h, struct world_route *out, size_t max);
bool world_has_route(struct host *h, struct prefix4 p, unsigned ifindex);
/*
 * What other software does to what programs added, as `ip route flush table main`, `ip addr flush`,
 * `ip link set ... name ... mtu ...` do. world_host_interface takes a device down.
 */
void world_flush_routes(struct host *h);
void world_flush_addresses(struct host *h, const char *ifname);
void world_link_change(struct host *h, const char *ifname, const char *name, unsigned mtu_bytes);
unsigned world_link_mtu(struct host *h, const char *ifname);
/* Where the machine sends a packet: the device's index, 0 by its own uplink, or WORLD_NOWHERE. */
#define WORLD_NOWHERE (-1)
int world_leaves_by(struct host *h, const struct addr *to);
/* Is this address on one of the machine's interfaces? */
bool world_has_addr(struct host *h, const struct addr *a);

/* How the machine's resolver answers splitdns_start: ACTIVE (default), UNAVAILABLE, REFUSED. */
void world_host_resolver(struct host *h, enum splitdns_state answer);
/* Who resolves this zone on the machine? */
bool world_splitdns(struct host *h, const char *zone, ip4 *ret_server, unsigned *ret_ifindex);

/* What becomes of fences on the machine: UP (default), UNAVAILABLE, REFUSED. */
void world_host_filter(struct host *h, enum fence_state state);
/* Is the address fenced on the machine, by a process that lives? */
bool world_fenced(struct host *h, ip4 address);

/* Mode of a file or folder, -ENOENT. */
int world_file_mode(struct host *h, const char *path) MUST_CHECK;
/* The process is killed when it is about to change files once more, after `changes` of them. */
void world_host_crash_after(struct host *h, unsigned changes);
/* The same, where what it sends to the network or to another process counts as a change, too. */
void world_host_crash_after_steps(struct host *h, unsigned steps);
/*
 * For a change of a real file that counts like one of the world's: returns false if it must not
 * happen, because the process is dead or dies just now.
 */
bool world_host_step(struct host *h);
/* While full, writes fail with -ENOSPC and leave the old content. */
void world_host_disk_full(struct host *h, bool full);

#endif
