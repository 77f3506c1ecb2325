/* SPDX-License-Identifier: MIT */
/*
 * What the rules of several types share. Each returns 0, or the code of mlog_order with the reason
 * in `err`. The names in capitals are those of docs/protocol/02-membership-log.md, "Rules".
 */
#ifndef MLSH_MEMBERSHIP_RULES_H
#define MLSH_MEMBERSHIP_RULES_H

#include "membership/internal.h"

int rule_sig(const struct mlog *l, const struct placed *p, size_t i, const uint8_t key[KEY_LEN],
	     const char *whose, struct err *err) MUST_CHECK;

/* AUTHOR: a current member, in the log at its base. */
int rule_author_member(const struct mlog *l, const struct entry *e, const struct member **ret,
		       struct err *err) MUST_CHECK;

int rule_author_admin(const struct mlog *l, const struct entry *e, const struct member **ret,
		      struct err *err) MUST_CHECK;

/* AUTHOR: an admin, without interruption since the base. */
int rule_admin_since(const struct mlog *l, const struct member *m, uint64_t base, struct err *err)
	MUST_CHECK;

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

#endif
