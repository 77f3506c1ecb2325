/* SPDX-License-Identifier: MIT */
/*
 * First the daemon's own log is read: from its files, or from the tunnel that runs, whose log may
 * grow meanwhile. Then that of the user, with the own one as what is known. If somebody started,
 * stopped or forgot the cluster in between, the own one is read again.
 */
#include "tund/intake.h"

#include <stdlib.h>

#include "tund/parts_reading.h"

#define COPY_AT_ONCE 128 /* records that were verified before */

enum phase { PHASE_BEGIN, PHASE_FILES, PHASE_COPY, PHASE_GIVEN, PHASE_READY };

struct intake {
	struct daemon *daemon;
	char cluster[LABEL_MAX + 1];
	const struct buf *file;
	enum phase phase;
	uint64_t edition;   /* of the cluster when its own log was read; or 0 */
	struct own_log own; /* its log is NULL if it is missing or unusable */
	struct parts_reading *reading;
	struct tunnel_parts given; /* log NULL: yet to be read */
	size_t verified;
};

static uint64_t edition_now(const struct intake *in)
{
	const struct daemon_cluster *c = daemon_find(in->daemon, in->cluster);

	return c ? c->edition : 0;
}

static void drop_own(struct intake *in)
{
	mlog_free(in->own.log);
	in->own.log = NULL;
}

/* --- the daemon's own ------------------------------------------------------------------------- */

static int begin(struct intake *in, struct err *err)
{
	const struct daemon_cluster *c = daemon_find(in->daemon, in->cluster);
	struct err why = { 0 };
	int rc;

	drop_own(in);
	in->edition = c ? c->edition : 0;
	in->phase = PHASE_GIVEN;
	if (!c || !daemon_state_dir(in->daemon))
		return 0;
	if (c->tunnel) {
		memcpy(in->own.cluster_id, tunnel_cluster(c->tunnel)->cluster_id, HASH_LEN);
		in->phase = PHASE_COPY;
		return 0;
	}
	rc = parts_reading_kept(daemon_host(in->daemon), daemon_state_dir(in->daemon), in->cluster,
				&why, &in->reading);
	if (rc == 0)
		in->phase = PHASE_FILES;
	/* Files of a newer version stay as they are; damaged ones are written again. */
	return rc == -EPROTONOSUPPORT ? err_set(err, rc, "%s", why.text) : 0;
}

static int step_files(struct intake *in, struct err *err)
{
	struct tunnel_parts p = { .log = NULL };
	struct err why = { 0 };
	int rc = parts_reading_step(in->reading, &p, &why);

	if (rc == 0)
		return 0;
	parts_reading_free(in->reading);
	in->reading = NULL;
	in->phase = PHASE_GIVEN;
	if (rc > 0) {
		memcpy(in->own.cluster_id, p.cluster.cluster_id, HASH_LEN);
		in->own.log = p.log;
		p.log = NULL;
	}
	tunnel_parts_free(&p);
	return rc == -EPROTONOSUPPORT ? err_set(err, rc, "%s", why.text) : 0;
}

static bool is_copied(const struct intake *in, const struct mlog *from)
{
	struct head head = mlog_head(from);

	return in->own.log && mlog_count(in->own.log) == mlog_count(from) &&
	       mlog_has_head(in->own.log, &head);
}

/* A recovery may have dropped what was copied. */
static bool is_part_of(const struct mlog *l, const struct mlog *of)
{
	struct head head = mlog_head(l);

	return mlog_count(l) == 0 || mlog_has_head(of, &head);
}

static int step_copy(struct intake *in, const struct mlog *from, struct err *err)
{
	uint8_t seed[16];

	if (in->own.log && !is_part_of(in->own.log, from))
		drop_own(in);
	if (!in->own.log) {
		random_fill(daemon_host(in->daemon), seed, sizeof(seed));
		in->own.log = mlog_new(seed);
		if (!in->own.log)
			return err_set(err, -ENOMEM, "the daemon is out of memory");
	}
	for (int i = 0; i < COPY_AT_ONCE && mlog_count(in->own.log) < mlog_count(from); i++) {
		int rc = mlog_reload(in->own.log, mlog_record(from, mlog_count(in->own.log)), err);

		if (rc < 0)
			return rc;
	}
	mlog_commit(in->own.log);
	if (is_copied(in, from))
		in->phase = PHASE_GIVEN;
	return 0;
}

/* --- the user's ------------------------------------------------------------------------------- */

static int step_given(struct intake *in, struct err *err)
{
	int rc = 0;

	if (in->given.log) { /* only the own one had to be read again */
		in->phase = PHASE_READY;
		return 0;
	}
	if (!in->reading)
		rc = parts_reading_given(daemon_host(in->daemon), in->file, in->own.log, err,
					 &in->reading);
	if (rc == 0)
		rc = parts_reading_step(in->reading, &in->given, err);
	if (in->reading)
		in->verified = parts_reading_verified(in->reading);
	if (rc == 0)
		return 0;
	parts_reading_free(in->reading);
	in->reading = NULL;
	if (rc > 0 && strcmp(in->given.cluster.cluster, in->cluster) != 0)
		return err_set(err, -EINVAL, "the cluster file is of %s, not of %s",
			       in->given.cluster.cluster, in->cluster);
	in->phase = PHASE_READY;
	return rc < 0 ? rc : 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int step(struct intake *in, struct err *err)
{
	const struct daemon_cluster *c = daemon_find(in->daemon, in->cluster);

	switch (in->phase) {
	case PHASE_BEGIN:
		return begin(in, err);
	case PHASE_FILES:
		return step_files(in, err);
	case PHASE_COPY:
		if (edition_now(in) == in->edition)
			return step_copy(in, tunnel_log(c->tunnel), err);
		in->phase = PHASE_BEGIN;
		return 0;
	case PHASE_GIVEN:
		return step_given(in, err);
	case PHASE_READY:
		break;
	}
	return 0;
}

/* Is the own log still what the daemon has of it? */
static void look_again(struct intake *in)
{
	const struct daemon_cluster *c = daemon_find(in->daemon, in->cluster);

	if (edition_now(in) != in->edition)
		in->phase = PHASE_BEGIN;
	else if (c && c->tunnel && !is_copied(in, tunnel_log(c->tunnel)))
		in->phase = PHASE_COPY;
}

int intake_new(struct daemon *d, const char *cluster, const struct buf file[CONTROL_FILES],
	       struct err *err, struct intake **ret)
{
	struct intake *in = calloc(1, sizeof(*in));

	if (!in)
		return err_set(err, -ENOMEM, "the daemon is out of memory");
	in->daemon = d;
	in->file = file;
	memcpy(in->cluster, cluster, strnlen(cluster, LABEL_MAX));
	*ret = in;
	return 0;
}

/* One phase after the other as long as each ends in its step: short logs are read at once. */
int intake_step(struct intake *in, struct err *err)
{
	for (int i = 0; i < PHASE_READY; i++) {
		enum phase before = in->phase;
		int rc = step(in, err);

		if (rc < 0)
			return rc;
		if (in->phase == PHASE_READY)
			look_again(in);
		if (in->phase == PHASE_READY)
			return 1;
		if (in->phase == before)
			return 0;
	}
	return 0;
}

struct tunnel_parts *intake_given(struct intake *in)
{
	return &in->given;
}

struct own_log *intake_own(struct intake *in)
{
	return in->own.log ? &in->own : NULL;
}

size_t intake_verified(const struct intake *in)
{
	return in->verified;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	parts_reading_free(in->reading);
	drop_own(in);
	tunnel_parts_free(&in->given);
	free(in);
}
