/* SPDX-License-Identifier: MIT */
/* The parts of a tunnel, from the daemon's files or from a user, in steps. */
#include "tund/parts_reading.h"

#include <stdlib.h>

struct parts_reading {
	struct tunnel_parts parts; /* the log is yet to come */
	struct stored_log *kept;   /* one of the two */
	struct log_reading *given;
};

int parts_reading_kept(struct host *h, const char *state_dir, const char *cluster, struct err *err,
		       struct parts_reading **ret)
{
	struct parts_reading *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	rc = state_open_parts(h, state_dir, cluster, err, &r->parts, &r->kept);
	if (rc < 0)
		parts_reading_free(r);
	else
		*ret = r;
	return rc;
}

static int unusable(int rc, struct err *err)
{
	err_prefix(err, "the copy of the membership log cannot be used");
	return rc;
}

int parts_reading_given(struct host *h, const struct buf file[CONTROL_FILES],
			const struct mlog *known, struct err *err, struct parts_reading **ret)
{
	const struct buf *log = &file[CONTROL_FILE_LOG];
	struct parts_reading *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	rc = parts_decode(file, &r->parts, err);
	if (rc == 0) {
		rc = log_reading_new(h, span_of(log->data, log->len), r->parts.cluster.cluster_id,
				     &(struct log_trust){ .known = known }, err, &r->given);
		rc = rc < 0 ? unusable(rc, err) : 0;
	}
	if (rc < 0)
		parts_reading_free(r);
	else
		*ret = r;
	return rc;
}

int parts_reading_step(struct parts_reading *r, struct tunnel_parts *ret, struct err *err)
{
	struct log_read read = { .log = NULL };
	int rc = r->kept ? stored_log_step(r->kept, &read, err)
			 : log_reading_step(r->given, &read, err);

	if (rc < 0)
		return r->kept ? rc : unusable(rc, err);
	if (rc == 0)
		return 0;
	r->parts.log = read.log;
	if (r->kept)
		r->parts.saved = read.place;
	rc = tunnel_parts_check(&r->parts, err);
	if (rc < 0)
		return rc;
	*ret = r->parts;
	r->parts = (struct tunnel_parts){ .log = NULL };
	return 1;
}

size_t parts_reading_verified(const struct parts_reading *r)
{
	return r->given ? log_reading_verified(r->given) : 0;
}

void parts_reading_free(struct parts_reading *r)
{
	if (!r)
		return;
	stored_log_free(r->kept);
	log_reading_free(r->given);
	tunnel_parts_free(&r->parts);
	free(r);
}
