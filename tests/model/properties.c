/* SPDX-License-Identifier: MIT */
/* What must hold in every state, by the logs themselves. Nothing here asks the rules. */
#include "model.h"

#include <stdio.h>
#include <string.h>

static const struct entry *entry_of(const struct world *w, uint8_t record)
{
	return &scene->entries[w->record[record].entry];
}

static struct roster roster_before(const struct world *w, const struct chain *c, int position)
{
	struct chain before = *c;

	before.length = (uint8_t)position;
	return roster_of(w, &before);
}

static bool unique(const struct roster *r)
{
	for (int m = 0; m < MEMBERS; m++) {
		for (int n = 0; n < m; n++) {
			if (has(r->members, m) && has(r->members, n) &&
			    (r->name[m] == r->name[n] || r->key[m] == r->key[n] ||
			     r->address[m] == r->address[n]))
				return false;
		}
	}
	return true;
}

/* Whether a record ends a right or a key that a member had before it. */
static bool interrupts(const struct entry *e, uint8_t member)
{
	return (e->type == DEMOTE && e->target == member) || e->type == RECOVER ||
	       (e->type == REMOVE && has(e->targets, member)) ||
	       (e->type == ADMIT && e->target == member) ||
	       (e->type == ROTATE && e->author == member);
}

/* Whether an earlier record alters what a later one is about. */
static bool overrides(const struct entry *later, const struct entry *earlier)
{
	switch (later->type) {
	case PROMOTE:
		return ((earlier->type == PROMOTE || earlier->type == DEMOTE ||
			 earlier->type == RENAME) &&
			earlier->target == later->target) ||
		       (earlier->type == ROTATE && earlier->author == later->target);
	case DEMOTE:
		return earlier->type == PROMOTE && earlier->target == later->target;
	case RENAME:
		return earlier->type == RENAME && earlier->target == later->target;
	case ADMIT:
		return earlier->type == SIGNAL ||
		       (earlier->type == REMOVE && has(earlier->targets, later->target));
	case SIGNAL:
	case RENEW:
		return earlier->type == later->type || earlier->type == RECOVER;
	case RECOVER:
		return true;
	case GENESIS:
	case CANCEL:
	case REMOVE:
	case ROTATE:
	case SKIPPED:
		return false;
	}
}

/* To leave and to change one's key takes no right. */
static bool wants_no_right(const struct entry *e)
{
	return e->type == ROTATE || (e->type == REMOVE && e->targets == 1 << e->author);
}

static const char *against_between(const struct entry *e, const struct entry *between)
{
	uint8_t who = e->type == ADMIT ? e->sponsor : e->author;

	if (between->type == RECOVER && e->type != RECOVER)
		return "what was signed before a recovery was ordered behind it";
	if (e->type != RECOVER && interrupts(between, who) &&
	    !(between->type == DEMOTE && wants_no_right(e)))
		return "what was signed under a right or key that ended was ordered later";
	if (e->type == RENEW && interrupts(between, e->second))
		return "the second signature is under a right or key that ended";
	if (overrides(e, between))
		return "an entry undid what its author had not seen";
	if (e->type == ADMIT && between->type == CANCEL && between->invite == e->invite)
		return "a cancelled invite admitted somebody";
	return NULL;
}

static bool changes_something(const struct world *w, const struct chain *c, int position)
{
	struct roster a = roster_before(w, c, position);
	struct roster b = roster_before(w, c, position + 1);
	enum entry_type type = entry_of(w, c->at[position])->type;

	/* The signer of the first two confirms what is in force. */
	return type == SIGNAL || type == RENEW || type == SKIPPED || a.members != b.members ||
	       a.admins != b.admins || a.replaced != b.replaced ||
	       memcmp(a.name, b.name, sizeof(a.name)) != 0 ||
	       memcmp(a.key, b.key, sizeof(a.key)) != 0 || a.invites_used != b.invites_used ||
	       a.invites_cancelled != b.invites_cancelled ||
	       memcmp(a.cancelled, b.cancelled, sizeof(a.cancelled)) != 0 || a.code != b.code;
}

static const char *against_earlier(const struct world *w, const struct chain *c, int position)
{
	const struct entry *e = entry_of(w, c->at[position]);

	for (int i = 1; i < position; i++) {
		const struct entry *earlier = entry_of(w, c->at[i]);

		if (e == earlier && w->record[c->at[i]].base == w->record[c->at[position]].base)
			return "an entry is in the log twice";
		if (e->type == ADMIT && earlier->type == ADMIT && earlier->invite == e->invite)
			return "an invite admitted twice";
		if (e->type == CANCEL && earlier->type == ADMIT && earlier->invite == e->invite)
			return "a used invite was cancelled";
		if (e->type == REMOVE && earlier->type == CANCEL && earlier->author == e->author &&
		    scene->entries + earlier->entry == e && earlier->invite == NOTHING)
			return "a removal was ordered that its author had cancelled";
	}
	return NULL;
}

static const char *against_recover(const struct roster *after, const struct entry *e)
{
	if (after->admins != e->admins)
		return "somebody whom the recovery did not name is an admin";
	if (after->members & e->targets)
		return "a recovery left somebody in whom it removed";
	return NULL;
}

static const char *against_record(const struct world *w, const struct chain *c, int position)
{
	const struct record *r = &w->record[c->at[position]];
	const struct entry *e = entry_of(w, c->at[position]);
	struct roster before = roster_before(w, c, position);
	struct roster after = roster_before(w, c, position + 1);
	int base = chain_find(c, r->base);
	const char *bad = against_earlier(w, c, position);

	if (bad)
		return bad;
	if (e->wrong)
		return "a log holds what nobody may do";
	if (base < 0 || base >= position)
		return "an author's view is not in the log";
	if (e->type != RECOVER && e->type != ADMIT && has(before.left, e->author))
		return "somebody who is out signed a record";
	if (e->type == ADMIT && has(before.left, e->sponsor))
		return "an invite of somebody who is out admitted a machine";
	if (after.admins == 0)
		return "a cluster has no admin";
	if (e->type == ADMIT && e->target == NOTHING &&
	    (r->address == NOTHING || has(before.addresses, r->address)))
		return "an address was given twice";
	if (e->type == ADMIT && e->target == NOTHING && has(before.names, e->value))
		return "a name was given twice";
	if (e->type != ADMIT && r->address != NOTHING)
		return "an address was used up for nothing";
	if (!changes_something(w, c, position))
		return "a record takes room and does nothing";
	for (int i = base + 1; i < position; i++) {
		bad = against_between(e, entry_of(w, c->at[i]));
		if (bad)
			return bad;
	}
	return e->type == RECOVER ? against_recover(&after, e) : NULL;
}

static const char *against_log(const struct world *w, int node)
{
	struct chain c = chain_to(w, w->head[node]);
	struct roster r = roster_of(w, &c);

	if (w->seen_out[node] & r.members)
		return "a removed node came back";
	if (!unique(&r))
		return "two members share a name, key or address";
	for (int i = 1; i < c.length; i++) {
		const char *bad = against_record(w, &c, i);

		if (bad)
			return bad;
		if (has(w->renewed, node) && entry_of(w, c.at[i])->stolen)
			return "a code recovers although a renew had ended it";
	}
	return NULL;
}

/* Returns the number of the code that a record used up, or 0. */
static uint8_t code_used(const struct world *w, uint8_t record)
{
	switch (entry_of(w, record)->type) {
	case RECOVER:
	case RENEW:
		return roster_at(w, w->record[record].parent).codes + 1;
	case GENESIS:
	case ADMIT:
	case CANCEL:
	case REMOVE:
	case PROMOTE:
	case DEMOTE:
	case RENAME:
	case ROTATE:
	case SIGNAL:
	case SKIPPED:
		return 0;
	}
}

/* Whether a record is the next attempt of what another one is. */
static bool supersedes(const struct world *w, uint8_t record, uint8_t earlier)
{
	return entry_of(w, record)->type == RECOVER &&
	       entry_of(w, record)->entry == w->record[earlier].entry;
}

/* Whether two logs show that one recovery code was used for two things. */
static bool code_used_twice(const struct world *w, int a, int b)
{
	struct chain one = chain_to(w, w->head[a]), two = chain_to(w, w->head[b]);

	for (int i = 1; i < one.length; i++) {
		uint8_t code = code_used(w, one.at[i]);

		for (int j = 1; code && j < two.length; j++) {
			if (code == code_used(w, two.at[j]) &&
			    w->record[one.at[i]].entry != w->record[two.at[j]].entry &&
			    !supersedes(w, one.at[i], two.at[j]) &&
			    !supersedes(w, two.at[j], one.at[i]))
				return true;
		}
	}
	return false;
}

/* Logs that talk become one, or one of the two has something to show. */
static const char *against_pair(const struct world *w, int a, int b)
{
	struct receipts both = { 0 }, used;

	for (int k = 0; k < ORDER_KEYS; k++)
		both.by[k] = w->receipts[a].by[k] | w->receipts[b].by[k];
	if (code_used_twice(w, a, b))
		return scene->thief ? NULL : "an owner is said to have used a code twice";
	if (w->head[a] == w->head[b] || receipts_prove(w, both) ||
	    node_takes(w, a, w->head[b], w->receipts[b], &used) ||
	    node_takes(w, b, w->head[a], w->receipts[a], &used))
		return NULL;
	return "two logs differ, and nobody has proof";
}

/* Whether an author may still say what they said: their right and key are those of then. */
static bool stands(const struct world *w, const struct chain *c, uint8_t entry)
{
	const struct entry *e = &scene->entries[entry];
	struct roster r = roster_of(w, c);
	struct chain then = chain_to(w, w->base[entry]);
	bool leave = e->targets == 1 << e->author;

	if (!has(leave ? r.members : r.admins, e->author))
		return false;
	for (int i = 1; i < then.length; i++) {
		if (chain_find(c, then.at[i]) < 0 && interrupts(entry_of(w, then.at[i]), e->author))
			return false; /* a key that this log does not know */
	}
	for (int i = 1; i < c->length; i++) {
		const struct entry *later = entry_of(w, c->at[i]);

		if (chain_find(&then, c->at[i]) >= 0)
			continue;
		if ((interrupts(later, e->author) && !(leave && later->type == DEMOTE)) ||
		    (later->type == CANCEL && later->author == e->author && later->entry == entry))
			return false;
	}
	return true;
}

static const char *against_denials(const struct world *w, int node)
{
	struct chain c = chain_to(w, w->head[node]);
	struct roster r = roster_of(w, &c);

	for (uint8_t m = 0; m < MEMBERS; m++) {
		bool said = false, binds = false;

		for (uint8_t e = 0; e < scene->entry_count; e++) {
			if (scene->entries[e].type != REMOVE || !has(w->heard[node], e) ||
			    !has(scene->entries[e].targets, m) || !stands(w, &c, e))
				continue;
			said = true;
			/* A liar may name a base that this log cannot have. */
			binds = binds || has(scene->honest, scene->entries[e].author) ||
				chain_find(&c, w->base[e]) >= 0;
		}
		if (node_denies(w, node, m) && !said)
			return "a node denies somebody on nobody's word";
		if (!node_denies(w, node, m) && binds && has(r.members, m))
			return "a removal was heard and does not deny";
	}
	if (has(w->stopped, node) && has(r.members, node))
		return "a member stopped for a word";
	return NULL;
}

static const char *against_server(const struct world *w)
{
	struct receipts all = { 0 };

	for (int n = 0; n < NODES; n++) {
		for (int k = 0; k < ORDER_KEYS; k++)
			all.by[k] |= w->receipts[n].by[k];
	}
	if (!w->accepted && receipts_prove(w, all))
		return "an honest server is proven to lie";
	if (w->ordered_on_branch)
		return "a server ordered on although it had seen another branch";
	return NULL;
}

const char *broken(const struct world *w)
{
	const char *bad = scene->honest_server ? against_server(w) : NULL;

	for (int n = 0; !bad && n < NODES; n++) {
		if (!has(scene->honest, n))
			continue;
		bad = against_log(w, n);
		if (!bad && scene->denies)
			bad = against_denials(w, n);
		for (int m = 0; !bad && m < n; m++) {
			if (has(scene->honest, m))
				bad = against_pair(w, n, m);
		}
	}
	if (bad)
		fprintf(stderr, "BROKEN: %s\n", bad);
	return bad;
}
