/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Beacons: the newest record of each admin, as the admin's node tells it. The server passes them on
 * to the sessions of the cluster. It keeps them in memory only: after a restart the nodes send them
 * again.
 */
#include "signal/may_order.h"

/* The target of a removal that waits for its order must not delay it. */
static bool is_denied(const struct cluster *c, const struct node_id *author)
{
	return c->removals && denials_denied(c->removals, author);
}

int answer_beacon(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err)
{
	struct cluster *cluster = c->cluster;
	struct beacon b;
	struct mlog *log;
	int r = registry_log(c->server->registry, cluster, &log, err);

	(void)reply;
	if (r == 0)
		r = beacon_decode(rq->beacon, &b, err);
	if (r < 0)
		return r;
	if (is_denied(cluster, &b.author))
		return refuse(err, -EACCES, REFUSAL_NOT_ALLOWED,
			      "A removal of the beacon's author waits for its order.");
	if (!cluster->beacons)
		cluster->beacons = beacons_new();
	if (!cluster->beacons)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
	r = beacons_add(cluster->beacons, log, rq->beacon,
			(uint64_t)MAX(clock_wall_s(c->server->host), 0), err);
	if (r == 1 || r == -EAGAIN) /* the receipt is valid, whatever the two clocks say */
		may_order_beacon(c->server, cluster, &b);
	if (r <= 0)
		return r;
	list_for_each(it, &cluster->subscribers)
		events_beacon(list_entry(it, struct caller, in_cluster), rq->beacon);
	return 0;
}

void beacons_tell(struct caller *c)
{
	const struct beacons *b = c->cluster->beacons;
	uint64_t serial = 0;
	struct span beacon;

	while (b && (beacon = beacons_next(b, &serial)).len > 0)
		events_beacon(c, beacon);
}

void beacons_denied(struct cluster *c)
{
	uint64_t serial = 0;
	struct span bytes;
	struct beacon b;

	while (c->beacons && (bytes = beacons_next(c->beacons, &serial)).len > 0)
		if (beacon_decode(bytes, &b, NULL) == 0 && is_denied(c, &b.author))
			beacons_drop(c->beacons, &b.author);
}

void beacons_changed(struct cluster *c)
{
	if (c->beacons && c->log)
		beacons_update(c->beacons, c->log);
}
