/* SPDX-License-Identifier: MIT */
/* The scenes: each names the entries that may be signed and the actors, and so what it covers. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(member) (1 << (member))

/* A server that orders what it likes where it likes, with whatever receipts it likes. */
static const struct entry order_entries[] = {
	{ "A renames B", RENAME, A, .target = B, .value = 8 },
	{ "A renames C", RENAME, A, .target = C, .value = 9 },
	{ "A renames D", RENAME, A, .target = D, .value = 10 },
};

/* Two servers that lie, of which the second has the order key that the signal entry names. */
static const struct entry keys_entries[] = {
	{ "A moves to the second server", SIGNAL, A, .value = 1 },
	{ "A renames C", RENAME, A, .target = C, .value = 9 },
	{ "A renames D", RENAME, A, .target = D, .value = 10 },
};

/* Rights: admins that promote, demote and remove each other. */
static const struct entry roles_entries[] = {
	{ "B promotes C", PROMOTE, B, .target = C },
	{ "A promotes B", PROMOTE, A, .target = B },
	{ "A demotes B", DEMOTE, A, .target = B },
	{ "B demotes A", DEMOTE, B, .target = A },
	{ "A removes B", REMOVE, A, .targets = BIT(B) },
	{ "B removes A", REMOVE, B, .targets = BIT(A) },
	{ "A removes C and D", REMOVE, A, .targets = BIT(C) | BIT(D) },
	{ "C leaves", REMOVE, C, .targets = BIT(C) },
	{ "A leaves", REMOVE, A, .targets = BIT(A) },
	{ "D removes D and C", REMOVE, D, .targets = BIT(C) | BIT(D), .wrong = true },
	{ "D promotes D", PROMOTE, D, .target = D, .wrong = true },
	{ "A says what this version does not know", SKIPPED, A },
};

/* Invites: used twice, cancelled, by a former admin, from before a move, for a known key. */
static const struct entry invites_entries[] = {
	{ "E joins by B's invite 0", ADMIT, E, .sponsor = B, .value = 8, .target = NOTHING },
	{ "F joins by B's invite 0", ADMIT, F, .sponsor = B, .value = 9, .target = NOTHING },
	{ "F joins by A's invite 1", ADMIT, F, .sponsor = A, .value = 8, .target = NOTHING,
	  .invite = 1 },
	{ "A cancels invite 0", CANCEL, A, .invite = 0 },
	{ "A demotes B", DEMOTE, A, .target = B },
	{ "A promotes B", PROMOTE, A, .target = B },
	{ "A removes C", REMOVE, A, .targets = BIT(C) },
	{ "C joins by A's invite 4", ADMIT, C, .sponsor = A, .value = 10, .target = NOTHING,
	  .invite = 4, .wrong = true },
	{ "A renames D", RENAME, A, .target = D, .value = 8 },
	{ "A founds the cluster again", GENESIS, A, .wrong = true },
	{ "A moves to the second server", SIGNAL, A, .value = 1 },
};

/* Invites that replace C or an admin. */
static const struct entry replace_entries[] = {
	{ "E replaces C by A's invite 2", ADMIT, E, .sponsor = A, .target = C, .invite = 2 },
	{ "F replaces C by A's invite 3", ADMIT, F, .sponsor = A, .target = C, .invite = 3 },
	{ "F replaces A by A's invite 4", ADMIT, F, .sponsor = A, .target = A, .invite = 4 },
	{ "F replaces E by A's invite 5", ADMIT, F, .sponsor = A, .target = E, .invite = 5 },
	{ "A removes C", REMOVE, A, .targets = BIT(C) },
	{ "A renames C", RENAME, A, .target = C, .value = 8 },
	{ "B leaves", REMOVE, B, .targets = BIT(B) },
	{ "A rotates", ROTATE, A, .value = 8, .old_key = true },
};

/* Names and keys. */
static const struct entry names_entries[] = {
	{ "A renames C", RENAME, A, .target = C, .value = 8 },
	{ "B renames C", RENAME, B, .target = C, .value = 9 },
	{ "A renames D", RENAME, A, .target = D, .value = 8 },
	{ "B promotes C", PROMOTE, B, .target = C },
	{ "C rotates", ROTATE, C, .value = 8, .old_key = true },
	{ "B rotates", ROTATE, B, .value = 9, .old_key = true },
	{ "D rotates to a key of C's", ROTATE, D, .value = 8, .old_key = true },
	{ "somebody rotates D", ROTATE, D, .value = 10, .wrong = true },
	{ "B removes C", REMOVE, B, .targets = BIT(C) },
};

/* Another server, the next code, removals that are cancelled. */
static const struct entry signals_entries[] = {
	{ "A moves to the second server", SIGNAL, A, .value = 1 },
	{ "B moves to the first server", SIGNAL, B, .value = 0 },
	{ "A and B renew", RENEW, A, .second = B, .next = 1 },
	{ "B and A renew", RENEW, B, .second = A, .next = 2 },
	{ "A renews alone", RENEW, A, .second = NOTHING, .next = 3, .wrong = true },
	{ "A renews with itself", RENEW, A, .second = A, .next = 3, .wrong = true },
	{ "A removes C", REMOVE, A, .targets = BIT(C) },
	{ "A cancels its removal of C", CANCEL, A, .invite = NOTHING, .entry = 6 },
	{ "B cancels A's removal of C", CANCEL, B, .invite = NOTHING, .entry = 6 },
	{ "A demotes B", DEMOTE, A, .target = B },
	{ "A promotes B", PROMOTE, A, .target = B },
};

/* What a recovery leaves of rights, removals and invites. */
static const struct entry paper_entries[] = {
	{ "code 0 makes C admin", RECOVER, NOTHING, .admins = BIT(C), .targets = BIT(D), .code = 0,
	  .next = 1, .value = NOTHING, .entry = NOTHING },
	{ "code 0 keeps A", RECOVER, NOTHING, .admins = BIT(A), .code = 0, .next = 1,
	  .value = NOTHING, .entry = NOTHING },
	{ "code 1 makes C admin", RECOVER, NOTHING, .admins = BIT(C), .code = 1, .next = 2,
	  .value = NOTHING, .entry = NOTHING },
	{ "code 7 makes D admin", RECOVER, NOTHING, .admins = BIT(D), .code = 7, .next = 8,
	  .value = NOTHING, .entry = NOTHING, .wrong = true },
	{ "code 0 makes nobody admin", RECOVER, NOTHING, .code = 0, .next = 1, .value = NOTHING,
	  .entry = NOTHING, .wrong = true },
	{ "A removes C", REMOVE, A, .targets = BIT(C) },
	{ "D leaves", REMOVE, D, .targets = BIT(D) },
	{ "A promotes D", PROMOTE, A, .target = D },
	{ "E replaces C by A's invite 2", ADMIT, E, .sponsor = A, .target = C, .invite = 2 },
	{ "A and B renew", RENEW, A, .second = B, .next = 1 },
};

/* Recovery while the server lies: it may show it to some, or to nobody until another was sent. */
static const struct entry recover_entries[] = {
	{ "B removes D", REMOVE, B, .targets = BIT(D) },
	{ "B renames C", RENAME, B, .target = C, .value = 9 },
	{ "code 0 makes B admin", RECOVER, NOTHING, .admins = BIT(B), .targets = BIT(D), .code = 0,
	  .next = 1, .value = NOTHING, .entry = NOTHING },
	{ "code 1 does so at another server, in place of code 0", RECOVER, NOTHING,
	  .admins = BIT(B), .targets = BIT(D), .code = 1, .next = 2, .value = 1, .entry = 2 },
	{ "code 0 again, at another server", RECOVER, NOTHING, .admins = BIT(B), .targets = BIT(D),
	  .code = 0, .next = 3, .value = 1, .entry = NOTHING, .without = RULE_RECOVER_SUPERSEDES },
	{ "code 0, not knowing of D's removal", RECOVER, NOTHING, .admins = BIT(B), .code = 0,
	  .next = 4, .value = NOTHING, .entry = NOTHING, .without = LIMIT_REMOVAL_UNKNOWN },
};

/* A thief has the paper from before a renew. */
static const struct entry renew_entries[] = {
	{ "A and B renew", RENEW, A, .second = B, .next = 1 },
	{ "A removes D", REMOVE, A, .targets = BIT(D) },
	{ "the thief's code 0 makes D admin", RECOVER, NOTHING, .admins = BIT(D), .code = 0,
	  .next = 2, .value = NOTHING, .entry = NOTHING, .stolen = true },
	{ "the thief's next code supersedes that", RECOVER, NOTHING, .admins = BIT(D), .code = 2,
	  .next = 4, .value = NOTHING, .entry = 2, .stolen = true },
	{ "code 1 makes A admin", RECOVER, NOTHING, .admins = BIT(A), .targets = BIT(D), .code = 1,
	  .next = 3, .value = NOTHING, .entry = NOTHING },
};

/* Removals that the server withholds. B is the admin to be removed, and lies. */
static const struct entry deny_entries[] = {
	{ "A removes B", REMOVE, A, .targets = BIT(B) },
	{ "B removes A", REMOVE, B, .targets = BIT(A) },
	{ "A cancels its removal of B", CANCEL, A, .invite = NOTHING, .entry = 0 },
	{ "B cancels A's removal of B", CANCEL, B, .invite = NOTHING, .entry = 0 },
	{ "B demotes A", DEMOTE, B, .target = A },
};

/* The same with keys that change. */
static const struct entry deny_keys_entries[] = {
	{ "A removes B", REMOVE, A, .targets = BIT(B) },
	{ "A rotates", ROTATE, A, .value = 8, .old_key = true },
	{ "C leaves", REMOVE, C, .targets = BIT(C) },
	{ "C rotates", ROTATE, C, .value = 9, .old_key = true },
};

/* Unordered removals and a recovery, which keeps A an admin and brings B back in by name. */
static const struct entry deny_paper_entries[] = {
	{ "A removes B", REMOVE, A, .targets = BIT(B) },
	{ "C leaves", REMOVE, C, .targets = BIT(C) },
	{ "A renames D", RENAME, A, .target = D, .value = 9 },
	{ "code 0 keeps A and B", RECOVER, NOTHING, .admins = BIT(A) | BIT(B), .code = 0, .next = 1,
	  .value = NOTHING, .entry = NOTHING, .back = BIT(C) },
};

/* A node that hears of a removal only from another node that heard of it. */
static const struct entry pass_entries[] = {
	{ "A removes B", REMOVE, A, .targets = BIT(B) },
	{ "A renames C", RENAME, A, .target = C, .value = 9 },
	{ "A renames D", RENAME, A, .target = D, .value = 10 },
};

/* A server that says "removed" to members and to those who are. */
static const struct entry word_entries[] = {
	{ "A removes C", REMOVE, A, .targets = BIT(C) },
	{ "B renames D", RENAME, B, .target = D, .value = 9 },
};

#define ENTRIES_OF(name) .entries = name, .entry_count = sizeof(name) / sizeof(name[0])

static const struct scene scenes[] = {
	{ "order", ENTRIES_OF(order_entries), .records = 5, .members = 4,
	  .honest = BIT(A) | BIT(C) | BIT(D), .lies_ready = true },
	{ "keys", ENTRIES_OF(keys_entries), .records = 6, .members = 4, .honest = BIT(A) | BIT(C),
	  .lies_ready = true },
	{ "roles", ENTRIES_OF(roles_entries), .records = 6, .members = 4, .honest = BIT(A),
	  .single = true },
	{ "invites", ENTRIES_OF(invites_entries), .records = 6, .members = 4, .honest = BIT(A),
	  .single = true },
	{ "replace", ENTRIES_OF(replace_entries), .records = 6, .members = 4, .honest = BIT(A),
	  .single = true },
	{ "names", ENTRIES_OF(names_entries), .records = 6, .members = 4, .honest = BIT(A),
	  .single = true },
	{ "signals", ENTRIES_OF(signals_entries), .records = 5, .members = 4, .honest = BIT(A),
	  .single = true },
	{ "paper", ENTRIES_OF(paper_entries), .records = 6, .members = 4, .honest = BIT(A),
	  .single = true },
	{ "recover", ENTRIES_OF(recover_entries), .records = 5, .members = 4,
	  .honest = BIT(B) | BIT(C), .signs = true, .variants = true, .recoverer = B },
	{ "renew", ENTRIES_OF(renew_entries), .records = 5, .members = 4, .honest = BIT(A) | BIT(C),
	  .signs = true, .thief = true, .recoverer = NOTHING },
	{ "deny", ENTRIES_OF(deny_entries), .records = 3, .members = 4, .honest = BIT(A) | BIT(C),
	  .signs = true, .denies = true },
	{ "deny-keys", ENTRIES_OF(deny_keys_entries), .records = 4, .members = 4,
	  .honest = BIT(A) | BIT(C), .signs = true, .denies = true },
	{ "deny-paper", ENTRIES_OF(deny_paper_entries), .records = 4, .members = 4,
	  .honest = BIT(A) | BIT(C), .signs = true, .denies = true, .recoverer = A },
	{ "pass", ENTRIES_OF(pass_entries), .records = 3, .members = 4,
	  .honest = BIT(A) | BIT(C) | BIT(D), .signs = true, .denies = true },
	{ "word", ENTRIES_OF(word_entries), .records = 4, .members = 4, .honest = BIT(A) | BIT(C),
	  .signs = true, .denies = true, .words = true },
	{ "restore", ENTRIES_OF(order_entries), .records = 5, .members = 4,
	  .honest = BIT(A) | BIT(C), .honest_server = true },
};

#define RULE_NAME(name, shown_by) #name,
static const char *const rule_names[] = { "", MODEL_RULES(RULE_NAME) };

const struct scene *scene;
bool tracing;
static enum rule taken_out;

bool on(enum rule rule)
{
	return rule != taken_out;
}

static void find_scene(const char *name)
{
	for (size_t i = 0; name && i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (strcmp(scenes[i].name, name) == 0)
			scene = &scenes[i];
	}
	if (!scene) {
		fprintf(stderr, "unknown scene: MODEL_SCENE=%s\n", name ? name : "");
		exit(2);
	}
}

static void find_rule(const char *name)
{
	for (int i = 1; name && *name && i < RULES; i++) {
		if (strcmp(rule_names[i], name) == 0)
			taken_out = (enum rule)i;
	}
	if (name && *name && taken_out == RULE_NONE) {
		fprintf(stderr, "unknown rule: MODEL_WITHOUT=%s\n", name);
		exit(2);
	}
}

/* An entry that no server ever ordered shows nothing. */
static void name_unused(void)
{
	for (int e = 0; e < scene->entry_count; e++) {
		const struct entry *entry = &scene->entries[e];

		if (!has(entries_ordered, (unsigned)e) && !entry->wrong &&
		    entry->without == RULE_NONE)
			fprintf(stderr, "UNUSED: %s\n", entry->words);
	}
}

void model_begin(struct world *w)
{
	find_scene(getenv("MODEL_SCENE"));
	find_rule(getenv("MODEL_WITHOUT"));
	tracing = getenv("MODEL_TRACE") != NULL;
	*w = (struct world){ .records = 1 };
	for (int e = 0; e < ENTRIES; e++)
		w->base[e] = NOTHING;
	world_look(w);
	atexit(name_unused);
}
