/* SPDX-License-Identifier: MIT */
/* Gives out labels, and places for pending paths. */
#include "overlay/peering/label_map.h"

path_label label_new(struct label_map *m)
{
	return ++m->last;
}

const struct pending_path *label_pending(const struct label_map *m, path_label label)
{
	for (size_t i = 0; label != 0 && i < PENDING_PATHS; i++) {
		if (m->pending[i].label == label)
			return &m->pending[i];
	}
	return NULL;
}

/* Pending handshakes push out no path of a member: its place is in use. */
static struct pending_path *free_place(struct label_map *m)
{
	for (size_t i = 0; i < PENDING_PATHS; i++) {
		struct pending_path *p = &m->pending[m->next++ % PENDING_PATHS];

		if (p->users == 0)
			return p;
	}
	return NULL;
}

static struct pending_path *place_of(struct label_map *m, const struct addr *from,
				     const struct addr *local)
{
	for (size_t i = 0; i < PENDING_PATHS; i++) {
		struct pending_path *p = &m->pending[i];

		if (p->label && addr_equal(&p->from, from) && addr_equal(&p->local, local))
			return p;
	}
	return NULL;
}

path_label label_pending_take(struct label_map *m, const struct addr *from,
			      const struct addr *local)
{
	struct pending_path *p = place_of(m, from, local);

	if (!p) {
		p = free_place(m);
		if (!p)
			return 0;
		*p = (struct pending_path){ .label = label_new(m), .from = *from, .local = *local };
	}
	p->users++;
	return p->label;
}

void label_pending_release(struct label_map *m, path_label label)
{
	for (size_t i = 0; i < PENDING_PATHS; i++) {
		struct pending_path *p = &m->pending[i];

		if (p->label == label && p->users > 0)
			p->users--;
	}
}
