/* SPDX-License-Identifier: MIT */
/* Open addressing from overlay address to peer; entries are never removed one by one. */
#include "overlay/route.h"

#include <errno.h>
#include <stdlib.h>

static size_t slot_of(const struct route_table *t, ip4 to)
{
	size_t i = (size_t)((to * 2654435769u) >> 7) & (t->cap - 1); /* Knuth 6.4 */

	while (t->slot[i].peer && t->slot[i].to != to)
		i = (i + 1) & (t->cap - 1);
	return i;
}

static int route_grow(struct route_table *t)
{
	struct route_table bigger = { .cap = t->cap ? t->cap * 2 : 64 };

	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++) {
		if (t->slot[i].peer)
			bigger.slot[slot_of(&bigger, t->slot[i].to)] = t->slot[i];
	}
	bigger.n = t->n;
	free(t->slot);
	*t = bigger;
	return 0;
}

int route_add(struct route_table *t, ip4 to, struct peer *p)
{
	if (t->n * 2 >= t->cap) {
		int rc = route_grow(t);

		if (rc < 0)
			return rc;
	}
	size_t i = slot_of(t, to);

	if (!t->slot[i].peer)
		t->n++;
	t->slot[i] = (struct route){ .to = to, .peer = p };
	return 0;
}

struct peer *route_lookup(const struct route_table *t, ip4 to)
{
	return t->cap ? t->slot[slot_of(t, to)].peer : NULL;
}

void route_table_fini(struct route_table *t)
{
	free(t->slot);
	*t = (struct route_table){ 0 };
}
