/* SPDX-License-Identifier: MIT */
/*
 * Members that a recovery let back in without naming them: it was made where their removal was not
 * known, or it did not keep that. Nothing forbids it, since the code is the last word, but people
 * have to hear of it.
 */
#ifndef MLSH_TUND_LET_BACK_H
#define MLSH_TUND_LET_BACK_H

#include "membership/mlog.h"

#define LET_BACK_MAX 8 /* that are remembered */

/* Who, and by which recovery. To be kept over a restart: a log does not have what it dropped. */
struct let_back_list {
	struct let_back_item {
		struct node_id id;
		uint64_t seq; /* of the recovery */
	} item[LET_BACK_MAX];
	size_t n;
};

struct let_back {
	struct let_back_list of;
	char line[1280]; /* a sentence; "": nobody was */
};

/*
 * A change of the roster, of which `behind` is the cursor behind it. Returns true if `b` says
 * something new.
 */
bool let_back_note(struct let_back *b, const struct mlog *log, const struct node_id *self,
		   const struct roster_change *c, struct roster_cursor behind);
/* Takes what was kept, as far as the log still has the recovery and the member. */
void let_back_recall(struct let_back *b, const struct mlog *log, const struct let_back_list *kept);

#endif
