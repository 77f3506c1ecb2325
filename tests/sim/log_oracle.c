/* SPDX-License-Identifier: MIT */
/* What a log must say, computed in the plainest way. */
#include "log_oracle.h"

static struct oracle_member *oracle_find(struct oracle *o, const struct node_id *id)
{
	for (size_t i = 0; i < o->n_members; i++)
		if (node_id_equal(&o->member[i].id, id))
			return &o->member[i];
	return NULL;
}

static struct oracle_member *oracle_current(struct oracle *o, const struct node_id *id)
{
	struct oracle_member *m = oracle_find(o, id);

	ck_assert(m && m->current);
	return m;
}

static void oracle_new_key(struct oracle *o, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < o->n_keys; i++)
		ck_assert_mem_ne(o->key[i], key, KEY_LEN);
	ck_assert_uint_lt(o->n_keys, ORACLE_MAX);
	memcpy(o->key[o->n_keys++], key, KEY_LEN);
}

/* Nobody else has it or ever had it. */
static void oracle_new_name(struct oracle *o, const char *name, struct node_id owner)
{
	for (size_t i = 0; i < o->n_names; i++) {
		if (strcmp(o->name[i].text, name) != 0)
			continue;
		ck_assert_msg(node_id_equal(&o->name[i].owner, &owner), "%s is another's", name);
		return;
	}
	ck_assert_uint_lt(o->n_names, ORACLE_MAX);
	strcpy(o->name[o->n_names].text, name);
	o->name[o->n_names++].owner = owner;
}

static void oracle_new_address(struct oracle *o, ip4 address)
{
	for (size_t i = 0; i < o->n_addresses; i++)
		ck_assert_uint_ne(o->address[i], address);
	ck_assert_uint_lt(o->n_addresses, ORACLE_MAX);
	o->address[o->n_addresses++] = address;
}

static struct oracle_member *oracle_join(struct oracle *o, struct node_id id,
					 const uint8_t key[KEY_LEN])
{
	struct oracle_member *m = &o->member[o->n_members++];

	ck_assert_uint_lt(o->n_members, ORACLE_MAX);
	oracle_new_key(o, key);
	*m = (struct oracle_member){ .id = id, .current = true };
	memcpy(m->key, key, KEY_LEN);
	return m;
}

static void oracle_genesis(struct oracle *o, const struct genesis *g)
{
	struct node_id id = key_node_id(g->key);
	struct oracle_member *m = oracle_join(o, id, g->key);

	m->admin = true;
	m->address = g->address;
	snprintf(m->name, sizeof(m->name), "%s", g->node_name);
	oracle_new_name(o, g->node_name, id);
	oracle_new_address(o, g->address);
}

/* Takes over the name and the address of a member, whose membership ends if it has not. */
static void oracle_replace(struct oracle *o, struct oracle_member *heir, const struct node_id *of)
{
	struct oracle_member *old = oracle_find(o, of);

	ck_assert_ptr_nonnull(old);
	old->current = false;
	heir->address = old->address;
	snprintf(heir->name, sizeof(heir->name), "%s", old->name);
	for (size_t i = 0; i < o->n_names; i++)
		if (strcmp(o->name[i].text, old->name) == 0)
			o->name[i].owner = heir->id;
}

static void oracle_admit(struct oracle *o, const struct order *at, const struct entry *e)
{
	const struct invite *inv = &e->admit.invite_decoded;
	struct oracle_member *m;

	ck_assert(oracle_current(o, &inv->sponsor)->admin);
	m = oracle_join(o, e->author, e->admit.key);
	if (inv->replaces) {
		oracle_replace(o, m, &inv->replace);
		return;
	}
	m->address = at->address;
	snprintf(m->name, sizeof(m->name), "%s", e->admit.node_name);
	oracle_new_name(o, m->name, m->id);
	oracle_new_address(o, at->address);
}

static void oracle_remove(struct oracle *o, const struct entry *e)
{
	const struct id_list *ids = &e->remove;

	if (ids->n != 1 || !node_id_equal(&ids->id[0], &e->author))
		ck_assert(oracle_current(o, &e->author)->admin);
	for (size_t i = 0; i < ids->n; i++)
		oracle_find(o, &ids->id[i])->current = false;
}

static void oracle_recover(struct oracle *o, const struct recover *c)
{
	static const struct node_id nobody;

	for (size_t i = 0; i < o->n_members; i++)
		o->member[i].admin = false;
	for (size_t i = 0; i < c->removed.n; i++)
		oracle_find(o, &c->removed.id[i])->current = false;
	for (size_t i = 0; i < c->admins.n; i++) {
		struct oracle_member *m = oracle_find(o, &c->admins.id[i]);

		m->current = m->admin = true;
	}
	for (size_t i = 0; i < c->n_reserved; i++) {
		oracle_new_name(o, c->reserved[i].name, nobody);
		if (c->reserved[i].address)
			oracle_new_address(o, c->reserved[i].address);
	}
}

static void oracle_entry(struct oracle *o, const struct order *at, const struct entry *e)
{
	struct oracle_member *m;

	o->seen[e->type]++;
	switch (e->type) {
	case ENTRY_GENESIS:
		oracle_genesis(o, &e->genesis);
		return;
	case ENTRY_ADMIT:
		oracle_admit(o, at, e);
		return;
	case ENTRY_REMOVE:
		oracle_remove(o, e);
		return;
	case ENTRY_RECOVER:
		oracle_recover(o, &e->recover);
		return;
	case ENTRY_ROTATE:
		m = oracle_current(o, &e->author);
		oracle_new_key(o, e->rotate.key);
		memcpy(m->key, e->rotate.key, KEY_LEN);
		return;
	case ENTRY_RENEW:
		if (e->renew.by_code)
			return;
		ck_assert(oracle_current(o, &e->renew.second)->admin);
		break;
	default:
		break;
	}
	ck_assert(oracle_current(o, &e->author)->admin);
	if (e->type == ENTRY_PROMOTE || e->type == ENTRY_DEMOTE) {
		m = oracle_current(o, e->type == ENTRY_PROMOTE ? &e->promote.id : &e->demote.id);
		m->admin = e->type == ENTRY_PROMOTE;
	}
	if (e->type == ENTRY_RENAME) {
		m = oracle_current(o, &e->rename.id);
		oracle_new_name(o, e->rename.name, m->id);
		snprintf(m->name, sizeof(m->name), "%s", e->rename.name);
	}
}

static void oracle_compare(const struct oracle *o, const struct roster *r)
{
	size_t current = 0, admins = 0;

	for (size_t i = 0; i < o->n_members; i++) {
		const struct oracle_member *m = &o->member[i];
		const struct member *is = roster_by_id(r, &m->id, ROSTER_CURRENT);

		ck_assert_msg(!!is == m->current, "%s", m->name);
		if (!is)
			continue;
		ck_assert_str_eq(is->name, m->name);
		ck_assert_uint_eq(is->address, m->address);
		ck_assert_mem_eq(is->key, m->key, KEY_LEN);
		ck_assert_msg((is->role == ROLE_ADMIN) == m->admin, "%s", m->name);
		current++;
		admins += m->admin;
	}
	ck_assert_uint_eq(roster_count(r, ROSTER_CURRENT), current);
	ck_assert_uint_ge(admins, 1);
}

void oracle_check(const struct mlog *l, struct oracle *ret)
{
	static struct oracle o; /* large */
	uint64_t time_s = 0;
	struct record r;
	struct entry e;

	memset(&o, 0, sizeof(o));
	for (uint64_t seq = 0; mlog_get(l, seq, &r, &e) == 0; seq++) {
		oracle_entry(&o, &r.order, &e);
		ck_assert(e.type == ENTRY_RECOVER || r.order.time_s >= time_s || seq == 0);
		time_s = r.order.time_s;
	}
	oracle_compare(&o, mlog_roster(l));
	if (ret)
		*ret = o;
}
