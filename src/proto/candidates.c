/* SPDX-License-Identifier: MIT */
/* Candidate lists: small arrays, so everything is a loop. */
#include "proto/candidates.h"

bool candidates_have(const struct wire_candidates *c, const struct addr *a)
{
	for (size_t i = 0; i < c->n; i++) {
		if (addr_same_ip(&c->item[i], a) && c->item[i].port == a->port)
			return true;
	}
	return false;
}

bool candidates_add(struct wire_candidates *c, const struct addr *a)
{
	if (c->n == CANDIDATES_MAX || candidates_have(c, a))
		return false;
	c->item[c->n] = *a;
	c->item[c->n++].scope = 0;
	return true;
}

bool candidate_ok(const struct addr *a, struct prefix4 overlay)
{
	return addr_is_candidate_ok(a) &&
	       !(addr_is_v4(a) && prefix4_contains(overlay, addr_ip4(a)));
}

static size_t count_ip(const struct wire_candidates *c, const struct addr *a)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += addr_same_ip(&c->item[i], a);
	return n;
}

void candidates_filter(const struct wire_candidates *in, const struct wire_candidates *own,
		       struct prefix4 overlay, struct wire_candidates *ret)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct addr *a = &in->item[i];

		if ((own && candidates_have(own, a)) || !candidate_ok(a, overlay))
			continue;
		if (!addr_is_private(a) && count_ip(ret, a) >= CANDIDATES_PER_PUBLIC_IP_MAX)
			continue;
		candidates_add(ret, a);
	}
}
