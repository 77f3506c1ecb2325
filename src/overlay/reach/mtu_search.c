/* SPDX-License-Identifier: MIT */
/* The search for the largest datagram, and the watch over it. */
#include "overlay/reach/mtu_search.h"

/*
 * UDP payloads of the usual links, less IP and UDP headers: 1280 (IPv6, IPv4), 1340, 1380, 1420
 * (WireGuard; IPv6, IPv4), 1460, 1492 (PPPoE), 1500. IPv4's 20 bytes less are not made use of at
 * the upper end.
 */
static const uint16_t sizes[MTU_SIZES] = { 1232, 1252, 1292, 1332, 1372, 1392, 1412, 1444, 1452 };

size_t mtu_size(unsigned i, size_t overhead)
{
	return sizes[i] - overhead;
}

static bool is_at_top(const struct mtu *m, size_t overhead)
{
	return m->limit >= mtu_size(MTU_SIZES - 1, overhead);
}

void mtu_search(struct mtu *m, uint64_t nonce, uint64_t now)
{
	m->limit = (uint16_t)mtu_limit(m);
	m->searching = true;
	m->bursts = m->checks = 0;
	m->nonce = nonce;
	m->asked = 0;
	m->next = now;
}

void mtu_forget(struct mtu *m)
{
	*m = (struct mtu){ .limit = 0 };
}

static void search_end(struct mtu *m, size_t overhead, uint64_t now)
{
	m->searching = false;
	m->next = is_at_top(m, overhead) ? TIME_NEVER : now + MTU_AGAIN;
	m->checks = 0;
}

/* Most paths carry the largest: it is asked for alone at first. */
unsigned mtu_due(struct mtu *m, size_t overhead, uint64_t patience, uint64_t now)
{
	unsigned bits = 0;

	if (!m->searching || (now < m->next && !is_at_top(m, overhead)))
		return 0;
	if (is_at_top(m, overhead) || m->bursts > MTU_BURSTS) {
		search_end(m, overhead, now);
		return 0;
	}
	for (unsigned i = m->bursts == 0 ? MTU_SIZES - 1 : 0; i < MTU_SIZES; i++)
		bits |= (mtu_size(i, overhead) > m->limit) << i;
	m->bursts++;
	m->asked |= (uint16_t)bits;
	m->next = now + patience;
	return bits;
}

void mtu_postpone(struct mtu *m, unsigned bits, uint64_t until)
{
	m->bursts--;
	m->asked &= (uint16_t)~bits;
	m->next = until;
}

bool mtu_check_due(struct mtu *m, uint64_t nonce, bool at_once, uint64_t patience, uint64_t now)
{
	uint64_t gap = m->checks ? patience : at_once ? 0 : MTU_CHECK_GAP;

	if (m->searching || mtu_limit(m) == MTU_BASE || m->checks >= MTU_CHECKS ||
	    (m->last_check && now - m->last_check < gap))
		return false;
	m->nonce = nonce; /* answers to earlier ones come too late */
	m->asked = 1;
	if (m->checks++ == 0)
		m->first_check = now;
	m->last_check = now;
	return true;
}

size_t mtu_echo(struct mtu *m, size_t overhead, uint64_t nonce)
{
	uint64_t i = nonce - m->nonce;
	size_t size;

	if (i >= MTU_SIZES || !(m->asked >> i & 1))
		return 0;
	m->asked &= (uint16_t)~(1u << i); /* the same pong again says nothing new */
	if (m->checks) {
		m->checks = i == 0 ? 0 : m->checks;
		return i == 0 ? m->limit : 0;
	}
	size = mtu_size((unsigned)i, overhead);
	m->limit = (uint16_t)MAX(m->limit, size);
	return size;
}

bool mtu_is_black_hole(const struct mtu *m, uint64_t last_echo, uint64_t patience, uint64_t now)
{
	return !m->searching && m->checks >= MTU_CHECKS && now - m->last_check >= patience &&
	       last_echo > m->first_check;
}
