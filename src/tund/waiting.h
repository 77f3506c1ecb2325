/* SPDX-License-Identifier: MIT */
/*
 * The removals of a tunnel that no server has ordered: held, shown to peers, and handed to the
 * server, whoever made them, until it has ordered them.
 */
#ifndef MLSH_TUND_WAITING_H
#define MLSH_TUND_WAITING_H

#include "client/session.h"
#include "membership/deny.h"
#include "overlay/overlay.h"

#define STRAYS_MAX 64	   /* removals whose base is in records that this node lacks */
#define STRAYS_EACH_MAX 16 /* the same, that one member showed */

struct stray;

struct waiting {
	struct host *host;
	const struct mlog *log;
	struct denials *held;
	struct overlay *overlay; /* NULL until there is one */
	struct session *session; /* NULL if it is not up */
	struct timer *timer;
	uint64_t current; /* serial number of the one that was handed to the server last */
	uint64_t pass_at, began_at; /* when the next round over all of them begins; the last did */
	uint64_t gap;		    /* between two rounds; 0: the first */
	bool submitting;
	bool unanswered;		 /* the last round ended with the session */
	char why[REFUSAL_TEXT_MAX];	 /* what the server said, or why it was not asked */
	struct stray *stray[STRAYS_MAX]; /* the oldest first */
	size_t n_strays;
	struct log_limit taken_limit, refused_limit;
	loop_fn changed; /* those that are held; to be saved */
	void *ctx;
};

/* `w` is all zero but for host, log, changed and ctx. -ENOMEM. waiting_fini afterwards. */
int waiting_init(struct waiting *w) MUST_CHECK;
void waiting_fini(struct waiting *w);
/*
 * Takes the bytes of a remove entry that a command made, or the own file has. Returns 1 if it
 * denies its targets from now on, 0 if it is known, ordered or changes nothing; negative as
 * denials_add.
 */
int waiting_take(struct waiting *w, struct span entry, struct err *err) MUST_CHECK;
/* The same that a peer showed, or the server (NULL). What lacks its base is kept for a while. */
enum removal_shown waiting_shown(struct waiting *w, const struct member *from, struct span entry);
bool waiting_denies(const struct waiting *w, const struct member *m);
/* The log has grown: some may be ordered now, or void, or have their base. */
void waiting_log_grew(struct waiting *w);
/* The session is up, or it is not (NULL). */
void waiting_session(struct waiting *w, struct session *s);
/* The session is about to be freed, and with it what was handed to it. */
void waiting_forget_session(struct waiting *w);

#endif
