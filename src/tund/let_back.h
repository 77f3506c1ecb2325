/* SPDX-License-Identifier: MIT */
/*
 * Members that a recovery let back in without naming them: it was made where their removal was not
 * known, or it did not keep that. Nothing forbids it, since the code is the last word, but people
 * have to hear of it.
 */
#ifndef MLSH_TUND_LET_BACK_H
#define MLSH_TUND_LET_BACK_H

#include "membership/mlog.h"

struct let_back {
	char line[320]; /* a sentence; "": nobody was */
};

/*
 * A change of the roster, of which `behind` is the cursor behind it. Returns true if `b` says
 * something new.
 */
bool let_back_note(struct let_back *b, const struct mlog *log, const struct node_id *self,
		   const struct roster_change *c, struct roster_cursor behind);

#endif
