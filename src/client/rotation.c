/* SPDX-License-Identifier: MIT */
/* The keys of this node besides the one in use: the next one, and those of before. */
#include "client/rotation.h"

#define BEFORE_MAX 17 /* keys: one more than a member may have besides its first */

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

/* --- keys of before --------------------------------------------------------------------------- */

/* The seeds, oldest first; no bytes if there is no such file. */
static int load_before(struct host *h, const struct store *s, const char *cluster, struct buf *ret,
		       struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_identity_path(s, cluster, STORE_BEFORE, path, err);

	if (rc == 0)
		rc = file_read_private(h, path, BEFORE_MAX * SIGN_SEED_LEN, err, ret);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && ret->len % SIGN_SEED_LEN != 0)
		rc = err_set(err, -EBADMSG, "%s, the keys of before, is damaged: remove it", path);
	return rc;
}

/* Adds a key to them; of more than there is room for the oldest goes. */
static int keep(struct host *h, const struct store *s, const char *cluster,
		const struct identity *id, struct err *err)
{
	uint8_t seeds[(BEFORE_MAX + 1) * SIGN_SEED_LEN];
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	size_t n, skip;
	int rc = load_before(h, s, cluster, &b, err);

	if (rc < 0)
		return rc;
	n = b.len;
	if (n > 0)
		memcpy(seeds, b.data, n);
	buf_free(&b);
	rc = identity_seed(id, seeds + n);
	if (rc < 0)
		rc = err_set(err, rc, "the key of this node cannot be kept");
	n += SIGN_SEED_LEN;
	skip = n > BEFORE_MAX * SIGN_SEED_LEN ? SIGN_SEED_LEN : 0;
	if (rc == 0)
		rc = store_identity_path(s, cluster, STORE_BEFORE, path, err);
	if (rc == 0)
		rc = file_write(h, path, seeds + skip, n - skip, 0600, err);
	secret_wipe(seeds, sizeof(seeds));
	return rc;
}

static bool is_in_force(const struct mlog *l, const struct identity *id)
{
	return roster_by_key_sha256(mlog_roster(l), identity_key_sha256(id), ROSTER_CURRENT);
}

/* The newest of them that is in force by the log, or by NULL the newest. -ENOENT: there is none. */
static int find_before(struct host *h, const struct store *s, const char *cluster,
		       const struct mlog *l, struct identity **ret, struct err *err)
{
	struct buf b = { 0 };
	int rc = load_before(h, s, cluster, &b, err);

	*ret = NULL;
	for (size_t n = b.len; rc == 0 && !*ret && n > 0; n -= SIGN_SEED_LEN) {
		rc = identity_from_seed(b.data + n - SIGN_SEED_LEN, err, ret);
		if (rc == 0 && l && !is_in_force(l, *ret)) {
			identity_free(*ret);
			*ret = NULL;
		}
	}
	buf_free(&b);
	return rc == 0 && !*ret ? -ENOENT : rc;
}

bool rotation_has_others(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];

	return rotation_begun(h, s, cluster) ||
	       (store_identity_path(s, cluster, STORE_BEFORE, path, NULL) == 0 &&
		file_exists(h, path));
}

int rotation_before(struct host *h, const struct store *s, const char *cluster,
		    struct identity **ret, struct err *err)
{
	return find_before(h, s, cluster, NULL, ret, err);
}

/* --- what the log says ------------------------------------------------------------------------ */

/* The key in use is kept before another one takes its place. */
static int put_in_place(struct host *h, const struct store *s, const char *cluster,
			const struct identity *own, const struct identity *other, struct err *err)
{
	int rc = keep(h, s, cluster, own, err);

	return rc == 0 ? store_save_identity(h, s, cluster, other, err) : rc;
}

/* 1: it has taken its place. */
static int settle_next(struct host *h, const struct store *s, const char *cluster,
		       const struct mlog *l, const struct identity *own, struct err *err)
{
	struct identity *next = NULL;
	char path[STORE_PATH_MAX];
	int rc = store_identity_path(s, cluster, STORE_NEXT, path, err);

	if (rc == 0)
		rc = load_next(h, path, &next, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!is_in_force(l, next)) {
		identity_free(next);
		return 0;
	}
	rc = put_in_place(h, s, cluster, own, next, err);
	identity_free(next);
	if (rc == 0 && (rc = file_forget(h, path)) < 0)
		rc = err_set(err, rc, "cannot remove %s: %s", path, strerror(-rc));
	return rc < 0 ? rc : 1;
}

/* 1: a recovery has put it in its place again. */
static int settle_before(struct host *h, const struct store *s, const char *cluster,
			 const struct mlog *l, const struct identity *own, struct err *err)
{
	struct identity *before = NULL;
	int rc = is_in_force(l, own) ? -ENOENT : find_before(h, s, cluster, l, &before, err);

	if (rc == 0)
		rc = put_in_place(h, s, cluster, own, before, err);
	identity_free(before);
	return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}

int rotation_settle(struct host *h, const struct store *s, const char *cluster,
		    const struct mlog *l, struct err *err)
{
	struct identity *own = NULL;
	int rc;

	if (!rotation_has_others(h, s, cluster))
		return 0;
	rc = store_identity(h, s, cluster, &own, err);
	if (rc == 0)
		rc = settle_next(h, s, cluster, l, own, err);
	if (rc == 0)
		rc = settle_before(h, s, cluster, l, own, err);
	identity_free(own);
	return rc;
}
