/* SPDX-License-Identifier: MIT */
/*
 * The roster: the members that follow from the log, present and former, and what happened to them,
 * in order. It knows no rules; the log says what happens. A reader keeps a cursor and acts on what
 * changed since it last looked.
 */
#ifndef MLSH_MEMBERSHIP_ROSTER_H
#define MLSH_MEMBERSHIP_ROSTER_H

#include "membership/entry.h"

enum member_left {
	LEFT_NOT,     /* it is a member */
	LEFT_REMOVED, /* by an admin */
	LEFT_BY_ITSELF,
	LEFT_REPLACED,	  /* another node took its name and address over */
	LEFT_BY_RECOVERY, /* removed by a recovery, or its admission is in what that dropped */
};

/* Lives as long as the roster, also after it left. Only the roster's functions change it. */
struct member {
	struct node_id id;		     /* the node id of its first key, forever */
	uint8_t key[KEY_LEN];		     /* in force */
	uint8_t key_sha256[HASH_LEN];	     /* of the SPKI: what TLS pins */
	uint8_t key_before_sha256[HASH_LEN]; /* of the key before it; zeros: this is the first */
	uint64_t key_since_s;
	char name[LABEL_MAX + 1];
	ip4 address;
	enum member_role role;
	enum member_role invited_role; /* ROLE_ADMIN: the sponsor meant to promote it */
	struct node_id sponsor;	       /* its own id for the first admin */
	uint64_t joined_s;
	uint64_t joined_seq;
	/* The records since which it has its role, key and name; its own record, if no other. */
	uint64_t role_seq, key_seq, name_seq;
	unsigned rotations; /* of its key */
	enum member_left left;
	uint64_t left_s, left_seq; /* 0 if it is a member */
	struct node_id left_by;	   /* the author of that; its own id if it left by itself */
	size_t index;		   /* in the order of joining first, former members included */
	bool dropped;		   /* its admission is in what a recovery dropped */
};

static inline bool member_is_current(const struct member *m)
{
	return m->left == LEFT_NOT;
}

/* Did its sponsor mean to make it an admin, and has nobody decided about its role since? */
static inline bool member_awaits_promotion(const struct member *m)
{
	return member_is_current(m) && m->invited_role == ROLE_ADMIN && m->role == ROLE_NODE &&
	       m->role_seq == m->joined_seq;
}

/* The last record that says something about it while it is a member. */
static inline uint64_t member_changed_seq(const struct member *m)
{
	return MAX(MAX(m->joined_seq, m->role_seq), MAX(m->key_seq, m->name_seq));
}
#define MEMBER_LEFT_TEXT_MAX (2 * LABEL_MAX + 96)

enum roster_scope {
	ROSTER_CURRENT, /* members, by the name, key and address that they have */
	ROSTER_ALL,	/* former ones too, and by names and keys that they had */
};

struct roster;

struct roster *roster_new(const uint8_t map_seed[16]); /* empty; NULL without memory */
void roster_free(struct roster *r);		       /* NULL allowed */

/* --- questions: each takes constant time, and returns NULL if there is no such member ------- */

const struct member *roster_by_id(const struct roster *r, const struct node_id *id,
				  enum roster_scope scope);
const struct member *roster_by_key_sha256(const struct roster *r,
					  const uint8_t key_sha256[HASH_LEN],
					  enum roster_scope scope);
/* With ROSTER_ALL the newest of those that had the name (only a replacement takes one over). */
const struct member *roster_by_name(const struct roster *r, struct span name,
				    enum roster_scope scope);
/* As roster_by_name. */
const struct member *roster_by_address(const struct roster *r, ip4 address,
				       enum roster_scope scope);
size_t roster_count(const struct roster *r, enum roster_scope scope);
size_t roster_admins(const struct roster *r); /* current members that are admins */
/*
 * The next one in the order of joining first: for (m = NULL; (m = roster_next(r, m, scope));)
 * visits each once.
 */
const struct member *roster_next(const struct roster *r, const struct member *after,
				 enum roster_scope scope);

/* "nas removed laptop on 2026-11-30 11:02 UTC", of a former member. Returns `ret`. */
const char *member_left_text(const struct roster *r, const struct member *m,
			     char ret[MEMBER_LEFT_TEXT_MAX]);

/* --- what changed --------------------------------------------------------------------------- */

enum roster_change_kind { ROSTER_JOINED, ROSTER_LEFT, ROSTER_ROLE, ROSTER_NAME, ROSTER_KEY };

struct roster_change {
	enum roster_change_kind kind;
	/* As it is now, which may be more changes later: it may have left since it joined. */
	const struct member *member;
	uint64_t seq;		       /* of the log record that did it */
	enum member_role old_role;     /* ROSTER_ROLE */
	const char *old_name;	       /* ROSTER_NAME; lives as long as the roster */
	const uint8_t *old_key_sha256; /* ROSTER_KEY; lives as long as the roster */
};

/*
 * How far a reader has come. All zero: at the start. Changes are only ever added (where the log
 * goes back to an earlier place, those that undo), so a cursor never becomes invalid.
 */
struct roster_cursor {
	size_t next;
};

/* Returns false if nothing has changed since. */
bool roster_next_change(const struct roster *r, struct roster_cursor *c, struct roster_change *ret);
struct roster_cursor roster_now(const struct roster *r); /* behind the newest change */

/* --- for the log ---------------------------------------------------------------------------- */

/*
 * Gets the memory for `changes` more changes, of which at most one brings a new member, name or
 * key. After it those cannot fail. -ENOMEM; -ENOSPC past the limits of proto/limits.h.
 */
int roster_reserve(struct roster *r, size_t changes) MUST_CHECK;

/*
 * `m` joins: all but `index`, key_sha256 and the fields of leaving is taken from it. A former
 * member of the same id becomes one again, in its old struct. The name and the address lead to
 * this one from now on.
 */
const struct member *roster_join(struct roster *r, const struct member *m);

struct roster_leave {
	enum member_left how; /* not LEFT_NOT */
	uint64_t seq, time_s;
	struct node_id by;
};
void roster_leave(struct roster *r, const struct member *m, const struct roster_leave *how);
void roster_set_role(struct roster *r, const struct member *m, enum member_role role, uint64_t seq);
void roster_rename(struct roster *r, const struct member *m, const char *name, uint64_t seq);
void roster_rekey(struct roster *r, const struct member *m, const uint8_t key[KEY_LEN],
		  uint64_t seq, uint64_t time_s);

/*
 * For a log that goes back and on by another way: makes `r` what `target` is, by changes that are
 * added. Members that `target` does not know leave as `how` says, and are found by
 * roster_next only. roster_become cannot fail after roster_reserve_become with the same target.
 */
int roster_reserve_become(struct roster *r, const struct roster *target) MUST_CHECK;
void roster_become(struct roster *r, const struct roster *target, const struct roster_leave *how);

#endif
