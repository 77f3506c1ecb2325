/* SPDX-License-Identifier: MIT */
/* Our own candidates, and the order of those of others. */
#include "overlay/reach/candidate.h"

static bool netif_usable(const struct netif_addr *i)
{
	return i->up && !i->deprecated && !i->temporary &&
	       (i->kind == NETIF_PHYSICAL || i->kind == NETIF_OTHER);
}

/* Adds the addresses of `ifs` that are among `chosen`, either the private ones or the others. */
static void add_own(const struct netif_addr *ifs, size_t n_ifs, uint16_t port,
		    struct prefix4 overlay, bool private, const struct wire_candidates *chosen,
		    struct wire_candidates *c)
{
	for (size_t i = 0; i < n_ifs; i++) {
		struct addr a = ifs[i].addr;

		a.port = port;
		if (netif_usable(&ifs[i]) && candidate_ok(&a, overlay) &&
		    addr_is_private(&a) == private && candidates_have(chosen, &a))
			candidates_add(c, &a);
	}
}

/* The `max` addresses that matter most, when there are more: those of the uplink before others. */
static void choose_own(const struct netif_addr *ifs, size_t n_ifs, uint16_t port,
		       struct prefix4 overlay, size_t max, struct wire_candidates *ret)
{
	struct netif_addr sorted[NETIFS_MAX];
	size_t n = MIN(n_ifs, ARRAY_LEN(sorted));

	if (n > 0)
		memcpy(sorted, ifs, n * sizeof(*ifs));
	netif_order(sorted, n);
	*ret = (struct wire_candidates){ 0 };
	for (size_t i = 0; i < n && ret->n < max; i++) {
		struct addr a = sorted[i].addr;

		a.port = port;
		if (netif_usable(&sorted[i]) && candidate_ok(&a, overlay))
			candidates_add(ret, &a);
	}
}

void candidates_own(const struct netif_addr *ifs, size_t n_ifs, uint16_t port,
		    struct prefix4 overlay, const struct addr *observed, size_t n_observed,
		    struct wire_candidates *ret)
{
	struct wire_candidates c = { 0 };
	struct wire_candidates seen = { 0 };
	struct wire_candidates chosen;

	for (size_t i = 0; i < n_observed; i++) {
		if (candidate_ok(&observed[i], overlay))
			candidates_add(&seen, &observed[i]);
	}
	choose_own(ifs, n_ifs, port, overlay, CANDIDATES_MAX - seen.n, &chosen);
	add_own(ifs, n_ifs, port, overlay, true, &chosen, &c);
	add_own(ifs, n_ifs, port, overlay, false, &chosen, &c);
	for (size_t i = 0; i < seen.n; i++)
		candidates_add(&c, &seen.item[i]);
	*ret = c;
}

bool candidate_is_near(const struct addr *a, const struct wire_candidates *own)
{
	size_t len = addr_is_v4(a) ? 15 : 8;

	for (size_t i = 0; i < own->n; i++) {
		if (memcmp(a->ip, own->item[i].ip, len) == 0)
			return true;
	}
	return false;
}

static unsigned rank(const struct addr *a, const struct wire_candidates *own)
{
	unsigned r = candidate_is_near(a, own) ? 0 : addr_is_private(a) ? 2 : 4;

	return r + addr_is_v4(a);
}

void candidates_order(struct wire_candidates *c, const struct wire_candidates *own)
{
	for (size_t i = 1; i < c->n; i++) {
		struct addr a = c->item[i];
		size_t k = i;

		for (; k > 0 && rank(&c->item[k - 1], own) > rank(&a, own); k--)
			c->item[k] = c->item[k - 1];
		c->item[k] = a;
	}
}
