/* SPDX-License-Identifier: MIT */
/* What machines of random schedules do with the membership log: entries of all types, joins. */
#ifndef MLSH_TESTS_RANDOM_DEEDS_H
#define MLSH_TESTS_RANDOM_DEEDS_H

#include "../unit/roster_kit.h"
#include "random_log.h"

#define PILE 48
#define CODES 24

extern struct random_log deeds_log;
extern struct entry_bytes deeds_pile[PILE]; /* what was signed, to be brought again */
extern size_t deeds_n_pile;
extern size_t deeds_n_invites;
extern uint8_t deeds_codes[CODES][SIGN_SEED_LEN];
extern size_t deeds_n_codes;
extern struct entry_bytes deeds_recovery; /* sent, and perhaps not in order yet */
extern struct wire_head
	deeds_answered; /* the newest that a reply told of, since the last restore */

/* --- whom ------------------------------------------------------------------------------------- */

struct machine *deeds_any_machine(void);

/* --- entries ---------------------------------------------------------------------------------- */

/* Puts the entry in order, if the server lets it. */
void deeds_submit(struct machine *by, const struct entry_bytes *b);

void deeds_remove(void);
void deeds_leave(void);
void deeds_role(void);
void deeds_rename(void);
void deeds_rotate(void);
void deeds_cancel(void);

/* The same server by another name: it goes on ordering. */
void deeds_signal(void);

/* --- the recovery code ------------------------------------------------------------------------ */

void deeds_renew(void);
void deeds_recover(void);

/* --- joining ---------------------------------------------------------------------------------- */

void deeds_join(void);

/* Makes room for others. */
void deeds_forget(void);

#endif
