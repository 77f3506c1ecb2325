/* SPDX-License-Identifier: MIT */
/* The addresses at which this node can be reached. */
#include "overlay/reach/surroundings.h"

#include "base/log.h"

#define NEWS_BURST 16	/* of our own candidates; then one a second */
#define PINGS_PER_S 100 /* of rounds */
#define PONGS_PER_S 1000

void surroundings_init(struct surroundings *s, struct host *h, struct prefix4 subnet)
{
	uint64_t now = clock_now(h);
	uint8_t seed[16];

	s->h = h;
	s->subnet = subnet;
	bucket_init(&s->reported, 1, 8, now);
	bucket_init(&s->news, 1, NEWS_BURST, now);
	bucket_init(&s->pings, PINGS_PER_S, PINGS_PER_S, now);
	bucket_init(&s->pongs, PONGS_PER_S, PONGS_PER_S, now);
	random_fill(h, seed, sizeof(seed));
	meter_init(&s->unproven, seed, now);
	s->unproven_since = now;
}

void surroundings_fini(struct surroundings *s)
{
	timer_free(s->news_later);
	timer_free(s->nat.check.timer);
	secret_wipe(&s->nat.check.keys, sizeof(s->nat.check.keys));
}

static size_t list_netifs(const struct surroundings *s, struct netif_addr ifs[NETIFS_MAX])
{
	int n = netif_list(s->h, ifs, NETIFS_MAX);

	if (n < 0)
		log_debug(host_log(s->h), "the host's addresses cannot be listed: %d", n);
	return n < 0 ? 0 : (size_t)n;
}

static bool is_among(const struct addr *a, const struct netif_addr *ifs, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= addr_same_ip(&ifs[i].addr, a);
	return any;
}

bool surroundings_look(struct surroundings *s)
{
	struct netif_addr ifs[NETIFS_MAX];
	/* The mapped one first: of a public address others keep two. */
	struct addr seen[4] = { [1] = s->observed, s->observed_by_peer[0], s->observed_by_peer[1] };
	size_t n = list_netifs(s, ifs);
	struct wire_candidates now;

	s->at_home = is_among(&s->observed, ifs, n);
	candidates_own(ifs, n, s->port, s->subnet, NULL, 0, &s->home);
	if (!s->mapper || !mapper_external(s->mapper, &seen[0]))
		seen[0] = nat_by_hand(s);
	candidates_own(ifs, n, s->port, s->subnet, seen, ARRAY_LEN(seen), &now);
	if (wire_candidates_equal(&now, &s->own))
		return false;
	if (!bucket_take(&s->news, 1, clock_now(s->h))) {
		timer_set_in(s->news_later, NS_PER_S); /* with what holds by then */
		return false;
	}
	s->own = now;
	return true;
}

static bool is_own(const struct surroundings *s, const struct addr *a)
{
	struct netif_addr ifs[NETIFS_MAX];

	return is_among(a, ifs, list_netifs(s, ifs));
}

bool surroundings_observed(struct surroundings *s, const struct addr *a, const struct addr *server)
{
	static const struct addr none;
	bool rewritten = server && nat_is_rewritten(a, server) && !is_own(s, a);
	bool same;

	if (rewritten && !s->rewritten)
		log_warn(host_log(s->h),
			 "the signal server sees this machine at a private address "
			 "of its own network: something in front of it rewrites addresses");
	s->rewritten = rewritten;
	a = rewritten ? &none : a;
	same = addr_equal(&s->observed, a);
	if (s->mapper && !same && !addr_is_unset(&s->observed))
		mapper_doubt(s->mapper);
	s->observed = *a;
	return !same;
}

/*
 * The two last ones that differ, one of each member: whoever changes its word all the time only
 * takes back what it said itself.
 */
bool surroundings_observed_by(struct surroundings *s, const void *who, struct bucket *budget,
			      const struct addr *a)
{
	struct addr *seen = s->observed_by_peer;

	if (!candidate_ok(a, s->subnet) || addr_equal(a, &s->observed) || addr_equal(a, &seen[0]) ||
	    addr_equal(a, &seen[1]) || candidates_have(&s->own, a))
		return false;
	if (!bucket_take(budget, 1, clock_now(s->h)))
		return false;
	if (s->observed_from[0] != who) {
		seen[1] = seen[0];
		s->observed_from[1] = s->observed_from[0];
	}
	seen[0] = *a;
	s->observed_from[0] = who;
	return true;
}

bool surroundings_forget(struct surroundings *s, const void *who)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(s->observed_from); i++) {
		if (s->observed_from[i] != who)
			continue;
		s->observed_from[i] = NULL;
		s->observed_by_peer[i] = (struct addr){ 0 };
		any = true;
	}
	return any;
}

unsigned surroundings_moved(struct surroundings *s)
{
	memset(s->observed_by_peer, 0, sizeof(s->observed_by_peer));
	memset(s->observed_from, 0, sizeof(s->observed_from));
	return nat_reset(s);
}
