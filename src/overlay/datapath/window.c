/* SPDX-License-Identifier: MIT */
/* A bit for each counter, at its remainder (after RFC 6479). */
#include "overlay/datapath/window.h"

bool window_allows(const struct window *w, uint64_t counter)
{
	if (counter >= w->next)
		return counter < UINT64_MAX; /* the next one is told apart from none */
	return w->next - counter <= WINDOW_LEN &&
	       !(w->seen[counter / 64 % ARRAY_LEN(w->seen)] >> counter % 64 & 1);
}

void window_take(struct window *w, uint64_t counter)
{
	if (counter >= w->next) {
		uint64_t from = w->next, to = counter + 1;

		if (to - from >= WINDOW_LEN) {
			memset(w->seen, 0, sizeof(w->seen));
			from = to;
		}
		for (; from < to; from++)
			w->seen[from / 64 % ARRAY_LEN(w->seen)] &= ~(UINT64_C(1) << from % 64);
		w->next = to;
	}
	w->seen[counter / 64 % ARRAY_LEN(w->seen)] |= UINT64_C(1) << counter % 64;
}
