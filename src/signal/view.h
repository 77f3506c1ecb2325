/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * What the database of this machine's server holds, for its operator. It is read in one moment,
 * while a server may write to it, and looked at afterwards, when no lock is held.
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
	struct mlog *log; /* NULL before it is read; see view_log */
};

struct view {
	struct host *host;
	struct db *db;
	struct db_server server;
	struct recall_list *sessions; /* NULL if unknown */
	struct view_cluster *cluster;
	size_t n_clusters;
};

/* Errors as db_image_take and db_image_open; the message says what to do. */
int view_open(struct host *h, const struct signal_config *cfg, struct view *ret, struct err *err)
	MUST_CHECK;
/* The same for an image, which says nothing about who is online. `name` stands in messages. */
int view_of_image(struct host *h, struct span image, const char *name, struct view *ret,
		  struct err *err) MUST_CHECK;
/* Says for the two most frequent errors what to do: a missing file, and one of another user. */
void view_explain(int code, const struct signal_config *cfg, struct err *err);
void view_close(struct view *v); /* zeroed allowed */

/*
 * Finds the cluster of this name, or whose id begins with this text of eight digits or more.
 * -ENOENT proposes the name that was probably meant; -EEXIST: several clusters have the name. A
 * NULL name finds the only cluster; -EINVAL if there are several.
 */
int view_find(const struct view *v, const char *text, const struct view_cluster **ret,
	      struct err *err) MUST_CHECK;
/*
 * Returns the log of the cluster, verified once. Errors as stored_log. It lives as long as the
 * view.
 */
int view_log(const struct view *v, const struct view_cluster *c, const struct mlog **ret,
	     struct err *err) MUST_CHECK;
/*
 * Returns true if the member has a session with the running server, by the list that the server
 * keeps for its next start. That list is up to a second old. For half a minute after a crash it
 * also has the sessions that may still come back. v->sessions must be known.
 */
bool view_online(const struct view *v, const struct view_cluster *c, const struct node_id *id);

#endif
