/* SPDX-License-Identifier: MIT */
/* What the packet path counts: packets, bytes, and drops by name. */
#ifndef MLSH_OVERLAY_COUNT_H
#define MLSH_OVERLAY_COUNT_H

#include <stdint.h>

/* Why a packet was dropped: counted, shown by name, never logged one by one. */
/* clang-format off */
#define OVERLAY_DROPS(X)                                                                   \
	X(out_not_ip4) X(out_header) X(out_source) X(out_multicast) X(out_no_member)       \
	X(out_no_tunnel) X(out_queue) X(out_no_path) X(out_socket_full) X(out_too_big)     \
	X(in_short) X(in_flags) X(in_not_ip4) X(in_header) X(in_source) X(in_destination)  \
	X(in_fragment) X(in_too_big) X(in_early) X(in_tun) X(in_replay) X(in_forged)       \
	X(in_unknown) X(in_congested) X(in_relay_malformed) X(in_relay_unknown)            \
	X(in_relay_forged) X(in_relay_replay)
enum overlay_drop {
#define X(name) DROP_##name,
	OVERLAY_DROPS(X)
#undef X
	DROP_COUNT,
	DROP_NONE = DROP_COUNT	/* the packet is good */
};
/* clang-format on */
const char *overlay_drop_name(enum overlay_drop d);

struct overlay_status {
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets; /* inner */
	uint64_t drops[DROP_COUNT];
};

#endif
