/* SPDX-License-Identifier: MIT */
/*
 * What the packet path knows of a peer, and what it is itself. Peering and reach push where packets
 * go and how large they may be whenever that changes; the packet path only reads it. It calls
 * nobody above: what it notices it raises as an event, which the owner handles before the loop
 * sleeps again.
 */
#ifndef MLSH_OVERLAY_DEST_H
#define MLSH_OVERLAY_DEST_H

#include "base/bucket.h"
#include "base/list.h"
#include "base/map.h"
#include "os/loop.h"
#include "overlay/datapath/coalesce.h"
#include "overlay/datapath/fib.h"
#include "overlay/datapath/flowq.h"
#include "overlay/datapath/queue.h"
#include "overlay/datapath/record.h"
#include "overlay/datapath/wrap.h"

#define DEST_WAITING_PACKETS 16 /* while there is no tunnel, and before the hello */

enum dest_event {
	DEST_WANTED = 1,  /* a packet waits for a tunnel */
	DEST_TRAFFIC = 2, /* packets go out, for the first time since `idle` was set */
	DEST_MOVED = 4	  /* records come from another address: heard_at */
};

struct dest {
	struct datapath *dp;
	ip4 address;	    /* of the peer */
	struct list raised; /* in dp->raised while there are events */
	unsigned events;    /* enum dest_event */

	/* pushed from above */
	bool up;		       /* packets may go out */
	bool greeted;		       /* packets may come in: its hello is here */
	struct quic_conn *conn;	       /* for packets that fit no record; or NULL */
	struct records *records;       /* NULL without a tunnel */
	bool reachable;		       /* there is a path: */
	struct quic_endpoint endpoint; /* where records go */
	size_t record_max;	       /* bytes of flags and packet that a record may carry there */
	struct relay_path *relay;      /* its relay channel, on or off; outlives this */
	bool idle;		       /* DEST_TRAFFIC is wanted */

	/* written here; liveness.c forgets what has been answered, or was of another tunnel */
	struct queue waiting; /* for a tunnel */
	struct queue early;   /* for the hello */
	struct addr heard_at; /* where the last record came from, if not over the relay */
	uint64_t heard;	      /* clock_now of the last authentic record; 0 before it */
	uint64_t unanswered;  /* of the first one sent since, or 0 */
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
};

/* Packets for the relay wait here, at the rate that its server allows, and leave in batches. */
struct pacer {
	struct flowq flows; /* no memory: there never was a rate */
	struct timer *timer;
	uint64_t rate; /* bytes of relay frames a second; 0 without a limit */
	uint64_t told_at;
	int64_t credit;	   /* bytes; below 0: more was sent than earned */
	uint64_t credited; /* the time up to which it was earned */
};

struct datapath {
	struct host *h;
	struct quic_socket *socket;
	struct tun *tun; /* NULL while it is made again, and if this node is not a member */
	ip4 address;	 /* ours */
	bool closing;	 /* nothing is sent any more */
	bool tun_gone;	 /* reading or writing it failed: an event */
	struct fib fib;
	struct map *records;   /* their tags -> dest */
	struct dest *last;     /* whose record was the last one; has records */
	struct flowq flows;    /* read from the TUN, to be sent */
	struct pacer pacer;    /* the same, for the relay, while that has a rate */
	struct deferred *pump; /* goes on sending them */
	struct coalescer coalescer;
	struct bucket icmp;
	struct overlay_status count;
	struct list raised; /* destinations with events */
	struct deferred *events;
};

/*
 * `events` is called in the turn in which an event was raised: datapath_event tells which. The
 * socket and the TUN are set by the caller. -ENOMEM; datapath_fini is called for that, too.
 */
int datapath_init(struct datapath *dp, struct host *h, loop_fn events, void *ctx) MUST_CHECK;
/* The TUN is another one: asks it which packets may be joined. */
void datapath_offloads(struct datapath *dp);
void datapath_fini(struct datapath *dp);

/*
 * Returns the next destination that has events, and takes them into *ret_events. Returns NULL if
 * there are no more.
 */
struct dest *datapath_event(struct datapath *dp, unsigned *ret_events);

void dest_init(struct dest *d, struct datapath *dp, ip4 address, struct relay_path *relay);
/* Drops the packets that wait. The destination must not be in the fib. */
void dest_fini(struct dest *d);
void dest_raise(struct dest *d, enum dest_event e);

/* A tunnel begins: takes over the records. -ENOMEM: they are freed. */
int dest_open(struct dest *d, struct quic_conn *c, struct records *r) MUST_CHECK;
/* The tunnel has ended: packets neither leave nor come in. Drops those that came early. */
void dest_close(struct dest *d);
/*
 * Sets where packets go from now on, and the size of the largest datagram (behind a relay's
 * header). With NULL packets go nowhere.
 */
void dest_push(struct dest *d, const struct quic_endpoint *to, size_t datagram_max);

static inline void drop_count(struct datapath *dp, enum overlay_drop d)
{
	dp->count.drops[d]++;
}

/* --- inbound.c ------------------------------------------------------------------------------- */

/* One datagram with a record; `relay`: the destination whose relay channel it came by, or NULL. */
void inbound_record(struct datapath *dp, uint8_t *data, size_t len, const struct udp_rx *rx,
		    const struct dest *relay);
/* A batch of records is over. */
void inbound_flush(struct datapath *dp);
/* The hello is here: lets in the packets that came before it. */
void inbound_early(struct dest *d);
/* A unidirectional stream carries one packet. `d`: NULL if the connection has no tunnel. */
void inbound_stream(struct datapath *dp, struct dest *d, struct quic_conn *c, int64_t stream);
/* Writes a packet to the TUN. */
void inbound_write(void *datapath, const struct tun_packet *p);

/* --- send.c ---------------------------------------------------------------------------------- */

/* Sends the packets that waited for the tunnel. */
void send_waiting(struct dest *d);
/* Drops the packets that wait for a tunnel and tells their senders. */
void send_give_up(struct dest *d);
/* The sender's stack learns that nobody is there, instead of waiting for its timeout. */
void send_unreachable(struct datapath *dp, const uint8_t *packet, size_t len);
/* A packet waits for a tunnel, for a moment. */
void send_later(struct dest *d, const struct tun_packet *t, const struct packet4 *h);
/* Has the socket room for whatever an item becomes? */
bool send_has_room(const struct datapath *dp);
/* Sends an item of a flow queue. Returns the bytes of datagrams that it became. */
size_t send_item(struct datapath *dp, const struct flowq_item *i);

/* --- pace.c ---------------------------------------------------------------------------------- */

/* The relay's server lets so many bytes a second of ours pass; 0 means any number. */
void pace_told(struct datapath *dp, uint64_t bytes_per_s);
/* Do packets to this destination, which has a tunnel, have to wait here? */
bool pace_holds(const struct dest *d);
/* Takes a packet as flowq_put does; it is copied. */
void pace_put(struct datapath *dp, const struct tun_packet *t, const struct packet4 *h,
	      uint64_t now);
/* Sends as many packets as may be sent, and comes back for the rest. */
void pace_pump(void *datapath);

/* --- outbound.c ------------------------------------------------------------------------------ */

/* The TUN is readable. */
void outbound_readable(void *datapath);
/* Sends packets that were read until the socket is full. To be called again when it has room. */
void outbound_pump(void *datapath);

#endif
