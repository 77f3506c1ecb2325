/* SPDX-License-Identifier: MIT */
/* Entries that govern a cluster. */
#include "client/govern.h"

#include <stdio.h>

#include "base/options.h"
#include "client/refuse.h"
#include "identity/identity.h"

/* --- who -------------------------------------------------------------------------------------- */

int govern_self(const struct govern *g, const struct member **ret, struct err *err)
{
	const struct roster *r = mlog_roster(g->log);
	const struct member *m = roster_by_key_sha256(r, identity_key_sha256(g->identity),
						      ROSTER_ALL);
	char text[MEMBER_LEFT_TEXT_MAX];

	if (!m)
		return refuse(err, 0, REFUSAL_NOT_MEMBER,
			      "this machine is not a member of %s by its copy of the log",
			      mlog_genesis(g->log)->name);
	if (!member_is_current(m))
		return refuse(err, 0, REFUSAL_NOT_MEMBER, "this machine is not in %s any more: %s",
			      mlog_genesis(g->log)->name, member_left_text(r, m, text));
	*ret = m;
	return 0;
}

/* The name of a member that `text` is probably a misspelling of, or NULL. */
static const char *member_near(const struct roster *r, const char *text)
{
	const struct member *m;

	for (m = NULL; (m = roster_next(r, m, ROSTER_CURRENT));) {
		const char *name = m->name;

		if (options_near(text, &name, 1, 0))
			return name;
	}
	return NULL;
}

int govern_find(const struct govern *g, const char *node, const struct member **ret,
		struct err *err)
{
	const struct roster *r = mlog_roster(g->log);
	const char *meant, *cluster = mlog_genesis(g->log)->name;
	struct addr ip;

	if (addr_parse_ip(node, &ip) == 0 && addr_is_v4(&ip))
		*ret = roster_by_address(r, addr_ip4(&ip), ROSTER_ALL);
	else
		*ret = roster_by_name(r, span_str(node), ROSTER_ALL);
	if (*ret)
		return 0;
	meant = member_near(r, node);
	if (meant)
		return err_set(err, -ENOENT, "there is and was no node %s in %s: did you mean %s?",
			       node, cluster, meant);
	return err_set(err, -ENOENT,
		       "there is and was no node %s in %s; `mlsh nodes %s --all` lists them", node,
		       cluster, cluster);
}

/* The first few admins' names, for a message. */
static void list_admins(const struct mlog *l, char *out, size_t cap)
{
	const struct member *m;
	size_t len = 0;

	out[0] = '\0';
	for (m = NULL; len < cap && (m = roster_next(mlog_roster(l), m, ROSTER_CURRENT));) {
		int n;

		if (m->role != ROLE_ADMIN)
			continue;
		n = snprintf(out + len, cap - len, "%s%s", len ? ", " : "", m->name);
		if (n < 0 || (size_t)n >= cap - len)
			break;
		len += (size_t)n;
	}
}

int govern_only_admins(const struct mlog *l, const struct member *self, const char *what,
		       enum refusal reason, struct err *err)
{
	char admins[128];

	list_admins(l, admins, sizeof(admins));
	return refuse(err, 0, reason,
		      "%s is a plain node of %s, and only admins can %s. Ask an admin: %s.",
		      self->name, mlog_genesis(l)->name, what, admins);
}

/* --- entries ---------------------------------------------------------------------------------- */

/* The log's words are for everybody; these are for who sits at this node. */
static int explain(const struct govern *g, int rc, struct err *err)
{
	const struct roster *r = mlog_roster(g->log);
	const struct member *self = roster_by_key_sha256(r, identity_key_sha256(g->identity),
							 ROSTER_CURRENT);
	const char *cluster = mlog_genesis(g->log)->name;

	if (!self || !err)
		return rc;
	if (err->reason == REFUSAL_NOT_ALLOWED && self->role != ROLE_ADMIN)
		return govern_only_admins(g->log, self, "do that", REFUSAL_NOT_ALLOWED, err);
	if (err->reason == REFUSAL_LAST_ADMIN && roster_count(r, ROSTER_CURRENT) == 1)
		return refuse(err, 0, REFUSAL_LAST_ADMIN,
			      "%s is the last node of %s, and that ends with it: `mlsh forget "
			      "%s` takes it off this machine",
			      self->name, cluster, cluster);
	return rc;
}

/* Signs, and asks the log whether it could be the next record. */
static int make_with(const struct govern *g, struct entry *e, const struct signer *consent,
		     struct entry_bytes *ret, struct err *err)
{
	struct entry made;
	int r;

	/* A clock that is behind the log's last record is behind the server's. */
	e->time_s = MAX(g->now_s, mlog_last_time_s(g->log));
	r = entry_make(e, mlog_cluster_id(g->log), identity_signer(g->identity), consent, ret, err);
	if (r == 0)
		r = entry_decode(span_of(ret->data, ret->len), &made, err);
	if (r < 0)
		return r;
	r = mlog_would_order(g->log, &made, e->time_s, err);
	return r < 0 ? explain(g, r, err) : r;
}

static int make(const struct govern *g, struct entry *e, struct entry_bytes *ret, struct err *err)
{
	return make_with(g, e, NULL, ret, err);
}

/* An entry of the type, by the author, on the log's head. */
static int begin(const struct govern *g, enum entry_type type, struct entry *ret, struct err *err)
{
	const struct member *self;
	int r = govern_self(g, &self, err);

	if (r < 0)
		return r;
	*ret = (struct entry){ .type = type, .author = self->id, .base = mlog_head(g->log) };
	return 0;
}

static int is_current(const struct govern *g, const struct member *m, struct err *err)
{
	const struct roster *r = mlog_roster(g->log);
	char text[MEMBER_LEFT_TEXT_MAX];

	if (member_is_current(m))
		return 0;
	return refuse(err, 0, REFUSAL_NOT_MEMBER, "%s is not in %s any more: %s", m->name,
		      mlog_genesis(g->log)->name, member_left_text(r, m, text));
}

/* The seq of the last recover record, or 0. */
static uint64_t last_recovery(const struct mlog *l)
{
	uint64_t generation = mlog_generation(l);

	return generation ? mlog_generation_start(l, generation - 1) : 0;
}

/* The oldest base from which the author may remove these. */
static int oldest_base(const struct govern *g, const struct member *self, const struct id_list *ids,
		       struct head *ret, struct err *err)
{
	uint64_t seq = MAX(self->joined_seq, self->key_seq);
	struct record record;
	struct entry entry;
	int r;

	if (self->role == ROLE_ADMIN)
		seq = MAX(seq, self->role_seq);
	for (size_t i = 0; i < ids->n; i++) {
		const struct member *m = roster_by_id(mlog_roster(g->log), &ids->id[i], ROSTER_ALL);

		if (m)
			seq = MAX(seq, m->joined_seq);
	}
	seq = MAX(seq, last_recovery(g->log));
	r = mlog_get(g->log, seq, &record, &entry);
	if (r < 0)
		return err_set(err, r, "record %llu of the log cannot be read",
			       (unsigned long long)seq);
	*ret = (struct head){ .seq = seq };
	memcpy(ret->hash, record.hash, HASH_LEN);
	return 0;
}

static bool any_is_current(const struct mlog *l, const struct id_list *ids)
{
	for (size_t i = 0; i < ids->n; i++)
		if (roster_by_id(mlog_roster(l), &ids->id[i], ROSTER_CURRENT))
			return true;
	return false;
}

int govern_remove(const struct govern *g, const struct id_list *ids, struct entry_bytes *ret,
		  struct err *err)
{
	const struct member *self;
	struct entry e;
	int r = govern_self(g, &self, err);

	if (r < 0)
		return r;
	if (!any_is_current(g->log, ids))
		return GOVERN_DONE;
	e = (struct entry){ .type = ENTRY_REMOVE, .author = self->id, .remove = *ids };
	id_list_sort(&e.remove);
	r = oldest_base(g, self, ids, &e.base, err);
	return r < 0 ? r : make(g, &e, ret, err);
}

int govern_leave(const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	const struct member *self;
	struct id_list own = { .n = 1 };
	int r = govern_self(g, &self, err);

	if (r < 0)
		return r;
	own.id[0] = self->id;
	return govern_remove(g, &own, ret, err);
}

int govern_promote(const struct govern *g, const struct member *m, struct entry_bytes *ret,
		   struct err *err)
{
	struct entry e;
	int r = begin(g, ENTRY_PROMOTE, &e, err);

	if (r == 0)
		r = is_current(g, m, err);
	if (r < 0)
		return r;
	if (m->role == ROLE_ADMIN)
		return GOVERN_DONE;
	e.promote.id = m->id;
	memcpy(e.promote.key_sha256, m->key_sha256, HASH_LEN);
	return make(g, &e, ret, err);
}

int govern_demote(const struct govern *g, const struct member *m, struct entry_bytes *ret,
		  struct err *err)
{
	struct entry e;
	int r = begin(g, ENTRY_DEMOTE, &e, err);

	if (r == 0)
		r = is_current(g, m, err);
	if (r < 0)
		return r;
	if (m->role != ROLE_ADMIN)
		return GOVERN_DONE;
	e.demote.id = m->id;
	return make(g, &e, ret, err);
}

int govern_rename(const struct govern *g, const struct member *m, const char *name,
		  struct entry_bytes *ret, struct err *err)
{
	struct entry e;
	int r = begin(g, ENTRY_RENAME, &e, err);

	if (r == 0)
		r = is_current(g, m, err);
	if (r == 0)
		r = label_check("node name", name, err);
	if (r < 0)
		return r;
	if (strcmp(m->name, name) == 0)
		return GOVERN_DONE;
	e.rename.id = m->id;
	snprintf(e.rename.name, sizeof(e.rename.name), "%s", name);
	return make(g, &e, ret, err);
}

int govern_cancel_invite(const struct govern *g, const uint8_t nonce[NONCE_LEN],
			 struct entry_bytes *ret, struct err *err)
{
	const struct member *user = mlog_invite_redeemer(g->log, nonce);
	struct entry e;
	int r = begin(g, ENTRY_CANCEL, &e, err);

	if (r < 0)
		return r;
	if (user)
		return refuse(err, 0, REFUSAL_INVITE_USED,
			      "the invite was used already, by %s: `mlsh remove %s` takes it "
			      "out again",
			      user->name, user->name);
	if (mlog_invite_used(g->log, nonce))
		return GOVERN_DONE;
	e.cancel.what = CANCEL_INVITE;
	memcpy(e.cancel.nonce, nonce, NONCE_LEN);
	return make(g, &e, ret, err);
}

int govern_rotate(const struct govern *g, const struct identity *next, struct entry_bytes *ret,
		  struct err *err)
{
	const struct member *self;
	struct entry e;
	int r = begin(g, ENTRY_ROTATE, &e, err);

	if (r == 0)
		r = govern_self(g, &self, err);
	if (r < 0)
		return r;
	if (memcmp(self->key_sha256, identity_key_sha256(next), HASH_LEN) == 0)
		return GOVERN_DONE;
	memcpy(e.rotate.key, identity_key(next), KEY_LEN);
	return make_with(g, &e, identity_signer(next), ret, err);
}

static bool same_server(const struct log_server *a, const struct log_server *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	       memcmp(a->cert, b->cert, HASH_LEN) == 0 && memcmp(a->key, b->key, HASH_LEN) == 0 &&
	       memcmp(a->order_key, b->order_key, KEY_LEN) == 0;
}

int govern_signal(const struct govern *g, const struct log_server *to, struct entry_bytes *ret,
		  struct err *err)
{
	struct entry e;
	int r = begin(g, ENTRY_SIGNAL, &e, err);

	if (r < 0)
		return r;
	if (same_server(mlog_server(g->log), to))
		return GOVERN_DONE;
	e.signal = *to;
	return make(g, &e, ret, err);
}

/* --- whom they let in ------------------------------------------------------------------------- */

/* Members are visited in the order of joining: a sponsor comes before those that it let in. */
int govern_add_sponsored(const struct mlog *l, const struct node_id *self, uint64_t since_s,
			 struct id_list *ids, struct err *err)
{
	const struct member *m;

	for (m = NULL; (m = roster_next(mlog_roster(l), m, ROSTER_CURRENT));) {
		bool listed = false, sponsored = false;

		for (size_t i = 0; i < ids->n; i++) {
			listed |= node_id_equal(&ids->id[i], &m->id);
			sponsored |= node_id_equal(&ids->id[i], &m->sponsor);
		}
		if (listed || !sponsored || m->joined_s < since_s || node_id_equal(&m->id, self))
			continue;
		if (ids->n == REMOVE_IDS_MAX)
			return err_set(err, -E2BIG,
				       "more than %d nodes are too many for one removal: remove "
				       "some first",
				       REMOVE_IDS_MAX);
		ids->id[ids->n++] = m->id;
	}
	return 0;
}
