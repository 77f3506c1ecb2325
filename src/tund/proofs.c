/* SPDX-License-Identifier: MIT */
/* The proof that this node has seen, in its file or in memory. */
#include "tund/proofs.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/store.h"

static int proofs_path(const char *state_dir, const char *cluster, char ret[STORE_PATH_MAX])
{
	int n = snprintf(ret, STORE_PATH_MAX, "%s/%s" PROOF_SUFFIX, state_dir, cluster);

	return n < 0 || n >= STORE_PATH_MAX ? -ENAMETOOLONG : 0;
}

struct proofs proofs_of(struct host *h, const char *state_dir, const char *cluster)
{
	struct proofs p = { .host = h, .state_dir = state_dir, .cluster = cluster };
	char path[STORE_PATH_MAX];

	p.kept = state_dir && proofs_path(state_dir, cluster, path) == 0 && file_exists(h, path);
	return p;
}

static int write_file(const struct proofs *p, const struct buf *b, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = proofs_path(p->state_dir, p->cluster, path);

	return rc < 0 ? err_set(err, rc, "the path of the state folder is too long")
		      : file_write(p->host, path, b->data, b->len, 0600, err);
}

void proofs_keep(struct proofs *p, const struct mlog *l, const struct log_proof *proof)
{
	struct buf b = { 0 };
	struct err err = { 0 };
	int rc = p->kept ? -EALREADY : proof_file_encode(l, proof, &b);

	if (rc == -EALREADY)
		return;
	if (rc < 0)
		err_set(&err, rc, "%s", strerror(-rc));
	else if (p->state_dir)
		rc = write_file(p, &b, &err);
	p->kept = rc == 0;
	if (rc < 0)
		log_error(host_log(p->host), "%s: the proof was not kept: %s", p->cluster,
			  err.text);
	if (rc == 0 && !p->state_dir)
		p->bytes = b;
	else
		buf_free(&b);
}

int proofs_read(const struct proofs *p, struct buf *ret, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc;

	if (!p->kept)
		return err_set(err, -ENOENT,
			       "this node has seen no proof against the signal server of %s",
			       p->cluster);
	if (p->state_dir) {
		rc = proofs_path(p->state_dir, p->cluster, path);
		return rc < 0 ? rc : file_read(p->host, path, PROOF_FILE_MAX, err, ret);
	}
	*ret = (struct buf){ malloc(p->bytes.len), p->bytes.len };
	if (!ret->data)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(ret->data, p->bytes.data, p->bytes.len);
	return 0;
}

int proofs_remove(struct host *h, const char *state_dir, const char *cluster)
{
	char path[STORE_PATH_MAX];
	int rc = proofs_path(state_dir, cluster, path);

	return rc < 0 ? rc : file_forget(h, path);
}
