/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * What the database of this machine's server holds, for its operator: read in one moment, while a
 * server may write to it, and looked at afterwards, when nothing waits for it any more.
 */
#ifndef MLSH_SIGNAL_VIEW_H
#define MLSH_SIGNAL_VIEW_H

#include "membership/mlog.h"
#include "signal/config.h"
#include "signal/db_image.h"
#include "signal/recall.h"

#define VIEW_ID_TEXT_MAX (2 * HASH_LEN + 1)

struct view_cluster {
	const char *name; /* first, for options_near; "" if genesis cannot be read */
	char name_text[LABEL_MAX + 1];
	char id_text[VIEW_ID_TEXT_MAX];
	uint8_t id[HASH_LEN];
	struct prefix4 subnet;
	struct mlog *log; /* NULL: not read yet; see view_log */
};

struct view {
	struct host *host;
	struct db *db;
	struct db_server server;
	struct recall_list *sessions; /* NULL: unknown */
	struct view_cluster *cluster;
	size_t n_clusters;
};

/* Errors as db_image_take and db_image_open; the message says what to do. */
int view_open(struct host *h, const struct signal_config *cfg, struct view *ret, struct err *err)
	MUST_CHECK;
/* The same of an image; nobody is known to be online then. `name` stands in messages. */
int view_of_image(struct host *h, struct span image, const char *name, struct view *ret,
		  struct err *err) MUST_CHECK;
/* Puts the two commonest errors into words of what to do: a missing file, and another's. */
void view_explain(int code, const struct signal_config *cfg, struct err *err);
void view_close(struct view *v); /* zeroed allowed */

/*
 * The cluster of this name, or whose id begins with this text of eight digits or more. -ENOENT
 * proposes the name that was probably meant; -EEXIST: several clusters have the name. NULL: the
 * only cluster; -EINVAL if there are several.
 */
int view_find(const struct view *v, const char *text, const struct view_cluster **ret,
	      struct err *err) MUST_CHECK;
/* The log of the cluster, verified once. Errors as stored_log. It lives as long as the view. */
int view_log(const struct view *v, const struct view_cluster *c, const struct mlog **ret,
	     struct err *err) MUST_CHECK;
/*
 * Whether the member has a session with the running server: from the list that the server keeps for
 * its next start, which is up to a second old, and after a crash holds, for half a minute, those
 * that may still come back. v->sessions must be known.
 */
bool view_online(const struct view *v, const struct view_cluster *c, const struct node_id *id);

#endif
