/* SPDX-License-Identifier: MIT */
/* The daemon's folder: loading and saving clusters, and taking them over from their users. */
#include "tund/state.h"

#include <stdio.h>

#include "identity/identity.h"
#include "membership/hostport.h"
#include "proto/cbor.h"
#include "tund/node_file.h"
#include "tund/peers.h"
#include "tund/proofs.h"
#include "tund/removals.h"

#define STATE_VERSION 2
#define STATE_UNRANKED 1 /* the version without rank and device */
#define STATE_SUFFIX ".state"
#define NODE_SUFFIX ".node"
#define STATE_FILE_MAX (512 + INVITES_MAX * 32 + LET_BACK_MAX * 32)

const char *const state_suffixes[] = { STATE_SUFFIX,	NODE_SUFFIX,  PEERS_SUFFIX,
				       REMOVALS_SUFFIX, PROOF_SUFFIX, CODE_PROOF_SUFFIX,
				       STATE_LOCK,	NULL };

ptrdiff_t cluster_state_encode(const struct cluster_state *s, void *buf, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(buf, cap);

	cbor_put_array(&w, 8);
	cbor_put_uint(&w, STATE_VERSION);
	cbor_put_text(&w, s->cluster);
	cbor_put_uint(&w, user_number(s->owner));
	cbor_put_bool(&w, s->enabled);
	cbor_put_array(&w, s->invites.n);
	for (size_t i = 0; i < s->invites.n; i++) {
		cbor_put_array(&w, 3);
		cbor_put_bytes(&w, s->invites.item[i].nonce, NONCE_LEN);
		cbor_put_uint(&w, s->invites.item[i].expiry_s);
		cbor_put_bool(&w, s->invites.item[i].promote);
	}
	cbor_put_array(&w, s->let_back.n);
	for (size_t i = 0; i < s->let_back.n; i++) {
		cbor_put_array(&w, 2);
		cbor_put_bytes(&w, s->let_back.item[i].id.bytes, NODE_ID_LEN);
		cbor_put_uint(&w, s->let_back.item[i].seq);
	}
	cbor_put_uint(&w, s->rank);
	cbor_put_uint(&w, s->device);
	struct span out = cbor_writer_span(&w);

	return out.len ? (ptrdiff_t)out.len : -ENOSPC;
}

int cluster_state_decode(struct span in, struct cluster_state *ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	struct cluster_state s = { 0 };

	uint64_t version = cbor_file_version(in);

	if (version > STATE_VERSION)
		return -EPROTONOSUPPORT;
	cbor_get_array(&r, version == STATE_UNRANKED ? 6 : 8);
	version = cbor_get_uint(&r, UINT32_MAX);
	if (version != STATE_VERSION && version != STATE_UNRANKED)
		return -EBADMSG;
	cbor_get_text_copy(&r, s.cluster, sizeof(s.cluster));
	s.owner = user_of_number((uint32_t)cbor_get_uint(&r, UINT32_MAX));
	s.enabled = cbor_get_bool(&r);
	s.invites.n = cbor_get_array_len(&r, INVITES_MAX);
	for (size_t i = 0; i < s.invites.n; i++) {
		cbor_get_array(&r, 3);
		cbor_get_bytes_fixed(&r, s.invites.item[i].nonce, NONCE_LEN);
		s.invites.item[i].expiry_s = cbor_get_uint(&r, UINT64_MAX);
		s.invites.item[i].promote = cbor_get_bool(&r);
	}
	s.let_back.n = cbor_get_array_len(&r, LET_BACK_MAX);
	for (size_t i = 0; i < s.let_back.n; i++) {
		cbor_get_array(&r, 2);
		cbor_get_bytes_fixed(&r, s.let_back.item[i].id.bytes, NODE_ID_LEN);
		s.let_back.item[i].seq = cbor_get_uint(&r, LOG_MAX_ENTRIES - 1);
	}
	if (version != STATE_UNRANKED) {
		s.rank = cbor_get_uint(&r, UINT64_MAX - 1);
		s.device = (unsigned)cbor_get_uint(&r, STATE_DEVICE_MAX);
	}
	if (cbor_reader_end(&r) < 0 || !label_ok(span_str(s.cluster)))
		return -EBADMSG;
	*ret = s;
	return 0;
}

static int store_of(const char *state_dir, const char *cluster, struct store *ret, struct err *err)
{
	int rc = label_check("cluster name", cluster, err);

	if (rc < 0)
		return rc;
	int n = snprintf(ret->dir, sizeof(ret->dir), "%s/%s", state_dir, cluster);
	if (n < 0 || (size_t)n >= sizeof(ret->dir))
		return err_set(err, -ENAMETOOLONG, "the state folder's path is too long: %s",
			       state_dir);
	return 0;
}

/* "<state dir>/<cluster><suffix>" */
static int state_path(const char *state_dir, const char *cluster, const char *suffix,
		      char out[STORE_PATH_MAX], struct err *err)
{
	struct store s;
	int rc = store_of(state_dir, cluster, &s, err);

	if (rc < 0)
		return rc;
	int n = snprintf(out, STORE_PATH_MAX, "%s%s", s.dir, suffix);
	return n < 0 || n >= STORE_PATH_MAX
		       ? err_set(err, -ENAMETOOLONG, "path too long: %s", state_dir)
		       : 0;
}

bool state_is_senior(const struct cluster_state *a, const struct cluster_state *b)
{
	bool a_root = user_is_admin(a->owner), b_root = user_is_admin(b->owner);

	if (a_root != b_root)
		return a_root;
	if (a->rank != b->rank)
		return a->rank < b->rank;
	return strcmp(a->cluster, b->cluster) < 0;
}

bool state_file_cluster(const char *file, char ret_cluster[LABEL_MAX + 1])
{
	size_t len = strlen(file), suffix = strlen(STATE_SUFFIX);

	if (len <= suffix || strcmp(file + len - suffix, STATE_SUFFIX) != 0 ||
	    !label_ok(span_of(file, len - suffix)))
		return false;
	memcpy(ret_cluster, file, len - suffix);
	ret_cluster[len - suffix] = '\0';
	return true;
}

int state_load(struct host *h, const char *state_dir, const char *cluster,
	       struct cluster_state *ret, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	int rc = state_path(state_dir, cluster, STATE_SUFFIX, path, err);

	if (rc < 0)
		return rc;
	rc = file_read(h, path, STATE_FILE_MAX, err, &b);
	if (rc < 0)
		return rc;
	rc = cluster_state_decode(span_of(b.data, b.len), ret);
	buf_free(&b);
	if (rc == -EPROTONOSUPPORT)
		return err_set(err, rc,
			       "%s was written by a newer mlshtund: upgrade this one, or "
			       "remove the file to begin again with `mlsh connect %s`",
			       path, cluster);
	if (rc < 0 || strcmp(ret->cluster, cluster) != 0)
		return err_set(err, -EBADMSG,
			       "%s is damaged; run `mlsh connect %s` again to renew it", path,
			       cluster);
	return 0;
}

int state_save(struct host *h, const char *state_dir, const struct cluster_state *s,
	       struct err *err)
{
	char path[STORE_PATH_MAX];
	uint8_t bytes[STATE_FILE_MAX];
	ptrdiff_t n = cluster_state_encode(s, bytes, sizeof(bytes));
	int rc = state_path(state_dir, s->cluster, STATE_SUFFIX, path, err);

	if (rc < 0)
		return rc;
	if (n < 0)
		return err_set(err, (int)n, "the state of cluster %s does not fit its file",
			       s->cluster);
	return file_write(h, path, bytes, (size_t)n, 0600, err);
}

static int remove_suffix(struct host *h, const char *state_dir, const char *cluster,
			 const char *suffix, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = state_path(state_dir, cluster, suffix, path, err);

	if (rc == 0 && (rc = file_forget(h, path)) < 0)
		rc = err_set(err, rc, "cannot remove %s: %s", path, strerror(-rc));
	return rc;
}

/* The log, and the folder that it is in. What else somebody put there stays. */
static int remove_folder(struct host *h, const char *state_dir, const char *cluster,
			 struct err *err)
{
	struct store s;
	int rc = store_of(state_dir, cluster, &s, err);

	if (rc == 0)
		rc = store_forget(h, &s, cluster, err);
	if (rc == 0)
		(void)!dir_remove(h, s.dir);
	return rc;
}

int state_remove(struct host *h, const char *state_dir, const char *cluster, struct err *err)
{
	int rc = remove_suffix(h, state_dir, cluster, NODE_SUFFIX, err);

	if (rc == 0 && (rc = peers_file_remove(h, state_dir, cluster)) < 0)
		rc = err_set(err, rc, "cannot remove what is known of the peers of %s: %s", cluster,
			     strerror(-rc));
	if (rc == 0 && (rc = removals_remove(h, state_dir, cluster)) < 0)
		rc = err_set(err, rc, "cannot remove removals that wait in %s: %s", cluster,
			     strerror(-rc));
	if (rc == 0 && (rc = proofs_remove(h, state_dir, cluster)) < 0)
		rc = err_set(err, rc, "cannot remove a proof that was kept of %s: %s", cluster,
			     strerror(-rc));
	if (rc == 0)
		rc = remove_folder(h, state_dir, cluster, err);
	if (rc == 0)
		rc = remove_suffix(h, state_dir, cluster, STATE_SUFFIX, err);
	return rc;
}

static struct span span_of_buf(const struct buf *b)
{
	return span_of(b->data, b->len);
}

/* The host goes into messages and names what is connected to: only as hostport_parse returns it. */
static bool host_ok(const struct cluster_file *f)
{
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;

	return hostport_parse(f->signal_host, f->signal_port, host, &port, NULL) == 0 &&
	       port == f->signal_port && strcmp(host, f->signal_host) == 0;
}

/* Fields and key, from what a caller or the daemon's own file has of them. */
static int node_parts(const struct node_file *n, struct tunnel_parts *p, struct err *err)
{
	int rc = cluster_decode(n->cluster, &p->cluster);

	if (rc == 0 && !host_ok(&p->cluster))
		rc = -EBADMSG;
	if (rc < 0)
		return err_set(err, rc,
			       rc == -EPROTONOSUPPORT
				       ? "the description of the cluster is of a newer "
					 "version"
				       : "the description of the cluster is malformed");
	return identity_from_pem(n->cert, n->key, false, err, &p->identity);
}

/* -ENOENT, -EBADMSG, -EPROTONOSUPPORT with a message. */
static int node_load(struct host *h, const char *path, const char *cluster, struct tunnel_parts *p,
		     struct err *err)
{
	struct buf bytes = { 0 };
	struct node_file n;
	int rc = file_read_private(h, path, NODE_FILE_MAX, err, &bytes);

	if (rc < 0)
		return rc;
	rc = node_file_decode(span_of_buf(&bytes), &n);
	if (rc == 0)
		rc = node_parts(&n, p, err);
	if (rc == 0 && strcmp(p->cluster.cluster, cluster) != 0)
		rc = -EBADMSG;
	buf_free(&bytes);
	if (rc == -EPROTONOSUPPORT)
		return err_set(err, rc,
			       "%s was written by a newer mlshtund: upgrade this one, or "
			       "remove the file to begin again with `mlsh connect %s`",
			       path, cluster);
	if (rc < 0)
		return err_set(err, rc, "%s is damaged; run `mlsh connect %s` again to renew it",
			       path, cluster);
	return 0;
}

int state_open_parts(struct host *h, const char *state_dir, const char *cluster, struct err *err,
		     struct tunnel_parts *ret, struct stored_log **ret_log)
{
	struct tunnel_parts p = { 0 };
	char path[STORE_PATH_MAX];
	struct store s;
	int rc = store_of(state_dir, cluster, &s, err);

	if (rc == 0)
		rc = removals_check(h, state_dir, cluster, err);
	if (rc == 0)
		rc = proofs_check(h, state_dir, cluster, err);
	if (rc == 0)
		rc = state_path(state_dir, cluster, NODE_SUFFIX, path, err);
	if (rc == 0)
		rc = node_load(h, path, cluster, &p, err);
	if (rc == 0)
		rc = stored_log_open(h, &s, &p.cluster, err, ret_log);
	if (rc < 0) {
		tunnel_parts_free(&p);
		return rc;
	}
	*ret = p;
	return 0;
}

static int node_save(struct host *h, const char *path, const struct tunnel_parts *p,
		     struct err *err)
{
	uint8_t fields[CLUSTER_BYTES_MAX], bytes[NODE_FILE_MAX];
	ptrdiff_t len = cluster_encode(&p->cluster, fields, sizeof(fields)), n = -ENOSPC;
	struct buf cert = { 0 }, key = { 0 };
	int rc = len < 0 ? (int)len : identity_to_pem(p->identity, &cert, &key, err);

	if (rc == 0) {
		const struct node_file f = { span_of(fields, (size_t)len), span_of_buf(&cert),
					     span_of_buf(&key) };

		n = node_file_encode(&f, bytes, sizeof(bytes));
		rc = n < 0 ? err_set(err, (int)n, "cluster %s does not fit its file %s",
				     p->cluster.cluster, path)
			   : file_write(h, path, bytes, (size_t)n, 0600, err);
	}
	secret_wipe(fields, sizeof(fields));
	secret_wipe(bytes, sizeof(bytes));
	buf_free(&cert);
	buf_free(&key);
	return rc;
}

/* As a whole if its file is not what it was taken for. */
static int save_log(struct host *h, const char *state_dir, struct tunnel_parts *p, struct err *err)
{
	bool adds = p->saved.bytes > 0;
	int rc = state_save_log(h, state_dir, &p->cluster, p->log, &p->saved, err);

	return rc < 0 && adds ? state_save_log(h, state_dir, &p->cluster, p->log, &p->saved, err)
			      : rc;
}

/*
 * The log first: whoever finds the node's file finds its log. It was verified, and the mark says
 * so: without it a start that fails would do it again each time that it is tried.
 */
int state_save_parts(struct host *h, const char *state_dir, struct tunnel_parts *p, struct err *err)
{
	char path[STORE_PATH_MAX];
	int rc = save_log(h, state_dir, p, err);

	if (rc == 0)
		(void)!state_mark_verified(h, state_dir, &p->cluster, p->log, NULL);
	if (rc == 0)
		rc = state_path(state_dir, p->cluster.cluster, NODE_SUFFIX, path, err);
	return rc < 0 ? rc : node_save(h, path, p, err);
}

int state_save_log(struct host *h, const char *state_dir, const struct cluster_file *f,
		   const struct mlog *l, struct log_place *saved, struct err *err)
{
	struct store s;
	int rc = store_of(state_dir, f->cluster, &s, err);

	return rc < 0 ? rc : store_add_log(h, &s, f, l, saved, err);
}

int state_mark_verified(struct host *h, const char *state_dir, const struct cluster_file *f,
			const struct mlog *l, struct err *err)
{
	struct store s;
	int rc = store_of(state_dir, f->cluster, &s, err);

	return rc < 0 ? rc : store_mark_verified(h, &s, f, l, err);
}

int parts_decode(const struct buf file[CONTROL_FILES], struct tunnel_parts *ret, struct err *err)
{
	const struct node_file n = { span_of_buf(&file[CONTROL_FILE_CLUSTER]),
				     span_of_buf(&file[CONTROL_FILE_CERT]),
				     span_of_buf(&file[CONTROL_FILE_KEY]) };

	return node_parts(&n, ret, err);
}

static bool is_newer(const struct mlog *a, const struct mlog *b)
{
	if (mlog_generation(a) != mlog_generation(b))
		return mlog_generation(a) > mlog_generation(b);
	return mlog_count(a) >= mlog_count(b);
}

int parts_merge_log(struct tunnel_parts *into, struct mlog **other, struct err *err)
{
	struct mlog *mine = into->log, *theirs = *other;
	bool mine_newer = is_newer(mine, theirs);
	struct head older = mlog_head(mine_newer ? theirs : mine);
	bool recovered = mlog_generation(mine) != mlog_generation(theirs);

	/* A recovery drops records: it is by the code in force, or it would not be in a log. */
	if (!recovered && !mlog_has_head(mine_newer ? mine : theirs, &older))
		return err_set(err, -EEXIST,
			       "the membership log of cluster %s is not the daemon's: a fork, of "
			       "which the daemon keeps its own side. To give it yours: `mlsh "
			       "disconnect %s`, remove %s.* and %s/ from its state folder, "
			       "connect again",
			       into->cluster.cluster, into->cluster.cluster, into->cluster.cluster,
			       into->cluster.cluster);
	if (!mine_newer) {
		into->log = theirs;
		*other = mine;
	}
	mlog_free(*other);
	*other = NULL;
	return 0;
}
