/* SPDX-License-Identifier: MIT */
/* The next key of this node, from its file to its place. */
#include "client/rotation.h"

bool rotation_begun(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];

	return store_identity_path(s, cluster, STORE_NEXT, path, NULL) == 0 && file_exists(h, path);
}

/* -ENOENT if nothing was begun. */
static int load_next(struct host *h, const char *path, struct identity **ret, struct err *err)
{
	struct buf b = { 0 };
	int rc = file_read_private(h, path, SIGN_SEED_LEN, err, &b);

	if (rc < 0)
		return rc;
	if (b.len == SIGN_SEED_LEN)
		rc = identity_from_seed(b.data, err, ret);
	else
		rc = err_set(err, -EBADMSG,
			     "%s, the next key of this node, is damaged: remove it, and run `mlsh "
			     "rotate` again",
			     path);
	buf_free(&b);
	return rc;
}

int rotation_next(struct host *h, const struct store *s, const char *cluster, struct identity **ret,
		  struct err *err)
{
	uint8_t seed[SIGN_SEED_LEN];
	char path[STORE_PATH_MAX];
	int rc = store_identity_path(s, cluster, STORE_NEXT, path, err);

	if (rc == 0)
		rc = load_next(h, path, ret, err);
	if (rc != -ENOENT)
		return rc;
	random_fill(h, seed, sizeof(seed));
	rc = identity_from_seed(seed, err, ret);
	if (rc == 0)
		rc = file_write(h, path, seed, sizeof(seed), 0600, err);
	if (rc < 0) {
		identity_free(*ret);
		*ret = NULL;
	}
	secret_wipe(seed, sizeof(seed));
	return rc;
}

int rotation_settle(struct host *h, const struct store *s, const char *cluster,
		    const struct mlog *l, struct err *err)
{
	struct identity *next = NULL;
	char path[STORE_PATH_MAX];
	int rc = store_identity_path(s, cluster, STORE_NEXT, path, err);

	if (rc == 0)
		rc = load_next(h, path, &next, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!roster_by_key_sha256(mlog_roster(l), identity_key_sha256(next), ROSTER_CURRENT)) {
		identity_free(next);
		return 0;
	}
	rc = store_save_identity(h, s, cluster, next, err);
	identity_free(next);
	if (rc == 0 && (rc = file_forget(h, path)) < 0)
		rc = err_set(err, rc, "cannot remove %s: %s", path, strerror(-rc));
	return rc < 0 ? rc : 1;
}
