/* SPDX-License-Identifier: MIT */
/* The user's files of a cluster, on their way to the daemon. */
#include "cli/hand_over.h"

#include "cli/ask_log.h"
#include "client/rotation.h"
#include "identity/identity.h"

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

static int fetch_and_settle(struct cli *c, struct copy *p, struct err *err)
{
	struct identity *own = NULL;
	struct ask_log a;
	int rc = store_identity(c->host, &c->store, p->cluster, &own, err);

	a = ask_log_of(c, p, own, &p->file);
	if (rc == 0)
		rc = ask_log(&a, err);
	identity_free(own);
	if (rc == 0)
		rc = store_save_log(c->host, &c->store, &p->file, p->log, err);
	return rc < 0 ? rc : rotation_settle(c->host, &c->store, p->cluster, p->log, err);
}

bool cli_turn_key(struct cli *c, const char *cluster)
{
	struct copy p = { .log = NULL };
	struct err err = { 0 };
	int rc;

	if (!rotation_has_others(c->host, &c->store, cluster))
		return false;
	rc = copy_open(c, cluster, &p, &err);
	if (rc == 0)
		rc = fetch_and_settle(c, &p, &err);
	copy_free(&p);
	if (rc < 0)
		log_debug(host_log(c->host), "%s: %s", cluster, err.text);
	return rc == 1;
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
