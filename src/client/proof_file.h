/* SPDX-License-Identifier: MIT */
/*
 * A proof that the signal server lies, or that a recovery code was misused, as a file that a
 * stranger can check without any other (docs/protocol/02-membership-log.md, "The proof file"):
 *
 *	[version: 1, ours: array of bstr, theirs: array of bstr]
 *
 * `ours` is a whole log, from its first record; `theirs` is what contradicts it.
 */
#ifndef MLSH_CLIENT_PROOF_FILE_H
#define MLSH_CLIENT_PROOF_FILE_H

#include "membership/mlog.h"
#include "os/file.h"

#define PROOF_FILE_MAX (64u << 20)

/* The proof against the log `l`; the caller frees. -EFBIG, -ENOMEM. */
int proof_file_encode(const struct mlog *l, const struct log_proof *proof, struct buf *ret)
	MUST_CHECK;

struct proof_read {
	struct span *ours, *theirs; /* views; the arrays belong to the struct */
	size_t n_ours, n_theirs;
};

/* Form only. -EBADMSG; -EPROTONOSUPPORT for a later version; -EFBIG; -ENOMEM. */
int proof_file_decode(struct span in, struct proof_read *ret) MUST_CHECK;
void proof_read_free(struct proof_read *p); /* zeroed allowed */

/*
 * The generation of the log that the file accuses with: a recovery after it has ended what is
 * proven. Form only, no signature is looked at; as proof_file_decode.
 */
int proof_file_generation(struct span in, uint64_t *ret) MUST_CHECK;

struct proof_verdict {
	struct mlog *log;      /* `ours`, verified; the caller frees */
	struct mlog_take take; /* why.text: what is proven, or why nothing is */
	struct span shown;     /* their record `take.seq`, a view; empty: it is not among theirs */
};

/*
 * Verifies all signatures of a file, from the first record on. 0 if it proves what take.result says
 * (TAKEN_LIE or TAKEN_CODE_MISUSED). -EKEYREJECTED: it is well-formed, and proves nothing; others
 * as proof_file_decode. The verdict is freed in each case.
 */
int proof_file_verify(struct host *h, struct span in, struct proof_verdict *ret, struct err *err)
	MUST_CHECK;
void proof_verdict_free(struct proof_verdict *v);

#endif
