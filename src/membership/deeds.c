/* SPDX-License-Identifier: MIT */
/*
 * What an entry does in a log: one row a type, with the rules under which it may stand there
 * (rules.c, rules_admit.c) and what it changes (apply.c).
 */
#include "membership/rules.h"

static const struct deed deeds[ENTRY_TYPES] = {
	[ENTRY_GENESIS] = { verify_genesis, apply_genesis, ENTRY_LATE },
	[ENTRY_ADMIT] = { verify_admit, apply_admit, ENTRY_LATE },
	[ENTRY_CANCEL] = { verify_cancel, apply_cancel, 0 },
	[ENTRY_REMOVE] = { verify_remove, apply_remove, ENTRY_LATE | ENTRY_LAST_ROOM },
	[ENTRY_PROMOTE] = { verify_promote, apply_promote, ENTRY_LAST_ROOM },
	[ENTRY_DEMOTE] = { verify_demote, apply_demote, ENTRY_LAST_ROOM },
	[ENTRY_RENAME] = { verify_rename, apply_rename, 0 },
	[ENTRY_ROTATE] = { verify_rotate, apply_rotate, 0 },
	[ENTRY_SIGNAL] = { verify_signal, apply_signal, ENTRY_LAST_ROOM },
	[ENTRY_RECOVER] = { verify_recover, apply_recover, ENTRY_LATE | ENTRY_LAST_ROOM },
	[ENTRY_RENEW] = { verify_renew, apply_renew, 0 },
};

static const struct deed skipped = { verify_skipped, apply_skipped, 0 };

/* entry_decode refuses types that have no row. */
static const struct deed *deed_of(const struct entry *e)
{
	ASSERT(e->type >= ENTRY_SKIPPABLE || (e->type < ENTRY_TYPES && deeds[e->type].verify));
	return e->type >= ENTRY_SKIPPABLE ? &skipped : &deeds[e->type];
}

int mlog_verify_next(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct deed *deed = deed_of(p->entry);
	int r = rule_any_type(l, p, deed->flags, err);

	return r < 0 ? r : deed->verify(l, p, err);
}

void mlog_apply(struct mlog *l, const struct placed *p)
{
	deed_of(p->entry)->apply(l, p);
}
