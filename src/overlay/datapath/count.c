/* SPDX-License-Identifier: MIT */
/* The names of what is counted. */
#include "overlay/datapath/count.h"

const char *overlay_drop_name(enum overlay_drop d)
{
	static const char *const names[DROP_COUNT] = {
#define X(name) #name,
		OVERLAY_DROPS(X)
#undef X
	};

	return d < DROP_COUNT ? names[d] : "unknown";
}
