/* SPDX-License-Identifier: MIT */
/* What follows from the list of what a host uses: the same for every system. */
#include "os/netuse.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/netconf.h"

void netuses_fini(struct netuses *u)
{
	free(u->at);
	*u = (struct netuses){ 0 };
}

int netuses_add(struct netuses *u, const struct netuse *one)
{
	if (u->n == NETUSES_MAX) {
		u->more = true;
		return 0;
	}
	if (u->n == u->cap) {
		size_t cap = u->cap ? 2 * u->cap : 16;
		struct netuse *more = reallocarray(u->at, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		u->at = more;
		u->cap = cap;
	}
	u->at[u->n++] = *one;
	return 0;
}

void netuses_own_device(struct netuses *u, unsigned ifindex)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		if (!ifindex || u->at[i].ifindex != ifindex || u->at[i].kind == NETUSE_ADDRESS)
			u->at[n++] = u->at[i];
	u->n = n;
}

static void describe(const struct netuse *use, char *ret_what)
{
	static const char *const kinds[] = {
		[NETUSE_NETWORK] = "network",
		[NETUSE_ROUTE] = "route",
		[NETUSE_GATEWAY] = "gateway",
		[NETUSE_RESOLVER] = "name server",
	};
	char text[PREFIX4_TEXT_MAX];

	if (use->kind == NETUSE_OTHER) {
		snprintf(ret_what, NETUSE_WHAT_MAX, "%s", use->name);
		return;
	}
	if (use->p.bits == 32)
		ip4_format(use->p.net, text);
	else
		prefix4_format(use->p, text);
	snprintf(ret_what, NETUSE_WHAT_MAX, "%s %s%s%.16s", kinds[use->kind], text,
		 use->name[0] ? " on " : "", use->name);
}

bool netuses_conflict(const struct netuses *u, struct prefix4 p, char *ret_what)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct netuse *use = &u->at[i];

		if (use->kind == NETUSE_ADDRESS || use->kind == NETUSE_CLAIM ||
		    !prefix4_overlaps(p, use->p))
			continue;
		describe(use, ret_what);
		return true;
	}
	if (u->more)
		snprintf(ret_what, NETUSE_WHAT_MAX, "more than %d routes and addresses",
			 NETUSES_MAX);
	return u->more;
}

bool netuses_claimed(const struct netuses *u, struct prefix4 p, char *ret_what)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct netuse *use = &u->at[i];

		if (use->kind != NETUSE_CLAIM || !prefix4_overlaps(p, use->p))
			continue;
		snprintf(ret_what, NETUSE_WHAT_MAX, "%s", use->name);
		return true;
	}
	return false;
}

static bool is_at(const struct netuse *use, ip4 ip, unsigned ignore_ifindex, bool for_self)
{
	if (use->p.bits != 32 || use->p.net != ip || use->kind == NETUSE_NETWORK ||
	    use->kind == NETUSE_CLAIM)
		return false;
	if (use->kind == NETUSE_ADDRESS)
		return !ignore_ifindex || use->ifindex != ignore_ifindex;
	return use->kind != NETUSE_RESOLVER || !for_self;
}

bool netuses_address(const struct netuses *u, ip4 ip, unsigned ignore_ifindex, bool for_self,
		     char *ret_what)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct netuse *use = &u->at[i];

		if (!is_at(use, ip, ignore_ifindex, for_self))
			continue;
		switch (use->kind) {
		case NETUSE_ADDRESS:
			snprintf(ret_what, NETUSE_WHAT_MAX, "this host's own on %.16s", use->name);
			break;
		case NETUSE_GATEWAY:
			snprintf(ret_what, NETUSE_WHAT_MAX, "a gateway of this host");
			break;
		case NETUSE_RESOLVER:
			snprintf(ret_what, NETUSE_WHAT_MAX, "a name server of this host");
			break;
		case NETUSE_OTHER:
			snprintf(ret_what, NETUSE_WHAT_MAX, "%s", use->name);
			break;
		case NETUSE_NETWORK:
		case NETUSE_CLAIM:
		case NETUSE_ROUTE:
			snprintf(ret_what, NETUSE_WHAT_MAX,
				 "the destination of a route of this host");
			break;
		}
		return true;
	}
	return false;
}

/* --- asked once ------------------------------------------------------------------------------ */

int netconf_conflict(struct host *h, struct prefix4 p, char *ret_what)
{
	struct netuses u = { 0 };
	int r = netuses_load(h, p, &u);

	if (r == 0)
		r = netuses_conflict(&u, p, ret_what);
	if (r == 0 && netuses_claimed(&u, p, ret_what)) {
		char name[17];

		snprintf(name, sizeof(name), "%.16s", ret_what);
		snprintf(ret_what, NETUSE_WHAT_MAX, "%s, which claims 100.64.0.0/10", name);
		r = 1;
	}
	netuses_fini(&u);
	return r;
}

int netconf_address_used(struct host *h, ip4 ip, unsigned ignore_ifindex, bool for_self,
			 char *ret_what)
{
	struct netuses u = { 0 };
	int r = netuses_load(h, (struct prefix4){ ip, 32 }, &u);

	if (r == 0)
		r = netuses_address(&u, ip, ignore_ifindex, for_self, ret_what);
	netuses_fini(&u);
	return r;
}
