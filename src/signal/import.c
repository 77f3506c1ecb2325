/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * A cluster that comes from another server: a caller with a setup token sends its whole log, page
 * by page. The server verifies the pages as they come and keeps them in memory. It stores the whole
 * log only.
 */
#include "signal/caller.h"

#define IMPORTS_MAX 4		     /* under way at once, of all connections */
#define IMPORT_BYTES_MAX (64u << 20) /* of records; as many as a node's file of the log holds */
#define IMPORT_LIFETIME (4 * SIGNAL_UNAUTHENTICATED_LIFETIME)

void import_drop(struct caller *c)
{
	mlog_free(c->import);
	c->import = NULL;
	c->import_bytes = 0;
	if (c->importing)
		c->server->n_imports--;
	c->importing = false;
}

static int import_begin(struct caller *c, struct err *err)
{
	struct signal_server *s = c->server;
	uint8_t seed[16];

	if (c->importing)
		return 0;
	if (s->n_imports >= IMPORTS_MAX)
		return refuse(err, -EAGAIN, REFUSAL_INTERNAL,
			      "The server takes %d logs over already; try again later.",
			      IMPORTS_MAX);
	random_fill(s->host, seed, sizeof(seed));
	c->import = mlog_new(seed);
	if (!c->import)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
	c->importing = true;
	s->n_imports++;
	c->known = true; /* it has a token: callers without one do not evict it */
	c->deadline = clock_now(s->host) + IMPORT_LIFETIME;
	return 0;
}

static size_t bytes_of(const struct wire_entries *records)
{
	size_t n = 0;

	for (size_t i = 0; i < records->n; i++)
		n += records->item[i].len;
	return n;
}

/* A used token is valid for the cluster that it was used for, and for no other. */
static int check_used_for(const struct caller *c, const struct code_info *code, struct err *err)
{
	if (code->state != CODE_USED ||
	    memcmp(mlog_cluster_id(c->import), code->cluster_id, HASH_LEN) == 0)
		return 0;
	return code_open(code, err);
}

static int import_page(struct caller *c, const struct code_info *code,
		       const struct wire_entries *records, struct err *err)
{
	struct mlog_take take;

	c->import_bytes += bytes_of(records);
	if (c->import_bytes > IMPORT_BYTES_MAX)
		return refuse(err, -EFBIG, REFUSAL_FULL, "The log is larger than %u MiB.",
			      IMPORT_BYTES_MAX >> 20);
	mlog_take(c->import, records->item, records->n, &take);
	mlog_commit(c->import);
	if (mlog_count(c->import) == 0 || take.result != TAKEN) {
		*err = take.why;
		refusal_make_public(err);
		return err->code < 0 ? err->code
				     : refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
					      "The records are not the beginning of a log.");
	}
	return check_used_for(c, code, err);
}

/* All pages have come. */
static int import_end(struct caller *c, const struct code_info *code, struct err *err)
{
	if (mlog_count(c->import) == 0)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "There are no records.");
	memcpy(c->import_id, mlog_cluster_id(c->import), HASH_LEN);
	c->import_done = true;
	return registry_import(c->server->registry, code->state == CODE_USED ? 0 : code->id,
			       &c->import, err);
}

int answer_import(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		  struct err *err)
{
	struct code_info code;
	int r = code_find(c, rq->code, &code, err);

	if (r == 0 && code.state != CODE_USED)
		r = code_open(&code, err);
	if (r == 0 && code.state == CODE_USED &&
	    !registry_find(c->server->registry, code.cluster_id))
		r = code_open(&code, err);
	if (r == 0)
		r = import_begin(c, err);
	if (r < 0)
		return r;
	c->import_done = false;
	if (rq->entries.n > 0)
		r = import_page(c, &code, &rq->entries, err);
	else
		r = import_end(c, &code, err);
	if (r == 0 && !c->import_done)
		reply->head = mlog_wire_head(c->import);
	if (r < 0 || c->import_done)
		import_drop(c);
	if (r < 0)
		return r;
	memcpy(reply->order_key, c->server->keys.order_key, KEY_LEN);
	return 0;
}

/* The log is in the database: the caller goes on as one that was greeted for this cluster. */
int import_accepted(struct caller *c, struct signal_reply *reply, struct err *err)
{
	struct registry *registry = c->server->registry;
	struct mlog *log;
	int r;

	if (!c->import_done)
		return 0;
	c->import_done = false;
	c->cluster = registry_find(registry, c->import_id);
	if (!c->cluster)
		return refuse(err, -EIO, REFUSAL_INTERNAL, "The cluster could not be stored.");
	r = registry_log(registry, c->cluster, &log, err);
	if (r < 0)
		return r;
	caller_identify(c, log);
	reply->head = mlog_wire_head(log);
	c->phase = CALLER_GREETED;
	return 0;
}
