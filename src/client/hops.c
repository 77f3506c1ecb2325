/* SPDX-License-Identifier: MIT */
/* The rules for following a server that has moved. */
#include "client/hops.h"

#include <stdio.h>

#include "client/refuse.h"
#include "membership/hostport.h"

#define DAY (86400 * NS_PER_S)

struct place place_of(const char *host, uint16_t port)
{
	struct place p = { .port = port };

	snprintf(p.host, sizeof(p.host), "%s", host);
	return p;
}

bool place_equal(const struct place *a, const struct place *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

const char *place_format(const struct place *p, char out[PLACE_TEXT_MAX])
{
	snprintf(out, PLACE_TEXT_MAX, strchr(p->host, ':') ? "[%s]:%u" : "%s:%u", p->host,
		 (unsigned)p->port);
	return out;
}

void hops_begin(struct hops *h, const struct place *first)
{
	h->at[0] = *first;
	h->n = 1;
}

const struct place *hops_last(const struct hops *h)
{
	return &h->at[h->n - 1];
}

static bool was_visited(const struct hops *h, const struct place *p)
{
	for (size_t i = 0; i < h->n; i++) {
		if (place_equal(&h->at[i], p))
			return true;
	}
	return false;
}

/* Returns false if the day has no hops left. */
static bool day_take(struct hops_day *day, uint64_t now)
{
	if (day->used == 0 || now - day->began >= DAY)
		*day = (struct hops_day){ .began = now };
	if (day->used == HOPS_PER_DAY_MAX)
		return false;
	day->used++;
	return true;
}

static bool is_normal(const struct place *p)
{
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;

	return hostport_parse(p->host, p->port, host, &port, NULL) == 0 && port == p->port &&
	       strcmp(host, p->host) == 0;
}

/* Says why a node should not dial this place. Returns NULL if it may. */
static const char *fault_of(const struct place *p, const char *zone)
{
	enum host_reach reach;

	if (!is_normal(p))
		return "which is not the name or address of a host in its normal form";
	reach = host_reach(p->host);
	if (reach == HOST_REACH_SELF)
		return "which leads each machine to itself";
	if (reach == HOST_REACH_LINK)
		return "which is known in one local network only";
	if (host_in_zone(p->host, zone))
		return "which is in the cluster's own zone";
	return NULL;
}

int hops_follow(struct hops *h, struct span host, uint16_t port, const char *zone,
		struct hops_day *day, uint64_t now, struct err *err)
{
	char from[PLACE_TEXT_MAX], to[PLACE_TEXT_MAX];
	struct place next = { .port = port };
	const char *fault;

	place_format(hops_last(h), from);
	if (host.len == 0 || host.len > HOST_TEXT_MAX || memchr(host.data, '\0', host.len))
		return refuse(err, 0, REFUSAL_MOVED,
			      "the signal server %.120s says that it has "
			      "moved, but not where to",
			      from);
	memcpy(next.host, host.data, host.len);
	place_format(&next, to);
	fault = fault_of(&next, zone);
	if (!fault && was_visited(h, &next))
		fault = "where this node comes from: the servers send it in a circle";
	else if (!fault && h->n > HOPS_MAX)
		fault = "which is one place too many for one attempt";
	else if (!fault && day && !day_take(day, now))
		fault = "which is one place too many for one day";
	if (fault)
		return refuse(err, 0, REFUSAL_MOVED,
			      "the signal server %.120s says that it has "
			      "moved to %.120s, %s",
			      from, to, fault);
	h->at[h->n++] = next;
	return 0;
}
