/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list; an unlinked or zeroed entry can be removed again without harm. */
#ifndef MLSH_BASE_LIST_H
#define MLSH_BASE_LIST_H

#include <stdbool.h>

#include "base/assert.h"
#include "base/macros.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l || l->next == NULL;
}

static inline void list_append(struct list *head, struct list *e)
{
	ASSERT(head->prev && head->prev->next == head); /* initialised, and whole */
	e->prev = head->prev;
	e->next = head;
	head->prev->next = e;
	head->prev = e;
}

static inline void list_remove(struct list *e)
{
	if (!e->next)
		return;
	e->prev->next = e->next;
	e->next->prev = e->prev;
	e->prev = e->next = NULL;
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
/* Safe against removal of the current entry. */
#define list_for_each(it, head)                                                                    \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
	     it = it##_next, it##_next = it->next)

#endif
