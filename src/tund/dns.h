/* SPDX-License-Identifier: MIT */
/* The cluster's DNS zone, answered from the verified roster: a pure function from query to answer,
 * and a small server. */
#ifndef MLSH_TUND_DNS_H
#define MLSH_TUND_DNS_H

#include "membership/mlog.h"

#define DNS_MESSAGE_MAX 1232
#define DNS_TTL_S 60

struct dns_server;

/*
 * Answers one query about the zone `log`'s cluster name. Returns the length of the answer, or 0
 * when there is none to be given (not a query, too short). `self` is the node that answers for the
 * bare cluster name.
 */
size_t dns_answer(const struct mlog *log, const struct member *self, struct span query,
		  uint8_t *out, size_t cap);

/* Serves UDP port 53 on `self`'s overlay address. */
int dns_server_new(struct host *h, const struct mlog *log, const struct member *self,
		   struct err *err, struct dns_server **ret) MUST_CHECK;
void dns_server_free(struct dns_server *d); /* NULL allowed */

#endif
