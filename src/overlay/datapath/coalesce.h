/* SPDX-License-Identifier: MIT */
/*
 * Joins inner packets of one flow that came one after another into super-packets, so that the host
 * takes up to 64 KiB in one tun_write. Only packets whose checksum is partial are joined: for the
 * others the joined one could not be made without checking each.
 */
#ifndef MLSH_OVERLAY_COALESCE_H
#define MLSH_OVERLAY_COALESCE_H

#include "os/tun.h"
#include "overlay/datapath/packet.h"

#define COALESCE_FLOWS 4 /* at once */

struct flow {
	uint8_t *data;	   /* a packet that grows; TUN_HEADROOM bytes lie in front of it */
	size_t len;	   /* 0 if the place is free */
	size_t header_len; /* IP and transport */
	size_t ip_len;
	size_t size;	   /* payload of each packet but the last */
	uint32_t next_seq; /* TCP */
	unsigned n;
	uint64_t used; /* to find the oldest */
	uint8_t proto;
	bool closed; /* nothing may follow */
};

struct coalescer {
	uint8_t *buffer; /* of the flows */
	struct flow flow[COALESCE_FLOWS];
	uint64_t turn;
	bool tcp, udp; /* may they be joined? */
	void (*write)(void *ctx, const struct tun_packet *p);
	void *ctx;
};

/* `write` gets the packets that are ready; it must not call coalesce. -ENOMEM. */
int coalesce_init(struct coalescer *c, bool tcp, bool udp,
		  void (*write)(void *ctx, const struct tun_packet *p), void *ctx) MUST_CHECK;
/* The device is another one: may packets be joined for it? Between batches only. */
void coalesce_offloads(struct coalescer *c, bool tcp, bool udp);
void coalesce_fini(struct coalescer *c);
/* Takes a packet that packet_check_inbound found good, at most PACKET_MAX bytes; copies it. */
void coalesce_add(struct coalescer *c, uint8_t flags, const uint8_t *packet, size_t len,
		  const struct packet4 *h);
/* Writes out all that is held back. */
void coalesce_flush(struct coalescer *c);

#endif
