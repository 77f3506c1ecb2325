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
/* What is to be added to a file that has the records before `from`; the caller frees. -ENOMEM. */
int log_file_encode_more(const struct mlog *l, uint64_t from, struct buf *ret) MUST_CHECK;

struct log_read {
	struct mlog *log; /* committed; the caller frees */
	struct log_place place;
	size_t torn;	 /* bytes at the end that a crash left half written: not in `log` */
	size_t verified; /* records whose signatures had to be verified */
};

/*
 * `verified` is the hash of a record up to which this program has verified the log before; no
 * signature up to it is verified again. NULL: all are. The cluster's id must be `cluster_id`. What
 * a crash may have left half written at the end is passed over. -EBADMSG: damaged, not valid, or
 * another cluster's; -EPROTONOSUPPORT: a newer version wrote it; -EFBIG; -ENOMEM.
 */
int log_file_decode(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    const uint8_t *verified, struct log_read *ret, struct err *err) MUST_CHECK;
/*
 * The same for bytes of somebody else's. What `known` has, too, is not verified again, and of such
 * records the receipts are those of `known`, which was verified. `known` may be NULL.
 */
int log_file_decode_known(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
			  const struct mlog *known, struct log_read *ret, struct err *err)
	MUST_CHECK;

/* `<cluster>.verified`: how far the log was verified, and by which rules. Bytes of the file. */
#define LOG_MARK_MAX 64
ptrdiff_t log_mark_encode(const uint8_t hash[HASH_LEN], void *out, size_t cap) MUST_CHECK;
/* -EBADMSG: damaged, or it was verified by other rules. */
int log_mark_decode(struct span bytes, uint8_t ret_hash[HASH_LEN]) MUST_CHECK;

#endif
