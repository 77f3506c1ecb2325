/* SPDX-License-Identifier: MIT */
/*
 * What the functions of reach ask their caller to do. They call nobody above them: they return
 * these bits, and peering/effects.c does what they say, in the same turn and in this order.
 */
#ifndef MLSH_OVERLAY_REACH_EFFECTS_H
#define MLSH_OVERLAY_REACH_EFFECTS_H

enum {
	REACH_REFRESH = 1u << 0,     /* look at our own candidates again */
	REACH_TELL_NAT = 1u << 1,    /* tell all peers what our NAT does */
	REACH_PORT_LEARNT = 1u << 2, /* it is known again which port was our last: predict.h */
};

#endif
