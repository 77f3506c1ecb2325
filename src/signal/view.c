/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the database holds, for the operator. */
#include "signal/view.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/options.h"
#include "signal/stored.h"

#define ID_PREFIX_MIN 8
#define NAMES_SHOWN 8
#define SESSIONS_READ_TRIES 20 /* the server may be writing the list just now */

/* --- opening ---------------------------------------------------------------------------------- */

static int add_cluster(void *ctx, const struct db_cluster *c)
{
	struct view *v = ctx;
	struct view_cluster *more, *new;

	more = realloc(v->cluster, (v->n_clusters + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	v->cluster = more;
	new = &more[v->n_clusters++];
	*new = (struct view_cluster){ .subnet = c->subnet };
	memcpy(new->id, c->id, sizeof(new->id));
	hex_encode(new->id, sizeof(new->id), new->id_text);
	stored_name(v->db, new->id, new->name_text);
	return 0;
}

static int read_clusters(struct view *v, struct err *err)
{
	int r = db_clusters(v->db, add_cluster, v, err);

	if (r == -ENOMEM)
		return err_set(err, r, "out of memory.");
	/* once no realloc moves them any more */
	for (size_t i = 0; i < v->n_clusters; i++)
		v->cluster[i].name = v->cluster[i].name_text;
	return r;
}

/* If the list cannot be read, sessions stay unknown: it is a hint. */
static void read_sessions(struct view *v, const char *db_path)
{
	char path[CONFIG_PATH_TEXT_MAX + sizeof(RECALL_SUFFIX)];
	bool empty = false;

	snprintf(path, sizeof(path), "%s" RECALL_SUFFIX, db_path);
	for (int i = 0; i < SESSIONS_READ_TRIES && !v->sessions; i++) {
		struct buf b = { 0 };

		if (file_read(v->host, path, RECALL_FILE_MAX, NULL, &b) < 0)
			return;
		if (recall_decode(span_of(b.data, b.len), &v->sessions) < 0)
			v->sessions = NULL;
		empty = b.len == 0;
		buf_free(&b);
	}
	if (empty && !v->sessions) /* made with the database: there was no session yet */
		v->sessions = calloc(1, sizeof(*v->sessions));
}

void view_explain(int code, const struct signal_config *cfg, struct err *err)
{
	if (code == -ENOENT)
		err_set(err, code,
			"There is no database %s: start mlsh-signal first, or name another "
			"database with MLSH_SIGNAL_DB.",
			cfg->db_path);
	if (code == -EACCES)
		err_set(err, code,
			"The database %s belongs to another user: run this as root (with sudo), or "
			"as the user that the server runs as.",
			cfg->db_path);
}

int view_of_image(struct host *h, struct span image, const char *name, struct view *ret,
		  struct err *err)
{
	struct view v = { .host = h };
	int r = db_image_open(image, name, err, &v.db);

	if (r == 0)
		r = read_clusters(&v, err);
	if (r < 0)
		view_close(&v);
	else
		*ret = v;
	return r;
}

int view_open(struct host *h, const struct signal_config *cfg, struct view *ret, struct err *err)
{
	struct db_server server = { .running = false };
	struct buf image = { 0 };
	int r = db_image_take(cfg->db_path, err, &server, &image);

	view_explain(r, cfg, err);
	if (r == 0)
		r = view_of_image(h, span_of(image.data, image.len), cfg->db_path, ret, err);
	buf_free(&image);
	if (r < 0)
		return r;
	ret->server = server;
	if (server.running)
		read_sessions(ret, cfg->db_path);
	return 0;
}

void view_close(struct view *v)
{
	for (size_t i = 0; i < v->n_clusters; i++)
		mlog_free(v->cluster[i].log);
	db_close(v->db);
	free(v->sessions);
	free(v->cluster);
	*v = (struct view){ 0 };
}

/* --- looking ---------------------------------------------------------------------------------- */

static bool is_called(const struct view_cluster *c, const char *text, bool by_id)
{
	size_t len = strlen(text);

	if (!by_id)
		return strcmp(c->name, text) == 0;
	return len >= ID_PREFIX_MIN && strncmp(c->id_text, text, len) == 0;
}

static size_t matches(const struct view *v, const char *text, bool by_id,
		      const struct view_cluster **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_clusters; i++) {
		if (!is_called(&v->cluster[i], text, by_id))
			continue;
		*ret = &v->cluster[i];
		n++;
	}
	return n;
}

/* No name was given. */
static int find_only(const struct view *v, const struct view_cluster **ret, struct err *err)
{
	char names[NAMES_SHOWN * (LABEL_MAX + 3)] = "";
	size_t at = 0, n = MIN(v->n_clusters, (size_t)NAMES_SHOWN);

	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i ? ", " : "",
				       *v->cluster[i].name ? v->cluster[i].name
							   : v->cluster[i].id_text);
	if (v->n_clusters == 0)
		return err_set(err, -ENOENT,
			       "There is no cluster on this server yet: `mlsh setup` makes one.");
	if (v->n_clusters > 1)
		return err_set(err, -EINVAL, "Which cluster? There are %s%s.", names,
			       v->n_clusters > n ? " and more" : "");
	*ret = &v->cluster[0];
	return 0;
}

int view_find(const struct view *v, const char *text, const struct view_cluster **ret,
	      struct err *err)
{
	size_t n = text ? matches(v, text, false, ret) : 0;
	const char *meant;

	if (!text)
		return find_only(v, ret, err);

	if (n == 0)
		n = matches(v, text, true, ret);
	if (n == 1)
		return 0;
	if (n > 1)
		return err_set(err, -EEXIST,
			       "%zu clusters are called '%.63s': name one by its id, "
			       "as `mlsh-signal clusters` shows it.",
			       n, text);
	meant = options_near(text, v->cluster, v->n_clusters, sizeof(v->cluster[0]));
	if (meant)
		return err_set(err, -ENOENT,
			       "There is no cluster '%.63s' here: did you mean "
			       "'%s'?",
			       text, meant);
	return err_set(err, -ENOENT,
		       "There is no cluster '%.63s' here; `mlsh-signal clusters` "
		       "lists them.",
		       text);
}

int view_log(const struct view *v, const struct view_cluster *c, const struct mlog **ret,
	     struct err *err)
{
	struct view_cluster *own = &v->cluster[c - v->cluster];
	uint8_t seed[16];
	int r = 0;

	random_fill(v->host, seed, sizeof(seed));
	if (!own->log)
		r = stored_log(v->db, c->id, seed, err, &own->log);
	*ret = own->log;
	return r < 0 ? err_prefix(err, "the log of cluster %s cannot be read",
				  *c->name ? c->name : c->id_text)
		     : 0;
}

bool view_online(const struct view *v, const struct view_cluster *c, const struct node_id *id)
{
	for (size_t i = 0; i < v->sessions->n; i++) {
		const struct recall_item *it = &v->sessions->item[i];

		if (memcmp(it->cluster_id, c->id, sizeof(c->id)) == 0 &&
		    node_id_equal(&it->node, id))
			return true;
	}
	return false;
}
