/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The mark by which a server notices that its database is an older copy that somebody put back: a
 * number in the database and in a file beside it. It grows with each start and with each
 * transaction of the server that writes anything. The number in the database is written first, in
 * the same transaction. So it is behind that of the file only if an older database came into its
 * place. A snapshot that takes both back cannot be noticed here; the longer logs of the nodes show
 * it.
 */
#ifndef MLSH_SIGNAL_MARK_H
#define MLSH_SIGNAL_MARK_H

#include "os/file.h"
#include "signal/db.h"

#define MARK_SUFFIX ".mark" /* behind the database's name */
#define MARK_ID_LEN 16
#define MARK_TEXT_LEN (sizeof("mlsh-signal mark ") - 1 + 2 * MARK_ID_LEN + 1 + 20 + 1)

struct mark_value {
	uint8_t id[MARK_ID_LEN]; /* of the database, since it was made */
	uint64_t count;
};

/* MARK_TEXT_LEN bytes for any value. */
void mark_format(const struct mark_value *v, char ret[MARK_TEXT_LEN + 1]);
int mark_parse(struct span text, struct mark_value *ret)
	MUST_CHECK; /* -EBADMSG, -EPROTONOSUPPORT */
/* -ENOENT if the database has none yet, -EINVAL if it is damaged, -EPROTONOSUPPORT. */
int mark_db_get(struct db *db, struct mark_value *ret, struct err *err) MUST_CHECK;
int mark_db_put(struct db *db, const struct mark_value *v, struct err *err) MUST_CHECK;
/* -ENOENT, -EBADMSG (damaged), -EPROTONOSUPPORT (a later form), or what reading the file gave. */
int mark_file_get(struct host *h, const char *db_path, struct mark_value *ret) MUST_CHECK;
int mark_file_put(struct host *h, const char *db_path, const struct mark_value *v, struct err *err)
	MUST_CHECK;

struct mark;

/*
 * Called at the server's start. If the database is older than the file, is another one, or came
 * without its file, all its clusters wait from now on (see may_order.h), and *ret_restored is true.
 * Raises both numbers. If the file cannot be written, a line in the log names it, and the server
 * goes on. A file of a later form is left alone: -EPROTONOSUPPORT.
 */
int mark_open(struct host *h, struct db *db, const char *db_path, struct err *err,
	      bool *ret_restored, struct mark **ret) MUST_CHECK;
void mark_close(struct mark *m); /* NULL allowed */
/* Raises the database's number, in the open transaction. */
int mark_advance(struct mark *m, struct err *err) MUST_CHECK;
/* The transaction is committed: the file follows. */
void mark_committed(struct mark *m);

#endif
