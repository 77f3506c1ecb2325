/* SPDX-License-Identifier: MIT */
/* What a node does with what it is given: takes records, proves a fork, denies without order. */
#include "model.h"

/* The last record of a log that used a code up, or NOTHING. */
static uint8_t last_use(const struct world *w, const struct chain *c)
{
	for (int i = c->length - 1; i > 0; i--) {
		enum entry_type type = scene->entries[w->record[c->at[i]].entry].type;

		if (type == RECOVER || type == RENEW)
			return c->at[i];
	}
	return NOTHING;
}

/*
 * A node leaves records that it holds only for a recovery that it could not know: by a later code,
 * or by the same one if ours is the attempt that it supersedes.
 */
static bool leaves_branch_for(const struct world *w, const struct chain *mine, uint8_t record)
{
	struct chain theirs = chain_to(w, record);
	uint8_t codes = roster_of(w, mine).codes, used = roster_of(w, &theirs).codes;
	uint8_t ours = last_use(w, mine), other = last_use(w, &theirs), superseded;

	if (!on(RULE_TAKE_GENERATION))
		return true;
	if (other == NOTHING || scene->entries[w->record[other].entry].type != RECOVER)
		return false;
	if (used != codes)
		return used > codes;
	superseded = scene->entries[w->record[other].entry].entry;
	if (superseded == NOTHING || !on(RULE_RECOVER_SUPERSEDES))
		return false;
	return !on(RULE_TAKE_SUPERSEDED) || w->record[ours].entry == superseded;
}

/* Adds the receipts without which nobody takes the records behind "common". */
static void receipts_wanted(const struct world *w, const struct chain *theirs, int common,
			    struct receipts *wanted)
{
	for (int i = common + 1; i < theirs->length; i++) {
		uint8_t record = theirs->at[i];
		enum entry_type type = scene->entries[w->record[record].entry].type;
		bool last = i == theirs->length - 1;

		if (type == SIGNAL ? !(on(RULE_RECEIPT_KEY_CHANGE) || (last && on(RULE_RECEIPT)))
				   : !(last && on(RULE_RECEIPT)))
			continue;
		if (type == RECOVER && !on(RULE_RECEIPT_RECOVER))
			continue;
		wanted->by[order_key_for(w, record)] |= 1 << record;
	}
}

/* The rule taken out: a node refuses what a member signed whom it denies. */
static bool author_denied(const struct world *w, int node, uint8_t record)
{
	const struct entry *e = &scene->entries[w->record[record].entry];

	return !on(RULE_DENY_KEEPS_RIGHTS) && node_denies(w, node, e->author);
}

/* Whether a node takes the log that ends at a record, from anybody who has such receipts. */
bool node_takes(const struct world *w, int node, uint8_t record, struct receipts have,
		struct receipts *used)
{
	struct chain mine = chain_to(w, w->head[node]);
	struct chain theirs = chain_to(w, record);
	int common = 0;

	while (common + 1 < mine.length && common + 1 < theirs.length &&
	       mine.at[common + 1] == theirs.at[common + 1])
		common++;
	if (common == theirs.length - 1)
		return false;
	if ((common < mine.length - 1 || receipts_prove(w, w->receipts[node])) &&
	    !leaves_branch_for(w, &mine, record))
		return false;
	for (int i = common + 1; i < theirs.length; i++) {
		if (!record_valid(w, &w->record[theirs.at[i]]) ||
		    author_denied(w, node, theirs.at[i]))
			return false;
	}
	*used = (struct receipts){ 0 };
	receipts_wanted(w, &theirs, common, used);
	for (int k = 0; k < ORDER_KEYS; k++) {
		if (used->by[k] & ~have.by[k])
			return false;
	}
	return true;
}

/* Returns the records for which receipts of a key vouch: their own, and by the hashes. */
static uint8_t vouched(const struct world *w, uint8_t receipts, uint8_t key)
{
	uint8_t records = 0;

	for (uint8_t i = 1; i < w->records; i++) {
		if (!has(receipts, i))
			continue;
		records |= 1 << i;
		for (uint8_t r = w->record[i].prev; on(RULE_PROOF_CHAIN) && r != 0;
		     r = w->record[r].prev) {
			if (order_key_for(w, r) != key)
				break;
			records |= 1 << r;
		}
	}
	return records;
}

/* Whether one order key stands behind two records for one (generation, seq). */
bool receipts_prove(const struct world *w, struct receipts receipts)
{
	for (uint8_t k = 0; on(RULE_PROOF_FORK) && k < ORDER_KEYS; k++) {
		uint8_t records = vouched(w, receipts.by[k], k);

		for (uint8_t i = 1; i < w->records; i++) {
			for (uint8_t j = 1; has(records, i) && j < i; j++) {
				if (has(records, j) && w->record[i].seq == w->record[j].seq &&
				    w->record[i].generation == w->record[j].generation)
					return true;
			}
		}
	}
	return false;
}

/* An unordered removal denies as long as it could be ordered next in the node's own log. */
bool node_denies(const struct world *w, int node, int member)
{
	struct chain c = chain_to(w, w->head[node]);
	bool there = has(roster_of(w, &c).members, member);

	for (uint8_t e = 0; on(RULE_DENY) && e < scene->entry_count; e++) {
		if (!there || !has(w->denials[node], e) || !has(scene->entries[e].targets, member))
			continue;
		if (!on(RULE_DENY_ENDS) || entry_valid(w, &c, e, w->base[e]))
			return true;
	}
	return false;
}
