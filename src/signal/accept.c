/* SPDX-License-Identifier: AGPL-3.0-only */
/* The operator lets a restored cluster go on without an admin. */
#include "signal/accept.h"

int accept_cluster(struct host *h, const struct signal_config *cfg, const struct view_cluster *c,
		   bool *ret_waited, struct err *err)
{
	struct db_missing missing;
	struct db *db = NULL;
	int r = db_open(cfg->db_path, false, err, &db);

	if (r == 0)
		r = db_begin(db, err);
	if (r == 0)
		r = db_waiting(db, c->id, &missing, err);
	*ret_waited = r > 0;
	if (r >= 0) /* also if it does not wait: perhaps the server could not write that it does */
		r = db_accept(db, c->id, clock_wall_s(h), err);
	if (r == 0)
		r = db_commit(db, err);
	db_close(db); /* rolls a failed transaction back */
	return r;
}
