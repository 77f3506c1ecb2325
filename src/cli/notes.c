/* SPDX-License-Identifier: MIT */
/*
 * `<cluster>.invites`: invites that were made while no daemon could be told of them. The daemon
 * cancels an invite in the log when it runs out unused, so it has to know of each.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "proto/cbor.h"
#include "client/invites.h"

#define NOTES_FILE_MAX 8192

static int notes_load(struct cli *c, const char *path, struct invite_list *ret, struct err *err)
{
	struct invite_list l = { 0 };
	struct buf b = { 0 };
	int rc = file_read(c->host, path, NOTES_FILE_MAX, err, &b);

	if (rc < 0)
		return rc;
	struct cbor_reader r = cbor_reader_of(span_of(b.data, b.len));
	l.n = cbor_get_array_len(&r, INVITES_MAX);
	for (size_t i = 0; i < l.n; i++) {
		cbor_get_array(&r, 2);
		cbor_get_bytes_fixed(&r, l.item[i].nonce, NONCE_LEN);
		l.item[i].expiry_s = cbor_get_uint(&r, UINT64_MAX);
	}
	rc = cbor_reader_end(&r);
	buf_free(&b);
	if (rc < 0)
		return err_set(
			err, rc,
			"%s is damaged; remove it (open invites then only run out by the clock)",
			path);
	*ret = l;
	return 0;
}

static int notes_save(struct cli *c, const char *path, const struct invite_list *l, struct err *err)
{
	uint8_t bytes[NOTES_FILE_MAX];
	struct cbor_writer w = cbor_writer_of(bytes, sizeof(bytes));

	cbor_put_array(&w, l->n);
	for (size_t i = 0; i < l->n; i++) {
		cbor_put_array(&w, 2);
		cbor_put_bytes(&w, l->item[i].nonce, NONCE_LEN);
		cbor_put_uint(&w, l->item[i].expiry_s);
	}
	struct span s = cbor_writer_span(&w);
	return file_write(c->host, path, s.data, s.len, 0600, err);
}

int notes_add(struct cli *c, const char *cluster, const uint8_t nonce[NONCE_LEN], uint64_t expiry_s,
	      struct err *err)
{
	struct invite_note n = { .expiry_s = expiry_s };
	struct invite_list l = { 0 };
	char path[STORE_PATH_MAX];
	int rc = store_cluster_path(&c->store, cluster, STORE_INVITES, path, err);

	if (rc < 0)
		return rc;
	memcpy(n.nonce, nonce, NONCE_LEN);
	rc = notes_load(c, path, &l, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	rc = invites_add(&l, &n);
	if (rc < 0)
		return err_set(err, rc,
			       "%d invites for %s are open here, which is the limit. Wait until "
			       "some are used or have run out; mlshtund clears them while the "
			       "cluster is connected (`mlsh status %s`)",
			       INVITES_MAX, cluster, cluster);
	return notes_save(c, path, &l, err);
}

void notes_flush(struct cli *c, const char *cluster)
{
	struct invite_list l = { 0 };
	char path[STORE_PATH_MAX];
	struct err err = { 0 };

	if (store_cluster_path(&c->store, cluster, STORE_INVITES, path, &err) < 0 ||
	    notes_load(c, path, &l, &err) < 0)
		return;
	for (size_t i = 0; i < l.n; i++) {
		struct control_request r = { .verb = CONTROL_INVITE_MADE,
					     .expiry_s = l.item[i].expiry_s };
		struct daemon_reply reply = { 0 };

		snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
		memcpy(r.nonce, l.item[i].nonce, NONCE_LEN);
		if (daemon_call(c, &r, &err, &reply) < 0)
			return;
		int rc = daemon_reply_check(&reply, &err);
		daemon_reply_free(&reply);
		if (rc < 0)
			return;
	}
	if (file_remove(c->host, path) < 0)
		log_warn(host_log(c->host), "%s could not be removed", path);
}
