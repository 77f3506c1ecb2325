/* SPDX-License-Identifier: MIT */
/*
 * The proof that a server lies or that a recovery code was misused, kept for `mlsh log --proof`: in
 * <state dir>/<cluster>.proof (client/proof_file.h). The first one stays, since one is enough and
 * whoever misbehaves must not make the daemon write again and again.
 */
#ifndef MLSH_TUND_PROOFS_H
#define MLSH_TUND_PROOFS_H

#include "client/proof_file.h"

#define PROOF_SUFFIX ".proof"

struct proofs {
	struct host *host;
	const char *state_dir; /* NULL: it is kept in memory */
	const char *cluster;
	bool kept;
	struct buf bytes; /* without a state folder */
};

/* What is kept of the cluster, whose name and folder the caller keeps. Nothing is read. */
struct proofs proofs_of(struct host *h, const char *state_dir, const char *cluster);
/* Keeps the proof against the log unless there is one. What fails is logged. */
void proofs_keep(struct proofs *p, const struct mlog *l, const struct log_proof *proof);
/* The file as it is; the caller frees. -ENOENT with a message if there is none. */
int proofs_read(const struct proofs *p, struct buf *ret, struct err *err) MUST_CHECK;
int proofs_remove(struct host *h, const char *state_dir, const char *cluster) MUST_CHECK;

#endif
