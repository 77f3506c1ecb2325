/* SPDX-License-Identifier: MIT */
/*
 * The files of a cluster as a caller sends them over the local socket, in pieces
 * (docs/protocol/05-local.md). A caller names the sizes first; they are checked before anything is
 * allocated.
 */
#ifndef MLSH_TUND_UPLOAD_H
#define MLSH_TUND_UPLOAD_H

#include "client/store.h"
#include "os/user.h"
#include "proto/control.h"

#define UPLOAD_IDLE_MAX (5 * NS_PER_S)	    /* between two pieces */
#define UPLOAD_TIME_MAX (60 * NS_PER_S)	    /* of the whole upload */
#define UPLOAD_LARGE CONTROL_WINDOW	    /* larger ones count for the limit below */
#define UPLOAD_LARGE_BYTES_MAX (130u << 20) /* of all users but root together */

struct upload {
	uint64_t size[CONTROL_FILES];
	struct buf file[CONTROL_FILES]; /* len: what has come; data: NULL until upload_begin */
	size_t at;			/* the file that is being filled */
	uint64_t received, acknowledged;
};

/* -EFBIG, -EINVAL with a message: the sizes are not those of a cluster's files. */
int upload_check(const uint64_t size[CONTROL_FILES], struct err *err) MUST_CHECK;
uint64_t upload_total(const struct upload *u);
/* Allocates what the checked sizes need. -ENOMEM. */
int upload_begin(struct upload *u, struct err *err) MUST_CHECK;
/* Takes the next piece. Returns 1 if the files are whole, 0 if more is to come, -EMSGSIZE for more
 * bytes than were named. */
int upload_add(struct upload *u, struct span piece) MUST_CHECK;
/* Returns true, once, each time that the sender waits for an acknowledgement. */
bool upload_owes_ack(struct upload *u);
void upload_end(struct upload *u); /* wipes and frees what came; zeroed allowed */

/*
 * What users have cost the daemon lately: each record that was verified for them counts a
 * millisecond, and so do 16 KiB. A user that owes more than UPLOAD_DEBT_MAX waits.
 */
#define UPLOAD_DEBT_MAX (70 * NS_PER_S) /* the largest log, and some */
#define UPLOAD_DEBTORS_MAX 64

struct upload_debts {
	struct {
		struct user user;
		uint64_t until; /* when all is paid */
	} of[UPLOAD_DEBTORS_MAX];
};

void upload_charge(struct upload_debts *d, struct user user, size_t verified, uint64_t bytes,
		   uint64_t now);
/* For how long the user has to wait; 0 if no time. */
uint64_t upload_debt_wait(const struct upload_debts *d, struct user user, uint64_t now);

#endif
