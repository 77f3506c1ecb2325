/* SPDX-License-Identifier: MIT */
/* A server whose database is put back to an older copy, and what its nodes show it then. */
#ifndef MLSH_TESTS_RESTORED_KIT_H
#define MLSH_TESTS_RESTORED_KIT_H

#include "signal/caller.h"
#include "signal/mark.h"
#include "signal_steps.h"

extern struct sig restored_g;
extern char restored_joiner_text[REFUSAL_TEXT_MAX + 1]; /* why the last one was refused, or "" */
;

/* Stops the server, puts the database back to what sig_backup kept, and starts it again. */
void restored_put_back(void);

void restored_keep_copy(void);

/* The whole machine is put back to that copy: the server cannot notice. */
void restored_put_back_whole(void);

void restored_restart(void);

/* Would a joiner with an invite of the sponsor's be admitted, if its name were not taken? */
enum refusal restored_asks_to_join(struct raw *sponsor);

/* Brings what the server's log lacks. */
enum refusal restored_push_all(struct raw *r);

/* An admin has shown its log; the nodes may show beacons for so long. */
void restored_wait_for_beacons(void);

struct beacon_bytes restored_beacon_of(struct raw *admin);

enum refusal restored_show_beacon(struct raw *r, const struct beacon_bytes *b);

/*
 * The admin's machine was restored as well: its log ends where the server's does. `lost` gets the
 * log as it was, and the beacon of then.
 */
struct raw *restored_admin_of_then(struct raw **ret_now, struct beacon_bytes *ret);

enum refusal restored_renames(struct raw *r, const struct raw *whom, const char *name);

#endif
