/* SPDX-License-Identifier: MIT */
/* Which of a host's many addresses matter most: the same for every system. */
#include <stdlib.h>

#include "os/netconf.h"

struct place {
	unsigned rank, ordinal; /* ordinal: among those of its interface and family */
	size_t at;		/* before */
};

static bool same_family(const struct netif_addr *a, const struct netif_addr *b)
{
	return a->ifindex == b->ifindex && addr_is_v4(&a->addr) == addr_is_v4(&b->addr);
}

/* Link-local addresses of IPv6 lead nowhere beyond their link. */
static bool is_local(const struct netif_addr *a)
{
	return addr_is_v4(&a->addr) ? addr_ip4(&a->addr) >> 16 == 0xa9fe
				    : a->addr.ip[0] == 0xfe && (a->addr.ip[1] & 0xc0) == 0x80;
}

static unsigned rank_of(const struct netif_addr *a)
{
	bool candidate = a->kind == NETIF_PHYSICAL || a->kind == NETIF_OTHER;

	if (!a->up || a->deprecated)
		return 5;
	if (!candidate || a->temporary || is_local(a))
		return a->kind == NETIF_LOOPBACK ? 4 : 3;
	return a->uplink ? 0 : a->kind == NETIF_PHYSICAL ? 1 : 2;
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	bool x_later = x->ordinal >= 2, y_later = y->ordinal >= 2;

	if (x_later != y_later && x->rank < 3 && y->rank < 3)
		return x_later ? 1 : -1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->ordinal != y->ordinal)
		return x->ordinal < y->ordinal ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Interfaces are listed one after the other: only the neighbours before need a look. */
static unsigned ordinal_of(const struct netif_addr *list, size_t at)
{
	unsigned n = 0;

	for (size_t i = at; i > 0 && list[i - 1].ifindex == list[at].ifindex && n < 2; i--)
		n += same_family(&list[i - 1], &list[at]) && rank_of(&list[i - 1]) < 3;
	return n;
}

void netif_order(struct netif_addr *list, size_t n)
{
	struct place *places = calloc(n ? n : 1, sizeof(*places));
	struct netif_addr *sorted = calloc(n ? n : 1, sizeof(*sorted));

	for (size_t i = 0; places && sorted && i < n; i++)
		places[i] = (struct place){ rank_of(&list[i]), ordinal_of(list, i), i };
	if (places && sorted) {
		qsort(places, n, sizeof(*places), by_place);
		for (size_t i = 0; i < n; i++)
			sorted[i] = list[places[i].at];
		memcpy(list, sorted, n * sizeof(*list));
	}
	free(places);
	free(sorted);
}
