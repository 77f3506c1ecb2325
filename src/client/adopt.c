/* SPDX-License-Identifier: MIT */
/*
 * Joining with an invite: invite_open -> the whole log, verified -> admit entry, pending -> admit
 * -> done. The server is believed nothing: whether the invite is good, the sponsor an admin and the
 * name free is decided by the log, and the log by its signatures and the invite's head.
 */
#include <stdio.h>

#include "client/join_internal.h"
#include "client/refuse.h"
#include "os/netconf.h"

static uint64_t now_s(const struct join *j)
{
	return (uint64_t)MAX(clock_wall_s(j->host), 0);
}

static int expired(const struct invite *inv, uint64_t now, struct err *err)
{
	uint64_t ago_s = now - inv->expiry;

	return refuse_set(err, REFUSAL_INVITE_EXPIRED,
			  "the invite to %s has expired, %llu %s ago by this machine's clock. Ask "
			  "for a new one.",
			  inv->cluster_name, (unsigned long long)(ago_s < 120 ? ago_s : ago_s / 60),
			  ago_s < 120 ? "s" : "minutes");
}

static bool same_invite(const struct join *j)
{
	return span_equal(span_of(j->pending.invite, j->pending.invite_len),
			  span_of(j->url.invite_bytes, j->url.invite_len));
}

/* --- the pending request ---------------------------------------------------------------------- */

/* Is it in the log? Then it was carried out, and only the answer is missing. */
static bool pending_is_in_log(const struct join *j)
{
	struct span bytes = span_of(j->pending.entry.data, j->pending.entry.len);
	struct entry e;

	if (!j->has_pending || entry_decode(bytes, &e, NULL) < 0)
		return false;
	return span_equal(mlog_entry(j->log, e.seq), bytes);
}

static int check_log(const struct join *j, struct err *err)
{
	const struct member *m;
	struct invite ignored;
	int r;

	m = roster_by_key_sha256(mlog_roster(j->log), identity_key_sha256(j->identity), ROSTER_ALL);
	if (m)
		return refuse_set(err, REFUSAL_KEY_KNOWN,
				  "the key that this machine made for %s is in its log already, "
				  "as %s, and a key joins only once. Run the same command again: "
				  "it makes a new key.",
				  j->cluster_name, m->name);
	r = mlog_check_invite(j->log, span_of(j->url.invite_bytes, j->url.invite_len),
			      j->url.invite_sig, now_s(j), &ignored, err);
	if (r < 0)
		return r;
	if (roster_by_name(mlog_roster(j->log), span_str(j->node_name), ROSTER_ALL))
		return refuse_set(err, REFUSAL_NAME_TAKEN,
				  "the name %s is taken in %s (a name is never given again). "
				  "Choose another one with --name.",
				  j->node_name, j->cluster_name);
	return 0;
}

static int make_admit(struct join *j, struct err *err)
{
	const struct invite *inv = &j->url.invite;
	struct head head = mlog_head(j->log);
	struct pending *p = &j->pending;
	uint64_t time_s = MAX(join_time_s(j), MAX(mlog_last_time_s(j->log), inv->issued));
	int r;

	*p = (struct pending){ .kind = PENDING_ADOPT, .port = j->port };
	snprintf(p->cluster, sizeof(p->cluster), "%s", j->cluster_name);
	snprintf(p->node_name, sizeof(p->node_name), "%s", j->node_name);
	snprintf(p->host, sizeof(p->host), "%s", j->server);
	memcpy(p->signal_cert, j->signal_cert, HASH_LEN);
	memcpy(p->invite, j->url.invite_bytes, j->url.invite_len);
	p->invite_len = j->url.invite_len;
	memcpy(p->invite_sig, j->url.invite_sig, SIG_LEN);
	r = admit_make(&head, time_s, j->identity, j->node_name, j->next_address, j->cluster_id,
		       span_of(p->invite, p->invite_len), p->invite_sig, j->url.one_time, &p->entry,
		       err);
	if (r < 0)
		return r;
	return mlog_check(j->log, span_of(p->entry.data, p->entry.len), err);
}

/* The log is complete and verified: what is to be sent now? */
static void log_complete(struct join *j)
{
	struct err err = { 0 };
	int r;

	if (pending_is_in_log(j)) {
		join_send_pending(j);
		return;
	}
	if (check_log(j, &err) < 0) {
		/* By the log: it was not carried out, and cannot be. */
		if (j->has_pending && join_drop_pending(j) < 0)
			log_warn(host_log(j->host), "%s%s could not be removed", j->cluster_name,
				 STORE_PENDING);
		join_fail(j, &err);
		return;
	}
	if (j->has_pending && same_invite(j) &&
	    mlog_check(j->log, span_of(j->pending.entry.data, j->pending.entry.len), NULL) == 0) {
		join_send_pending(j);
		return;
	}
	r = j->has_pending ? join_drop_pending(j) : 0;
	if (r < 0)
		err_set(&err, r, "cannot remove %s%s: %s", j->cluster_name, STORE_PENDING,
			strerror(-r));
	else
		r = make_admit(j, &err);
	if (r == 0)
		join_send_new(j);
	else if (err.reason == REFUSAL_STALE) /* another node got the address that we were told */
		join_again(j);
	else
		join_fail(j, &err);
}

/* --- fetching the log ------------------------------------------------------------------------- */

static void on_log(void *ctx, const struct signal_reply *reply);

static void fetch_log(struct join *j)
{
	struct signal_request m = { .type = SIGNAL_LOG, .from = mlog_count(j->log) };

	join_progress(j, "fetching the membership log (%zu entries so far)", mlog_count(j->log));
	join_request(j, &m, on_log);
}

static int take_entries(struct join *j, const struct wire_entries *entries, struct err *err)
{
	for (size_t i = 0; i < entries->n; i++) {
		int r = mlog_append(j->log, entries->item[i], err);

		if (r < 0) {
			err_prefix(err,
				   "the log that the signal server shows is not valid at "
				   "entry %zu",
				   mlog_count(j->log));
			return r;
		}
		if (memcmp(mlog_cluster_id(j->log), j->cluster_id, HASH_LEN) != 0)
			return refuse_set(err, REFUSAL_WRONG_CLUSTER,
					  "the signal server shows the log of another cluster than "
					  "the invite's");
	}
	return 0;
}

static void on_log(void *ctx, const struct signal_reply *reply)
{
	struct join *j = ctx;
	struct err err = { 0 };

	if (reply->refusal != REFUSAL_NONE) {
		join_refused(j, reply, false);
		return;
	}
	if (take_entries(j, &reply->entries, &err) < 0) {
		join_fail(j, &err);
		return;
	}
	if (reply->entries.n > 0) {
		fetch_log(j);
		return;
	}
	if (mlog_count(j->log) == 0 || !mlog_has_head(j->log, &j->url.invite.head)) {
		refuse_set(&err, REFUSAL_UNKNOWN_HEAD,
			   "the signal server shows a stale or forked log of %s: entry %llu, which "
			   "the invite was made on, is not in it. Was the server restored from an "
			   "old copy? Let another node connect first, then try again.",
			   j->cluster_name, (unsigned long long)j->url.invite.head.seq);
		join_fail(j, &err);
		return;
	}
	log_complete(j);
}

static void on_opened(void *ctx, const struct signal_reply *reply)
{
	struct join *j = ctx;

	if (reply->refusal != REFUSAL_NONE) {
		join_refused(j, reply, same_invite(j));
		return;
	}
	j->next_address = reply->address;
	fetch_log(j);
}

static void adopt_ready(struct join *j)
{
	struct signal_request m = {
		.type = SIGNAL_INVITE_OPEN,
		.invite = span_of(j->url.invite_bytes, j->url.invite_len),
	};

	memcpy(m.invite_sig, j->url.invite_sig, SIG_LEN);
	join_request(j, &m, on_opened);
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

static int adopt_accepted(struct join *j, struct err *err)
{
	struct cluster_file *f = &j->cluster_file;
	const struct genesis *g = mlog_genesis(j->log);
	const struct member *self;
	int r = mlog_append(j->log, span_of(j->pending.entry.data, j->pending.entry.len), err);

	if (r < 0 && r != -EEXIST)
		return r;
	self = roster_by_key_sha256(mlog_roster(j->log), identity_key_sha256(j->identity),
				    ROSTER_CURRENT);
	if (!self)
		return err_set(err, -EINVAL, "this node is not in the log that it joined");
	snprintf(f->cluster, sizeof(f->cluster), "%s", g->name);
	memcpy(f->cluster_id, j->cluster_id, HASH_LEN);
	snprintf(f->node_name, sizeof(f->node_name), "%s", self->name);
	f->node_id = self->id;
	f->address = self->address;
	f->subnet = g->subnet;
	snprintf(f->signal_host, sizeof(f->signal_host), "%s", j->server);
	f->signal_port = j->port;
	memcpy(f->signal_cert, j->signal_cert, HASH_LEN);
	memcpy(f->signal_key, g->signal_key, HASH_LEN);
	note_conflict(j);
	return 0;
}

/* With another invite than the earlier run's it can still be admitted. */
static bool adopt_go_on(const struct join *j)
{
	return !same_invite(j);
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
	uint64_t now = now_s(j);

	/* An earlier run's request may have been carried out in time. */
	if (now > inv->expiry && !(j->has_pending && same_invite(j)))
		return expired(inv, now, err);
	if (inv->node_name[0] && strcmp(inv->node_name, j->node_name) != 0)
		return refuse_set(err, REFUSAL_NAME_BAD,
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
	uint8_t seed[16];
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
	memcpy(j->signal_cert, url->signal_cert, HASH_LEN);
	memcpy(j->cluster_id, url->invite.cluster_id, HASH_LEN);
	random_fill(h, seed, sizeof(seed));
	j->log = mlog_new(seed);
	if (!j->log)
		r = err_set(err, -ENOMEM, "out of memory");
	if (r == 0 && (r = check_pending(j, err)) == 0 && (r = check_invite(j, err)) == 0)
		r = join_connect(j, err);
	if (r < 0) {
		join_free(j);
		return r;
	}
	*ret = j;
	return 0;
}
