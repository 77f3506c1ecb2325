/* SPDX-License-Identifier: MIT */
/*
 * Connections for messages of the membership log only, outside of any tunnel: from a member that a
 * removal without order denies, and from one that shows the key it had before, for some days. Both
 * may lack records that we have, and we ones that they have. Such a connection carries no packet,
 * gets no candidates, and ends after ten seconds; there is one at a time with each member.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"

#define LOG_LINK_TIME (10 * NS_PER_S)
#define LOG_LINK_GAP (15 * NS_PER_S)  /* between the beginnings of two */
#define KEY_BEFORE_S (7 * 24 * 3600u) /* so long after the next key came */

static bool is_key_before(const struct peering *g, const struct member *m,
			  const uint8_t key_sha256[HASH_LEN])
{
	int64_t now_s = clock_wall_s(g->h);

	return memcmp(m->key_before_sha256, key_sha256, HASH_LEN) == 0 &&
	       now_s < (int64_t)(m->key_since_s + KEY_BEFORE_S);
}

/* The peer that may have such a connection with this key. *ret_before: it is the one before. */
static struct peer *peer_of_log_key(const struct peering *g, const uint8_t key_sha256[HASH_LEN],
				    bool *ret_before)
{
	const struct member *m = roster_by_key_sha256(mlog_roster(g->log), key_sha256, ROSTER_ALL);
	struct peer *p = m && m != g->self && member_is_current(m) ? peer_of_member(g, m) : NULL;

	*ret_before = p && is_key_before(g, m, key_sha256);
	if (!p || *ret_before)
		return p;
	return p->phase == PEERING_BARRED && memcmp(m->key_sha256, key_sha256, HASH_LEN) == 0
		       ? p
		       : NULL;
}

bool log_link_allowed(const struct peering *g, const uint8_t key_sha256[HASH_LEN])
{
	bool before;

	return peer_of_log_key(g, key_sha256, &before) != NULL;
}

static bool is_due(const struct peer *p, uint64_t now)
{
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		if (p->links[i].conn && p->links[i].log_only)
			return false;
	return p->log_link_at == 0 || now - p->log_link_at >= LOG_LINK_GAP;
}

static struct link *place(struct peer *p, bool key_before, uint64_t now)
{
	struct link *l = link_place(p);

	if (!l)
		return NULL;
	l->log_only = true;
	l->key_before = key_before;
	l->deadline = now + LOG_LINK_TIME;
	return l;
}

/* Ours is the part to begin: it is called back where its handshake has proven it to be. */
static void call_back(struct peer *p, const struct quic_conn *c, bool key_before, uint64_t now)
{
	struct prefix4 subnet = mlog_genesis(p->g->log)->subnet;
	struct wire_candidates from = { .n = 1 }, good = { .n = 0 };
	struct link *l;

	if (!path_remote(p->g, c, &from.item[0]))
		return;
	candidates_filter(&from, &p->g->around.home, subnet, &good);
	l = good.n == 1 ? place(p, key_before, now) : NULL;
	if (!l)
		return;
	p->called_from = good.item[0];
	if (path_connect(l, &good.item[0]) < 0)
		l->conn = NULL;
}

bool log_link_accept(struct peering *g, struct quic_conn *c, const struct quic_conn_ops **ret_ops,
		     void **ret_ctx)
{
	uint64_t now = clock_now(g->h);
	struct link *l;
	bool before;
	struct peer *p = peer_of_log_key(g, quic_conn_peer_key_sha256(c), &before);

	if (!p || !is_due(p, now))
		return false;
	p->log_link_at = now;
	if (p->initiator) {
		call_back(p, c, before, now);
		peer_schedule(p);
		return false;
	}
	l = place(p, before, now);
	if (!l || !path_accepted(l, c))
		return false;
	l->conn = c;
	*ret_ops = g->link_ops;
	*ret_ctx = l;
	peer_schedule(p);
	return true;
}
