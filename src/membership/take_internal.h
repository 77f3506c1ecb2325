/* SPDX-License-Identifier: MIT */
/* Records that somebody shows, read as far as their place: what the files that take them share. */
#ifndef MLSH_MEMBERSHIP_TAKE_INTERNAL_H
#define MLSH_MEMBERSHIP_TAKE_INTERNAL_H

#include "membership/internal.h"

struct shown {
	struct record record;
	bool tried;    /* its receipt was looked at, */
	bool verified; /* and is good */
	bool own_key;  /* a recover record, not in our log, that names the key of its receipt */
};

struct taking {
	struct mlog *l;
	struct shown *shown;
	size_t first, n;   /* those that are not in our log already, and that follow each other */
	size_t by_code;	   /* recover and renew records before this one are by the code in force */
	bool malformed;	   /* what comes behind them does not */
	bool all;	   /* the log goes if one of them is not valid */
	uint64_t latest_s; /* records dated later are held back */
	struct mlog_take *ret;
};

/* --- take_receipts.c -------------------------------------------------------------------------- */

/*
 * Verifies the receipts that vouch for all that were shown: that of the last record, and where the
 * order key changes that of the last under the old one.
 */
bool take_verify_receipts(struct taking *t);
/*
 * Does a receipt of a key that our log knows vouch for record `i`? A forged recovery could bring a
 * key of its own, which says nothing about the server.
 */
bool take_is_vouched(const struct taking *t, size_t i);

/* --- take_codes.c ----------------------------------------------------------------------------- */

/* Did this key make the entry's first signature? */
bool take_is_signed(const struct mlog *l, const struct entry *e, const uint8_t key[KEY_LEN]);
/*
 * Do the records shown lead to a recovery that counts more than our log? Its key vouches for all
 * before it, whatever the server made of them. It is looked at before our log is cut and played
 * again for it, which costs much: only a code that is or was in force can make us do that.
 */
bool take_leads_to_recovery(struct taking *t);

#endif
