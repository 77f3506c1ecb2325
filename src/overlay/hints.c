/* SPDX-License-Identifier: MIT */
/* Where peers may be found without a server. The owner keeps it over a restart. */
#include "overlay/internal.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"

/* The order if there is not room for all: peers that were met, remembered ones, all others. */
enum { RANK_MET, RANK_STORED, RANK_REPORTED, RANKS };

static int rank(const struct peer *p)
{
	if (p->last_heard || !addr_is_unset(&p->last_good))
		return RANK_MET;
	return p->stored.n > 0 ? RANK_STORED : RANK_REPORTED;
}

/* The path in use comes first: it is proven, and may lead to an address that nobody has named. */
static void hint_of(const struct peer *p, struct wire_candidates *ret)
{
	struct prefix4 subnet = mlog_genesis(p->g->log)->subnet;
	struct wire_candidates first = { .n = 0 };
	struct addr live;

	if (p->active && path_of(p->active, &live) == PEER_PATH_DIRECT)
		candidates_add(&first, &live);
	if (!addr_is_unset(&p->last_good))
		candidates_add(&first, &p->last_good);
	candidates_filter(&first, &p->g->around.home, subnet, ret);
	candidates_filter(&p->from_peer, &p->g->around.home, subnet, ret);
	candidates_filter(&p->from_server, &p->g->around.home, subnet, ret);
	candidates_filter(&p->stored, &p->g->around.home, subnet, ret);
}

size_t overlay_hints_get(const struct overlay *o, struct peer_hint *out, size_t max)
{
	size_t n = 0;

	for (int r = 0; r < RANKS; r++) {
		list_for_each(it, &o->peering.peers) {
			const struct peer *p = list_entry(it, struct peer, in_overlay);
			struct peer_hint h = { .id = p->member->id };

			if (n == max)
				return n;
			if (rank(p) != r || p->phase == PEERING_BARRED)
				continue;
			hint_of(p, &h.at);
			if (h.at.n > 0)
				out[n++] = h;
		}
	}
	return n;
}

void overlay_hints_set(struct overlay *o, const struct peer_hint *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct member *m = roster_by_id(mlog_roster(o->peering.log), &in[i].id,
						      ROSTER_CURRENT);
		struct peer *p = m ? peer_of_address(&o->peering, m->address) : NULL;

		if (!p || p->member != m)
			continue; /* removed, or ourselves */
		p->stored = in[i].at;
		if (p->stored.n > 0)
			p->was_at = p->stored.item[0];
		peer_remembered(p);
	}
}
