/* SPDX-License-Identifier: MIT */
/* The keys of this node besides the one in use: the next one, and earlier ones. */
#include "client/rotation.h"

#include "identity/identity.h"

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

/* --- earlier keys ---------------------------------------------------------------------------- */

/* The seeds, oldest first; no bytes if there is no such file. The caller frees it on success. */
static int load_before(struct host *h, const struct store *s, const char *cluster, struct buf *ret,
		       struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = store_identity_path(s, cluster, STORE_BEFORE, path, err);

	if (rc == 0)
		rc = file_read_private(h, path, BEFORE_MAX * SIGN_SEED_LEN, err, ret);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && ret->len % SIGN_SEED_LEN != 0) {
		buf_free(ret);
		rc = err_set(err, -EBADMSG, "%s, the earlier keys, is damaged: remove it", path);
	}
	return rc;
}

static bool has_seed(const struct buf *seeds, const uint8_t seed[SIGN_SEED_LEN])
{
	bool found = false;

	for (size_t at = 0; at < seeds->len; at += SIGN_SEED_LEN)
		found |= secret_equal(seeds->data + at, seed, SIGN_SEED_LEN);
	return found;
}

/* Writes them with one more; if there are more than there is room for, the oldest goes. */
static int write_before(struct host *h, const char *path, const struct buf *seeds,
			const uint8_t seed[SIGN_SEED_LEN], struct err *err)
{
	uint8_t all[(BEFORE_MAX + 1) * SIGN_SEED_LEN];
	size_t n = seeds->len + SIGN_SEED_LEN;
	size_t skip = n > BEFORE_MAX * SIGN_SEED_LEN ? SIGN_SEED_LEN : 0;
	int rc;

	if (seeds->len > 0)
		memcpy(all, seeds->data, seeds->len);
	memcpy(all + seeds->len, seed, SIGN_SEED_LEN);
	rc = file_write(h, path, all + skip, n - skip, 0600, err);
	secret_wipe(all, sizeof(all));
	return rc;
}

/* Adds a key to them, unless it is there already. */
static int keep(struct host *h, const struct store *s, const char *cluster,
		const struct identity *id, struct err *err)
{
	uint8_t seed[SIGN_SEED_LEN];
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	int rc = identity_seed(id, seed);

	if (rc < 0)
		return err_set(err, rc, "the key of this node cannot be kept");
	rc = store_identity_path(s, cluster, STORE_BEFORE, path, err);
	if (rc == 0)
		rc = load_before(h, s, cluster, &b, err);
	if (rc == 0 && !has_seed(&b, seed))
		rc = write_before(h, path, &b, seed, err);
	buf_free(&b);
	secret_wipe(seed, sizeof(seed));
	return rc;
}

static bool is_in_force(const struct mlog *l, const struct identity *id)
{
	return roster_by_key_sha256(mlog_roster(l), identity_key_sha256(id), ROSTER_CURRENT);
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return memcmp(identity_key_sha256(a), identity_key_sha256(b), HASH_LEN) == 0;
}

/* Is this one of them that is looked for? */
typedef bool (*before_fn)(void *ctx, const struct identity *id);

/* The newest of them for which fn returns true. -ENOENT without a message: for no key. */
static int find_before(struct host *h, const struct store *s, const char *cluster, before_fn fn,
		       void *ctx, struct identity **ret, struct err *err)
{
	struct buf b = { 0 };
	int rc = load_before(h, s, cluster, &b, err);

	*ret = NULL;
	for (size_t n = b.len; rc == 0 && !*ret && n > 0; n -= SIGN_SEED_LEN) {
		rc = identity_from_seed(b.data + n - SIGN_SEED_LEN, err, ret);
		if (rc == 0 && !fn(ctx, *ret)) {
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

struct nth {
	const struct identity *own;
	size_t skip; /* that many others before it */
};

static bool is_nth(void *ctx, const struct identity *id)
{
	struct nth *n = ctx;

	return !is_same(id, n->own) && n->skip-- == 0;
}

int rotation_other(struct host *h, const struct store *s, const char *cluster,
		   const struct identity *own, size_t n, struct identity **ret, struct err *err)
{
	struct nth which = { own, n };
	char path[STORE_PATH_MAX];
	int rc = store_identity_path(s, cluster, STORE_NEXT, path, err);

	*ret = NULL;
	if (rc == 0)
		rc = load_next(h, path, ret, err);
	if (rc == 0 && is_nth(&which, *ret))
		return 0;
	identity_free(*ret);
	*ret = NULL;
	return rc == 0 || rc == -ENOENT ? find_before(h, s, cluster, is_nth, &which, ret, err) : rc;
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
	/* a run before this one may have been killed between the two steps */
	rc = is_same(own, next) ? 0 : put_in_place(h, s, cluster, own, next, err);
	identity_free(next);
	if (rc == 0 && (rc = file_forget(h, path)) < 0)
		rc = err_set(err, rc, "cannot remove %s: %s", path, strerror(-rc));
	return rc < 0 ? rc : 1;
}

static bool is_by_log(void *ctx, const struct identity *id)
{
	const struct mlog **l = ctx;

	return is_in_force(*l, id);
}

/* 1: a recovery has put it in its place again. */
static int settle_before(struct host *h, const struct store *s, const char *cluster,
			 const struct mlog *l, const struct identity *own, struct err *err)
{
	struct identity *before = NULL;
	int rc = -ENOENT;

	if (!is_in_force(l, own))
		rc = find_before(h, s, cluster, is_by_log, &l, &before, err);
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
