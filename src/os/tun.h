/* SPDX-License-Identifier: MIT */
/*
 * The TUN device, in batches of super-packets: with offloads one read or write moves up to 64 KiB
 * of one flow. A packet says how it is to be cut; without offloads every packet is a plain one.
 */
#ifndef MLSH_OS_TUN_H
#define MLSH_OS_TUN_H

#include "base/addr.h"
#include "os/loop.h"

struct tun;

#define TUN_PACKET_MAX 65536
#define TUN_HEADROOM 16 /* writable bytes a caller leaves in front of tun_packet.data */
#define TUN_READ_BYTES (TUN_HEADROOM + TUN_PACKET_MAX)
#define TUN_BATCH_MAX 16

enum tun_gso { TUN_GSO_NONE, TUN_GSO_TCP4, TUN_GSO_TCP6, TUN_GSO_UDP4, TUN_GSO_UDP6 };

struct tun_packet {
	uint8_t *data; /* starts with the IP header */
	size_t len;
	enum tun_gso gso;
	uint16_t gso_size; /* payload bytes of each packet it stands for */
	uint16_t hdr_len;  /* IP and transport header, copied in front of each */
	bool csum_partial; /* the checksum holds the pseudo-header's sum only */
	uint16_t csum_start, csum_offset;
	bool ecn; /* TCP flow with ECN */
};

struct tun_config {
	const char *name_prefix; /* "mlsh": the device is mlsh<number> */
	unsigned number;	 /* if that one is free; otherwise the first free one */
	unsigned spare;		 /* of this number or a higher one */
	unsigned mtu_bytes;
};

/*
 * Opens the device, down and without addresses. It vanishes when the process ends.
 * privs_check_tunnel tells whether that is allowed here.
 */
int tun_open(struct host *h, const struct tun_config *cfg, loop_fn readable, void *ctx,
	     struct err *err, struct tun **ret) MUST_CHECK;
void tun_close(struct tun *t); /* NULL allowed */
const char *tun_name(const struct tun *t);
unsigned tun_ifindex(const struct tun *t);

/* May tun_write be given super-packets of this kind? Always true for TUN_GSO_NONE. */
bool tun_can_join(const struct tun *t, enum tun_gso gso);

/*
 * Stops and resumes calling `readable`: a full queue pushes back to the kernel's queue, which drops
 * early.
 */
void tun_pause(struct tun *t, bool paused);
/*
 * One packet (or super-packet), somewhere within `buffer` of TUN_READ_BYTES. 1, 0 when nothing
 * waits, negative when the device is gone.
 */
int tun_read(struct tun *t, uint8_t *buffer, struct tun_packet *ret) MUST_CHECK;
/* 0; -ENOBUFS or -EAGAIN: dropped by the kernel; -EINVAL: malformed; others: the device is gone. */
int tun_write(struct tun *t, const struct tun_packet *p) MUST_CHECK;

#endif
