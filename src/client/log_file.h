/* SPDX-License-Identifier: MIT */
/*
 * `<cluster>.log`: a node's copy of the membership log. It is only ever added to, or written as a
 * whole beside it and renamed:
 *
 *	8d 6d 6c 73, version: u32 (1), cluster id: 32 bytes
 *	then for each record: length: u32, first 8 bytes of the record's SHA-256, the record
 *
 * Bytes only; where they lie is store.h's business.
 */
#ifndef MLSH_CLIENT_LOG_FILE_H
#define MLSH_CLIENT_LOG_FILE_H

#include "membership/mlog.h"
#include "os/file.h"

#define LOG_FILE_MAX (64u << 20)

/* How much of a log a file has. */
struct log_place {
	struct head head; /* of the last record in it */
	size_t bytes;	  /* where the next one goes; 0: the file is to be written as a whole */
};

/* The whole log in the file's form; the caller frees. -ENOMEM. */
int log_file_encode(const struct mlog *l, struct buf *ret) MUST_CHECK;
/*
 * The records from `from` on and before `until`; if `from` is 0, behind the beginning of the file.
 * All parts, one behind the other, are the file. The caller frees. -ENOMEM.
 */
int log_file_encode_part(const struct mlog *l, uint64_t from, uint64_t until, struct buf *ret)
	MUST_CHECK;

struct log_read {
	struct mlog *log; /* committed; the caller frees */
	struct log_place place;
	size_t torn;	 /* bytes at the end that a crash left half written: not in `log` */
	size_t verified; /* records whose signatures were verified, or tried in vain */
};

/*
 * What need not be verified again: the records up to the one with the hash `mark`, up to which this
 * program has verified the log before, and those that the log `known` has, too. Of the latter the
 * receipts are those of `known`, which was verified. Either may be NULL: then it says nothing.
 */
struct log_trust {
	const uint8_t *mark;
	const struct mlog *known;
};

/*
 * The cluster's id must be `cluster_id`. With a `trust` of NULL all is verified. What a crash left
 * half written at the end is passed over. -EBADMSG: damaged, not valid, or another cluster's;
 * -EPROTONOSUPPORT: a newer version wrote it; -EFBIG; -ENOMEM.
 */
int log_file_decode(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    const struct log_trust *trust, struct log_read *ret, struct err *err)
	MUST_CHECK;

/*
 * The same in steps of a few milliseconds, for a process that has other work to do: to verify a
 * long log takes seconds. A step verifies sixteen records, or as many as a message has if only the
 * last of them has a receipt.
 */
struct log_reading;
/* `bytes` and the log that is known must stay as they are meanwhile. */
int log_reading_new(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    const struct log_trust *trust, struct err *err, struct log_reading **ret)
	MUST_CHECK;
void log_reading_free(struct log_reading *r); /* NULL allowed */
/* Returns 1 with the log, 0 if more steps are needed, or as log_file_decode; then it is over. */
int log_reading_step(struct log_reading *r, struct log_read *ret, struct err *err) MUST_CHECK;
size_t log_reading_verified(const struct log_reading *r); /* so far */

/* `<cluster>.verified`: how far the log was verified, and by which rules. Bytes of the file. */
#define LOG_MARK_MAX 64
ptrdiff_t log_mark_encode(const uint8_t hash[HASH_LEN], void *out, size_t cap) MUST_CHECK;
/* -EBADMSG: damaged, or it was verified by other rules. */
int log_mark_decode(struct span bytes, uint8_t ret_hash[HASH_LEN]) MUST_CHECK;

#endif
