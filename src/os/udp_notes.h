/* SPDX-License-Identifier: MIT */
/* The refusals that a UDP socket remembers: both implementations of os/udp.h have this table. */
#ifndef MLSH_OS_UDP_NOTES_H
#define MLSH_OS_UDP_NOTES_H

#include "os/udp.h"

#define UDP_NOTES_MAX 16

struct udp_notes {
	struct {
		struct addr to;
		uint64_t at; /* clock_now; 0 if free */
		struct udp_refusal why;
	} note[UDP_NOTES_MAX];
};

#define UDP_NOTE_FIRM NS_PER_S /* so long the kernel's word is not replaced by a hint */

/* In the place of an older note of the same address, else of the oldest one. */
static inline void udp_note(struct udp_notes *n, uint64_t now, const struct addr *to,
			    const struct udp_refusal *why)
{
	size_t place = 0;

	for (size_t i = 0; i < UDP_NOTES_MAX; i++) {
		if (n->note[i].at && addr_equal(&n->note[i].to, to)) {
			place = i;
			if (why->by_network && !n->note[i].why.by_network &&
			    now - n->note[i].at < UDP_NOTE_FIRM)
				return;
			break;
		}
		if (n->note[i].at < n->note[place].at)
			place = i;
	}
	n->note[place].to = *to;
	n->note[place].at = MAX(now, 1);
	n->note[place].why = *why;
}

static inline bool udp_noted(const struct udp_notes *n, const struct addr *to, uint64_t since,
			     struct udp_refusal *ret)
{
	for (size_t i = 0; i < UDP_NOTES_MAX; i++) {
		if (!n->note[i].at || n->note[i].at < since || !addr_equal(&n->note[i].to, to))
			continue;
		*ret = n->note[i].why;
		return true;
	}
	return false;
}

#endif
