/* SPDX-License-Identifier: AGPL-3.0-only */
/* Presence of one cluster's members. */
#include "signal/presence.h"

#include <stdlib.h>

#include "base/map.h"

struct presence {
	uint8_t epoch[EPOCH_LEN];
	uint64_t cursor;
	struct map *items;
	struct list by_change; /* latest change last */
};

struct presence *presence_new(const uint8_t map_seed[16], const uint8_t epoch[EPOCH_LEN])
{
	struct presence *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	memcpy(p->epoch, epoch, sizeof(p->epoch));
	list_init(&p->by_change);
	p->items = map_new(map_seed, NODE_ID_LEN, MEMBERS_MAX);
	if (!p->items) {
		presence_free(p);
		return NULL;
	}
	return p;
}

void presence_free(struct presence *p)
{
	if (!p)
		return;
	list_for_each(it, &p->by_change)
		free(list_entry(it, struct presence_item, by_change));
	map_free(p->items);
	free(p);
}

const uint8_t *presence_epoch(const struct presence *p)
{
	return p->epoch;
}

uint64_t presence_cursor(const struct presence *p)
{
	return p->cursor;
}

bool presence_online(const struct presence_item *item)
{
	return item->session != NULL;
}

struct presence_item *presence_get(const struct presence *p, const struct node_id *id)
{
	return map_get(p->items, id->bytes);
}

static void item_changed(struct presence *p, struct presence_item *item)
{
	item->changed = ++p->cursor;
	list_remove(&item->by_change);
	list_append(&p->by_change, &item->by_change);
}

static struct presence_item *item_new(struct presence *p, const struct node_id *id)
{
	struct presence_item *item = calloc(1, sizeof(*item));

	if (!item)
		return NULL;
	item->id = *id;
	if (map_put(p->items, id->bytes, item) < 0) {
		free(item);
		return NULL;
	}
	return item;
}

int presence_set(struct presence *p, const struct node_id *id, uint64_t session_id, void *session,
		 const struct wire_candidates *c, void **ret_old)
{
	struct presence_item *item = presence_get(p, id);
	void *old;

	if (!item)
		item = item_new(p, id);
	if (!item)
		return -ENOMEM;
	old = item->session;
	item->session = session;
	item->session_id = session_id;
	if (!old || !wire_candidates_equal(&item->candidates, c)) {
		item->candidates = *c;
		item_changed(p, item);
	}
	*ret_old = old == session ? NULL : old;
	return 0;
}

void presence_clear(struct presence *p, const struct node_id *id, uint64_t session_id)
{
	struct presence_item *item = presence_get(p, id);

	if (!item || !item->session || item->session_id != session_id)
		return;
	item->session = NULL;
	item->session_id = 0;
	item->candidates.n = 0;
	item_changed(p, item);
}

void presence_forget(struct presence *p, const struct node_id *id)
{
	struct presence_item *item = presence_get(p, id);

	if (!item)
		return;
	map_remove(p->items, id->bytes);
	list_remove(&item->by_change);
	free(item);
}

struct presence_item *presence_after(const struct presence *p, uint64_t cursor)
{
	struct presence_item *found = NULL;

	for (struct list *it = p->by_change.prev; it != &p->by_change; it = it->prev) {
		struct presence_item *item = list_entry(it, struct presence_item, by_change);

		if (item->changed <= cursor)
			break;
		found = item;
	}
	return found;
}

struct presence_item *presence_next(const struct presence *p, const struct presence_item *item)
{
	struct list *next = item->by_change.next;

	return next == &p->by_change ? NULL : list_entry(next, struct presence_item, by_change);
}
