/* SPDX-License-Identifier: MIT */
/* The cluster's DNS zone, answered from the verified roster: a pure function from query to answer,
 * and a small server. */
#ifndef MLSH_TUND_DNS_H
#define MLSH_TUND_DNS_H

#include "membership/mlog.h"
#include "os/fence.h"

#define DNS_MESSAGE_MAX 1232
/* Short, because resolvers keep answers so long: names follow removals and renames in 2 s. */
#define DNS_TTL_S 1

struct dns_server;

/* The names of a zone: the current members', and the cluster's own. */
struct dns_names {
	const struct mlog *log;
	const struct member *self; /* answers for the bare name of the cluster */
	/* Has this member no name for now? NULL allowed: all have theirs. */
	bool (*denied)(void *ctx, const struct member *m);
	void *ctx;
};

/*
 * Answers one query about the zone of the cluster's name. Returns the length of the answer, or 0
 * when it deserves no answer (not a query, too short).
 */
size_t dns_answer(const struct dns_names *names, struct span query, uint8_t *out, size_t cap);

/*
 * The server at port 53 of `self`'s overlay address. Other resolvers have that port at all
 * addresses, or start later and want it: it stays theirs. Ours is at ports of its own, which the
 * fence redirects to; without a fence it shares the port, by UDP only, since TCP has no sharing.
 */
enum dns_server_state {
	DNS_SERVER_ON,
	DNS_SERVER_UDP, /* no fence: without TCP */
	DNS_SERVER_OFF	/* another program has the port for itself: tried again each 5 s */
};

struct dns_server_config {
	struct dns_names names;
	struct fence *fence;
	const char *device; /* lives as long as the server */
	loop_fn changed;    /* the state did, after dns_server_new */
	void *ctx;
};

/* NULL only when memory is gone. */
struct dns_server *dns_server_new(struct host *h, const struct dns_server_config *cfg);
/* The fence is up or down, or is another one. */
void dns_server_fence_changed(struct dns_server *d, struct fence *fence);
enum dns_server_state dns_server_state_get(const struct dns_server *d);
/* Why it is not on: one line, or "". */
const char *dns_server_detail(const struct dns_server *d);
void dns_server_free(struct dns_server *d); /* NULL allowed */

#endif
