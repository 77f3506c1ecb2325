/* SPDX-License-Identifier: MIT */
/*
 * UDP in batches: one receive may carry many datagrams of one source joined by the kernel (GRO),
 * one send many of one size to be cut by it (GSO). Where the kernel has neither, the same calls
 * work one datagram at a time.
 */
#ifndef MLSH_OS_UDP_H
#define MLSH_OS_UDP_H

#include "base/addr.h"
#include "os/loop.h"

struct udp;

#define UDP_BATCH_MAX 32	/* receives or sends a call */
#define UDP_GSO_BYTES_MAX 65000 /* bytes in one joined send (IP limit less headers) */
#define UDP_GSO_SEGMENTS_MAX 64 /* what older kernels take */

struct udp_config {
	struct addr bind;    /* unset address: dual-stack, any; port 0: chosen by the system */
	size_t rcvbuf_bytes; /* 0: the system's default */
	size_t sndbuf_bytes;
	/* An address that the machine does not have yet will do: it is waited for. */
	bool address_may_come;
	/*
	 * Takes the port although another program has it at all addresses, and lets others take it
	 * so. The others must allow it, too: for most resolvers at port 53 that is so.
	 */
	bool shared;
	/* Only what comes in through this interface, or from this host to an address of it. */
	const char *device;
	/*
	 * What the network says of datagrams (ICMP) is noted for udp_refused. Costs a system call
	 * for each udp_send, so it is not for the packet path. Best effort.
	 */
	bool icmp;
};

#define UDP_REFUSED_BYTES 1200 /* larger datagrams may be refused for their size: not noted */

/* Why a datagram did not leave this machine, or what the network said of it. */
struct udp_refusal {
	int code;	 /* negative errno: -EPERM, -ENETUNREACH, -EMSGSIZE, ... */
	bool by_network; /* said by ICMP: a hint only, since anybody can forge it */
	struct addr by;	 /* who sent that message; unset if unknown */
};

/* One received run of datagrams: each `segment` bytes, the last one possibly shorter. */
struct udp_rx {
	uint8_t *data; /* the receiver may overwrite it; valid until the next udp_recv */
	size_t len;
	size_t segment; /* == len when it is a single datagram; never 0 unless len is 0 */
	struct addr from;
	struct addr local; /* address it was sent to (port not set); unset if unknown */
	uint8_t ecn;	   /* the two ECN bits (RFC 3168) */
};

/* One send: `data` cut into datagrams of `segment` bytes, all to one address. */
struct udp_tx {
	const uint8_t *data;
	size_t len;
	size_t segment; /* == len for a single datagram */
	struct addr to;
	struct addr local; /* source address, or unset */
	uint8_t ecn;
	uint8_t hops; /* routers discard it after so many; 0: the system's default */
};

/*
 * Opens a socket. `readable` is called from the loop while datagrams wait. Don't-fragment is set
 * and the path-MTU cache of the kernel is not used (RFC 8899: probing is QUIC's). -EADDRINUSE,
 * -EACCES, ... with a message.
 */
int udp_open(struct host *h, const struct udp_config *cfg, loop_fn readable, void *ctx,
	     struct err *err, struct udp **ret) MUST_CHECK;
void udp_close(struct udp *u); /* NULL allowed; from within its callbacks, too */
/* The bound address: port always set; the IP unset when bound to any. */
struct addr udp_local(const struct udp *u);

/*
 * Up to `max` (at most UDP_BATCH_MAX) runs; 0 when nothing waits; errors of the network (ICMP) are
 * skipped.
 */
size_t udp_recv(struct udp *u, struct udp_rx *rx, size_t max);
/*
 * Sends in order; neighbours of one size to one address go through the kernel as one, wherever they
 * lie. Returns how many of the n sends were handed over or given up for good (unreachable, too big:
 * a datagram may always be lost); less than n means that the socket is full: `writable` is called
 * once when there is room. The first of those left may have gone out in part; offered again first,
 * with the same `data`, it goes on from there.
 */
size_t udp_send(struct udp *u, const struct udp_tx *tx, size_t n);
/* Those left by the last udp_send are not offered again. */
void udp_forget(struct udp *u);
void udp_on_writable(struct udp *u, loop_fn writable, void *ctx);
/*
 * Bytes of memory that what was handed over still takes up on its way out of the machine: a little
 * more than its datagrams. 0 where the system does not tell.
 */
size_t udp_queued(const struct udp *u);

/*
 * The last refusal of a datagram to `to`, of UDP_REFUSED_BYTES or less, since `since` (clock_now);
 * of as many addresses as were refused lately. False if there was none.
 */
bool udp_refused(const struct udp *u, const struct addr *to, uint64_t since,
		 struct udp_refusal *ret);

struct udp_stats {
	uint64_t rx_datagrams, rx_bytes, rx_calls;
	uint64_t tx_datagrams, tx_bytes, tx_calls, tx_errors, tx_too_big;
};
struct udp_stats udp_stats_get(const struct udp *u);

#endif
