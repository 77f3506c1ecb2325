/* SPDX-License-Identifier: MIT */
/* The user's files of a cluster, on their way to the daemon. */
#include "cli/hand_over.h"

#include "cli/copy.h"
#include "client/rotation.h"

void cli_settle_key(struct cli *c, const char *cluster)
{
	struct copy p = { .log = NULL };
	struct err err = { 0 };
	int rc;

	if (!rotation_has_others(c->host, &c->store, cluster))
		return;
	rc = copy_open(c, cluster, &p, &err);
	if (rc == 0)
		rc = rotation_settle(c->host, &c->store, cluster, p.log, &err);
	copy_free(&p);
	if (rc < 0)
		log_warn(host_log(c->host),
			 "the key of this node that is in force is not in place yet: %s", err.text);
}

int cli_hand_over(struct cli *c, const char *cluster, struct err *err, bool *ret_absent)
{
	struct handover files = { .sent = 0 };
	struct daemon_reply reply = { 0 };
	bool absent = false;
	int rc;

	rc = handover_read(c->host, &c->store, cluster, &files, err);
	if (rc == 0) {
		rc = daemon_hand_over(c, cluster, &files, err, &reply);
		absent = daemon_is_absent(rc);
	}
	handover_free(&files);
	if (ret_absent)
		*ret_absent = absent;
	if (rc < 0)
		return rc;
	rc = daemon_reply_check(&reply, err);
	daemon_reply_free(&reply);
	return rc;
}
