/* SPDX-License-Identifier: MIT */
/*
 * Entries that a person signed with a command, on their way into the log. A removal is held like
 * any other that waits for its order, and denies at once; the session has the server order
 * everything else, which is taken back if the server does not answer.
 */
#ifndef MLSH_TUND_SUBMIT_H
#define MLSH_TUND_SUBMIT_H

#include "base/list.h"
#include "client/session.h"

struct submit;
struct waiting;

struct submit_outcome {
	bool ordered;	 /* false: it is a removal, which waits for the server */
	uint64_t seq;	 /* of the record that did it, if it is ordered */
	const char *why; /* it is not ordered yet; a view */
};

struct submit_config {
	struct mlog *log;
	struct session *const *session; /* the tunnel's, which may be exchanged */
	struct waiting *waiting;
	/*
	 * Called once, from the loop, within SUBMIT_WAIT: with an error or with the outcome (the
	 * other one is NULL). The submit is gone then.
	 */
	void (*done)(void *ctx, const struct err *err, const struct submit_outcome *outcome);
	void *ctx;
};

#define SUBMIT_WAIT (5 * NS_PER_S)

/*
 * Takes a copy of a signed entry. `all` is the tunnel's list of them. What the log refuses is
 * refused at once, with the reason (enum refusal) in err. -EBADMSG, -EBUSY, -ENOMEM, and as
 * mlog_order.
 */
int submit_new(struct host *h, const struct submit_config *cfg, struct span entry, struct list *all,
	       struct err *err, struct submit **ret) MUST_CHECK;
/* The caller has gone: `done` is not called. A removal goes on all the same. NULL allowed. */
void submit_free(struct submit *s);
/* The log has grown. */
void submits_log_grew(struct list *all);
/* The tunnel ends, with its session. `done` is called with an error. */
void submits_end(struct list *all);

#endif
