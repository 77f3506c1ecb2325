/* SPDX-License-Identifier: MIT */
/* The members, their indexes, and the list of what happened to them. */
#include "membership/roster.h"

#include <stdlib.h>

#include "base/assert.h"
#include "crypto/hash.h"
#include "membership/internal.h"

/* A log of the greatest length; as much again for what recoveries dropped. */
#define HELD_MAX (2 * LOG_MAX_ENTRIES)

/* A name, key or address that somebody had or has. It is never forgotten. */
struct held {
	struct held *next;     /* spare */
	struct member *holder; /* the newest */
	union {
		char name[LABEL_MAX + 1];
		uint8_t key_sha256[HASH_LEN];
		ip4 address;
	};
	bool dropped; /* only records that a recovery dropped know it */
};

struct change {
	struct member *member;
	const struct held *before; /* the name or key, or NULL */
	uint64_t seq;
	enum roster_change_kind kind;
	enum member_role old_role;
};

struct spare_member {
	struct spare_member *next;
};

struct roster {
	struct member **members; /* in the order of joining first; each its own allocation */
	size_t n_members, cap_members;
	size_t n_current, n_admins;
	struct map *by_id;		      /* -> struct member */
	struct map *names, *keys, *addresses; /* by hash, sha256, address -> struct held */
	struct change *changes;		      /* the oldest first */
	size_t n_changes, cap_changes;
	/* What roster_reserve got and nothing has used. */
	struct spare_member *spare_members;
	struct held *spare_held;
	size_t n_spare_members, n_spare_held;
};

/* --- memory --------------------------------------------------------------------------------- */

struct roster *roster_new(const uint8_t map_seed[16])
{
	struct roster *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->by_id = map_new(map_seed, NODE_ID_LEN, HELD_MAX);
	r->names = map_new(map_seed, HASH_LEN, HELD_MAX);
	r->keys = map_new(map_seed, HASH_LEN, HELD_MAX);
	r->addresses = map_new(map_seed, sizeof(ip4), HELD_MAX);
	if (r->by_id && r->names && r->keys && r->addresses)
		return r;
	roster_free(r);
	return NULL;
}

static void free_spares(struct roster *r)
{
	while (r->spare_members) {
		struct spare_member *next = r->spare_members->next;

		free(r->spare_members);
		r->spare_members = next;
	}
	while (r->spare_held) {
		struct held *next = r->spare_held->next;

		free(r->spare_held);
		r->spare_held = next;
	}
}

static void free_map_and_values(struct map *m)
{
	size_t pos = 0;
	void *value;

	if (!m)
		return;
	while (map_next(m, &pos, &value))
		free(value);
	map_free(m);
}

void roster_free(struct roster *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_members; i++)
		free(r->members[i]);
	free(r->members);
	free(r->changes);
	free_spares(r);
	map_free(r->by_id);
	free_map_and_values(r->names);
	free_map_and_values(r->keys);
	free_map_and_values(r->addresses);
	free(r);
}

/* For n new members, each with a name, a key and an address. */
static int spares_reserve(struct roster *r, size_t n)
{
	for (; r->n_spare_members < n; r->n_spare_members++) {
		struct spare_member *m = calloc(1, sizeof(struct member));

		if (!m)
			return -ENOMEM;
		m->next = r->spare_members;
		r->spare_members = m;
	}
	for (; r->n_spare_held < 3 * n; r->n_spare_held++) {
		struct held *held = calloc(1, sizeof(*held));

		if (!held)
			return -ENOMEM;
		held->next = r->spare_held;
		r->spare_held = held;
	}
	return 0;
}

/* Room for changes, of which `fresh` bring something new. */
static int reserve(struct roster *r, size_t changes, size_t fresh)
{
	int err = array_reserve((void **)&r->changes, r->n_changes, changes, &r->cap_changes,
				sizeof(*r->changes));

	if (err == 0)
		err = array_reserve((void **)&r->members, r->n_members, fresh, &r->cap_members,
				    sizeof(*r->members));
	if (err == 0)
		err = map_reserve(r->by_id, fresh);
	if (err == 0)
		err = map_reserve(r->names, fresh);
	if (err == 0)
		err = map_reserve(r->keys, fresh);
	if (err == 0)
		err = map_reserve(r->addresses, fresh);
	return err < 0 ? err : spares_reserve(r, fresh);
}

int roster_reserve(struct roster *r, size_t changes)
{
	return reserve(r, changes, 1);
}

/* --- indexes -------------------------------------------------------------------------------- */

static void name_hash(const char *name, uint8_t ret[HASH_LEN])
{
	sha256(span_str(name), ret); /* names are longer than a map's keys may be */
}

static struct held *name_find(const struct roster *r, const char *name)
{
	uint8_t hash[HASH_LEN];

	name_hash(name, hash);
	return map_get(r->names, hash);
}

/* A spare one under the key, which is not in the map. */
static struct held *held_take(struct roster *r, struct map *map, const void *key)
{
	struct held *held = r->spare_held;

	r->spare_held = held->next;
	r->n_spare_held--;
	put_reserved(map, key, held);
	return held;
}

static void name_hold(struct roster *r, const char *name, struct member *holder)
{
	uint8_t hash[HASH_LEN];
	struct held *held;

	name_hash(name, hash);
	held = map_get(r->names, hash);
	if (!held) {
		held = held_take(r, r->names, hash);
		memcpy(held->name, name, strlen(name) + 1);
	}
	held->dropped = false;
	held->holder = holder;
}

static void key_hold(struct roster *r, const uint8_t key_sha256[HASH_LEN], struct member *holder)
{
	struct held *held = map_get(r->keys, key_sha256);

	if (!held) {
		held = held_take(r, r->keys, key_sha256);
		memcpy(held->key_sha256, key_sha256, HASH_LEN);
	}
	held->dropped = false;
	held->holder = holder;
}

static void address_hold(struct roster *r, ip4 address, struct member *holder)
{
	struct held *held = map_get(r->addresses, &address);

	if (!held) {
		held = held_take(r, r->addresses, &address);
		held->address = address;
	}
	held->dropped = false;
	held->holder = holder;
}

/* The roster's own, which may be written to. */
static struct member *own(struct roster *r, const struct member *m)
{
	return r->members[m->index];
}

/* A new member with the id, which is not in the roster. It has not joined. */
static struct member *member_take(struct roster *r, const struct node_id *id)
{
	struct spare_member *spare = r->spare_members;
	struct member *m = (struct member *)spare;

	r->spare_members = spare->next;
	r->n_spare_members--;
	*m = (struct member){ .id = *id, .left = LEFT_REMOVED, .index = r->n_members };
	put_reserved(r->by_id, m->id.bytes, m);
	r->members[r->n_members++] = m;
	return m;
}

/* --- questions ------------------------------------------------------------------------------ */

static const struct member *in_scope(const struct member *m, enum roster_scope scope)
{
	return m && (scope == ROSTER_ALL || member_is_current(m)) ? m : NULL;
}

const struct member *roster_by_id(const struct roster *r, const struct node_id *id,
				  enum roster_scope scope)
{
	const struct member *m = map_get(r->by_id, id->bytes);

	return m && !m->dropped ? in_scope(m, scope) : NULL;
}

const struct member *roster_by_key_sha256(const struct roster *r,
					  const uint8_t key_sha256[HASH_LEN],
					  enum roster_scope scope)
{
	const struct held *held = map_get(r->keys, key_sha256);

	if (!held || held->dropped ||
	    (scope == ROSTER_CURRENT &&
	     memcmp(held->holder->key_sha256, key_sha256, HASH_LEN) != 0))
		return NULL;
	return in_scope(held->holder, scope);
}

const struct member *roster_by_name(const struct roster *r, struct span name,
				    enum roster_scope scope)
{
	const struct held *held;
	uint8_t hash[HASH_LEN];

	if (name.len == 0 || name.len > LABEL_MAX)
		return NULL;
	sha256(name, hash);
	held = map_get(r->names, hash);
	if (!held || held->dropped ||
	    (scope == ROSTER_CURRENT && strcmp(held->holder->name, held->name) != 0))
		return NULL;
	return in_scope(held->holder, scope);
}

const struct member *roster_by_address(const struct roster *r, ip4 address, enum roster_scope scope)
{
	const struct held *held = map_get(r->addresses, &address);

	if (!held || held->dropped || (scope == ROSTER_CURRENT && held->holder->address != address))
		return NULL;
	return in_scope(held->holder, scope);
}

size_t roster_count(const struct roster *r, enum roster_scope scope)
{
	return scope == ROSTER_ALL ? r->n_members : r->n_current;
}

size_t roster_admins(const struct roster *r)
{
	return r->n_admins;
}

const struct member *roster_next(const struct roster *r, const struct member *after,
				 enum roster_scope scope)
{
	for (size_t i = after ? after->index + 1 : 0; i < r->n_members; i++)
		if (in_scope(r->members[i], scope))
			return r->members[i];
	return NULL;
}

/* --- what changed --------------------------------------------------------------------------- */

static struct change *change_add(struct roster *r, enum roster_change_kind kind, struct member *m,
				 uint64_t seq)
{
	struct change *c = &r->changes[r->n_changes++];

	*c = (struct change){ .member = m, .seq = seq, .kind = kind };
	return c;
}

bool roster_next_change(const struct roster *r, struct roster_cursor *c, struct roster_change *ret)
{
	const struct change *at;

	if (c->next >= r->n_changes)
		return false;
	at = &r->changes[c->next++];
	*ret = (struct roster_change){
		.kind = at->kind,
		.member = at->member,
		.seq = at->seq,
		.old_role = at->old_role,
		.old_name = at->kind == ROSTER_NAME ? at->before->name : NULL,
		.old_key_sha256 = at->kind == ROSTER_KEY ? at->before->key_sha256 : NULL,
	};
	return true;
}

struct roster_cursor roster_now(const struct roster *r)
{
	return (struct roster_cursor){ r->n_changes };
}

/* --- changes -------------------------------------------------------------------------------- */

static void count(struct roster *r, const struct member *m, int by)
{
	r->n_current += by;
	if (m->role == ROLE_ADMIN)
		r->n_admins += by;
}

const struct member *roster_join(struct roster *r, const struct member *from)
{
	struct member *m = map_get(r->by_id, from->id.bytes);
	size_t index;

	if (!m)
		m = member_take(r, &from->id);
	index = m->index;
	*m = *from;
	m->index = index;
	m->left = LEFT_NOT;
	m->dropped = false;
	m->left_s = m->left_seq = 0;
	m->left_by = (struct node_id){ 0 };
	key_spki_sha256(m->key, m->key_sha256);
	key_hold(r, m->key_sha256, m);
	name_hold(r, m->name, m);
	address_hold(r, m->address, m);
	count(r, m, 1);
	change_add(r, ROSTER_JOINED, m, m->joined_seq);
	return m;
}

void roster_leave(struct roster *r, const struct member *member, const struct roster_leave *how)
{
	struct member *m = own(r, member);

	count(r, m, -1);
	m->left = how->how;
	m->left_seq = how->seq;
	m->left_s = how->time_s;
	m->left_by = how->by;
	change_add(r, ROSTER_LEFT, m, how->seq);
}

void roster_set_role(struct roster *r, const struct member *member, enum member_role role,
		     uint64_t seq)
{
	struct member *m = own(r, member);

	change_add(r, ROSTER_ROLE, m, seq)->old_role = m->role;
	count(r, m, -1);
	m->role = role;
	m->role_seq = seq;
	count(r, m, 1);
}

void roster_rename(struct roster *r, const struct member *member, const char *name, uint64_t seq)
{
	struct member *m = own(r, member);

	change_add(r, ROSTER_NAME, m, seq)->before = name_find(r, m->name);
	memcpy(m->name, name, strlen(name) + 1);
	m->name_seq = seq;
	name_hold(r, name, m);
}

void roster_rekey(struct roster *r, const struct member *member, const uint8_t key[KEY_LEN],
		  uint64_t seq, uint64_t time_s)
{
	struct member *m = own(r, member);

	change_add(r, ROSTER_KEY, m, seq)->before = map_get(r->keys, m->key_sha256);
	memcpy(m->key_before_sha256, m->key_sha256, HASH_LEN);
	memcpy(m->key, key, KEY_LEN);
	key_spki_sha256(key, m->key_sha256);
	m->key_since_s = time_s;
	m->key_seq = seq;
	m->rotations++;
	key_hold(r, m->key_sha256, m);
}

/* --- back, and on by another way ------------------------------------------------------------ */

static size_t greater(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* How many of each kind `target` knows and `r` does not; the greatest. */
static size_t count_missing(const struct roster *r, const struct roster *target)
{
	size_t members = 0, names = 0, keys = 0, addresses = 0, pos;
	void *held;

	for (size_t i = 0; i < target->n_members; i++)
		members += map_get(r->by_id, target->members[i]->id.bytes) == NULL;
	for (pos = 0; map_next(target->names, &pos, &held);)
		names += name_find(r, ((struct held *)held)->name) == NULL;
	for (pos = 0; map_next(target->keys, &pos, &held);)
		keys += map_get(r->keys, ((struct held *)held)->key_sha256) == NULL;
	for (pos = 0; map_next(target->addresses, &pos, &held);)
		addresses += map_get(r->addresses, &((struct held *)held)->address) == NULL;
	return greater(greater(members, names), greater(keys, addresses));
}

int roster_reserve_become(struct roster *r, const struct roster *target)
{
	/* A current member leaves and joins again, or changes role, name and key. */
	return reserve(r, 3 * (r->n_members + target->n_members), count_missing(r, target));
}

/* Does the member stay without leaving and joining again? */
static bool stays(const struct member *m, const struct member *t)
{
	return t && member_is_current(t) && m->address == t->address;
}

static struct roster_leave leave_of(const struct member *t)
{
	return (struct roster_leave){ t->left, t->left_seq, t->left_s, t->left_by };
}

/* First of all, because others take names and addresses of those that leave. */
static void become_leave(struct roster *r, const struct roster *target,
			 const struct roster_leave *how)
{
	for (size_t i = 0; i < r->n_members; i++) {
		struct member *m = r->members[i];
		const struct member *t = roster_by_id(target, &m->id, ROSTER_ALL);
		struct roster_leave left = t && !member_is_current(t) ? leave_of(t) : *how;

		if (member_is_current(m) && !stays(m, t))
			roster_leave(r, m, &left);
		m->dropped = !t;
	}
}

/* `m` is a member in both. */
static void become_alter(struct roster *r, struct member *m, const struct member *t, uint64_t seq)
{
	size_t index = m->index;

	if (m->role != t->role)
		roster_set_role(r, m, t->role, seq);
	if (strcmp(m->name, t->name) != 0)
		roster_rename(r, m, t->name, seq);
	if (memcmp(m->key, t->key, KEY_LEN) != 0)
		roster_rekey(r, m, t->key, seq, t->key_since_s);
	*m = *t;
	m->index = index;
}

/* `m` is a former member in the target; `r` may not know it. */
static void become_former(struct roster *r, struct member *m, const struct member *t)
{
	struct roster_leave left = leave_of(t);
	size_t index;

	if (!m) {
		m = own(r, roster_join(r, t));
		roster_leave(r, m, &left);
	}
	index = m->index;
	*m = *t;
	m->index = index;
}

static void drop_held(struct map *map)
{
	size_t pos = 0;
	void *value;

	while (map_next(map, &pos, &value))
		((struct held *)value)->dropped = true;
}

/* Names, keys and addresses that `target` knows lead to those that they lead to there. */
static void become_index(struct roster *r, const struct roster *target)
{
	size_t pos;
	void *value;

	drop_held(r->names);
	drop_held(r->keys);
	drop_held(r->addresses);

	for (pos = 0; map_next(target->names, &pos, &value);) {
		const struct held *held = value;

		name_hold(r, held->name, map_get(r->by_id, held->holder->id.bytes));
	}
	for (pos = 0; map_next(target->keys, &pos, &value);) {
		const struct held *held = value;

		key_hold(r, held->key_sha256, map_get(r->by_id, held->holder->id.bytes));
	}
	for (pos = 0; map_next(target->addresses, &pos, &value);) {
		const struct held *held = value;

		address_hold(r, held->address, map_get(r->by_id, held->holder->id.bytes));
	}
}

void roster_become(struct roster *r, const struct roster *target, const struct roster_leave *how)
{
	become_leave(r, target, how);
	for (size_t i = 0; i < target->n_members; i++) {
		const struct member *t = target->members[i];
		struct member *m = map_get(r->by_id, t->id.bytes);

		if (!member_is_current(t))
			become_former(r, m, t);
		else if (m && member_is_current(m))
			become_alter(r, m, t, how->seq);
		else
			roster_join(r, t);
	}
	become_index(r, target);
}
