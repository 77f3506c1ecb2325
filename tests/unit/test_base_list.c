/* SPDX-License-Identifier: MIT */
/* Tests of base/list.h. */
#include "base/list.h"

#include "unit.h"

struct item {
	int v;
	struct list link;
};

/* The items' values as decimal digits, first to last. */
static int digits(struct list *head)
{
	int n = 0;

	list_for_each(it, head)
		n = n * 10 + list_entry(it, struct item, link)->v;
	return n;
}

START_TEST(keeps_the_order)
{
	struct item a = { .v = 1 }, b = { .v = 2 }, c = { .v = 3 };
	struct list head;

	list_init(&head);
	ck_assert(list_empty(&head));
	ck_assert_int_eq(digits(&head), 0);
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	ck_assert(!list_empty(&head));
	ck_assert_int_eq(digits(&head), 123);
	list_remove(&b.link);
	ck_assert_int_eq(digits(&head), 13);
	list_append(&head, &b.link);
	ck_assert_int_eq(digits(&head), 132);
}
END_TEST

START_TEST(removing_twice_or_never_linked_does_no_harm)
{
	struct item a = { .v = 1 }, b = { .v = 2 }, never = { .v = 3 };
	struct list head;

	list_init(&head);
	list_append(&head, &a.link);
	list_append(&head, &b.link);
	list_remove(&never.link);
	list_remove(&a.link);
	list_remove(&a.link);
	ck_assert_int_eq(digits(&head), 2);
	list_remove(&b.link);
	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(a_zeroed_list_is_empty)
{
	struct list head = { NULL, NULL };

	ck_assert(list_empty(&head));
}
END_TEST

START_TEST(the_current_entry_may_be_removed)
{
	struct item items[9];
	struct list head;

	list_init(&head);
	for (int i = 0; i < 9; i++) {
		items[i].v = i + 1;
		list_append(&head, &items[i].link);
	}
	list_for_each(it, &head) {
		if (list_entry(it, struct item, link)->v % 2 == 0)
			list_remove(it);
	}
	ck_assert_int_eq(digits(&head), 13579);
	list_for_each(it, &head)
		list_remove(it);
	ck_assert(list_empty(&head));
}
END_TEST

UNIT_MAIN("base/list", keeps_the_order, removing_twice_or_never_linked_does_no_harm,
	  a_zeroed_list_is_empty, the_current_entry_may_be_removed)
