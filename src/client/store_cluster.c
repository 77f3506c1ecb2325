/* SPDX-License-Identifier: MIT */
/*
 * The cluster file of a user's folder. Apart from store.c, because mlshtund is linked with that
 * file and must not contain the parser that this one needs.
 */
#include "client/cluster_file.h"
#include "client/store.h"

/* What to do about a file that a person has edited; the message says what is wrong where. */
static void advise(const char *cluster, struct err *err)
{
	size_t len = err ? strlen(err->text) : 0;

	if (len > 0 && err->text[len - 1] == '.')
		err->text[len - 1] = '\0';
	if (len > 0)
		(void)err_set(err, err->code,
			      "%s. Correct the file, then run the command again. mlshtund goes on "
			      "with what `mlsh connect %s` gave it last",
			      err->text, cluster);
}

int store_load_cluster(struct host *h, const struct store *s, const char *cluster,
		       struct cluster_file *ret, struct err *err)
{
	struct cluster_file f = { 0 };
	char path[STORE_PATH_MAX];
	struct buf text = { 0 };
	int r = store_cluster_path(s, cluster, STORE_CLUSTER, path, err);

	if (r < 0)
		return r;
	/* A folder that may not be looked into does not say that there is no file. */
	r = file_read_private(h, path, CLUSTER_FILE_MAX, err, &text);
	if (r == -ENOENT)
		return err_set(err, -ENOENT,
			       "there is no cluster %s on this machine (%s is "
			       "missing): `mlsh setup` makes one, `mlsh adopt` joins one",
			       cluster, path);
	if (r < 0)
		return r;
	r = cluster_file_decode(span_of(text.data, text.len), path, &f, err);
	buf_free(&text);
	if (r == 0 && strcmp(f.cluster, cluster) != 0)
		r = err_set(err, -EINVAL, "%s is the file of cluster %s", path, f.cluster);
	if (r == -EINVAL || r == -EFBIG)
		advise(cluster, err);
	if (r == 0)
		*ret = f;
	secret_wipe(&f, sizeof(f));
	return r;
}

int store_save_cluster(struct host *h, const struct store *s, const struct cluster_file *f,
		       const struct mlog *l, struct err *err)
{
	char path[STORE_PATH_MAX], text[4096];
	size_t len = 0;
	int r = store_save_log(h, s, f, l, err);

	if (r == 0)
		r = store_cluster_path(s, f->cluster, STORE_CLUSTER, path, err);
	if (r < 0)
		return r;
	r = cluster_file_encode(f, text, sizeof(text), &len);
	if (r < 0)
		return err_set(err, r, "the cluster file of %s does not fit", f->cluster);
	r = file_write(h, path, text, len, 0600, err);
	secret_wipe(text, sizeof(text));
	return r;
}
