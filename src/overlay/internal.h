/* SPDX-License-Identifier: MIT */
/*
 * What the files on top of the overlay share. Nothing outside src/overlay and its tests includes
 * this.
 */
#ifndef MLSH_OVERLAY_INTERNAL_H
#define MLSH_OVERLAY_INTERNAL_H

#include "overlay/netsetup.h"
#include "overlay/overlay.h"
#include "overlay/peering/peering.h"

#define EARLY_FRAMES 8
#define EARLY_FRAME_MAX 1500

/* A relay frame that overtook the word of its channel. */
struct early_frame {
	struct addr from;
	size_t len; /* 0 if the place is free */
	uint8_t data[EARLY_FRAME_MAX];
};

/* Our part of the host's network, and how often it had to be put back (repair.c). */
struct repair {
	struct timer *timer;
	bool started, device_gone;
	struct netsetup_report report; /* of the last look */
	uint64_t count, last;	       /* how often, and when last (clock_now) */
	unsigned parts;		       /* enum netsetup_part: what, then */
	unsigned streak, failures;     /* in a row */
	uint64_t hold_until;	       /* nothing is put back before */
	struct log_limit limit;
	struct log_limit lines; /* about conflicts, in the log */
};

struct overlay {
	struct peering peering;
	struct fence *fence;
	struct netwatch *netwatch;
	struct timer *follow; /* the members, once more: memory was short */
	struct netsetup net;
	struct repair repair;
	struct roster_cursor roster; /* what the peers follow from */
	bool left;		     /* this node is not a member: no device, no peers */
	bool no_port_mapping;
	unsigned device, spare_device; /* as struct overlay_config has them */
	struct early_frame early[EARLY_FRAMES];
	size_t next_early;
};

/* The address of the relay's server; NULL if it is unknown. */
static inline const struct addr *overlay_relay_server(const struct overlay *o)
{
	const struct overlay_ops *ops = o->peering.ops;

	return ops->relay_server ? ops->relay_server(o->peering.ctx) : NULL;
}

/* --- own_addrs.c ----------------------------------------------------------------------------- */

/* Asks the gateway for a port from now on, if that is not turned off. */
int overlay_start_mapper(struct overlay *o, struct err *err) MUST_CHECK;

/* --- members.c ------------------------------------------------------------------------------- */

/* Peers for all members, to begin with. -ENOMEM. */
int members_begin(struct overlay *o, struct err *err) MUST_CHECK;
/* Makes the peers follow the roster. -ENOMEM: the next call goes on where this one failed. */
int members_follow(struct overlay *o, struct err *err) MUST_CHECK;

/* Members that a removal without order denies lose their tunnels; all others get theirs back. */
void members_bar(struct overlay *o);

/* --- repair.c -------------------------------------------------------------------------------- */

/* Opens the device and sets up our part of the host's network. */
int repair_start(struct overlay *o, struct err *err) MUST_CHECK;
/* Takes it back: this node is not a member any more. */
void repair_stop(struct overlay *o);
/* Looks whether something of it is gone or the host's own networks changed, and puts it right. */
void repair_look(void *overlay);
/* Reading or writing failed: the device was deleted. */
void repair_device_gone(struct overlay *o);

/* --- demux.c --------------------------------------------------------------------------------- */

/* Runs of datagrams that are not QUIC's: as quic_socket_config.others. */
void demux_others(void *overlay, struct udp_rx *runs, size_t n);
/* Frames that overtook the word of their channel, as far as that is here now. */
void demux_early(struct overlay *o);

#endif
