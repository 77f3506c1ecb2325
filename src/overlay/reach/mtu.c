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

static uint64_t fresh_nonce(const struct prober *pr)
{
	uint64_t nonce;

	random_fill(pr->around->h, &nonce, sizeof(nonce));
	return nonce;
}

static bool may_send(const struct prober *pr, unsigned n, uint64_t now)
{
	return bucket_take(&pr->around->pings, n, now);
}

/* --- the search ------------------------------------------------------------------------------ */

static void search(struct prober *pr, struct path *path, uint64_t now)
{
	struct mtu *m = &path->mtu;
	size_t overhead = overhead_of(path);
	unsigned bits;

	if (!m->searching && (m->limit == 0 ? path->pongs > 0 : now >= m->next))
		mtu_search(m, fresh_nonce(pr), now);
	bits = mtu_due(m, overhead, path_patience(path), now);
	if (bits && !may_send(pr, (unsigned)__builtin_popcount(bits), now)) {
		mtu_postpone(m, bits, now + POSTPONE);
		return;
	}
	for (unsigned i = 0; i < MTU_SIZES; i++) {
		if (bits & 1u << i)
			prober_ping_sized(pr, path, m->nonce + i, mtu_size(i, overhead));
	}
}

/* --- the watch over the path in use ---------------------------------------------------------- */

/* Do large packets go out, so that a narrower path would do harm? */
static bool notice_large(struct prober *pr)
{
	const struct dest *d = pr->dest;
	uint64_t packets = d->tx_packets - pr->mtu_packets, bytes = d->tx_bytes - pr->mtu_bytes;

	pr->mtu_packets = d->tx_packets;
	pr->mtu_bytes = d->tx_bytes;
	return bytes > packets * LARGE_PACKET;
}

static void watch(struct prober *pr, struct path *path, uint64_t now)
{
	struct mtu *m = &path->mtu;
	uint64_t patience = path_patience(path);

	pr->mtu_large |= notice_large(pr); /* until there has been a check since */
	if (mtu_is_black_hole(m, path->last_echo, patience, now)) {
		log_debug(host_log(pr->around->h), "%s: the path has become narrower", pr->name);
		mtu_forget(m);
		mtu_search(m, fresh_nonce(pr), now);
		return;
	}
	if (!(pr->mtu_large || pr->mtu_doubt || m->checks || pr->set.doubt.since) ||
	    !mtu_check_due(m, fresh_nonce(pr), pr->mtu_doubt, patience, now))
		return;
	pr->mtu_doubt = pr->mtu_large = false;
	prober_ping_sized(pr, path, m->nonce, m->limit);
	if (m->checks > 1) /* is it the size, or the path? */
		prober_ping(pr, path, false, now);
}

/* What the packet path and QUIC see. */
static void publish(struct prober *pr)
{
	const struct path *path = pathset_current(&pr->set);

	pr->mtu_label = pr->set.current;
	pr->mtu = path ? mtu_limit(&path->mtu) : MTU_BASE;
}

void mtu_run(struct prober *pr, uint64_t now)
{
	if (pr->mtu_label != pr->set.current)
		pr->mtu_doubt = true;
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &pr->set.path[i];

		if (path->label != pr->set.current)
			path->mtu.checks = 0; /* a check that was under way when it was left */
		if (path->label == 0 || !path->proven)
			continue;
		if (path->label == pr->set.current)
			watch(pr, path, now);
		search(pr, path, now);
	}
	publish(pr);
}

uint64_t mtu_next_at(const struct prober *pr)
{
	uint64_t at = TIME_NEVER;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct path *p = &pr->set.path[i];

		if (p->label == 0 || !p->proven)
			continue;
		if (p->mtu.searching || (p->mtu.limit && p->label == pr->set.current))
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

void mtu_suspect(struct prober *pr)
{
	pr->mtu_doubt = true;
}

size_t mtu_of_label(struct pathset *ps, path_label label)
{
	const struct path *path = pathset_of_label(ps, label);

	return path ? mtu_limit(&path->mtu) : MTU_BASE;
}
