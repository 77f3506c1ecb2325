/* SPDX-License-Identifier: MIT */
/*
 * Proof that a server lies, and that a recovery code was misused, kept for `mlsh log --proof` and
 * `--code-proof`: in files of the state folder (client/proof_file.h). Of each kind the first one
 * stays, since one is enough and whoever misbehaves must not make the daemon write again and again.
 * A recovery ends what was proven before it: the next proof takes the place of one from before.
 */
#ifndef MLSH_TUND_PROOFS_H
#define MLSH_TUND_PROOFS_H

#include "client/proof_file.h"
#include "tund/tunnel.h"

#define PROOF_SUFFIX ".proof"		/* against the server */
#define CODE_PROOF_SUFFIX ".code-proof" /* that the code was misused */

struct proof_kept {
	bool kept;
	uint64_t generation; /* of the log when it was seen */
	struct buf bytes;    /* without a state folder */
};

struct proofs {
	struct host *host;
	const char *state_dir; /* NULL if they are kept in memory */
	const char *cluster;
	struct proof_kept of[PROOF_KINDS];
};

/* What is kept of the cluster, whose name and folder the caller keeps; proofs_free. */
struct proofs proofs_of(struct host *h, const char *state_dir, const char *cluster);
void proofs_free(struct proofs *p); /* the files stay */
/* Keeps the proof against the log unless there is one of its kind. What fails is logged. */
void proofs_keep(struct proofs *p, const struct mlog *l, const struct log_proof *proof);
/* Tells a tunnel that was just made what was proven before it. */
void proofs_recall(const struct proofs *p, struct tunnel *t);
/* The file as it is; the caller frees. -ENOENT with a message if there is none. */
int proofs_read(const struct proofs *p, enum proof_kind kind, struct buf *ret, struct err *err)
	MUST_CHECK;
/* -EPROTONOSUPPORT: a newer version wrote one of the files, which is not to be replaced. */
int proofs_check(struct host *h, const char *state_dir, const char *cluster, struct err *err)
	MUST_CHECK;
int proofs_remove(struct host *h, const char *state_dir, const char *cluster) MUST_CHECK;

#endif
