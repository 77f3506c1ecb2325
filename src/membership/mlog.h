/* SPDX-License-Identifier: MIT */
/*
 * The membership log and the roster that follows from it. Pure verification, no I/O: server and
 * nodes run the same code. Every entry that is in an mlog has been verified against all before
 * it.
 */
#ifndef MLSH_MEMBERSHIP_MLOG_H
#define MLSH_MEMBERSHIP_MLOG_H

#include "membership/roster.h"
#include "proto/refusal.h"

struct mlog;
struct wire_entries;

struct mlog *mlog_new(const uint8_t map_seed[16]); /* empty; NULL: no memory */
void mlog_free(struct mlog *l);

/*
 * Verifies the entry against the log (all rules of docs/protocol/02-membership-log.md) and
 * appends a copy. On any failure the log is unchanged. err->reason tells the cause (enum
 * refusal). Codes:
 *
 *	-EBADMSG	malformed; or does not follow our last entry (REFUSAL_UNKNOWN_HEAD)
 *	-EPROTONOSUPPORT upgrade
 *	-EKEYREJECTED	a signature
 *	-EEXIST		this very entry is there already
 *	-ESTALE		it builds on an older entry: another one came first. The same when it was
 *			sequenced (a log, not a request): a fork, see mlog_is_fork
 *	-ETIME		the invite has expired
 *	-EACCES		another rule
 *	-ENOSPC		full
 *	-ENOMEM
 */
int mlog_append(struct mlog *l, struct span entry, struct err *err) MUST_CHECK;
/* The same checks without appending. */
int mlog_check(const struct mlog *l, struct span entry, struct err *err) MUST_CHECK;
/*
 * Would the entry be valid in the place of another one that we hold? Then both together prove a
 * fork, if it came as a part of a log. ret_seq: which place. Costs a replay of the log up to
 * there, without signatures.
 */
bool mlog_is_fork(const struct mlog *l, struct span entry, uint64_t *ret_seq);

size_t mlog_count(const struct mlog *l);
struct head mlog_head(const struct mlog *l); /* all zero when the log is empty */
/* Empty past the end; valid while the log lives. */
struct span mlog_entry(const struct mlog *l, uint64_t seq);
/* The entries from `from` on, as many as fit one message; none past the end. Views into the log. */
void mlog_page(const struct mlog *l, uint64_t from, struct wire_entries *ret);
/* Does the log contain this head? */
bool mlog_has_head(const struct mlog *l, const struct head *h);
/* NULL when the log is empty. */
const uint8_t *mlog_cluster_id(const struct mlog *l);
const struct genesis *mlog_genesis(const struct mlog *l);
uint64_t mlog_last_time_s(const struct mlog *l); /* 0 when the log is empty */
/* The lowest address a next member may have: one above the highest so far; 0: subnet full. */
ip4 mlog_next_address(const struct mlog *l);

/*
 * Is the signed invite good for an admit at `now_s` by this log? Reasons: tampered, wrong
 * cluster, sponsor unknown, sponsor not an admin, unknown head, used, expired, cancelled. Codes
 * as mlog_append.
 */
int mlog_check_invite(const struct mlog *l, struct span invite, const uint8_t sig[SIG_LEN],
		      uint64_t now_s, struct invite *ret, struct err *err) MUST_CHECK;
bool mlog_invite_used(const struct mlog *l, const uint8_t nonce[NONCE_LEN]); /* or cancelled */
/* The member that used the invite, or NULL. */
const struct member *mlog_invite_redeemer(const struct mlog *l, const uint8_t nonce[NONCE_LEN]);
/* What follows from the entries. It lives as long as the log. */
const struct roster *mlog_roster(const struct mlog *l);

#endif
