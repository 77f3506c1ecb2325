/* SPDX-License-Identifier: MIT */
/* The model's world: entries, records, nodes and servers, small enough to try out whole. */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* Members 0 to 3 are on the nodes of the same numbers; 4 and 5 are machines that may join. */
enum { A, B, C, D, E, F, MEMBERS };
enum { NODES = 4, RECORDS = 7, ENTRIES = 16, ORDER_KEYS = 2, NOTHING = 0xff };

enum move_kind {
	SIGN,
	ORDER,
	DELIVER,
	TALK,
	WORD,
	COMMIT,
	CRASH,
	BACKUP,
	RESTORE,
	CONNECT,
	ACCEPT,
	MOVE_KINDS
};

enum entry_type {
	GENESIS,
	ADMIT,
	CANCEL,
	REMOVE,
	PROMOTE,
	DEMOTE,
	RENAME,
	ROTATE,
	SIGNAL,
	RENEW,
	RECOVER,
	SKIPPED /* a type from 128 on */
};

/* What an author signs, without its base. The number of an entry in its scene stands for its
 * signatures and its bytes; nothing else here is secret. */
struct entry {
	const char *words;
	enum entry_type type;
	uint8_t author;	 /* a member; for admit the joiner */
	uint8_t second;	 /* renew: the other admin, or NOTHING */
	uint8_t targets; /* a bit a member: remove, recover's removed */
	uint8_t target;	 /* a member: promote, demote, rename; admit: replaced, or NOTHING */
	uint8_t admins;	 /* a bit a member: recover */
	uint8_t value; /* admit, rename: name; rotate: key; signal, recover: order key or NOTHING */
	uint8_t invite;	 /* admit: the invite; cancel: invite, or NOTHING */
	uint8_t sponsor; /* admit */
	uint8_t entry; /* cancel: a removal; recover: the attempt that it supersedes; or NOTHING */
	uint8_t code;  /* recover: the code that signs */
	uint8_t next;  /* recover, renew: the next code */
	uint8_t back;  /* recover: members whose removal the person saw and does not keep */
	bool old_key;  /* rotate: the old key signed as well */
	bool wrong;    /* no log may ever hold it */
	bool stolen;   /* recover: by a thief of the first code */
	uint8_t without; /* exists only while this rule is taken out; 0: always */
};

/* What a server signs: an entry and its place. */
struct record {
	uint8_t entry, base;
	uint8_t parent; /* the record that it stands behind */
	uint8_t prev;	/* the record whose hash it names */
	uint8_t seq, generation;
	uint8_t address; /* admit: one of 6 and above, or NOTHING */
	uint8_t variant; /* stands for what else the server chooses, such as the time */
};

struct receipts {
	uint8_t by[ORDER_KEYS]; /* a bit a record */
};

struct world {
	/* For spin, whose conditions may not call functions. */
	int32_t move; /* the choice that is being made; 0 between moves */
	bool more;    /* there are others behind it */
	bool broken;  /* a property does not hold */
	bool can[MOVE_KINDS];
	uint8_t records; /* record 0 is genesis */
	struct record record[RECORDS];
	uint8_t base[ENTRIES];		 /* of each entry that is signed once, or NOTHING */
	uint8_t head[NODES];		 /* a node's log: this record and those before it */
	struct receipts receipts[NODES]; /* that the node verified and keeps */
	uint16_t denials[NODES];	 /* unordered removals that a node holds: a bit an entry */
	uint16_t heard[NODES];		 /* those that it could hold, for the properties */
	uint8_t seen_out[NODES];	 /* members that the node's log removed once */
	uint8_t renewed;		 /* nodes that have held a renew */
	uint8_t stopped;		 /* nodes that believe to be removed */
	/* An honest server: what it has in memory, in its database and in a backup. */
	uint8_t memory, database, backup;
	struct receipts issued;
	bool restored, waits, accepted, saw_branch, ordered_on_branch;
};

/* What follows from a log. Positions count from genesis, which is 0. */
struct roster {
	uint8_t members, admins, ever, left, replaced; /* a bit a member */
	uint8_t joined[MEMBERS], admin_since[MEMBERS], key_since[MEMBERS], left_at[MEMBERS];
	uint8_t touched[MEMBERS], promoted[MEMBERS],
		renamed[MEMBERS]; /* the last record about it */
	uint8_t name[MEMBERS], key[MEMBERS], address[MEMBERS];
	uint16_t names, keys, addresses; /* ever given */
	uint8_t invites_used, invites_cancelled;
	uint16_t cancelled[MEMBERS]; /* removals, by who cancelled */
	uint8_t order_key, signal_at, renewed_at, recovered_at;
	uint8_t code;  /* that recovers */
	uint8_t codes; /* used up to here */
};

struct chain {
	uint8_t length;
	uint8_t at[RECORDS];
};

/* Every rule that can be taken out, and a scene that shows what it is for: without the rule a
 * property breaks there. The environment's MODEL_WITHOUT takes it out by name. */
#define MODEL_RULES(X)                                                                             \
	X(RULE_CHAIN_SEQ, order)                                                                   \
	X(RULE_CHAIN_PREV, order)                                                                  \
	X(RULE_CHAIN_GENERATION, pass)                                                             \
	X(RULE_ONCE, roles)                                                                        \
	X(RULE_BASE, pass)                                                                         \
	X(RULE_BASE_GENERATION, paper)                                                             \
	X(RULE_GENESIS, invites)                                                                   \
	X(RULE_AUTHOR_MEMBER, replace)                                                             \
	X(RULE_AUTHOR_KEY, replace)                                                                \
	X(RULE_AUTHOR_ADMIN, roles)                                                                \
	X(RULE_AUTHOR_SINCE, roles)                                                                \
	X(RULE_ADMIN_REMAINS, roles)                                                               \
	X(RULE_INVITE_SPONSOR, invites)                                                            \
	X(RULE_INVITE_ONCE, invites)                                                               \
	X(RULE_INVITE_CANCELLED, invites)                                                          \
	X(RULE_INVITE_SERVER, invites)                                                             \
	X(RULE_ADMIT_KEY, invites)                                                                 \
	X(RULE_ADMIT_NAME, invites)                                                                \
	X(RULE_ADMIT_ADDRESS, invites)                                                             \
	X(RULE_REPLACE_ONCE, replace)                                                              \
	X(RULE_REPLACE_LEFT, replace)                                                              \
	X(RULE_CANCEL_OPEN, signals)                                                               \
	X(RULE_CANCEL_OWN, deny)                                                                   \
	X(RULE_REMOVE_CANCELLED, signals)                                                          \
	X(RULE_REMOVE_NOOP, roles)                                                                 \
	X(RULE_REMOVE_LEAVE, roles)                                                                \
	X(RULE_PROMOTE_UNCHANGED, roles)                                                           \
	X(RULE_DEMOTE_UNCHANGED, roles)                                                            \
	X(RULE_RENAME_UNCHANGED, names)                                                            \
	X(RULE_ROTATE_SIGNED, names)                                                               \
	X(RULE_SIGNAL_UNCHANGED, signals)                                                          \
	X(RULE_RENEW_TWO, signals)                                                                 \
	X(RULE_RENEW_UNCHANGED, signals)                                                           \
	X(RULE_RENEW_COUNTS, renew)                                                                \
	X(RULE_RECOVER_KEY, paper)                                                                 \
	X(RULE_RECOVER_HEAD, paper)                                                                \
	X(RULE_RECOVER_ADMINS, paper)                                                              \
	X(RULE_RECOVER_REMOVED, paper)                                                             \
	X(RULE_RECOVER_RESETS, paper)                                                              \
	X(RULE_RECOVER_SUPERSEDES, recover)                                                        \
	X(RULE_RECEIPT, order)                                                                     \
	X(RULE_RECEIPT_KEY_CHANGE, keys)                                                           \
	X(RULE_RECEIPT_RECOVER, recover)                                                           \
	X(RULE_TAKE_SUPERSEDED, renew)                                                             \
	X(RULE_TAKE_GENERATION, recover)                                                           \
	X(RULE_TAKE_NO_WORD, word)                                                                 \
	X(RULE_PROOF_FORK, order)                                                                  \
	X(RULE_PROOF_CHAIN, order)                                                                 \
	X(RULE_DENY, pass)                                                                         \
	X(RULE_DENY_PASSED_ON, pass)                                                               \
	X(RULE_DENY_ENDS, deny)                                                                    \
	X(RULE_DENY_OLD_BASE, pass)                                                                \
	X(RULE_DENY_KEEPS_RIGHTS, deny)                                                            \
	X(RULE_SERVE_COMMIT_FIRST, restore)                                                        \
	X(RULE_SERVE_RESTORED_WAITS, restore)                                                      \
	X(RULE_SERVE_LONGER_FIRST, restore)                                                        \
	X(RULE_SERVE_BRANCH_STOPS, restore)                                                        \
	X(LIMIT_ADMIN_LAGS, restore)                                                               \
	X(LIMIT_REMOVAL_UNKNOWN, recover)

#define MODEL_RULE_ENUM(name, shown_by) name,
enum rule { RULE_NONE, MODEL_RULES(MODEL_RULE_ENUM) RULES };

/* Whether a rule is in force. */
bool on(enum rule rule);

/* scenes.c: the entries and actors of the scene that MODEL_SCENE names. */
struct scene {
	const char *name;
	const struct entry *entries;
	uint8_t entry_count;
	uint8_t records;    /* at most, with genesis */
	uint8_t members;    /* in the log from the beginning; A and B are admins */
	uint8_t honest;	    /* nodes whose logs are looked at */
	bool single;	    /* one log: any valid record, with any base in it, may come next */
	bool signs;	    /* entries are signed at a node's head first */
	bool lies_ready;    /* the server orders all before it shows anything */
	bool words;	    /* a server says "removed" */
	bool denies;	    /* unordered removals travel */
	bool honest_server; /* with crashes and a restore */
	bool variants;	    /* the server chooses more than the place */
	bool thief;	    /* somebody else has a recovery code */
	uint8_t recoverer;  /* the node on which recover is signed, or NOTHING: anywhere */
};
extern const struct scene *scene;
extern bool tracing;

/* Reads MODEL_SCENE, MODEL_WITHOUT and MODEL_TRACE; ends the program when a name is unknown. */
void model_begin(struct world *w);

/* rules.c: validity, a pure function of what a log holds. */
struct chain chain_to(const struct world *w, uint8_t record);
int chain_find(const struct chain *c, uint8_t record);
struct roster roster_of(const struct world *w, const struct chain *c);
struct roster roster_at(const struct world *w, uint8_t record);
bool record_valid(const struct world *w, const struct record *r);
uint8_t recover_generation(int code, const struct entry *e);
bool entry_valid(const struct world *w, const struct chain *c, uint8_t entry, uint8_t base);
uint8_t order_key_for(const struct world *w, uint8_t record);
static inline bool has(unsigned set, unsigned n)
{
	return n != NOTHING && (set >> n & 1);
}

/* node.c: what a node takes, proves, denies. */
bool node_takes(const struct world *w, int node, uint8_t record, struct receipts have,
		struct receipts *used);
bool receipts_prove(const struct world *w, struct receipts receipts);
bool node_denies(const struct world *w, int node, int member);

/* properties.c: the name of a property that does not hold, or NULL. */
const char *broken(const struct world *w);

/* moves.c: what may happen next. */

/* Chooses the first possible move of a kind; move_following chooses the next one. */
void move_first(struct world *w, enum move_kind kind);
void move_following(struct world *w, enum move_kind kind);
/* Makes the chosen move, and looks at what holds and what may happen then. */
void move_make(struct world *w, enum move_kind kind);
void world_look(struct world *w);
/* The entries that some server ordered, in all that was tried. */
extern uint16_t entries_ordered;

#endif
