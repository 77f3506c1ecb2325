/* SPDX-License-Identifier: MIT */
/*
 * How large a datagram may be on each path: sends the pings that mtu_search.c asks for. QUIC and
 * the packet path keep to what is found here.
 */
#include "overlay/reach/mtu.h"

#include "base/log.h"

#define LARGE_PACKET 600	   /* bytes: an average above means that large ones flow */
#define POSTPONE (100 * NS_PER_MS) /* when there are too many pings */

static size_t overhead_of(const struct path *path)
{
	return path->kind == PATH_RELAY ? RELAY_OVERHEAD : 0;
}

static uint64_t fresh_nonce(const struct reach *r)
{
	uint64_t nonce;

	random_fill(r->around->h, &nonce, sizeof(nonce));
	return nonce;
}

static bool may_send(const struct reach *r, unsigned n, uint64_t now)
{
	return bucket_take(&r->around->pings, n, now);
}

/* --- the search ------------------------------------------------------------------------------ */

static void search(struct reach *r, struct path *path, uint64_t now)
{
	struct mtu *m = &path->mtu;
	size_t overhead = overhead_of(path);
	unsigned bits;

	if (!m->searching && (m->limit == 0 ? path->pongs > 0 : now >= m->next))
		mtu_search(m, fresh_nonce(r), now);
	bits = mtu_due(m, overhead, path_patience(path), now);
	if (bits && !may_send(r, (unsigned)__builtin_popcount(bits), now)) {
		mtu_postpone(m, bits, now + POSTPONE);
		return;
	}
	for (unsigned i = 0; i < MTU_SIZES; i++) {
		if (bits & 1u << i)
			reach_ping_sized(r, path, m->nonce + i, mtu_size(i, overhead));
	}
}

/* --- the watch over the path in use ---------------------------------------------------------- */

/* Do large packets go out, so that a narrower path would do harm? */
static bool notice_large(struct reach *r)
{
	const struct dest *d = r->dest;
	uint64_t packets = d->tx_packets - r->mtu_packets, bytes = d->tx_bytes - r->mtu_bytes;

	r->mtu_packets = d->tx_packets;
	r->mtu_bytes = d->tx_bytes;
	return bytes > packets * LARGE_PACKET;
}

static void watch(struct reach *r, struct path *path, uint64_t now)
{
	struct mtu *m = &path->mtu;
	uint64_t patience = path_patience(path);

	r->mtu_large |= notice_large(r); /* until there has been a check since */
	if (mtu_is_black_hole(m, path->last_echo, patience, now)) {
		log_debug(host_log(r->around->h), "%s: the path has become narrower", r->name);
		mtu_forget(m);
		mtu_search(m, fresh_nonce(r), now);
		return;
	}
	if (!(r->mtu_large || r->mtu_doubt || m->checks || r->set.doubt.since) ||
	    !mtu_check_due(m, fresh_nonce(r), r->mtu_doubt, patience, now))
		return;
	r->mtu_doubt = r->mtu_large = false;
	reach_ping_sized(r, path, m->nonce, m->limit);
	if (m->checks > 1) /* is it the size, or the path? */
		reach_ping(r, path, false, now);
}

/* What the packet path and QUIC see. */
static void publish(struct reach *r)
{
	const struct path *path = pathset_current(&r->set);

	r->mtu_label = r->set.current;
	r->mtu = path ? mtu_limit(&path->mtu) : MTU_BASE;
}

void mtu_run(struct reach *r, uint64_t now)
{
	if (r->mtu_label != r->set.current)
		r->mtu_doubt = true;
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &r->set.path[i];

		if (path->label != r->set.current)
			path->mtu.checks = 0; /* a check that was under way when it was left */
		if (path->label == 0 || !path->proven)
			continue;
		if (path->label == r->set.current)
			watch(r, path, now);
		search(r, path, now);
	}
	publish(r);
}

uint64_t mtu_next_at(const struct reach *r)
{
	uint64_t at = TIME_NEVER;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct path *p = &r->set.path[i];

		if (p->label == 0 || !p->proven)
			continue;
		if (p->mtu.searching || (p->mtu.limit && p->label == r->set.current))
			at = MIN(at, p->mtu.next);
		/* The last one told what it can until a small ping is answered: that looks, too. */
		if (p->mtu.checks &&
		    (p->mtu.checks < MTU_CHECKS || p->last_echo > p->mtu.first_check))
			at = MIN(at, p->mtu.last_check + path_patience(p));
	}
	return at;
}

bool mtu_pong(struct path *path, uint64_t nonce, uint64_t now)
{
	if (!path || mtu_echo(&path->mtu, overhead_of(path), nonce) == 0)
		return false;
	path->last_echo = now;
	return true;
}

void mtu_suspect(struct reach *r)
{
	r->mtu_doubt = true;
}

size_t mtu_of_label(struct pathset *ps, path_label label)
{
	const struct path *path = pathset_of_label(ps, label);

	return path ? mtu_limit(&path->mtu) : MTU_BASE;
}
