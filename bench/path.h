/* SPDX-License-Identifier: MIT */
/* What the two benchmarks of the packet path share: their traffic, and a TUN in memory. */
#ifndef MLSH_BENCH_PATH_H
#define MLSH_BENCH_PATH_H

#include <check.h>
#include <stdlib.h>

#include "overlay/datapath/packet.h"
#include "os/tun.h"

#define PATH_MSS 1348 /* payload of an inner packet with TCP timestamps */
#define PATH_HEADERS 52
#define PATH_SUPER_PACKETS 32 /* inner packets in a super-packet */
#define PATH_SUPER_PAYLOAD (PATH_SUPER_PACKETS * PATH_MSS)
#define PATH_SUPER_LEN (PATH_HEADERS + PATH_SUPER_PAYLOAD)

/*
 * Headers of a TCP super-packet into `b`, which has PATH_SUPER_LEN bytes, as a kernel hands them
 * to a TUN; the payload stays what it is.
 */
static inline struct tun_packet path_super(uint8_t *b, ip4 src, ip4 dst, uint32_t seq)
{
	memset(b, 0, PATH_HEADERS);
	b[0] = 0x45;
	store_be16(b + 2, PATH_SUPER_LEN);
	b[6] = 0x40;
	b[8] = 64;
	b[9] = IPPROTO_TCP4;
	store_be32(b + 12, src);
	store_be32(b + 16, dst);
	packet_ip_checksum(b, 20);
	store_be16(b + 20, 1000);
	store_be16(b + 22, 2000);
	store_be32(b + 24, seq);
	b[32] = 0x80; /* eight words of header, of which three are no-operations */
	b[33] = 0x10;
	memset(b + 40, 1, 12);
	store_be16(b + 34, 500);
	store_be16(b + 36, packet_pseudo_sum(b, IPPROTO_TCP4, PATH_SUPER_LEN - 20));
	return (struct tun_packet){ .data = b,
				    .len = PATH_SUPER_LEN,
				    .gso = TUN_GSO_TCP4,
				    .gso_size = PATH_MSS,
				    .hdr_len = PATH_HEADERS,
				    .csum_partial = true,
				    .csum_start = 20,
				    .csum_offset = 16 };
}

/*
 * Runs `test` as main: the helpers of the tests speak through Check, which wants to be running. In
 * this process, and silent unless it fails.
 */
static inline int path_main(const TTest *test)
{
	Suite *suite = suite_create("bench");
	TCase *tcase = tcase_create("bench");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	if (failed)
		srunner_print(sr, CK_NORMAL);
	srunner_free(sr);
	return failed > 0;
}

/* One end's TUN: what it gives without end while `source`, and what it was given. */
struct path_tun {
	struct tun *tun;
	ip4 self, other;
	bool source;
	uint64_t reads, packets, bytes, writes;
};

/* The next tun_open opens this one. */
void path_tun_next(struct path_tun *t);
/* Lets packets flow. */
void path_tun_start(struct path_tun *t);

#endif
