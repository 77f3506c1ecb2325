/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing, from overlay address to destination. */
#include "overlay/datapath/fib.h"

#include <errno.h>
#include <stdlib.h>

static size_t home_of(const struct fib *t, ip4 to)
{
	return (size_t)((to * 2654435769u) >> 7) & (t->cap - 1); /* Knuth 6.4 */
}

static size_t slot_of(const struct fib *t, ip4 to)
{
	size_t i = home_of(t, to);

	while (t->slot[i].dest && t->slot[i].to != to)
		i = (i + 1) & (t->cap - 1);
	return i;
}

static int fib_grow(struct fib *t)
{
	struct fib bigger = { .cap = t->cap ? t->cap * 2 : 64 };

	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++) {
		if (t->slot[i].dest)
			bigger.slot[slot_of(&bigger, t->slot[i].to)] = t->slot[i];
	}
	bigger.n = t->n;
	free(t->slot);
	*t = bigger;
	return 0;
}

int fib_add(struct fib *t, ip4 to, struct dest *d)
{
	if (t->n * 2 >= t->cap) {
		int rc = fib_grow(t);

		if (rc < 0)
			return rc;
	}
	size_t i = slot_of(t, to);

	if (!t->slot[i].dest)
		t->n++;
	t->slot[i] = (struct fib_entry){ .to = to, .dest = d };
	return 0;
}

/* Moves back what stands behind the hole only because that was taken (Knuth 6.4, algorithm R). */
bool fib_remove(struct fib *t, ip4 to, const struct dest *d)
{
	size_t mask = t->cap - 1, hole;

	if (fib_lookup(t, to) != d || !d)
		return false;
	hole = slot_of(t, to);
	for (size_t i = (hole + 1) & mask; t->slot[i].dest; i = (i + 1) & mask) {
		size_t home = home_of(t, t->slot[i].to);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue; /* its home lies behind the hole */
		t->slot[hole] = t->slot[i];
		hole = i;
	}
	t->slot[hole] = (struct fib_entry){ 0 };
	t->n--;
	return true;
}

struct dest *fib_lookup(const struct fib *t, ip4 to)
{
	return t->cap ? t->slot[slot_of(t, to)].dest : NULL;
}

void fib_fini(struct fib *t)
{
	free(t->slot);
	*t = (struct fib){ 0 };
}
