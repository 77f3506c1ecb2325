/* SPDX-License-Identifier: MIT */
/* The user's list of open invites, and what the daemon has to know of it. */
#include "cli/notes.h"

#include <stdio.h>

int notes_open(struct cli *c, const char *cluster, const struct mlog *l, struct invite_book *ret,
	       struct err *err)
{
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(c->host), 0);
	int rc = invite_book_load(c->host, &c->store, cluster, ret, err);

	if (rc == 0 && invite_book_clear(ret, l, now_s))
		rc = invite_book_save(c->host, &c->store, cluster, ret, err);
	if (rc < 0)
		invite_book_free(ret);
	return rc;
}

int notes_room(const struct invite_book *b, const char *cluster, uint64_t n, struct err *err)
{
	if (n <= INVITES_MAX - b->n)
		return 0;
	return err_set(err, -ENOSPC,
		       "%zu invites for %s are open here, and %d is the limit: `mlsh invites %s` "
		       "lists them, `mlsh cancel` ends one before its time",
		       b->n, cluster, INVITES_MAX, cluster);
}

static int tell_daemon(struct cli *c, const char *cluster, const struct invite_note *n)
{
	struct control_request r = { .verb = CONTROL_INVITE_MADE,
				     .expiry_s = n->expiry_s,
				     .promote = n->promote };
	struct daemon_reply reply = { 0 };
	struct err err = { 0 };
	int rc;

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	memcpy(r.nonce, n->nonce, NONCE_LEN);
	rc = daemon_call(c, &r, &err, &reply);
	if (rc == 0)
		rc = daemon_reply_check(&reply, &err);
	daemon_reply_free(&reply);
	return rc;
}

void notes_flush(struct cli *c, const char *cluster)
{
	struct invite_book b;
	struct err err = { 0 };
	bool any = false;

	if (notes_open(c, cluster, NULL, &b, &err) < 0)
		return;
	for (size_t i = 0; i < b.n; i++) {
		if (b.item[i].told)
			continue;
		if (tell_daemon(c, cluster, &b.item[i].note) < 0)
			break;
		any = b.item[i].told = true;
	}
	if (any && invite_book_save(c->host, &c->store, cluster, &b, &err) < 0)
		log_warn(host_log(c->host), "%s", err.text);
	invite_book_free(&b);
}
