/* SPDX-License-Identifier: MIT */
/* Where a user's files lie, and reading and writing them. */
#include "client/store.h"

#include "identity/identity.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/paths.h"

#define FILE_MODE 0600
#define DIR_MODE 0700

static int store_check(const struct store *s, struct err *err)
{
	return *s->dir ? 0
		       : err_set(err, -EINVAL,
				 "cannot tell where your files are: set HOME or "
				 "XDG_CONFIG_HOME to an absolute path");
}

static const struct store nowhere;

int store_open(const char *xdg_config_home, const char *home, struct err *err, struct store *ret)
{
	struct store s;
	int n;

	/* The XDG specification: a path that is not absolute is to be ignored. */
	if (xdg_config_home && xdg_config_home[0] == '/')
		n = snprintf(s.dir, sizeof(s.dir), "%s" USER_FOLDER, xdg_config_home);
	else if (home && home[0] == '/')
		n = snprintf(s.dir, sizeof(s.dir), "%s" USER_FOLDER_IN_HOME, home);
	else
		return store_check(&nowhere, err);
	/* Room for "/clusters/", a label, a suffix and the NUL. */
	if (n < 0 || (size_t)n + 32 + LABEL_MAX >= sizeof(s.dir))
		return err_set(err, -ENAMETOOLONG,
			       "the path of your configuration folder is too "
			       "long");
	*ret = s;
	return 0;
}

int store_cluster_path(const struct store *s, const char *cluster, const char *suffix,
		       char out[STORE_PATH_MAX], struct err *err)
{
	int r = label_check("cluster name", cluster, err), n;

	if (r < 0 || (r = store_check(s, err)) < 0)
		return r;
	n = snprintf(out, STORE_PATH_MAX, "%s/clusters/%s%s", s->dir, cluster, suffix);
	if (n < 0 || n >= STORE_PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "the path for cluster %s is too long", cluster);
	return 0;
}

int store_identity_path(const struct store *s, const char *cluster, const char *file,
			char out[STORE_PATH_MAX], struct err *err)
{
	int r = label_check("cluster name", cluster, err), n;

	if (r < 0 || (r = store_check(s, err)) < 0)
		return r;
	n = snprintf(out, STORE_PATH_MAX, "%s/identity/%s%s%s", s->dir, cluster, *file ? "/" : "",
		     file);
	if (n < 0 || n >= STORE_PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "the path of the identity is too long");
	return 0;
}

/* A crash or a full disk may have left the key alone; the certificate follows from it. */
static void identity_complete(struct host *h, const struct identity *id, const char *cert_path)
{
	struct buf cert = { 0 }, key = { 0 };
	struct err err = { 0 };

	if (file_exists(h, cert_path))
		return;
	if (identity_to_pem(id, &cert, &key, &err) < 0 ||
	    file_write(h, cert_path, cert.data, cert.len, 0600, &err) < 0)
		log_warn(host_log(h), "%s is missing and cannot be written: %s", cert_path,
			 err.text);
	buf_free(&cert);
	buf_free(&key);
}

int store_identity(struct host *h, const struct store *s, const char *cluster,
		   struct identity **ret, struct err *err)
{
	char dir[STORE_PATH_MAX], cert[STORE_PATH_MAX];
	int r = store_identity_path(s, cluster, "", dir, err);

	if (r == 0)
		r = store_identity_path(s, cluster, STORE_CERT, cert, err);
	if (r < 0)
		return r;
	r = identity_load(h, dir, err, ret);
	if (r == -ENOENT)
		return err_set(err, r,
			       "%s/" STORE_KEY " is missing, this machine's key in %s. Restore "
			       "it from a backup, or `mlsh forget %s` and join again with a new "
			       "invite",
			       dir, cluster, cluster);
	if (r == 0)
		identity_complete(h, *ret, cert);
	return r;
}

int store_save_identity(struct host *h, const struct store *s, const char *cluster,
			const struct identity *id, struct err *err)
{
	char dir[STORE_PATH_MAX];
	int r = store_identity_path(s, cluster, "", dir, err);

	return r < 0 ? r : identity_store(h, id, dir, err);
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && strcmp(name + n - k, suffix) == 0;
}

struct each {
	void (*fn)(void *ctx, const char *cluster);
	void *ctx;
};

static void each_file(void *ctx, const char *name)
{
	const struct each *e = ctx;
	char cluster[LABEL_MAX + 1];
	size_t n = strlen(name);

	if (!ends_with(name, STORE_CLUSTER) || n - strlen(STORE_CLUSTER) > LABEL_MAX)
		return;
	memcpy(cluster, name, n - strlen(STORE_CLUSTER));
	cluster[n - strlen(STORE_CLUSTER)] = '\0';
	if (label_check("cluster name", cluster, NULL) == 0)
		e->fn(e->ctx, cluster);
}

void store_each_cluster(struct host *h, const struct store *s,
			void (*fn)(void *ctx, const char *cluster), void *ctx)
{
	struct each e = { .fn = fn, .ctx = ctx };
	char dir[STORE_PATH_MAX];
	int n = snprintf(dir, sizeof(dir), "%s/clusters", s->dir);

	if (*s->dir && n >= 0 && (size_t)n < sizeof(dir) &&
	    dir_list(h, dir, each_file, &e, NULL) < 0)
		return;
}

bool store_has_cluster(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];

	return store_cluster_path(s, cluster, STORE_CLUSTER, path, NULL) == 0 &&
	       file_exists(h, path);
}

bool store_has_pending(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];

	return store_cluster_path(s, cluster, STORE_PENDING, path, NULL) == 0 &&
	       file_exists(h, path);
}

int store_read_log(struct host *h, const struct store *s, const char *cluster, struct buf *ret,
		   struct err *err)
{
	char path[STORE_PATH_MAX];
	int r = store_cluster_path(s, cluster, STORE_LOG, path, err);

	if (r < 0)
		return r;
	r = file_read(h, path, LOG_FILE_MAX, err, ret);
	if (r == -ENOENT)
		return err_set(err, r,
			       "%s is missing, the membership log of %s. Restore it from a "
			       "backup, or `mlsh forget %s` and join again with a new invite",
			       path, cluster, cluster);
	return r;
}

/* The hash up to which the log was verified before. Returns false if that is not known. */
static bool load_mark(struct host *h, const struct store *s, const char *cluster,
		      uint8_t ret[HASH_LEN])
{
	char path[STORE_PATH_MAX];
	struct buf bytes = { 0 };
	bool known = store_cluster_path(s, cluster, STORE_VERIFIED, path, NULL) == 0 &&
		     file_read_private(h, path, LOG_MARK_MAX, NULL, &bytes) == 0 &&
		     log_mark_decode(span_of(bytes.data, bytes.len), ret) == 0;

	buf_free(&bytes);
	return known;
}

struct stored_log {
	struct host *host;
	char path[STORE_PATH_MAX];
	struct buf bytes;
	struct log_reading *reading;
};

static int unusable(const struct stored_log *l, int r, struct err *err)
{
	err_prefix(err, "the copy of the membership log in %s cannot be used", l->path);
	return r;
}

int stored_log_open(struct host *h, const struct store *s, const struct cluster_file *f,
		    struct err *err, struct stored_log **ret)
{
	struct stored_log *l = calloc(1, sizeof(*l));
	uint8_t mark[HASH_LEN];
	struct log_trust trust = { .mark = NULL };
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	l->host = h;
	r = store_cluster_path(s, f->cluster, STORE_LOG, l->path, err);
	if (r == 0)
		r = store_read_log(h, s, f->cluster, &l->bytes, err);
	if (r == 0) {
		if (load_mark(h, s, f->cluster, mark))
			trust.mark = mark;
		r = log_reading_new(h, span_of(l->bytes.data, l->bytes.len), f->cluster_id, &trust,
				    err, &l->reading);
		if (r < 0)
			r = unusable(l, r, err);
	}
	if (r < 0) {
		stored_log_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void stored_log_free(struct stored_log *l)
{
	if (!l)
		return;
	log_reading_free(l->reading);
	buf_free(&l->bytes);
	free(l);
}

int stored_log_step(struct stored_log *l, struct log_read *ret, struct err *err)
{
	int r = log_reading_step(l->reading, ret, err);

	if (r < 0)
		return unusable(l, r, err);
	if (r > 0 && ret->torn > 0)
		log_warn(host_log(l->host),
			 "%s: a crash left %zu bytes at its end half written; they are passed over",
			 l->path, ret->torn);
	return r;
}

int store_load_log(struct host *h, const struct store *s, const struct cluster_file *f,
		   struct mlog **ret, struct log_place *ret_place, struct err *err)
{
	struct stored_log *l = NULL;
	struct log_read read = { .log = NULL };
	int r = stored_log_open(h, s, f, err, &l);

	while (r == 0)
		r = stored_log_step(l, &read, err);
	stored_log_free(l);
	if (r < 0)
		return r;
	*ret = read.log;
	if (ret_place)
		*ret_place = read.place;
	return 0;
}

static int make_clusters_dir(struct host *h, const struct store *s, struct err *err)
{
	char dir[STORE_PATH_MAX];
	int n = snprintf(dir, sizeof(dir), "%s/clusters", s->dir);

	if (n < 0 || (size_t)n >= sizeof(dir))
		return err_set(err, -ENAMETOOLONG, "the path of your configuration is too long");
	return dir_make(h, dir, DIR_MODE, err);
}

int store_save_log(struct host *h, const struct store *s, const struct cluster_file *f,
		   const struct mlog *l, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct buf bytes = { 0 };
	int r = store_cluster_path(s, f->cluster, STORE_LOG, path, err);

	if (r == 0)
		r = make_clusters_dir(h, s, err);
	if (r < 0)
		return r;
	if (log_file_encode(l, &bytes) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = file_write(h, path, bytes.data, bytes.len, FILE_MODE, err);
	buf_free(&bytes);
	return r;
}

int store_add_log(struct host *h, const struct store *s, const struct cluster_file *f,
		  const struct mlog *l, struct log_place *place, struct err *err)
{
	bool add = place->bytes > 0 && mlog_has_head(l, &place->head);
	uint64_t from = add ? place->head.seq + 1 : 0;
	char path[STORE_PATH_MAX];
	struct buf bytes = { 0 };
	int r = store_cluster_path(s, f->cluster, STORE_LOG, path, err);

	if (r == 0 && !add)
		r = make_clusters_dir(h, s, err);
	if (r < 0)
		return r;
	r = log_file_encode_part(l, from, mlog_count(l), &bytes);
	if (r < 0)
		return err_set(err, r, "out of memory");
	r = add ? file_add(h, path, place->bytes, bytes.data, bytes.len, err)
		: file_write(h, path, bytes.data, bytes.len, FILE_MODE, err);
	if (r == 0)
		*place = (struct log_place){ mlog_head(l), (add ? place->bytes : 0) + bytes.len };
	else
		place->bytes = 0; /* it is not what we took it for: as a whole next time */
	buf_free(&bytes);
	return r;
}

int store_mark_verified(struct host *h, const struct store *s, const struct cluster_file *f,
			const struct mlog *l, struct err *err)
{
	struct head head = mlog_head(l);
	char path[STORE_PATH_MAX];
	uint8_t bytes[LOG_MARK_MAX];
	ptrdiff_t n = log_mark_encode(head.hash, bytes, sizeof(bytes));
	int r = store_cluster_path(s, f->cluster, STORE_VERIFIED, path, err);

	if (r < 0 || n < 0)
		return r < 0 ? r : err_set(err, (int)n, "the mark does not fit");
	return file_write(h, path, bytes, (size_t)n, FILE_MODE, err);
}

int store_load_pending(struct host *h, const struct store *s, const char *cluster,
		       struct pending *ret, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct buf bytes = { 0 };
	int r = store_cluster_path(s, cluster, STORE_PENDING, path, err);

	if (r < 0)
		return r;
	if (!file_exists(h, path))
		return -ENOENT;
	r = file_read_private(h, path, PENDING_FILE_MAX, err, &bytes);
	if (r < 0)
		return r;
	r = pending_decode(span_of(bytes.data, bytes.len), ret);
	buf_free(&bytes);
	if (r == 0 && strcmp(ret->cluster, cluster) != 0) {
		pending_wipe(ret);
		r = -EBADMSG;
	}
	if (r == -EPROTONOSUPPORT)
		return err_set(err, r, "%s was written by a newer mlsh; use that one", path);
	if (r < 0)
		return err_set(err, r,
			       "%s, an unfinished request to join, is damaged. `mlsh forget %s` "
			       "removes it; a cluster that it may have made is lost then.",
			       path, cluster);
	return 0;
}

int store_save_pending(struct host *h, const struct store *s, const struct pending *p,
		       struct err *err)
{
	char path[STORE_PATH_MAX];
	uint8_t bytes[PENDING_FILE_MAX];
	ptrdiff_t len;
	int r = make_clusters_dir(h, s, err);

	if (r < 0 || (r = store_cluster_path(s, p->cluster, STORE_PENDING, path, err)) < 0)
		return r;
	len = pending_encode(p, bytes, sizeof(bytes));
	if (len < 0)
		return err_set(err, (int)len, "the request does not fit into %s", path);
	r = file_create(h, path, bytes, (size_t)len, FILE_MODE, err);
	secret_wipe(bytes, sizeof(bytes));
	if (r == -EEXIST)
		return err_set(err, r,
			       "another mlsh is joining %s at this moment (%s is there). "
			       "Let it end first.",
			       p->cluster, path);
	return r;
}

/* As far as they are empty: what else somebody put there stays. */
static void remove_folders(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];

	if (store_identity_path(s, cluster, "", path, NULL) == 0)
		(void)!dir_remove(h, path);
	snprintf(path, sizeof(path), "%.*s/identity", STORE_PATH_MAX - 16, s->dir);
	(void)!dir_remove(h, path);
	snprintf(path, sizeof(path), "%.*s/clusters", STORE_PATH_MAX - 16, s->dir);
	(void)!dir_remove(h, path);
	(void)!dir_remove(h, s->dir);
}

int store_remove_pending(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];
	int r = store_cluster_path(s, cluster, STORE_PENDING, path, NULL);

	if (r < 0)
		return r;
	r = file_remove(h, path);
	if (r < 0 && r != -ENOENT)
		return r;
	remove_folders(h, s, cluster); /* of a request that came to nothing */
	return 0;
}

/* --- forgetting ------------------------------------------------------------------------------- */

/* All that this program makes of a cluster, in the order in which it is removed. */
static const struct {
	bool of_identity;
	const char *name; /* a file of the identity's folder, or a suffix */
} parts[] = {
	{ false, STORE_CLUSTER },  { false, STORE_PENDING },  { true, STORE_NEXT },
	{ true, STORE_BEFORE },	   { true, STORE_KEY },	      { true, STORE_CERT },
	{ false, STORE_LOG },	   { false, STORE_VERIFIED }, { false, STORE_INVITES },
	{ false, STORE_RECOVERY }, { false, STORE_LOCK },
};

static int part_path(const struct store *s, const char *cluster, size_t i, char out[STORE_PATH_MAX],
		     struct err *err)
{
	return parts[i].of_identity ? store_identity_path(s, cluster, parts[i].name, out, err)
				    : store_cluster_path(s, cluster, parts[i].name, out, err);
}

bool store_has_any(struct host *h, const struct store *s, const char *cluster)
{
	char path[STORE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (part_path(s, cluster, i, path, NULL) == 0 && file_exists(h, path))
			return true;
	}
	return false;
}

int store_forget(struct host *h, const struct store *s, const char *cluster, struct err *err)
{
	char path[STORE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		int r = part_path(s, cluster, i, path, err);

		if (r < 0)
			return r;
		r = file_forget(h, path);
		if (r < 0)
			return err_set(err, r, "cannot remove %s: %s", path, strerror(-r));
	}
	remove_folders(h, s, cluster);
	return 0;
}
