/* SPDX-License-Identifier: MIT */
/* Inner packets for the tests of the packet path: TCP and UDP, plain and super, with checks. */
#ifndef MLSH_TESTS_OVERLAY_KIT_H
#define MLSH_TESTS_OVERLAY_KIT_H

#include "overlay/datapath/packet.h"
#include "unit.h"

#define KIT_SRC 0x64600001u
#define KIT_DST 0x64600002u
#define TCP_HEADER 32 /* with 12 bytes of options */

struct tcp_kit {
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t sport, id;
};

uint8_t kit_byte(uint32_t at);

/* Checked without Check: an assertion for each byte takes minutes. */
bool kit_bytes_ok(const uint8_t *p, size_t len, uint32_t first);

/* Payload bytes are a function of their place in the TCP stream. Checksum partial. Its length. */
size_t kit_tcp(uint8_t *p, const struct tcp_kit *k, size_t payload);

size_t kit_udp(uint8_t *p, uint16_t sport, uint32_t first, size_t payload);

/* Are the IP checksum and the partial transport checksum right? */
bool kit_sums_ok(const uint8_t *p, size_t len);

#endif
