/* SPDX-License-Identifier: MIT */
/* Looking things up in what is left of our own routes: the same for every system. */
#include <stdlib.h>

#include "os/netconf.h"

int netown_compare(const void *a, const void *b)
{
	const struct netown_route *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->to.net != y->to.net)
		return x->to.net < y->to.net ? -1 : 1;
	return (x->to.bits > y->to.bits) - (x->to.bits < y->to.bits);
}

bool netown_has(const struct netown *own, enum netroute_kind kind, struct prefix4 to)
{
	struct netown_route key = { kind, to };

	return own->n_routes > 0 &&
	       bsearch(&key, own->routes, own->n_routes, sizeof(key), netown_compare) != NULL;
}
