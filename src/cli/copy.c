/* SPDX-License-Identifier: MIT */
/* A cluster of the caller's: its file, and its log as new as this machine has it. */
#include "cli/copy.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/names.h"
#include "cli/roots.h"
#include "cli/whose.h"
#include "client/follow.h"

int copy_name(struct cli *c, const char *named, char ret[LABEL_MAX + 1], struct err *err)
{
	struct cluster_names of_root;
	int rc = names_choose(c, named, "which cluster is meant", ret, err);

	if (rc < 0 || ret[0])
		return rc;
	roots_list(c, &of_root);
	if (of_root.n == 1)
		return roots_refuse(c, of_root.name[0], err);
	if (of_root.n > 1)
		return err_set(err, -EPERM,
			       "the clusters on this machine (%s) are root's: use sudo",
			       of_root.all);
	return whose_none(c, "there is no cluster on this machine", -ENOENT, err);
}

/* --- its log ---------------------------------------------------------------------------------- */

/* Has `newer` more than `old`, and all of it unless a recovery dropped some? */
static bool goes_on(const struct mlog *old, const struct mlog *newer)
{
	struct head head = mlog_head(old);

	if (mlog_generation(newer) != mlog_generation(old))
		return mlog_generation(newer) > mlog_generation(old);
	return mlog_has_head(newer, &head) && mlog_count(newer) > mlog_count(old);
}

/* Takes nothing: asks what the records of `shown` are for `l`. */
static void judge(struct mlog *l, const struct mlog *shown, struct mlog_take *ret)
{
	size_t n = mlog_count(shown);
	struct span *records = calloc(n, sizeof(*records));

	*ret = (struct mlog_take){ .result = TAKEN_NO_MEMORY };
	if (!records)
		return;
	for (size_t i = 0; i < n; i++)
		records[i] = mlog_record(shown, i);
	mlog_take(l, records, n, ret);
	free(records);
	if (ret->added && mlog_rollback(l) < 0)
		ret->result = TAKEN_NO_MEMORY;
}

/*
 * The two logs may prove a lie of the server, or that the code was used twice, where no other node
 * has both: after a recovery from here, mlshtund may have followed another one before it heard of
 * ours. Nobody but us can say so. A later recovery ends it.
 */
static void note_fork(const struct copy *p, struct mlog *daemons)
{
	struct head head = mlog_head(p->log);
	struct mlog_take take;

	if (mlog_has_head(daemons, &head) || mlog_generation(daemons) > mlog_generation(p->log))
		return;
	judge(daemons, p->log, &take);
	if (take.result == TAKEN_CODE_MISUSED)
		cli_note("FORK: the membership log of %s that was saved here and that of mlshtund "
			 "contradict each other: by mlshtund's the saved %s. Somebody else has had "
			 "the code: `mlsh recover %s` once more with the newest one, on a node "
			 "that follows the right log.",
			 p->cluster, take.why.text, p->cluster);
	else if (take.result == TAKEN_LIE)
		cli_note("FORK: the membership log of %s that was saved here and that of mlshtund "
			 "contradict each other: %s.",
			 p->cluster, take.why.text);
}

/* The daemon's log is used and saved in place of the file's if it has more. */
static void use_newer(struct cli *c, struct copy *p, struct mlog **daemons)
{
	struct err err = { 0 };

	note_fork(p, *daemons);
	if (!goes_on(p->log, *daemons))
		return;
	if (store_save_log(c->host, &c->store, &p->file, *daemons, &err) < 0)
		log_warn(host_log(c->host), "the newer membership log was not saved: %s", err.text);
	mlog_free(p->log);
	p->log = *daemons;
	*daemons = NULL;
}

/* What is in our copy was verified when it was loaded: up to there the daemon's is not again. */
void copy_refresh(struct cli *c, struct copy *p)
{
	struct control_request r = { .verb = CONTROL_LOG };
	struct daemon_reply reply = { 0 };
	struct log_read read = { .log = NULL };
	struct err err = { 0 };

	snprintf(r.cluster, sizeof(r.cluster), "%s", p->cluster);
	if (daemon_call(c, &r, &err, &reply) < 0)
		return;
	if (log_file_decode(c->host, span_of(reply.data, reply.len), p->file.cluster_id,
			    &(struct log_trust){ .known = p->log }, &read, &err) == 0) {
		p->connected = true;
		use_newer(c, p, &read.log);
	}
	mlog_free(read.log);
	daemon_reply_free(&reply);
}

/* The log names another server than the file: the file is written again. */
static void follow(struct cli *c, struct copy *p)
{
	struct err err = { 0 };

	if (follow_log(&p->file, p->log) &&
	    store_save_cluster(c->host, &c->store, &p->file, p->log, &err) < 0)
		log_warn(host_log(c->host), "the server's new place was not saved: %s", err.text);
}

int copy_open(struct cli *c, const char *named, struct copy *ret, struct err *err)
{
	struct copy p = { .log = NULL };
	int rc = copy_name(c, named, p.cluster, err);

	if (rc < 0)
		return rc;
	rc = store_load_cluster(c->host, &c->store, p.cluster, &p.file, err);
	if (rc == 0)
		rc = store_load_log(c->host, &c->store, &p.file, &p.log, NULL, err);
	if (rc < 0) {
		whose_explain(c, p.cluster, false, err);
		copy_free(&p);
		return rc;
	}
	copy_refresh(c, &p);
	follow(c, &p);
	*ret = p;
	return 0;
}

void copy_free(struct copy *p)
{
	mlog_free(p->log);
	secret_wipe(p, sizeof(*p));
}
