/* SPDX-License-Identifier: MIT */
/*
 * What the rules of several types share. Each returns 0, or the code of mlog_order with the reason
 * in `err`. The names in capitals are those of docs/protocol/02-membership-log.md, "Rules".
 */
#ifndef MLSH_MEMBERSHIP_RULES_H
#define MLSH_MEMBERSHIP_RULES_H

#include "membership/internal.h"

/* What holds for every type; `flags` are those of the type. */
int rule_any_type(const struct mlog *l, const struct placed *p, unsigned flags, struct err *err)
	MUST_CHECK;

int rule_sig(const struct mlog *l, const struct placed *p, size_t i, const uint8_t key[KEY_LEN],
	     const char *whose, struct err *err) MUST_CHECK;

/* The author of an entry whose key is in its body. */
int rule_own_key(const struct entry *e, const uint8_t key[KEY_LEN], struct err *err) MUST_CHECK;

/* ADMIN-REMAINS, when so many admins go. */
int rule_admin_remains(const struct mlog *l, size_t going, struct err *err) MUST_CHECK;

/* The key is new in the log. */
int rule_new_key(const struct mlog *l, const uint8_t key[KEY_LEN], struct err *err) MUST_CHECK;

/* The name is free for `self` (NULL: a new node). */
int rule_name_free(const struct mlog *l, const char *name, const struct member *self,
		   struct err *err) MUST_CHECK;

int rule_not_member(const struct mlog *l, const struct node_id *id, const char *what,
		    struct err *err) MUST_CHECK;

/* BASE: nothing that was signed before a recovery counts after it. */
int rule_base_generation(const struct mlog *l, const struct head *base, struct err *err) MUST_CHECK;

/* The invite of an admit at `now_s`; `trusted`: its signature was verified before. */
int rule_invite(const struct mlog *l, const struct invite *inv, struct span bytes,
		const uint8_t sig[SIG_LEN], uint64_t now_s, bool trusted, struct err *err)
	MUST_CHECK;

#endif
