/* SPDX-License-Identifier: MIT */
/* Making an invite: everything that `mlsh invite` puts into the URL. No server is asked. */
#ifndef MLSH_CLIENT_INVITE_NEW_H
#define MLSH_CLIENT_INVITE_NEW_H

#include "client/cluster_file.h"

struct invite_url;

#define INVITE_TTL_MIN_S 1
#define INVITE_TTL_MAX_S (30 * 86400)

struct host;

struct invite_params {
	const struct cluster_file *cluster;
	const struct identity *identity;
	const struct mlog *log;
	uint64_t ttl_s;
	enum member_role role; /* what the sponsor means the new node to become */
	const char *node_name; /* the only name it admits; NULL or "": any */
	/* The member, current or former, whose place the new node takes. NULL for a new one. */
	const char *replace;
	uint64_t now_s; /* seconds since 1970 */
};

/*
 * A signed invite with a fresh one-time key. Refused (err->reason) when we are not an admin by our
 * log, or the name is taken; -ENOENT when nobody has or had the name to be replaced. The caller
 * wipes *ret with invite_url_wipe.
 */
int invite_new(struct host *h, const struct invite_params *p, struct err *err,
	       struct invite_url *ret) MUST_CHECK;

#endif
