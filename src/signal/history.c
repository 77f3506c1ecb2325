/* SPDX-License-Identifier: AGPL-3.0-only */
/* Reads the log, puts entries into it, and takes over records that a member has and we lack. */
#include "signal/may_order.h"

/* This reader gets only the first `n` records of the log. */
static void cut(struct signal_reply *reply, const struct mlog *log, uint64_t n)
{
	reply->first = MIN(reply->first, n);
	reply->entries.n = MIN(reply->entries.n, (size_t)(n - reply->first));
	reply->head = wire_head_at(log, n - 1);
}

int answer_log(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
	       struct err *err)
{
	uint64_t may_read;
	struct mlog *log;
	int r = registry_log(c->server->registry, c->cluster, &log, err);

	if (r < 0)
		return r;
	reply->head = mlog_wire_head(log);
	reply->first = MIN(rq->from, mlog_generation_start(log, rq->generation));
	mlog_page(log, reply->first, &reply->entries);
	may_read = members_may_read(c, log);
	if (may_read < mlog_count(log))
		cut(reply, log, may_read);
	return 0;
}

/* A recovery need not wait: it names the log that goes on. */
static bool has_to_wait(const struct mlog *log, const struct entry *e)
{
	return e->type != ENTRY_RECOVER && mlog_find(log, e->payload_hash) == 0;
}

/* Returns true if, by the log, another server orders the entry. A recovery may name this one. */
static bool is_foreign(const struct caller *c, const struct mlog *log, const struct entry *e)
{
	return registry_standing(c->server->registry, c->cluster) != STANDING_OURS &&
	       !(e->type == ENTRY_RECOVER && e->recover.has_server) &&
	       mlog_find(log, e->payload_hash) == 0;
}

int caller_order(struct caller *c, const struct entry *e, struct span bytes, struct wire_head *ret,
		 struct err *err)
{
	struct mlog *log;
	uint64_t seq;
	int r = registry_log(c->server->registry, c->cluster, &log, err);

	if (r == 0 && is_foreign(c, log, e))
		r = registry_deny_foreign(c->server->registry, c->cluster, err);
	if (r == 0 && has_to_wait(log, e))
		r = may_order(c->server, c->cluster, err);
	if (r == 0)
		r = registry_order(c->server->registry, c->cluster, e, bytes, &seq, err);
	if (r == 0)
		*ret = wire_head_at(log, seq);
	return r;
}

int answer_append(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err)
{
	struct entry e;
	int r = entry_decode(rq->entry, &e, err);

	if (r < 0)
		return r;
	if (e.type == ENTRY_GENESIS || e.type == ENTRY_ADMIT || e.type == ENTRY_RECOVER)
		return refuse(err, -EINVAL, REFUSAL_NOT_ALLOWED,
			      "An entry of this type is not put in this way.");
	return caller_order(c, &e, rq->entry, &reply->head, err);
}

/* Looks the record up last, since records move when the log grows. */
int append_accepted(struct caller *c, struct signal_reply *reply, struct err *err)
{
	struct wire_head now;
	struct mlog *log;
	int r = registry_log(c->server->registry, c->cluster, &log, err);

	if (r < 0)
		return r;
	now = wire_head_at(log, reply->head.seq);
	if (memcmp(now.hash, reply->head.hash, sizeof(now.hash)) != 0)
		return refuse(err, -ESTALE, REFUSAL_STALE,
			      "A recovery has dropped the entry as soon as it was there.");
	reply->record = mlog_record(log, now.seq);
	return 0;
}

/* The recovery code gives the right to it: a former member may use it, too. */
int answer_recover(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		   struct err *err)
{
	struct entry e;
	int r = entry_decode(rq->entry, &e, err);

	if (r < 0)
		return r;
	if (e.type != ENTRY_RECOVER)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "The entry is not a recovery.");
	return caller_order(c, &e, rq->entry, &reply->head, err);
}

static bool is_current(const struct caller *c)
{
	return registry_member(c->cluster, c->key_sha256) != NULL;
}

/*
 * A former member keeps its token and may push, a recovery that it has heard of for example. It
 * pays from a budget of its id as well, since it could have another address each time.
 */
int check_push(struct caller *c, const struct signal_request *rq, struct err *err)
{
	if (c->phase != CALLER_SESSION && !caller_token_ok(c, rq->node_token))
		return refuse(err, -EACCES, REFUSAL_BAD_TOKEN, "The node token is not valid here.");
	if (!is_current(c) &&
	    !ratelimit_take_node(c->server->members, &c->node, clock_now(c->server->host)))
		return refuse(err, -EAGAIN, REFUSAL_RATE, "Too many requests; wait a moment.");
	return 0;
}

/*
 * Logs what a node brought. A record under this server's own key that its database lacked means
 * that an older database was put in place. Records of a move or a recovery come this way, too.
 */
static void note_brought(struct signal_server *s, const struct cluster *c, uint64_t first, size_t n)
{
	bool ours = registry_signs(s->registry, c, first);

	log_write(host_log(s->host), ours ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
		  "cluster %s: a node brought %zu records%s", mlog_genesis(c->log)->name, n,
		  ours ? " that the database lacked: an old copy was restored?" : "");
}

int answer_push(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err)
{
	struct signal_server *s = c->server;
	struct registry_taken taken;
	uint64_t first = mlog_head(c->cluster->log).seq + 1;
	int r = registry_take(s->registry, c->cluster, rq->entries.item, rq->entries.n, &taken,
			      err);

	c->in_vain |= taken.in_vain;
	if (taken.added > 0)
		note_brought(s, c->cluster, first, taken.added);
	if (r == 0)
		reply->head = mlog_wire_head(c->cluster->log);
	else if (err->reason == REFUSAL_AHEAD) /* a message of records ends with a receipt */
		may_order_ahead(s, c->cluster, rq->entries.item[rq->entries.n - 1]);
	return r;
}
