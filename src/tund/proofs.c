/* SPDX-License-Identifier: MIT */
/* The proofs that this node has seen, in their files or in memory. */
#include "tund/proofs.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/store.h"

static int proof_path(const char *state_dir, const char *cluster, enum proof_kind kind,
		      char ret[STORE_PATH_MAX])
{
	const char *suffix = kind == PROOF_CODE ? CODE_PROOF_SUFFIX : PROOF_SUFFIX;
	int n = snprintf(ret, STORE_PATH_MAX, "%s/%s%s", state_dir, cluster, suffix);

	return n < 0 || n >= STORE_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A file that is not one is as good as none: the next proof takes its place. */
static void look(struct proofs *p, enum proof_kind kind)
{
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	struct err err = { 0 };
	int rc;

	if (!p->state_dir || proof_path(p->state_dir, p->cluster, kind, path) < 0 ||
	    !file_exists(p->host, path))
		return;
	rc = file_read(p->host, path, PROOF_FILE_MAX, &err, &b);
	if (rc == 0)
		rc = proof_file_generation(span_of(b.data, b.len), &p->of[kind].generation);
	buf_free(&b);
	p->of[kind].kept = rc == 0;
	if (rc < 0)
		log_warn(host_log(p->host), "%s: %s is not the proof that was kept: %s", p->cluster,
			 path, err.text[0] ? err.text : "it is damaged");
}

struct proofs proofs_of(struct host *h, const char *state_dir, const char *cluster)
{
	struct proofs p = { .host = h, .state_dir = state_dir, .cluster = cluster };

	for (int kind = 0; kind < PROOF_KINDS; kind++)
		look(&p, (enum proof_kind)kind);
	return p;
}

void proofs_free(struct proofs *p)
{
	for (int kind = 0; kind < PROOF_KINDS; kind++)
		buf_free(&p->of[kind].bytes);
}

static int write_file(const struct proofs *p, enum proof_kind kind, const struct buf *b,
		      struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = proof_path(p->state_dir, p->cluster, kind, path);

	return rc < 0 ? err_set(err, rc, "the path of the state folder is too long")
		      : file_write(p->host, path, b->data, b->len, 0600, err);
}

void proofs_keep(struct proofs *p, const struct mlog *l, const struct log_proof *proof)
{
	enum proof_kind kind = proof_kind_of(proof);
	struct proof_kept *k = &p->of[kind];
	struct buf b = { 0 };
	struct err err = { 0 };
	int rc;

	if (k->kept && k->generation >= mlog_generation(l))
		return;
	rc = proof_file_encode(l, proof, &b);
	if (rc < 0)
		err_set(&err, rc, "%s", strerror(-rc));
	else if (p->state_dir)
		rc = write_file(p, kind, &b, &err);
	if (rc < 0) {
		log_error(host_log(p->host), "%s: the proof was not kept: %s", p->cluster,
			  err.text);
		buf_free(&b);
		return;
	}
	k->kept = true;
	k->generation = mlog_generation(l);
	buf_free(p->state_dir ? &b : &k->bytes);
	if (!p->state_dir)
		k->bytes = b;
}

void proofs_recall(const struct proofs *p, struct tunnel *t)
{
	for (int kind = 0; kind < PROOF_KINDS; kind++)
		if (p->of[kind].kept)
			tunnel_recall_fork(t, (enum proof_kind)kind, p->of[kind].generation);
}

static int refuse_absent(const struct proofs *p, enum proof_kind kind, struct err *err)
{
	bool other = p->of[kind == PROOF_CODE ? PROOF_SERVER : PROOF_CODE].kept;

	if (kind == PROOF_CODE)
		return err_set(err, -ENOENT,
			       "this node has seen no proof that the recovery code of %s was "
			       "misused%s",
			       p->cluster,
			       other ? ", but one against the signal server: --proof" : "");
	return err_set(err, -ENOENT,
		       "this node has seen no proof against the signal server of %s%s", p->cluster,
		       other ? ", but one that the recovery code was misused: --code-proof" : "");
}

int proofs_read(const struct proofs *p, enum proof_kind kind, struct buf *ret, struct err *err)
{
	const struct proof_kept *k = &p->of[kind];
	char path[STORE_PATH_MAX];
	int rc;

	if (!k->kept)
		return refuse_absent(p, kind, err);
	if (p->state_dir) {
		rc = proof_path(p->state_dir, p->cluster, kind, path);
		return rc < 0 ? rc : file_read(p->host, path, PROOF_FILE_MAX, err, ret);
	}
	*ret = (struct buf){ malloc(k->bytes.len), k->bytes.len };
	if (!ret->data)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(ret->data, k->bytes.data, k->bytes.len);
	return 0;
}

int proofs_check(struct host *h, const char *state_dir, const char *cluster, struct err *err)
{
	for (int kind = 0; kind < PROOF_KINDS; kind++) {
		char path[STORE_PATH_MAX];
		struct proof_read p;
		struct buf b = { 0 };
		int rc;

		if (proof_path(state_dir, cluster, (enum proof_kind)kind, path) < 0 ||
		    file_read(h, path, PROOF_FILE_MAX, NULL, &b) < 0)
			continue;
		rc = proof_file_decode(span_of(b.data, b.len), &p);
		if (rc == 0)
			proof_read_free(&p);
		buf_free(&b);
		if (rc == -EPROTONOSUPPORT)
			return err_set(err, rc,
				       "%s, a proof, was written by a newer mlshtund: upgrade this "
				       "one, or keep the file elsewhere and remove it here",
				       path);
	}
	return 0;
}

int proofs_remove(struct host *h, const char *state_dir, const char *cluster)
{
	int rc = 0;

	for (int kind = 0; kind < PROOF_KINDS && rc == 0; kind++) {
		char path[STORE_PATH_MAX];

		rc = proof_path(state_dir, cluster, (enum proof_kind)kind, path);
		if (rc == 0)
			rc = file_forget(h, path);
	}
	return rc;
}
