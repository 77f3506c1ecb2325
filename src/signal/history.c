/* SPDX-License-Identifier: AGPL-3.0-only */
/* Reading the log, appending to it, and taking over what a member has and we have not. */
#include "signal/may_order.h"

int answer_log(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
	       struct err *err)
{
	struct mlog *log;
	int r = registry_log(c->server->registry, c->cluster, &log, err);

	if (r < 0)
		return r;
	reply->head = wire_head_of(log);
	mlog_page(log, rq->from, &reply->entries);
	return 0;
}

int answer_append(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err)
{
	struct signal_server *s = c->server;
	struct entry e;
	size_t added;
	int r = entry_decode(rq->entry, &e, err);

	(void)reply;
	if (r < 0)
		return r;
	if (e.type != ENTRY_CANCEL)
		return deny(err, -EINVAL, REFUSAL_NOT_ALLOWED,
			    "An entry of this type is not put in this way.");
	if (!node_id_equal(&e.author, &c->node))
		return deny(err, -EACCES, REFUSAL_NOT_ALLOWED, "The entry is another node's.");
	if ((r = may_order(s, c->cluster, err)) < 0)
		return r;
	return registry_append(s->registry, c->cluster, &rq->entry, 1, false, &added, err);
}

int check_push(struct caller *c, const struct signal_request *rq, struct err *err)
{
	if (c->phase != PHASE_SESSION && !caller_token_ok(c, rq->node_token))
		return deny(err, -EACCES, REFUSAL_BAD_TOKEN, "The node token is not valid here.");
	return 0;
}

int answer_push(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err)
{
	struct signal_server *s = c->server;
	struct mlog *log;
	size_t added = 0;
	int r = registry_log(s->registry, c->cluster, &log, err);

	if (r < 0)
		return r;
	r = registry_append(s->registry, c->cluster, rq->entries.item, rq->entries.n, true, &added,
			    err);
	if (added > 0)
		log_warn(host_log(s->host),
			 "cluster %s: a node brought %zu entries that the "
			 "database lacked: an old copy was restored?",
			 mlog_genesis(log)->name, added);
	if (r < 0)
		return r;
	reply->head = wire_head_of(log);
	return 0;
}
