/* SPDX-License-Identifier: MIT */
/*
 * The removals of a tunnel that no server has ordered: held, shown to peers, and handed to the
 * server, whoever made them.
 */
#ifndef MLSH_TUND_WAITING_H
#define MLSH_TUND_WAITING_H

#include "client/session.h"
#include "membership/deny.h"
#include "overlay/overlay.h"

struct waiting {
	const struct mlog *log;
	struct denials *held;
	struct overlay *overlay; /* NULL until there is one */
	struct session *session; /* NULL: it is not up */
	size_t submit_at;	 /* which of them is to be ordered next */
	bool submitting;
	loop_fn changed; /* those that are held; to be saved */
	void *ctx;
};

/* `w` is all zero but for log, changed and ctx. -ENOMEM. waiting_fini afterwards. */
int waiting_init(struct waiting *w) MUST_CHECK;
void waiting_fini(struct waiting *w);
/*
 * Takes the bytes of a remove entry, from anybody. Returns 1 if it denies its targets from now on,
 * 0 if it is known, ordered or changes nothing; negative as denials_add.
 */
int waiting_take(struct waiting *w, struct span entry, struct err *err) MUST_CHECK;
bool waiting_denies(const struct waiting *w, const struct member *m);
/* The log has grown: some may be ordered now, or void. */
void waiting_log_grew(struct waiting *w);
/* The session is up, or it is not (NULL): what was handed to it waits for its next connection. */
void waiting_session(struct waiting *w, struct session *s);
/* The session is about to be freed, and with it what was handed to it. */
void waiting_forget_session(struct waiting *w);

#endif
