/* SPDX-License-Identifier: MIT */
/*
 * Joining with an invite: admit entry, pending -> admit -> the whole log, verified -> done. The
 * entry is signed without knowing the log, so that machines can join at once and need no clock; the
 * server is believed nothing of what it makes of it. Whether this node is a member, and of what, is
 * decided by the log, and the log by its signatures, its receipts and the invite's head.
 */
#include <stdio.h>

#include "client/join_internal.h"
#include "client/refuse.h"
#include "identity/identity.h"
#include "os/netconf.h"

static bool same_invite(const struct join *j)
{
	return span_equal(span_of(j->pending.invite, j->pending.invite_len),
			  span_of(j->url.invite_bytes, j->url.invite_len));
}

/* --- the pending request ---------------------------------------------------------------------- */

static int make_admit(struct join *j, struct err *err)
{
	/* A node that replaces another gets that one's name. */
	const char *name = j->url.invite.replaces ? "" : j->node_name;
	struct pending *p = &j->pending;

	*p = (struct pending){ .kind = PENDING_ADOPT, .port = j->port };
	snprintf(p->cluster, sizeof(p->cluster), "%s", j->cluster_name);
	snprintf(p->node_name, sizeof(p->node_name), "%s", j->node_name);
	snprintf(p->host, sizeof(p->host), "%s", j->server);
	memcpy(p->signal_pin, j->signal_pin, HASH_LEN);
	memcpy(p->invite, j->url.invite_bytes, j->url.invite_len);
	p->invite_len = j->url.invite_len;
	memcpy(p->invite_sig, j->url.invite_sig, SIG_LEN);
	return admit_make(join_time_s(j), identity_signer(j->identity), name,
			  span_of(p->invite, p->invite_len), p->invite_sig, j->url.one_time,
			  &p->entry, err);
}

static void adopt_ready(struct join *j)
{
	struct err err = { 0 };

	if (j->has_pending)
		join_send_pending(j);
	else if (make_admit(j, &err) == 0)
		join_send_new(j);
	else
		join_fail(j, &err);
}

/* --- fetching the log ------------------------------------------------------------------------- */

static void log_complete(struct join *j);
static void on_log(void *ctx, const struct signal_reply *reply);

static void fetch_log(struct join *j)
{
	struct signal_request m = { .type = SIGNAL_LOG,
				    .generation = mlog_generation(j->log),
				    .from = mlog_count(j->log) };

	join_progress(j, "fetching the membership log (%zu records so far)", mlog_count(j->log));
	join_request(j, &m, on_log);
}

static int take_records(struct join *j, const struct wire_entries *records, struct err *err)
{
	struct mlog_take take;

	mlog_take(j->log, records->item, records->n, &take);
	if (mlog_count(j->log) > 0 && memcmp(mlog_cluster_id(j->log), j->cluster_id, HASH_LEN) != 0)
		return refuse(err, 0, REFUSAL_WRONG_CLUSTER,
			      "the signal server shows the log of another cluster than the "
			      "invite's");
	mlog_commit(j->log);
	if (take.result == TAKEN && (take.added > 0 || take.reorganised))
		return 0;
	if (take.result == TAKEN_UPGRADE)
		return refuse(err, 0, REFUSAL_VERSION,
			      "the log of %s has a record that this version of mlsh does not "
			      "know: upgrade mlsh on this machine",
			      j->cluster_name);
	return refuse(err, 0, take.why.reason ? (enum refusal)take.why.reason : REFUSAL_BAD_ENTRY,
		      "the log that the signal server shows is not valid at record %zu: %s",
		      mlog_count(j->log),
		      take.why.text[0] ? take.why.text : "it shows other records than those");
}

static void on_log(void *ctx, const struct signal_reply *reply)
{
	struct join *j = ctx;
	struct err err = { 0 };

	if (join_wait_asked(j, reply))
		return;
	if (reply->refusal != REFUSAL_NONE)
		join_refused(j, reply);
	else if (reply->entries.n == 0)
		log_complete(j);
	else if (take_records(j, &reply->entries, &err) < 0)
		join_fail(j, &err);
	else
		fetch_log(j);
}

static void adopt_accepted(struct join *j)
{
	struct err err = { 0 };
	uint8_t seed[16];

	random_fill(j->host, seed, sizeof(seed));
	mlog_free(j->log); /* of a connection before this one */
	j->log = mlog_new(seed);
	if (j->log) {
		fetch_log(j);
		return;
	}
	err_set(&err, -ENOMEM, "out of memory");
	join_fail(j, &err);
}

/* --- checking it ------------------------------------------------------------------------------ */

/* The invite that was sent, which may be an earlier run's. */
static int sent_invite(const struct join *j, struct invite *ret, struct err *err)
{
	return invite_decode(span_of(j->pending.invite, j->pending.invite_len), ret, err);
}

/* Is our own entry in the log, byte for byte, and are we a member by it? */
static int find_self(const struct join *j, const struct member **ret, struct err *err)
{
	struct span sent = span_of(j->pending.entry.data, j->pending.entry.len);
	struct entry mine, theirs;
	struct record record;
	int r = entry_decode(sent, &mine, err);

	if (r < 0)
		return r;
	if (mlog_get(j->log, mlog_find(j->log, mine.payload_hash), &record, &theirs) < 0 ||
	    !span_equal(record.entry, sent))
		return refuse(err, 0, REFUSAL_BAD_ENTRY,
			      "the signal server accepted this node, and shows a log of %s in "
			      "which it is not",
			      j->cluster_name);
	*ret = roster_by_key_sha256(mlog_roster(j->log), identity_key_sha256(j->identity),
				    ROSTER_CURRENT);
	if (*ret)
		return 0;
	return refuse(err, 0, REFUSAL_NOT_MEMBER,
		      "this node joined %s, and was removed again. Ask an admin for a new "
		      "invite, and give another --name.",
		      j->cluster_name);
}

static int check_log(const struct join *j, const struct member **ret, struct err *err)
{
	struct head own = { .seq = j->head.seq };
	struct invite inv;
	int r = sent_invite(j, &inv, err);

	if (r < 0)
		return r;
	if (mlog_count(j->log) == 0 || !mlog_has_head(j->log, &inv.head))
		return refuse(err, 0, REFUSAL_UNKNOWN_HEAD,
			      "the signal server shows a stale or forked log of %s: record "
			      "%llu, which the invite was made on, is not in it. Tell the "
			      "admin who made the invite.",
			      j->cluster_name, (unsigned long long)inv.head.seq);
	r = find_self(j, ret, err);
	memcpy(own.hash, j->head.hash, HASH_LEN);
	if (r == 0 && !mlog_has_head(j->log, &own))
		r = refuse(err, 0, REFUSAL_BAD_ENTRY,
			   "the signal server shows another log of %s than the one that it "
			   "put this node's entry into",
			   j->cluster_name);
	return r;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* A node that joins cannot choose: it is told what collides. */
static void note_conflict(struct join *j)
{
	struct prefix4 subnet = j->cluster_file.subnet;
	char what[NETUSE_WHAT_MAX], text[PREFIX4_TEXT_MAX];

	if (netconf_conflict(j->host, subnet, what) > 0)
		snprintf(j->result.note, sizeof(j->result.note),
			 "This machine uses a part of the cluster's %s itself (%s): some nodes may "
			 "not be reached from here. `mlsh status %s` says which, once connected.",
			 prefix4_format(subnet, text), what, j->cluster_file.cluster);
}

/* All that the server has was fetched. */
static void log_complete(struct join *j)
{
	struct cluster_file *f = &j->cluster_file;
	const struct member *self;
	const struct genesis *g;
	struct err err = { 0 };

	if (check_log(j, &self, &err) < 0) {
		join_fail(j, &err);
		return;
	}
	g = mlog_genesis(j->log);
	snprintf(f->cluster, sizeof(f->cluster), "%s", g->name);
	memcpy(f->cluster_id, j->cluster_id, HASH_LEN);
	snprintf(f->node_name, sizeof(f->node_name), "%s", self->name);
	f->node_id = self->id;
	f->address = self->address;
	f->subnet = g->subnet;
	snprintf(f->signal_host, sizeof(f->signal_host), "%s", j->server);
	f->signal_port = j->port;
	memcpy(f->signal_cert, mlog_server(j->log)->cert, HASH_LEN);
	memcpy(f->signal_key, j->signal_pin, HASH_LEN);
	note_conflict(j);
	join_succeed(j);
}

/* With another invite than the earlier run's, or another name, it can still be admitted. */
static bool adopt_go_on(const struct join *j)
{
	return !same_invite(j) || strcmp(j->pending.node_name, j->node_name) != 0;
}

static const struct join_kind adopt_kind = {
	.pending = PENDING_ADOPT,
	.ready = adopt_ready,
	.accepted = adopt_accepted,
	.go_on = adopt_go_on,
};

/* What the invite itself says, before anybody is asked. */
static int check_invite(const struct join *j, struct err *err)
{
	const struct invite *inv = &j->url.invite;

	if (inv->node_name[0] && strcmp(inv->node_name, j->node_name) != 0)
		return refuse(err, 0, REFUSAL_NAME_BAD,
			      "the invite was made for a node named %s, not %s. Leave --name "
			      "out, or ask for another invite.",
			      inv->node_name, j->node_name);
	return 0;
}

static int check_pending(const struct join *j, struct err *err)
{
	struct invite inv;

	if (!j->has_pending)
		return 0;
	if (invite_decode(span_of(j->pending.invite, j->pending.invite_len), &inv, NULL) == 0 &&
	    memcmp(inv.cluster_id, j->cluster_id, HASH_LEN) == 0)
		return 0;
	return err_set(err, -EEXIST,
		       "an earlier 'mlsh adopt' into another cluster named %s is "
		       "unfinished: run that again to complete it, or `mlsh forget %s` to begin "
		       "again.",
		       j->cluster_name, j->cluster_name);
}

int adopt_start(struct host *h, const struct store *s, const struct invite_url *url,
		const char *node_name, join_fn fn, join_progress_fn progress, void *ctx,
		struct err *err, struct join **ret)
{
	struct join *j;
	int r = join_new(h, s, &adopt_kind, url->invite.cluster_name, node_name, err, &j);

	if (r < 0)
		return r;
	j->fn = fn;
	j->progress = progress;
	j->ctx = ctx;
	j->url = *url;
	snprintf(j->server, sizeof(j->server), "%s", url->host);
	j->port = url->port;
	memcpy(j->signal_pin, url->signal_key, HASH_LEN);
	memcpy(j->cluster_id, url->invite.cluster_id, HASH_LEN);
	if ((r = check_pending(j, err)) == 0 && (r = check_invite(j, err)) == 0)
		r = join_connect(j, err);
	if (r < 0) {
		join_free(j);
		return r;
	}
	*ret = j;
	return 0;
}
