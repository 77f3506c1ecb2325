/* SPDX-License-Identifier: AGPL-3.0-only */
/* The mark by which an older copy of the database differs from the newest. */
#include "signal/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SETTING_MARK "mark"
#define PATH_BYTES 600
#define WORDS "mlsh-signal mark "
#define MARK_FILE_MAX 4096 /* of a later form */

struct mark {
	struct host *host;
	struct db *db;
	char path[PATH_BYTES];
	struct mark_value value; /* committed */
	struct file_slot *file;	 /* NULL if it could not be opened */
	struct log_limit failures;
};

/* --- text ------------------------------------------------------------------------------------- */

void mark_format(const struct mark_value *v, char ret[MARK_TEXT_LEN + 1])
{
	char id[2 * MARK_ID_LEN + 1];

	hex_encode(v->id, sizeof(v->id), id);
	snprintf(ret, MARK_TEXT_LEN + 1, WORDS "%s %020" PRIu64 "\n", id, v->count);
}

int mark_parse(struct span text, struct mark_value *ret)
{
	char again[MARK_TEXT_LEN + 1];
	const char *at = (const char *)text.data + sizeof(WORDS) - 1;
	struct mark_value v = { .count = 0 };

	/* "v2" and so on: a later form */
	if (text.len >= sizeof(WORDS) && memcmp(text.data, WORDS "v", sizeof(WORDS)) == 0)
		return -EPROTONOSUPPORT;
	if (text.len != MARK_TEXT_LEN)
		return -EBADMSG;
	if (hex_decode(at, 2 * MARK_ID_LEN, v.id, sizeof(v.id)) < 0)
		return -EBADMSG;
	at += 2 * MARK_ID_LEN + 1;
	for (int i = 0; i < 20 && *at >= '0' && *at <= '9'; i++, at++)
		v.count = 10 * v.count + (uint64_t)(*at - '0');
	mark_format(&v, again);
	if (memcmp(again, text.data, MARK_TEXT_LEN) != 0)
		return -EBADMSG;
	*ret = v;
	return 0;
}

/* --- in the database -------------------------------------------------------------------------- */

int mark_db_get(struct db *db, struct mark_value *ret, struct err *err)
{
	struct buf b = { 0 };
	int r = db_setting_get(db, SETTING_MARK, &b, err);

	if (r == 0)
		r = mark_parse(span_of(b.data, b.len), ret);
	buf_free(&b);
	if (r == -EPROTONOSUPPORT)
		return err_set(err, r,
			       "the mark in the database is of a newer mlsh-signal: upgrade this "
			       "one.");
	return r == -EBADMSG ? err_set(err, -EINVAL, "the mark in the database is damaged.") : r;
}

int mark_db_put(struct db *db, const struct mark_value *v, struct err *err)
{
	char text[MARK_TEXT_LEN + 1];

	mark_format(v, text);
	return db_setting_put(db, SETTING_MARK, span_of(text, MARK_TEXT_LEN), err);
}

/* --- beside it -------------------------------------------------------------------------------- */

static int path_of(const char *db_path, char out[PATH_BYTES])
{
	int n = snprintf(out, PATH_BYTES, "%s" MARK_SUFFIX, db_path);

	return n < 0 || n >= PATH_BYTES ? -ENAMETOOLONG : 0;
}

int mark_file_get(struct host *h, const char *db_path, struct mark_value *ret)
{
	char path[PATH_BYTES];
	struct buf b = { 0 };
	int r = path_of(db_path, path);

	if (r == 0)
		r = file_read(h, path, MARK_FILE_MAX, NULL, &b);
	if (r == 0)
		r = mark_parse(span_of(b.data, b.len), ret);
	buf_free(&b);
	return r == -EFBIG ? -EBADMSG : r;
}

/* Real machines have it: the database is there. In a simulation that is a file of the test's. */
static int folder_make(struct host *h, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_BYTES];

	if (!slash || slash == path)
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	return dir_make(h, folder, 0700, err);
}

int mark_file_put(struct host *h, const char *db_path, const struct mark_value *v, struct err *err)
{
	char path[PATH_BYTES], text[MARK_TEXT_LEN + 1];
	int r = path_of(db_path, path);

	if (r < 0)
		return err_set(err, r, "%s: the path is too long.", db_path);
	mark_format(v, text);
	r = folder_make(h, path, err);
	return r < 0 ? r : file_write(h, path, text, MARK_TEXT_LEN, 0600, err);
}

/* --- a start ---------------------------------------------------------------------------------- */

/*
 * Returns true if the file was written beside this database, and the database is not an older one.
 */
static bool fits(const struct mark_value *db, const struct mark_value *file)
{
	return memcmp(db->id, file->id, sizeof(db->id)) == 0 && db->count >= file->count;
}

/* What the database will have from now on. */
static int next_value(struct host *h, struct db *db, const char *db_path, bool *ret_restored,
		      struct mark_value *ret, struct err *err)
{
	struct mark_value file = { .count = 0 };
	int beside = mark_file_get(h, db_path, &file);
	int r = mark_db_get(db, ret, err);

	if (beside == -EPROTONOSUPPORT)
		return err_set(err, beside,
			       "%s" MARK_SUFFIX " was written by a newer mlsh-signal: upgrade this "
			       "one. Without that file it would take the database for one that "
			       "was restored from a backup.",
			       db_path);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT) {
		*ret = (struct mark_value){ .count = 0 };
		random_fill(h, ret->id, sizeof(ret->id));
		*ret_restored = beside != -ENOENT;
	} else {
		*ret_restored = beside < 0 || !fits(ret, &file);
	}
	if (beside == 0 && memcmp(file.id, ret->id, sizeof(ret->id)) == 0)
		ret->count = MAX(ret->count, file.count);
	ret->count++;
	return 0;
}

/*
 * Writes the database first, so that a start that ends in between does not look like an older copy.
 */
static int raise_db(struct host *h, struct db *db, const struct mark_value *v, bool restored,
		    struct err *err)
{
	int r = db_begin(db, err);

	if (r < 0)
		return r;
	r = mark_db_put(db, v, err);
	if (r == 0 && restored)
		r = db_waiting_all(db, clock_wall_s(h), err);
	if (r == 0)
		return db_commit(db, err);
	db_rollback(db);
	return r;
}

static void cannot_write(struct mark *m, const struct err *err)
{
	log_limited(host_log(m->host), &m->failures, clock_now(m->host), LOG_LEVEL_WARN,
		    "an older copy of the database that is put back may not be noticed: %s",
		    err->text);
}

int mark_open(struct host *h, struct db *db, const char *db_path, struct err *err,
	      bool *ret_restored, struct mark **ret)
{
	struct mark *m = calloc(1, sizeof(*m));
	struct err why = { 0 };
	int r;

	if (!m)
		return err_set(err, -ENOMEM, "out of memory.");
	m->host = h;
	m->db = db;
	m->failures = (struct log_limit){ .period_ns = 600 * NS_PER_S, .burst = 1 };
	r = path_of(db_path, m->path);
	if (r < 0)
		r = err_set(err, r, "%s: the path is too long.", db_path);
	if (r == 0)
		r = next_value(h, db, db_path, ret_restored, &m->value, err);
	if (r == 0)
		r = raise_db(h, db, &m->value, *ret_restored, err);
	if (r < 0) {
		mark_close(m);
		return r;
	}
	if (mark_file_put(h, db_path, &m->value, &why) < 0 ||
	    file_slot_open(h, m->path, 0600, &why, &m->file) < 0)
		cannot_write(m, &why);
	*ret = m;
	return 0;
}

void mark_close(struct mark *m)
{
	if (!m)
		return;
	file_slot_close(m->file);
	free(m);
}

/* --- while it runs ---------------------------------------------------------------------------- */

int mark_advance(struct mark *m, struct err *err)
{
	struct mark_value next = m->value;

	next.count++;
	return mark_db_put(m->db, &next, err);
}

/*
 * Writes in place, without a sync: a killed process loses nothing, and a power cut leaves a lower
 * number.
 */
void mark_committed(struct mark *m)
{
	char text[MARK_TEXT_LEN + 1];
	struct err err = { 0 };
	int r;

	m->value.count++;
	mark_format(&m->value, text);
	r = m->file ? file_slot_write(m->file, text, MARK_TEXT_LEN) : 0;
	if (r < 0) {
		err_set(&err, r, "cannot write %s: %s", m->path, strerror(-r));
		cannot_write(m, &err);
	}
}
