/* SPDX-License-Identifier: MIT */
/* What may happen next: signing, ordering, telling, crashes. A choice is one number. */
#include "model.h"

#include <stdio.h>
#include <string.h>

#define SAY(...)                                                                                   \
	do {                                                                                       \
		if (tracing)                                                                       \
			fprintf(stderr, __VA_ARGS__);                                              \
	} while (0)

uint16_t entries_ordered;

static const struct receipts everything = { { 0xff, 0xff } };

/* What a server may choose when it orders, each below its limit. What a rule would refuse
 * anyway is left out while that rule is in force. */
enum choice { ENTRY, BASE, PARENT, PREV, SEQ, GENERATION, ADDRESS, VARIANT, CHOICES };
enum { ADDRESS_FIRST = 6, ADDRESSES = 3, UNUSUAL = 0xfe };
enum { NO_MOVE = 0x7ffffffe };

static void order_limits(const struct world *w, int limit[CHOICES])
{
	limit[ENTRY] = scene->entry_count;
	limit[BASE] = scene->single ? w->records : 1;
	limit[PARENT] = scene->single || scene->honest_server ? 1 : w->records;
	limit[PREV] = on(RULE_CHAIN_PREV) ? 1 : w->records;
	limit[SEQ] = on(RULE_CHAIN_SEQ) ? 1 : 2;
	limit[GENERATION] = on(RULE_CHAIN_GENERATION) ? 1 : 2;
	limit[ADDRESS] = ADDRESSES + 1;
	limit[VARIANT] = scene->variants ? 2 : 1;
}

static uint8_t right_generation(const struct world *w, const struct record *r)
{
	const struct entry *e = &scene->entries[r->entry];

	if (e->type != RECOVER)
		return w->record[r->parent].generation;
	return recover_generation(roster_at(w, r->parent).codes + 1, e);
}

/* Returns the address for a choice, or UNUSUAL where the rule, or another choice, covers it. */
static uint8_t address(const struct world *w, const struct record *r, int choice)
{
	const struct entry *e = &scene->entries[r->entry];
	uint8_t chosen = choice == ADDRESSES ? NOTHING : (uint8_t)(ADDRESS_FIRST + choice);
	struct roster roster;

	if (!on(RULE_ADMIT_ADDRESS))
		return chosen;
	if (e->type != ADMIT || e->target != NOTHING)
		return chosen == NOTHING ? NOTHING : UNUSUAL;
	roster = roster_at(w, r->parent);
	if (chosen == NOTHING || has(roster.addresses, chosen) ||
	    (choice > 0 && !has(roster.addresses, chosen - 1)))
		return UNUSUAL;
	return chosen;
}

static bool somebody_took(const struct world *w)
{
	for (int n = 0; n < NODES; n++) {
		if (w->head[n] != 0)
			return true;
	}
	return false;
}

static bool order_possible(const struct world *w, int move, struct record *r)
{
	int limit[CHOICES], pick[CHOICES];
	const struct entry *e;

	order_limits(w, limit);
	for (int i = 0; i < CHOICES; i++) {
		pick[i] = move % limit[i];
		move /= limit[i];
	}
	if (move != 0 || w->records >= scene->records || (scene->lies_ready && somebody_took(w)))
		return false;
	*r = (struct record){ .entry = (uint8_t)pick[ENTRY] };
	e = &scene->entries[r->entry];
	if (e->without != RULE_NONE && on(e->without))
		return false;
	r->base = scene->signs ? w->base[pick[ENTRY]] : (uint8_t)pick[BASE];
	if (r->base == NOTHING)
		return false;
	r->parent = scene->single	   ? w->records - 1
		    : scene->honest_server ? w->memory
					   : (uint8_t)pick[PARENT];
	r->prev = on(RULE_CHAIN_PREV) ? r->parent : (uint8_t)pick[PREV];
	r->seq = (uint8_t)(w->record[r->parent].seq + 1 + pick[SEQ]);
	r->generation = (uint8_t)(right_generation(w, r) + pick[GENERATION]);
	r->address = address(w, r, pick[ADDRESS]);
	if (r->address == UNUSUAL)
		return false;
	r->variant = (uint8_t)pick[VARIANT];
	if (r->variant && e->type != RECOVER)
		return false;
	/* Of the ways to number a tree, one. */
	if (scene->lies_ready && w->records > 1 &&
	    r->parent * ENTRIES + r->entry <
		    w->record[w->records - 1].parent * ENTRIES + w->record[w->records - 1].entry)
		return false;
	for (int i = 1; i < w->records; i++) {
		if (memcmp(&w->record[i], r, sizeof(*r)) == 0)
			return false;
	}
	if (scene->honest_server && ((w->waits && on(RULE_SERVE_RESTORED_WAITS)) ||
				     (w->saw_branch && on(RULE_SERVE_BRANCH_STOPS))))
		return false;
	return record_valid(w, r);
}

static void see(struct world *w, int node)
{
	struct chain c = chain_to(w, w->head[node]);
	struct roster r = roster_of(w, &c);

	for (int i = 1; i < c.length; i++) {
		const struct entry *e = &scene->entries[w->record[c.at[i]].entry];

		if (e->type == RECOVER)
			w->seen_out[node] &= ~(e->admins | e->back);
		if (e->type == RENEW)
			w->renewed |= 1 << node;
	}
	w->seen_out[node] |= r.left;
}

static void take(struct world *w, int node, uint8_t record, const struct receipts *used)
{
	w->head[node] = record;
	for (int k = 0; k < ORDER_KEYS; k++)
		w->receipts[node].by[k] |= used->by[k];
	see(w, node);
}

static void order(struct world *w, int move)
{
	struct record r;

	if (!order_possible(w, move, &r))
		return;
	w->record[w->records] = r;
	entries_ordered |= 1 << r.entry;
	SAY("record %d: %s; base %d, behind %d, prev %d, seq %d, generation %d, address %d\n",
	    w->records, scene->entries[r.entry].words, r.base, r.parent, r.prev, r.seq,
	    r.generation, r.address);
	if (scene->honest_server) {
		w->memory = w->records;
		w->ordered_on_branch = w->saw_branch;
	}
	w->records++;
	if (scene->single) {
		w->head[A] = w->records - 1;
		see(w, A);
	}
}

static bool deliver_possible(const struct world *w, int move, struct receipts *used)
{
	int node = move / RECORDS;
	uint8_t record = (uint8_t)(move % RECORDS);
	struct chain server;

	if (node >= NODES || record >= w->records || !has(scene->honest, node) || scene->single)
		return false;
	if (scene->honest_server) {
		server = chain_to(w, on(RULE_SERVE_COMMIT_FIRST) ? w->database : w->memory);
		if (chain_find(&server, record) < 0)
			return false;
		if (on(LIMIT_ADMIN_LAGS) && node != A && node_takes(w, A, record, everything, used))
			return false; /* an admin hears of everything first */
	}
	return node_takes(w, node, record, everything, used);
}

static void deliver(struct world *w, int move)
{
	struct receipts used;

	if (!deliver_possible(w, move, &used))
		return;
	SAY("node %d takes the log that ends at record %d\n", move / RECORDS, move % RECORDS);
	take(w, move / RECORDS, (uint8_t)(move % RECORDS), &used);
}

/* The oldest base that will do: any node that knows author and targets can hold the removal. */
static uint8_t oldest_base(const struct world *w, const struct entry *e)
{
	struct chain c = chain_to(w, w->head[e->author]);
	struct roster r = roster_of(w, &c);
	uint8_t position = r.recovered_at;

	if (r.admin_since[e->author] > position && has(r.admins, e->author))
		position = r.admin_since[e->author];
	if (r.key_since[e->author] > position)
		position = r.key_since[e->author];
	for (int m = 0; m < MEMBERS; m++) {
		if (has(e->targets, m) && r.joined[m] > position)
			position = r.joined[m];
	}
	return c.at[position];
}

/* Honest authors sign what their own log allows, with its head as base; others as they like. */
static bool sign_possible(const struct world *w, int move)
{
	int number = move / RECORDS;
	uint8_t base = (uint8_t)(move % RECORDS);
	const struct entry *e = &scene->entries[number];
	struct chain c;
	uint8_t at;

	if (number >= scene->entry_count || !scene->signs || w->base[number] != NOTHING ||
	    base >= w->records || (e->without != RULE_NONE && on(e->without)))
		return false;
	if (e->type == RECOVER) {
		if (e->entry != NOTHING && w->base[e->entry] != base)
			return false;
		return scene->recoverer == NOTHING || base == w->head[scene->recoverer];
	}
	if (!has(scene->honest, e->author))
		return true;
	c = chain_to(w, w->head[e->author]);
	at = e->type == REMOVE && scene->denies && on(RULE_DENY_OLD_BASE) ? oldest_base(w, e)
									  : w->head[e->author];
	return base == at && entry_valid(w, &c, (uint8_t)number, base);
}

static void sign(struct world *w, int move)
{
	int number = move / RECORDS;
	const struct entry *e = &scene->entries[number];

	SAY("signed: %s; base %d\n", e->words, move % RECORDS);
	w->base[number] = (uint8_t)(move % RECORDS);
	if (scene->denies && e->type == REMOVE) {
		w->denials[e->author] |= 1 << number;
		w->heard[e->author] |= 1 << number;
	}
}

/* One node tells another what it holds. A member that is not honest tells denials only. */
static void told(const struct world *w, int from, int to, struct world *after)
{
	struct receipts used;
	uint16_t denials = w->denials[from];

	*after = *w;
	for (int e = 0; !on(RULE_DENY_PASSED_ON) && e < scene->entry_count; e++) {
		if (scene->entries[e].author != from)
			denials &= ~(1 << e);
	}
	after->denials[to] |= denials;
	after->heard[to] |= w->heard[from];
	if (!has(scene->honest, from))
		return;
	if (node_takes(w, to, w->head[from], w->receipts[from], &used))
		take(after, to, w->head[from], &used);
	for (int k = 0; k < ORDER_KEYS; k++)
		after->receipts[to].by[k] |= w->receipts[from].by[k];
}

static bool talk_possible(const struct world *w, int move)
{
	int from = move / NODES, to = move % NODES;
	struct world after;

	if (from >= NODES || from == to || !scene->denies || !has(scene->honest, to))
		return false;
	told(w, from, to, &after);
	return memcmp(w, &after, sizeof(after)) != 0;
}

static void talk(struct world *w, int move)
{
	struct world after;

	SAY("node %d tells node %d what it holds\n", move / NODES, move % NODES);
	told(w, move / NODES, move % NODES, &after);
	*w = after;
}

static bool word_possible(const struct world *w, int node)
{
	return scene->words && node < NODES && has(scene->honest, node) && !has(w->stopped, node) &&
	       (!on(RULE_TAKE_NO_WORD) || !has(roster_at(w, w->head[node]).members, node));
}

static bool server_possible(const struct world *w, enum move_kind kind, int move)
{
	if (!scene->honest_server)
		return false;
	if (kind == CONNECT) {
		struct chain c = chain_to(w, w->memory);

		if (move >= NODES || !has(scene->honest, move))
			return false;
		return (w->waits && move == A) || chain_find(&c, w->head[move]) < 0;
	}
	if (move != 0)
		return false;
	switch (kind) {
	case COMMIT:
	case CRASH:
		return w->memory != w->database;
	case BACKUP:
		return !w->restored && w->backup != w->database;
	case RESTORE:
		return !w->restored && w->backup != w->database;
	case ACCEPT:
		return w->waits;
	case SIGN:
	case ORDER:
	case DELIVER:
	case TALK:
	case WORD:
	case CONNECT:
	case MOVE_KINDS:
		return false;
	}
}

/* A node shows its head: the server takes a longer chain and notices another branch. */
static void connect_node(struct world *w, int node)
{
	struct chain theirs = chain_to(w, w->head[node]);
	struct chain ours = chain_to(w, w->memory);

	SAY("node %d shows the server its head %d\n", node, w->head[node]);
	if (chain_find(&theirs, w->memory) >= 0) {
		if (on(RULE_SERVE_LONGER_FIRST))
			w->memory = w->database = w->head[node];
	} else if (chain_find(&ours, w->head[node]) < 0) {
		w->saw_branch = true;
	}
	if (node == A)
		w->waits = false;
}

static void server_move(struct world *w, enum move_kind kind, int move)
{
	switch (kind) {
	case COMMIT:
		SAY("the server commits\n");
		w->database = w->memory;
		break;
	case CRASH:
		SAY("the server crashes\n");
		w->memory = w->database;
		break;
	case BACKUP:
		SAY("the database is copied\n");
		w->backup = w->database;
		break;
	case RESTORE:
		SAY("the copy is restored: record %d\n", w->backup);
		w->memory = w->database = w->backup;
		w->restored = w->waits = true;
		break;
	case CONNECT:
		connect_node(w, move);
		break;
	case SIGN:
	case ORDER:
	case DELIVER:
	case TALK:
	case WORD:
	case ACCEPT:
	case MOVE_KINDS:
		SAY("the operator accepts\n");
		w->waits = false;
		w->accepted = true;
		break;
	}
}

static bool possible(const struct world *w, enum move_kind kind, int move)
{
	struct record r;
	struct receipts used;

	switch (kind) {
	case ORDER:
		return order_possible(w, move, &r);
	case DELIVER:
		return deliver_possible(w, move, &used);
	case SIGN:
		return sign_possible(w, move);
	case TALK:
		return talk_possible(w, move);
	case WORD:
		return word_possible(w, move);
	case COMMIT:
	case CRASH:
	case BACKUP:
	case RESTORE:
	case CONNECT:
	case ACCEPT:
	case MOVE_KINDS:
		return server_possible(w, kind, move);
	}
}

static int moves_of(const struct world *w, enum move_kind kind)
{
	int limit[CHOICES], moves = 1;

	switch (kind) {
	case ORDER:
		order_limits(w, limit);
		for (int i = 0; i < CHOICES; i++)
			moves *= limit[i];
		return moves;
	case DELIVER:
		return NODES * RECORDS;
	case SIGN:
		return scene->entry_count * RECORDS;
	case TALK:
		return NODES * NODES;
	case WORD:
	case COMMIT:
	case CRASH:
	case BACKUP:
	case RESTORE:
	case CONNECT:
	case ACCEPT:
	case MOVE_KINDS:
		return NODES;
	}
}

/* Returns the first possible move that is not below a number, or NO_MOVE. */
static int move_next(const struct world *w, enum move_kind kind, int from)
{
	int moves = moves_of(w, kind);

	for (int move = from; move < moves; move++) {
		if (possible(w, kind, move))
			return move;
	}
	return NO_MOVE;
}

static void choose(struct world *w, enum move_kind kind, int from)
{
	w->move = move_next(w, kind, from);
	w->more = move_next(w, kind, w->move + 1) != NO_MOVE;
}

void move_first(struct world *w, enum move_kind kind)
{
	choose(w, kind, 0);
}

void move_following(struct world *w, enum move_kind kind)
{
	choose(w, kind, w->move + 1);
}

void world_look(struct world *w)
{
	w->broken = broken(w) != NULL;
	for (int kind = 0; kind < MOVE_KINDS; kind++)
		w->can[kind] = move_next(w, kind, 0) != NO_MOVE;
}

static void act(struct world *w, enum move_kind kind, int move)
{
	switch (kind) {
	case ORDER:
		order(w, move);
		break;
	case DELIVER:
		deliver(w, move);
		break;
	case SIGN:
		sign(w, move);
		break;
	case TALK:
		talk(w, move);
		break;
	case WORD:
		SAY("the server tells node %d that it is removed\n", move);
		w->stopped |= 1 << move;
		break;
	case COMMIT:
	case CRASH:
	case BACKUP:
	case RESTORE:
	case CONNECT:
	case ACCEPT:
	case MOVE_KINDS:
		server_move(w, kind, move);
		break;
	}
}

void move_make(struct world *w, enum move_kind kind)
{
	act(w, kind, w->move);
	w->move = 0;
	w->more = false;
	world_look(w);
}
