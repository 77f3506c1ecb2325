/* SPDX-License-Identifier: MIT */
/* A recovery: whom it makes admins, whom it removes, what it reserves, and the file with it. */
#include "client/recovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/refuse.h"
#include "crypto/hash.h"
#include "proto/cbor.h"

#define FILE_VERSION 1
#define FILE_MAX (ENTRY_MAX_BYTES + 16)

/* --- the log up to the base ------------------------------------------------------------------- */

static int cut(struct host *h, const struct mlog *log, uint64_t at, struct mlog **ret,
	       struct err *err)
{
	uint8_t seed[16];
	struct mlog *l;
	int r = 0;

	if (at >= mlog_count(log))
		return err_set(err, -EINVAL,
			       "the log has no record %llu: the newest is %llu (`mlsh log` shows "
			       "them)",
			       (unsigned long long)at, (unsigned long long)mlog_count(log) - 1);
	random_fill(h, seed, sizeof(seed));
	l = mlog_new(seed);
	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint64_t seq = 0; r == 0 && seq <= at; seq++)
		r = mlog_reload(l, mlog_record(log, seq), err);
	if (r < 0) {
		mlog_free(l);
		return r;
	}
	mlog_commit(l);
	*ret = l;
	return 0;
}

/* --- members ---------------------------------------------------------------------------------- */

static int add_id(struct id_list *l, size_t max, const struct node_id *id, const char *what,
		  struct err *err)
{
	if (id_list_has(l, id))
		return 0;
	if (l->n >= max)
		return err_set(err, -ENOSPC, "a recovery can name %zu %s at most", max, what);
	l->id[l->n++] = *id;
	id_list_sort(l);
	return 0;
}

static int plan_removed(struct recovery_plan *p, const struct recovery_wish *w,
			const struct member *m, struct err *err)
{
	if (node_id_equal(&m->id, &w->self))
		return 0; /* by name, as an admin */
	return add_id(&p->removed, RECOVER_REMOVED_MAX, &m->id, "removed nodes", err);
}

/* Those who left behind the base, or are to leave by a removal that waits, stay out. */
static int keep_removals(struct recovery_plan *p, const struct recovery_wish *w, struct err *err)
{
	const struct member *m = NULL;
	int r = 0;

	while (r == 0 && (m = roster_next(mlog_roster(p->log), m, ROSTER_CURRENT)))
		if (!roster_by_id(mlog_roster(w->log), &m->id, ROSTER_CURRENT) ||
		    id_list_has(&w->waiting, &m->id))
			r = plan_removed(p, w, m, err);
	return r;
}

static int remove_named(struct recovery_plan *p, const struct recovery_wish *w, struct err *err)
{
	const char *at = w->remove ? w->remove : "";
	int r = 0;

	while (r == 0 && *at) {
		size_t len = strcspn(at, ",");
		struct span name = span_of(at, len);
		const struct member *m = roster_by_name(mlog_roster(p->log), name, ROSTER_CURRENT);

		if (!m)
			return err_set(err, -ENOENT,
				       "there is no node \"%.*s\" at record %llu, which the "
				       "recovery builds on",
				       (int)MIN(len, (size_t)LABEL_MAX), at,
				       (unsigned long long)mlog_head(p->log).seq);
		if (node_id_equal(&m->id, &w->self))
			return err_set(err, -EINVAL,
				       "\"%s\" is this machine, which the recovery makes an admin",
				       m->name);
		r = plan_removed(p, w, m, err);
		at += len + (at[len] == ',');
	}
	return r;
}

static int plan_admins(struct recovery_plan *p, const struct recovery_wish *w, struct err *err)
{
	const struct member *m = NULL;
	int r = add_id(&p->admins, RECOVER_ADMINS_MAX, &w->self, "admins", err);

	while (r == 0 && w->keep_admins &&
	       (m = roster_next(mlog_roster(p->log), m, ROSTER_CURRENT)))
		if (m->role == ROLE_ADMIN && !id_list_has(&p->removed, &m->id))
			r = add_id(&p->admins, RECOVER_ADMINS_MAX, &m->id, "admins", err);
	return r;
}

/* --- what is never given again ---------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct reserved *)a)->name, ((const struct reserved *)b)->name);
}

static int reserve(struct recovery_plan *p, const char *name, ip4 address, struct err *err)
{
	for (size_t i = 0; i < p->n_reserved; i++) {
		if (strcmp(p->reserved[i].name, name) != 0)
			continue;
		if (address)
			p->reserved[i].address = address;
		return 0;
	}
	if (p->n_reserved >= RECOVER_RESERVED_MAX)
		return err_set(err, -ENOSPC,
			       "more than %d names were given behind record %llu, and a recovery "
			       "can keep only so many from being given again: build on a later "
			       "record, or leave --at out",
			       RECOVER_RESERVED_MAX, (unsigned long long)mlog_head(p->log).seq);
	snprintf(p->reserved[p->n_reserved].name, LABEL_MAX + 1, "%s", name);
	p->reserved[p->n_reserved++].address = address;
	qsort(p->reserved, p->n_reserved, sizeof(p->reserved[0]), by_name);
	return 0;
}

static int reserve_of(struct recovery_plan *p, const struct record *r, const struct entry *e,
		      struct err *err)
{
	int x = 0;

	if (e->type == ENTRY_ADMIT && e->admit.node_name[0])
		return reserve(p, e->admit.node_name, r->order.address, err);
	if (e->type == ENTRY_RENAME)
		return reserve(p, e->rename.name, 0, err);
	for (size_t i = 0; x == 0 && e->type == ENTRY_RECOVER && i < e->recover.n_reserved; i++)
		x = reserve(p, e->recover.reserved[i].name, e->recover.reserved[i].address, err);
	return x;
}

static int plan_reserved(struct recovery_plan *p, const struct mlog *log, struct err *err)
{
	uint64_t seq = mlog_count(p->log);
	struct record record;
	struct entry e;
	int r = 0;

	for (; r == 0 && mlog_get(log, seq, &record, &e) == 0; seq++)
		r = reserve_of(p, &record, &e, err);
	p->dropped = mlog_count(log) - mlog_count(p->log);
	return r;
}

int recovery_plan(struct host *h, const struct recovery_wish *w, struct recovery_plan *ret,
		  struct err *err)
{
	struct recovery_plan p = { .log = NULL };
	int r = cut(h, w->log, w->at, &p.log, err);

	if (r == 0 && !roster_by_id(mlog_roster(p.log), &w->self, ROSTER_ALL))
		r = err_set(err, -EINVAL,
			    "this machine joined after record %llu: build on a later one",
			    (unsigned long long)w->at);
	if (r == 0)
		r = remove_named(&p, w, err);
	if (r == 0)
		r = keep_removals(&p, w, err);
	if (r == 0)
		r = plan_admins(&p, w, err);
	if (r == 0)
		r = plan_reserved(&p, w->log, err);
	if (r < 0) {
		recovery_plan_free(&p);
		return r;
	}
	*ret = p;
	return 0;
}

void recovery_plan_free(struct recovery_plan *p)
{
	mlog_free(p->log);
	p->log = NULL;
}

/* --- the entry -------------------------------------------------------------------------------- */

int recovery_make(const struct recovery_plan *p, const uint8_t seed[SIGN_SEED_LEN],
		  const uint8_t next[KEY_LEN], const struct log_server *server, struct span earlier,
		  uint64_t now_s, struct entry_bytes *ret, struct err *err)
{
	struct entry e = { .type = ENTRY_RECOVER, .time_s = now_s, .base = mlog_head(p->log) };
	struct recover *c = &e.recover;
	struct signer signer = { .seed = seed };
	struct entry made;
	int r = seed_public(seed, c->key);

	if (r < 0)
		return err_set(err, r, "cannot sign the recovery");
	e.author = key_node_id(c->key);
	c->admins = p->admins;
	c->removed = p->removed;
	memcpy(c->reserved, p->reserved, sizeof(p->reserved));
	c->n_reserved = p->n_reserved;
	sha256(span_of(next, KEY_LEN), c->next);
	c->supersedes = earlier;
	c->has_server = server != NULL;
	if (server)
		c->server = *server;
	r = entry_make(&e, mlog_cluster_id(p->log), &signer, NULL, ret, err);
	if (r == 0)
		r = entry_decode(span_of(ret->data, ret->len), &made, err);
	return r < 0 ? r : mlog_would_order(p->log, &made, now_s, err);
}

/* --- the file --------------------------------------------------------------------------------- */

int recovery_load(struct host *h, const struct store *s, const char *cluster,
		  struct entry_bytes *ret, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct buf bytes = { 0 };
	struct cbor_reader reader;
	struct entry e;
	struct span entry;
	int r = store_cluster_path(s, cluster, STORE_RECOVERY, path, err);

	if (r < 0)
		return r;
	if (!file_exists(h, path))
		return -ENOENT;
	r = file_read_private(h, path, FILE_MAX, err, &bytes);
	if (r < 0)
		return r;
	if (cbor_file_version(span_of(bytes.data, bytes.len)) > FILE_VERSION) {
		r = err_set(err, -EPROTONOSUPPORT,
			    "%s was written by a newer mlsh: upgrade this one", path);
		buf_free(&bytes);
		return r;
	}
	reader = cbor_reader_of(span_of(bytes.data, bytes.len));
	cbor_get_array(&reader, 2);
	if (cbor_get_uint(&reader, UINT32_MAX) != FILE_VERSION)
		reader.failed = true;
	entry = cbor_get_bytes(&reader, 1, ENTRY_MAX_BYTES);
	if (cbor_reader_end(&reader) < 0 || entry_decode(entry, &e, NULL) < 0 ||
	    e.type != ENTRY_RECOVER) {
		r = err_set(err, -EBADMSG, "%s is damaged: it has no recovery", path);
	} else {
		memcpy(ret->data, entry.data, entry.len);
		ret->len = entry.len;
	}
	buf_free(&bytes);
	return r;
}

int recovery_save(struct host *h, const struct store *s, const char *cluster,
		  const struct entry_bytes *e, struct err *err)
{
	uint8_t bytes[FILE_MAX];
	struct cbor_writer w = cbor_writer_of(bytes, sizeof(bytes));
	char path[STORE_PATH_MAX];
	int r = store_cluster_path(s, cluster, STORE_RECOVERY, path, err);

	if (r < 0)
		return r;
	cbor_put_array(&w, 2);
	cbor_put_uint(&w, FILE_VERSION);
	cbor_put_bytes(&w, e->data, e->len);
	return file_write(h, path, bytes, cbor_writer_span(&w).len, 0600, err);
}

int recovery_drop(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];
	int r = store_cluster_path(s, cluster, STORE_RECOVERY, path, NULL);

	if (r == 0)
		r = file_remove(h, path);
	return r == -ENOENT ? 0 : r;
}
