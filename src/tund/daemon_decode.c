/* SPDX-License-Identifier: MIT */
/* What a user hands over, read with the help of what the daemon has of that cluster already. */
#include "tund/daemon.h"

/* The daemon's own log of a cluster that is not up; NULL: there is none that can be read. */
static struct mlog *load_log(struct daemon *d, const char *cluster)
{
	struct tunnel_parts own = { 0 };
	struct mlog *l;

	if (!daemon_state_dir(d) ||
	    state_load_parts(daemon_host(d), daemon_state_dir(d), cluster, &own, NULL) < 0)
		return NULL;
	l = own.log;
	own.log = NULL;
	tunnel_parts_free(&own);
	return l;
}

int daemon_decode(struct daemon *d, const char *cluster, const struct buf file[CONTROL_FILES],
		  struct tunnel_parts *ret, struct err *err)
{
	const struct daemon_cluster *c = daemon_find(d, cluster);
	struct mlog *loaded = c && !c->tunnel ? load_log(d, cluster) : NULL;
	const struct mlog *known = c && c->tunnel ? tunnel_log(c->tunnel) : loaded;
	int rc = parts_decode(daemon_host(d), file, known, ret, err);

	mlog_free(loaded);
	return rc;
}
