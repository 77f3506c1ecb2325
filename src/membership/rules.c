/* SPDX-License-Identifier: MIT */
/*
 * The rules of the log: may this record be the next one? Changes nothing. The names in capitals
 * are those of docs/protocol/02-membership-log.md, "Rules".
 */
#include <inttypes.h>

#include "membership/rules.h"

#include "crypto/hash.h"

#define ROOM_LAST 1024	 /* ROOM */
#define ROTATIONS_MAX 16 /* ROTATE */

/* --- signatures ----------------------------------------------------------------------------- */

int rule_sig(const struct mlog *l, const struct placed *p, size_t i, const uint8_t key[KEY_LEN],
	     const char *whose, struct err *err)
{
	const struct entry *e = p->entry;
	const uint8_t *cluster_id = e->type == ENTRY_GENESIS ? zero_hash : mlog_cluster_id(l);

	if (p->trusted || key_verify(key, i == 0 ? SIGN_ENTRY : SIGN_CONSENT, cluster_id,
				     e->payload, e->sig[i]) == 0)
		return 0;
	return refuse(err, -EKEYREJECTED, REFUSAL_TAMPERED,
		      "the log entry was altered or forged: the signature of %s does not fit",
		      whose);
}

/* --- authors -------------------------------------------------------------------------------- */

static const struct member *member_now(const struct mlog *l, const struct node_id *id)
{
	return roster_by_id(l->roster, id, ROSTER_CURRENT);
}

int rule_not_member(const struct mlog *l, const struct node_id *id, const char *what,
		    struct err *err)
{
	const struct member *former = roster_by_id(l->roster, id, ROSTER_ALL);

	if (former)
		return refuse(err, -EACCES, REFUSAL_NOT_MEMBER,
			      "%s: \"%s\" is no longer in cluster \"%s\"", what, former->name,
			      l->s.genesis.name);
	return refuse(err, -EACCES, REFUSAL_NOT_MEMBER, "%s: the node is unknown in cluster \"%s\"",
		      what, l->s.genesis.name);
}

/* AUTHOR: a current member, in the log at its base. */
static int rule_author_member(const struct mlog *l, const struct entry *e,
			      const struct member **ret, struct err *err)
{
	const struct member *m = member_now(l, &e->author);

	if (!m)
		return rule_not_member(l, &e->author, "the author of the log entry", err);
	if (m->joined_seq > e->base.seq)
		return refuse(err, -EACCES, REFUSAL_BAD_ENTRY,
			      "the log entry is older than the membership of its author \"%s\"",
			      m->name);
	*ret = m;
	return 0;
}

/* AUTHOR: an admin, without interruption since the base. */
static int rule_admin_since(const struct mlog *l, const struct member *m, uint64_t base,
			    struct err *err)
{
	if (m->role != ROLE_ADMIN)
		return refuse(err, -EACCES, REFUSAL_NOT_ALLOWED,
			      "\"%s\" is not an admin of cluster \"%s\"", m->name,
			      l->s.genesis.name);
	if (m->role_seq > base)
		return refuse(err, -ESTALE, REFUSAL_STALE,
			      "\"%s\" has become an admin since it made this log entry: make it "
			      "again",
			      m->name);
	return 0;
}

static int rule_author_admin(const struct mlog *l, const struct entry *e, const struct member **ret,
			     struct err *err)
{
	int r = rule_author_member(l, e, ret, err);

	return r < 0 ? r : rule_admin_since(l, *ret, e->base.seq, err);
}

/* The author of an entry whose key is in its body. */
int rule_own_key(const struct entry *e, const uint8_t key[KEY_LEN], struct err *err)
{
	struct node_id id = key_node_id(key);

	if (node_id_equal(&id, &e->author))
		return 0;
	return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
		      "the author of the log entry is not the owner of the key in it");
}

/* ADMIN-REMAINS, when so many admins go. */
int rule_admin_remains(const struct mlog *l, size_t going, struct err *err)
{
	if (roster_admins(l->roster) > going)
		return 0;
	return refuse(err, -EACCES, REFUSAL_LAST_ADMIN,
		      "cluster \"%s\" would be left without an admin: promote another node first",
		      l->s.genesis.name);
}

/* The key is new in the log. */
int rule_new_key(const struct mlog *l, const uint8_t key[KEY_LEN], struct err *err)
{
	struct node_id id = key_node_id(key);
	uint8_t sha[HASH_LEN];
	const struct member *m;

	key_spki_sha256(key, sha);
	m = roster_by_key_sha256(l->roster, sha, ROSTER_ALL);
	if (!m)
		m = roster_by_id(l->roster, &id, ROSTER_ALL);
	if (!m)
		return 0;
	return refuse(err, -EACCES, REFUSAL_KEY_KNOWN,
		      "this key is in cluster \"%s\" already, as that of \"%s\"", l->s.genesis.name,
		      m->name);
}

/* The name is free for `self` (NULL: a new node). */
int rule_name_free(const struct mlog *l, const char *name, const struct member *self,
		   struct err *err)
{
	const struct member *m = roster_by_name(l->roster, span_str(name), ROSTER_ALL);

	if ((!m || m == self) && !mlog_name_reserved(l, name))
		return 0;
	return refuse(err, -EACCES, REFUSAL_NAME_TAKEN,
		      "the name \"%s\" is taken in cluster \"%s\": a name is never given again",
		      name, l->s.genesis.name);
}

/* --- every record --------------------------------------------------------------------------- */

static int check_chain(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct order *o = p->order;
	bool recover = p->entry->type == ENTRY_RECOVER;
	uint64_t generation = recover ? generation_of(l->s.codes + 1, p->entry->recover.depth)
				      : mlog_generation(l);
	bool first = p->entry->type == ENTRY_GENESIS;

	if (l->s.n_slots == 0)
		return first ? 0
			     : refuse(err, -EBADMSG, REFUSAL_UNKNOWN_HEAD,
				      "a log begins with the foundation of its cluster");
	if (first)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "a cluster is founded once");
	if (o->seq != l->s.n_slots || o->generation != generation ||
	    memcmp(o->prev, l->s.slots[l->s.n_slots - 1].hash, HASH_LEN) != 0)
		return refuse(err, -EBADMSG, REFUSAL_UNKNOWN_HEAD,
			      "record %" PRIu64 " does not follow the %zu records that are known",
			      o->seq, l->s.n_slots);
	return 0;
}

static int check_time(const struct mlog *l, const struct placed *p, struct err *err)
{
	if (p->order->time_s >= mlog_last_time_s(l) || p->entry->type == ENTRY_RECOVER)
		return 0;
	return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
		      "record %" PRIu64 " is dated before the one before it", p->order->seq);
}

static int check_room(const struct mlog *l, unsigned flags, struct err *err)
{
	bool last = flags & ENTRY_LAST_ROOM;

	if (l->s.n_slots < LOG_MAX_ENTRIES - (last ? 0 : ROOM_LAST))
		return 0;
	return refuse(err, -ENOSPC, REFUSAL_FULL, "the membership log is full (%d records)",
		      LOG_MAX_ENTRIES);
}

static int check_once(const struct mlog *l, const struct placed *p, struct err *err)
{
	uint64_t seq = mlog_find(l, p->entry->payload_hash);

	if (seq == 0)
		return 0;
	return refuse(err, -EEXIST, REFUSAL_STALE,
		      "this entry is in the log already, as record "
		      "%" PRIu64,
		      seq);
}

/* BASE: nothing that was signed before a recovery counts after it. */
int rule_base_generation(const struct mlog *l, const struct head *base, struct err *err)
{
	const struct mlog_state *s = &l->s;

	if (s->n_generations == 0 || base->seq >= s->generations[s->n_generations - 1].seq)
		return 0;
	return refuse(err, -ESTALE, REFUSAL_STALE,
		      "it was made before the cluster was recovered (record %" PRIu64 "): make it "
		      "again",
		      s->generations[s->n_generations - 1].seq);
}

static int check_base(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct head *base = &p->entry->base;

	if (mlog_has_head(l, base))
		return rule_base_generation(l, base, err);
	return refuse(err, -EACCES, REFUSAL_UNKNOWN_HEAD,
		      "it was made on a log that has a record %" PRIu64 " which is not in this "
		      "one: the signaling server holds an old or forked log",
		      base->seq);
}

static int check_window(const struct placed *p, unsigned flags, struct err *err)
{
	uint64_t made = p->entry->time_s, now = p->order->time_s;

	if ((flags & ENTRY_LATE) || (made > now ? made - now : now - made) <= ENTRY_WINDOW_S)
		return 0;
	return refuse(err, -ETIME, REFUSAL_TOO_OLD,
		      "it was made %" PRIu64 " minutes %s the server's time: check the clocks, and "
		      "make it again",
		      (made > now ? made - now : now - made) / 60, made > now ? "after" : "before");
}

int rule_any_type(const struct mlog *l, const struct placed *p, unsigned flags, struct err *err)
{
	int r = check_chain(l, p, err);

	if (r < 0 || p->entry->type == ENTRY_GENESIS)
		return r;
	if ((r = check_time(l, p, err)) < 0 || (r = check_room(l, flags, err)) < 0 ||
	    (r = check_once(l, p, err)) < 0)
		return r;
	/* An invite says more about its base than "unknown". */
	if (p->entry->type != ENTRY_ADMIT && (r = check_base(l, p, err)) < 0)
		return r;
	r = check_window(p, flags, err);
	if (r == 0 && p->order->address != 0 && p->entry->type != ENTRY_ADMIT)
		r = refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
			   "record %" PRIu64 " gives out an address, but admits no node",
			   p->order->seq);
	return r;
}

/* --- cancel, remove ------------------------------------------------------------------------- */

static int check_cancel_invite(const struct mlog *l, const uint8_t nonce[NONCE_LEN],
			       struct err *err)
{
	if (mlog_invite_redeemer(l, nonce))
		return refuse(err, -EACCES, REFUSAL_INVITE_USED,
			      "the invite cannot be cancelled: it was used by \"%s\"",
			      mlog_invite_redeemer(l, nonce)->name);
	if (mlog_invite_used(l, nonce))
		return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
			      "the invite was cancelled already");
	return 0;
}

static bool removal_cancelled(const struct mlog *l, const uint8_t hash[HASH_LEN],
			      const struct node_id *author)
{
	uint8_t key[HASH_LEN];

	cancel_key(hash, author, key);
	return map_get(l->s.cancelled, key) != NULL;
}

static int check_cancel_removal(const struct mlog *l, const uint8_t hash[HASH_LEN],
				const struct node_id *author, struct err *err)
{
	if (mlog_find(l, hash) != 0)
		return refuse(err, -EACCES, REFUSAL_STALE,
			      "the removal cannot be cancelled: it is record %" PRIu64 " of the "
			      "log",
			      mlog_find(l, hash));
	if (removal_cancelled(l, hash, author))
		return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
			      "the removal was cancelled already");
	return 0;
}

int verify_cancel(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct cancel *c = &p->entry->cancel;
	const struct member *author;
	int r = rule_author_admin(l, p->entry, &author, err);

	if (r == 0)
		r = c->what == CANCEL_INVITE ? check_cancel_invite(l, c->nonce, err)
					     : check_cancel_removal(l, c->hash, &author->id, err);
	return r < 0 ? r : rule_sig(l, p, 0, author->key, author->name, err);
}

/* REMOVE: whom it names. */
static int check_targets(const struct mlog *l, const struct id_list *ids, struct err *err)
{
	size_t going = 0, admins = 0;

	for (size_t i = 0; i < ids->n; i++) {
		const struct member *m = roster_by_id(l->roster, &ids->id[i], ROSTER_ALL);

		if (!m)
			return rule_not_member(l, &ids->id[i], "the node to be removed", err);
		if (!member_is_current(m))
			continue;
		going++;
		admins += m->role == ROLE_ADMIN;
	}
	if (going == 0)
		return rule_not_member(l, &ids->id[0], "the node to be removed", err);
	return admins > 0 ? rule_admin_remains(l, admins, err) : 0;
}

int verify_remove(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct entry *e = p->entry;
	const struct member *author;
	bool leaves = e->remove.n == 1 && node_id_equal(&e->remove.id[0], &e->author);
	int r = rule_author_member(l, e, &author, err);

	if (r == 0 && !leaves)
		r = rule_admin_since(l, author, e->base.seq, err);
	if (r == 0 && removal_cancelled(l, e->payload_hash, &author->id))
		r = refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED, "the removal was cancelled");
	if (r == 0)
		r = check_targets(l, &e->remove, err);
	return r < 0 ? r : rule_sig(l, p, 0, author->key, author->name, err);
}

/* --- promote, demote, rename, rotate -------------------------------------------------------- */

/* -ESTALE: something was recorded about the member after the author looked. */
static int check_unchanged(const struct member *m, uint64_t changed, uint64_t base, struct err *err)
{
	if (changed <= base)
		return 0;
	return refuse(err, -ESTALE, REFUSAL_STALE,
		      "\"%s\" has changed meanwhile (record %" PRIu64 "): look and try again",
		      m->name, changed);
}

static int target_member(const struct mlog *l, const struct node_id *id, const struct member **ret,
			 struct err *err)
{
	*ret = member_now(l, id);
	return *ret ? 0 : rule_not_member(l, id, "the log entry", err);
}

int verify_promote(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct entry *e = p->entry;
	const struct member *author, *m;
	int r = rule_author_admin(l, e, &author, err);

	if (r == 0)
		r = target_member(l, &e->promote.id, &m, err);
	if (r < 0)
		return r;
	if (m->role == ROLE_ADMIN)
		return refuse(err, -EACCES, REFUSAL_STALE, "\"%s\" is an admin already", m->name);
	r = check_unchanged(m, member_changed_seq(m), e->base.seq, err);
	if (r == 0 && memcmp(m->key_sha256, e->promote.key_sha256, HASH_LEN) != 0)
		r = refuse(err, -EACCES, REFUSAL_BAD_ENTRY,
			   "the key that is to be promoted is not that of \"%s\"", m->name);
	return r < 0 ? r : rule_sig(l, p, 0, author->key, author->name, err);
}

int verify_demote(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct entry *e = p->entry;
	const struct member *author, *m;
	int r = rule_author_admin(l, e, &author, err);

	if (r == 0)
		r = target_member(l, &e->demote.id, &m, err);
	if (r < 0)
		return r;
	if (m->role != ROLE_ADMIN)
		return refuse(err, -EACCES, REFUSAL_STALE, "\"%s\" is not an admin", m->name);
	r = check_unchanged(m, m->role_seq, e->base.seq, err);
	if (r == 0)
		r = rule_admin_remains(l, 1, err);
	return r < 0 ? r : rule_sig(l, p, 0, author->key, author->name, err);
}

int verify_rename(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct entry *e = p->entry;
	const struct member *author, *m;
	int r = rule_author_admin(l, e, &author, err);

	if (r == 0)
		r = target_member(l, &e->rename.id, &m, err);
	if (r < 0)
		return r;
	r = check_unchanged(m, m->name_seq, e->base.seq, err);
	if (r == 0 && strcmp(m->name, e->rename.name) == 0)
		r = refuse(err, -EACCES, REFUSAL_NAME_TAKEN, "\"%s\" has this name already",
			   m->name);
	if (r == 0)
		r = rule_name_free(l, e->rename.name, m, err);
	return r < 0 ? r : rule_sig(l, p, 0, author->key, author->name, err);
}

int verify_rotate(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct member *author;
	int r = rule_author_member(l, p->entry, &author, err);

	if (r == 0 && author->rotations >= ROTATIONS_MAX)
		r = refuse(err, -ENOSPC, REFUSAL_FULL,
			   "\"%s\" has changed its key %d times, which is the most: remove the "
			   "node and let it join again",
			   author->name, ROTATIONS_MAX);
	if (r == 0)
		r = rule_new_key(l, p->entry->rotate.key, err);
	if (r == 0)
		r = rule_sig(l, p, 0, author->key, author->name, err);
	return r < 0 ? r : rule_sig(l, p, 1, p->entry->rotate.key, "the new key", err);
}

/* --- signal, renew, recover ----------------------------------------------------------------- */

int verify_signal(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct member *author;
	int r = rule_author_admin(l, p->entry, &author, err);

	if (r == 0 && l->s.epochs[l->s.n_epochs - 1].by > p->entry->base.seq)
		r = refuse(err, -ESTALE, REFUSAL_STALE,
			   "the signal server of cluster \"%s\" has changed meanwhile: look and "
			   "try again",
			   l->s.genesis.name);
	return r < 0 ? r : rule_sig(l, p, 0, author->key, author->name, err);
}

/* RENEW, RECOVER: the key is that of the recovery code in force. */
static int check_code(const struct mlog *l, const struct entry *e, const uint8_t key[KEY_LEN],
		      struct err *err)
{
	uint8_t hash[HASH_LEN];
	int r = rule_own_key(e, key, err);

	if (r < 0)
		return r;
	sha256(span_of(key, KEY_LEN), hash);
	if (memcmp(hash, l->s.recovery, HASH_LEN) == 0)
		return 0;
	return refuse(err, -EACCES, REFUSAL_RECOVERY_CODE,
		      "the recovery code is not the one of cluster \"%s\" that is in force",
		      l->s.genesis.name);
}

int verify_renew(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct entry *e = p->entry;
	const struct member *author, *second;
	int r;

	if (l->s.code_seq > e->base.seq)
		return refuse(err, -ESTALE, REFUSAL_STALE,
			      "the recovery code of cluster \"%s\" has changed meanwhile: look and "
			      "try again",
			      l->s.genesis.name);
	if (e->renew.by_code) {
		r = check_code(l, e, e->renew.key, err);
		return r < 0 ? r : rule_sig(l, p, 0, e->renew.key, "the recovery code", err);
	}
	r = rule_author_admin(l, e, &author, err);
	if (r == 0)
		r = target_member(l, &e->renew.second, &second, err);
	if (r == 0)
		r = rule_admin_since(l, second, e->base.seq, err);
	if (r == 0)
		r = rule_sig(l, p, 0, author->key, author->name, err);
	return r != 0 ? r : rule_sig(l, p, 1, second->key, second->name, err);
}

/*
 * RECOVER: each attempt was signed by its key; the first by the code that was in force. That each
 * one names the next one's key is a matter of form.
 */
static int check_attempts(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct recover *c = &p->entry->recover;
	struct entry earlier;
	struct placed inner = { .order = p->order, .entry = &earlier, .trusted = p->trusted };
	int r;

	if (entry_superseded(p->entry, &earlier) < 0) {
		r = check_code(l, p->entry, c->key, err);
	} else {
		r = rule_own_key(p->entry, c->key, err);
		if (r == 0)
			r = check_attempts(l, &inner, err);
	}
	return r < 0 ? r : rule_sig(l, p, 0, c->key, "the recovery code", err);
}

/* The log ends at the base here; what came after it does not count. */
int verify_recover(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct recover *c = &p->entry->recover;
	struct head head = mlog_head(l);
	int r;

	if (p->entry->base.seq != head.seq)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
			      "the recovery does not stand behind the record that it builds on");
	r = check_attempts(l, p, err);
	for (size_t i = 0; r == 0 && i < c->admins.n; i++) {
		const struct member *m = roster_by_id(l->roster, &c->admins.id[i], ROSTER_ALL);

		if (!m)
			return rule_not_member(l, &c->admins.id[i], "the recovery", err);
		if (roster_by_address(l->roster, m->address, ROSTER_ALL) != m)
			r = refuse(err, -EACCES, REFUSAL_BAD_ENTRY,
				   "\"%s\" was replaced and cannot become an admin", m->name);
	}
	for (size_t i = 0; r == 0 && i < c->removed.n; i++)
		if (!member_now(l, &c->removed.id[i]))
			r = rule_not_member(l, &c->removed.id[i], "the recovery", err);
	return r;
}

/* --- types that are not known --------------------------------------------------------------- */

int verify_skipped(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct member *author;
	int r = rule_author_admin(l, p->entry, &author, err);

	return r < 0 ? r : rule_sig(l, p, 0, author->key, author->name, err);
}
