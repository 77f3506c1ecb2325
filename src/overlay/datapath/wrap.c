/* SPDX-License-Identifier: MIT */
/* Wraps packets for the relay. */
#include "overlay/datapath/wrap.h"

void relay_path_wrap(struct relay_path *r, uint8_t *frame, size_t packet_len)
{
	relay_wrap(&r->end, RELAY_TO_SERVER, r->counter++, frame, packet_len);
	if (r->counter == RELAY_RENEW_AT && r->renew)
		deferred_call(r->renew);
}
