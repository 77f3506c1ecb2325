/* SPDX-License-Identifier: MIT */
/* What a kernel does to packets at a TUN device: cuts super-packets, completes checksums. */
#ifndef MLSH_OS_SIM_TUN_CUT_H
#define MLSH_OS_SIM_TUN_CUT_H

#include "os/sim/net.h"
#include "os/tun.h"

/* Would a kernel take it? Offsets within the packet, a known kind, a version nibble that fits. */
bool tun_cut_ok(const struct tun_packet *p);
/*
 * Writes the next plain packet that `p` stands for to `out` (cut to cap; returns its whole length)
 * and removes it from p, whose len is 0 after the last one. tun_cut_ok(p).
 */
size_t tun_cut_next(struct tun_packet *p, uint8_t *out, size_t cap);
/* The UDP datagram in a whole plain IPv4 packet: a view into it. Returns false for others. */
bool tun_udp4_parse(const struct tun_packet *p, struct packet *ret);
/* The datagram as an IPv4 packet of 28 bytes more, with checksums. */
void tun_udp4_build(const struct packet *p, uint8_t *out);

#endif
