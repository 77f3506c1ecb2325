/* SPDX-License-Identifier: MIT */
/* The rules of validity: what may stand behind a log, and what follows from it. */
#include "model.h"

#include <string.h>

struct chain chain_to(const struct world *w, uint8_t record)
{
	struct chain c = { 0 };
	uint8_t backwards[RECORDS];
	uint8_t n = 0;

	for (;; record = w->record[record].parent) {
		backwards[n++] = record;
		if (record == 0)
			break;
	}
	while (n > 0)
		c.at[c.length++] = backwards[--n];
	return c;
}

/* Returns the record's position in the chain, or -1. */
int chain_find(const struct chain *c, uint8_t record)
{
	for (int i = 0; i < c->length; i++) {
		if (c->at[i] == record)
			return i;
	}
	return -1;
}

/* Two admins and the scene's other members, by entries that are not looked at. */
static void apply_genesis(struct roster *r)
{
	memset(r, 0, sizeof(*r));
	for (int m = 0; m < MEMBERS; m++) {
		r->name[m] = r->address[m] = r->key[m] = (uint8_t)m;
		if (m < scene->members) {
			r->members |= 1 << m;
			r->names |= 1 << m;
			r->addresses |= 1 << m;
			r->keys |= 1 << m;
		}
	}
	r->ever = r->members;
	r->admins = 1 << A | 1 << B;
}

static void leaves(struct roster *r, int m, uint8_t position)
{
	r->members &= ~(1 << m);
	r->admins &= ~(1 << m);
	r->left |= 1 << m;
	r->left_at[m] = position;
}

static void apply_admit(struct roster *r, const struct entry *e, uint8_t address, uint8_t position)
{
	uint8_t m = e->author;

	if (e->target != NOTHING) {
		if (has(r->members, e->target))
			leaves(r, e->target, position);
		r->replaced |= 1 << e->target;
		r->name[m] = r->name[e->target];
		r->address[m] = r->address[e->target];
	} else {
		r->name[m] = e->value;
		r->address[m] = address;
		r->names |= 1 << e->value;
		r->addresses |= address == NOTHING ? 0 : 1 << address;
	}
	r->members |= 1 << m;
	r->ever |= 1 << m;
	r->keys |= 1 << m;
	r->key[m] = m;
	r->joined[m] = r->key_since[m] = r->touched[m] = position;
	r->invites_used |= 1 << e->invite;
}

static void apply_recover(struct roster *r, const struct entry *e, uint8_t position)
{
	r->members |= e->admins;
	r->admins = (on(RULE_RECOVER_RESETS) ? 0 : r->admins) | e->admins;
	for (int m = 0; m < MEMBERS; m++) {
		if (has(e->admins, m) && on(RULE_RECOVER_RESETS))
			r->admin_since[m] = position;
		if (on(RULE_RECOVER_REMOVED) && has(e->targets & r->members, m))
			leaves(r, m, position);
	}
	r->left &= ~r->members;
	if (e->value != NOTHING)
		r->order_key = e->value;
	r->code = e->next;
	r->codes++;
	r->recovered_at = r->signal_at = r->renewed_at = position;
}

static void apply(struct roster *r, const struct entry *e, const struct record *record,
		  uint8_t position)
{
	switch (e->type) {
	case GENESIS:
		apply_genesis(r);
		break;
	case ADMIT:
		apply_admit(r, e, record->address, position);
		break;
	case CANCEL:
		if (e->invite != NOTHING)
			r->invites_cancelled |= 1 << e->invite;
		else
			r->cancelled[e->author] |= 1 << e->entry;
		break;
	case REMOVE:
		for (int m = 0; m < MEMBERS; m++) {
			if (has(e->targets & r->members, m))
				leaves(r, m, position);
		}
		break;
	case PROMOTE:
		r->admins |= 1 << e->target;
		r->admin_since[e->target] = r->promoted[e->target] = position;
		r->touched[e->target] = position;
		break;
	case DEMOTE:
		r->admins &= ~(1 << e->target);
		r->touched[e->target] = position;
		break;
	case RENAME:
		r->name[e->target] = e->value;
		r->names |= 1 << e->value;
		r->renamed[e->target] = r->touched[e->target] = position;
		break;
	case ROTATE:
		r->key[e->author] = e->value;
		r->keys |= 1 << e->value;
		r->key_since[e->author] = r->touched[e->author] = position;
		break;
	case SIGNAL:
		r->order_key = e->value;
		r->signal_at = position;
		break;
	case RENEW:
		r->code = e->next;
		r->codes += on(RULE_RENEW_COUNTS);
		r->renewed_at = position;
		break;
	case RECOVER:
		apply_recover(r, e, position);
		break;
	case SKIPPED:
		break;
	}
}

struct roster roster_of(const struct world *w, const struct chain *c)
{
	struct roster r;

	apply_genesis(&r);
	for (uint8_t i = 1; i < c->length; i++) {
		const struct record *record = &w->record[c->at[i]];

		apply(&r, &scene->entries[record->entry], record, i);
	}
	return r;
}

struct roster roster_at(const struct world *w, uint8_t record)
{
	struct chain c = chain_to(w, record);

	return roster_of(w, &c);
}

/* Whether an admin's right (and key) is the one that they had at base. */
static bool admin_since(const struct roster *r, uint8_t m, int base)
{
	return !on(RULE_AUTHOR_SINCE) || r->admin_since[m] <= base;
}

static bool same_key(const struct roster *r, uint8_t m, int base)
{
	return !on(RULE_AUTHOR_KEY) || r->key_since[m] <= base;
}

static bool admin_valid(const struct roster *r, uint8_t m, int base)
{
	return (!on(RULE_AUTHOR_ADMIN) || has(r->admins, m)) && admin_since(r, m, base);
}

static bool author_valid(const struct roster *r, const struct entry *e, int base)
{
	bool leave = e->type == REMOVE && e->targets == 1 << e->author;

	if (e->type == ADMIT || e->type == RECOVER || e->type == GENESIS)
		return true;
	if (on(RULE_AUTHOR_MEMBER) && !has(r->members, e->author))
		return false;
	if (!same_key(r, e->author, base))
		return false;
	if (e->type == ROTATE || leave)
		return true;
	if (e->type == REMOVE && !on(RULE_REMOVE_LEAVE) && has(e->targets, e->author))
		return true;
	return admin_valid(r, e->author, base);
}

static bool admit_valid(const struct roster *r, const struct entry *e, int base)
{
	if (on(RULE_ADMIT_KEY) ? has(r->keys, e->author) : has(r->members, e->author))
		return false;
	if (on(RULE_INVITE_SPONSOR) &&
	    (!has(r->admins, e->sponsor) || r->admin_since[e->sponsor] > base ||
	     r->key_since[e->sponsor] > base))
		return false;
	if (on(RULE_INVITE_ONCE) && has(r->invites_used, e->invite))
		return false;
	if (on(RULE_INVITE_CANCELLED) && has(r->invites_cancelled, e->invite))
		return false;
	if (on(RULE_INVITE_SERVER) && r->signal_at > base)
		return false;
	if (e->target == NOTHING)
		return !on(RULE_ADMIT_NAME) || !has(r->names, e->value);
	if (!has(r->ever, e->target) || (on(RULE_REPLACE_ONCE) && has(r->replaced, e->target)))
		return false;
	return !on(RULE_REPLACE_LEFT) || r->left_at[e->target] <= base;
}

/* First by the code that is used, then by the attempts with it. */
uint8_t recover_generation(int code, const struct entry *e)
{
	return (uint8_t)(2 * code + (on(RULE_RECOVER_SUPERSEDES) && e->entry != NOTHING));
}

/* A code that a log has not seen signs only if the attempt before, which names it, comes along. */
static bool recover_valid(const struct roster *r, const struct entry *e, int base, int end)
{
	uint8_t code = e->code;

	if (e->entry != NOTHING && on(RULE_RECOVER_SUPERSEDES)) {
		const struct entry *first = &scene->entries[e->entry];

		if (first->next != code)
			return false;
		code = first->code;
	}
	if (on(RULE_RECOVER_KEY) && code != r->code)
		return false;
	if (on(RULE_RECOVER_HEAD) && base != end)
		return false;
	return !on(RULE_RECOVER_ADMINS) || (e->admins != 0 && (e->admins & ~r->ever) == 0 &&
					    (e->admins & (e->targets | r->replaced)) == 0);
}

static bool cancel_valid(const struct roster *r, const struct entry *e)
{
	if (!on(RULE_CANCEL_OPEN))
		return true;
	if (e->invite == NOTHING)
		return !has(r->cancelled[e->author], e->entry);
	return !has(r->invites_used | r->invites_cancelled, e->invite);
}

static bool removal_cancelled(const struct roster *r, uint8_t entry)
{
	for (uint8_t m = 0; m < MEMBERS; m++) {
		bool own = !on(RULE_CANCEL_OWN) || scene->entries[entry].author == m;

		if (own && has(r->cancelled[m], entry))
			return on(RULE_REMOVE_CANCELLED);
	}
	return false;
}

static bool remove_valid(const struct roster *r, uint8_t entry)
{
	const struct entry *e = &scene->entries[entry];

	return (!on(RULE_REMOVE_NOOP) || (e->targets & r->members) != 0) &&
	       !removal_cancelled(r, entry);
}

static bool name_free(const struct roster *r, const struct entry *e)
{
	return !on(RULE_ADMIT_NAME) || !has(r->names, e->value);
}

static bool renew_valid(const struct roster *r, const struct entry *e, int base)
{
	if (on(RULE_RENEW_TWO) && (e->second == NOTHING || e->second == e->author))
		return false;
	if (e->second != NOTHING &&
	    (!admin_valid(r, e->second, base) || !same_key(r, e->second, base)))
		return false;
	return !on(RULE_RENEW_UNCHANGED) || r->renewed_at <= base;
}

static bool type_valid(const struct roster *r, uint8_t entry, int base, int end)
{
	const struct entry *e = &scene->entries[entry];
	bool there = has(r->members, e->target);

	switch (e->type) {
	case GENESIS:
		return !on(RULE_GENESIS);
	case ADMIT:
		return admit_valid(r, e, base);
	case CANCEL:
		return cancel_valid(r, e);
	case REMOVE:
		return remove_valid(r, entry);
	case PROMOTE:
		return there && !has(r->admins, e->target) &&
		       (!on(RULE_PROMOTE_UNCHANGED) || r->touched[e->target] <= base);
	case DEMOTE:
		return there && has(r->admins, e->target) &&
		       (!on(RULE_DEMOTE_UNCHANGED) || r->promoted[e->target] <= base);
	case RENAME:
		return there && name_free(r, e) &&
		       (!on(RULE_RENAME_UNCHANGED) || r->renamed[e->target] <= base);
	case ROTATE:
		return (!on(RULE_ROTATE_SIGNED) || e->old_key) &&
		       (!on(RULE_ADMIT_KEY) || !has(r->keys, e->value));
	case SIGNAL:
		return !on(RULE_SIGNAL_UNCHANGED) || r->signal_at <= base;
	case RENEW:
		return renew_valid(r, e, base);
	case RECOVER:
		return recover_valid(r, e, base, end);
	case SKIPPED:
		return true;
	}
	return false;
}

/* Whether the entry could be ordered next behind the chain, but for "an admin must remain". */
bool entry_valid(const struct world *w, const struct chain *c, uint8_t entry, uint8_t base)
{
	struct roster r = roster_of(w, c);
	const struct entry *e = &scene->entries[entry];
	int end = c->length - 1;
	int position = chain_find(c, base);

	if (position < 0) {
		if (on(RULE_BASE))
			return false;
		position = end;
	}
	if (on(RULE_BASE_GENERATION) && position < r.recovered_at)
		return false;
	return author_valid(&r, e, position) && type_valid(&r, entry, position, end);
}

static bool order_valid(const struct world *w, const struct chain *c, const struct record *r)
{
	const struct record *before = &w->record[r->parent];
	const struct entry *e = &scene->entries[r->entry];
	struct roster roster = roster_of(w, c);
	uint8_t generation = before->generation;
	bool wants_address = e->type == ADMIT && e->target == NOTHING;

	if (e->type == RECOVER)
		generation = recover_generation(roster.codes + 1, e);
	if (on(RULE_CHAIN_SEQ) && r->seq != before->seq + 1)
		return false;
	if (on(RULE_CHAIN_PREV) && r->prev != r->parent)
		return false;
	if (on(RULE_CHAIN_GENERATION) && r->generation != generation)
		return false;
	return !on(RULE_ADMIT_ADDRESS) ||
	       (wants_address ? r->address != NOTHING && !has(roster.addresses, r->address)
			      : r->address == NOTHING);
}

bool record_valid(const struct world *w, const struct record *r)
{
	struct chain c = chain_to(w, r->parent);
	struct roster after;

	for (int i = 1; on(RULE_ONCE) && i < c.length; i++) {
		const struct record *before = &w->record[c.at[i]];

		if (before->entry == r->entry && before->base == r->base)
			return false;
	}
	if (!entry_valid(w, &c, r->entry, r->base) || !order_valid(w, &c, r))
		return false;
	after = roster_of(w, &c);
	apply(&after, &scene->entries[r->entry], r, c.length);
	return !on(RULE_ADMIN_REMAINS) || after.admins != 0;
}

/* Returns the order key whose receipt a record wants. */
uint8_t order_key_for(const struct world *w, uint8_t record)
{
	const struct record *r = &w->record[record];
	const struct entry *e = &scene->entries[r->entry];

	if (e->type == RECOVER && e->value != NOTHING)
		return e->value;
	return roster_at(w, r->parent).order_key;
}
