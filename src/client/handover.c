/* SPDX-License-Identifier: MIT */
/* A cluster's files on their way to the daemon: reading them, and sending them in pieces. */
#include "client/handover.h"

#include <stdio.h>

static int read_cluster(struct host *h, const struct store *s, const char *cluster,
			struct handover *o, struct err *err)
{
	struct cluster_file f = { 0 };
	char path[STORE_PATH_MAX];
	/* The daemon checks it, too, but does not know where it is. */
	int rc = store_load_cluster(h, s, cluster, &f, err);

	secret_wipe(&f, sizeof(f));
	if (rc == 0)
		rc = store_cluster_path(s, cluster, STORE_CLUSTER, path, err);
	if (rc == 0)
		rc = file_read_private(h, path, CLUSTER_FILE_MAX, err,
				       &o->file[CONTROL_FILE_CLUSTER]);
	if (rc == 0)
		rc = store_read_log(h, s, cluster, &o->file[CONTROL_FILE_LOG], err);
	return rc;
}

/* Loading it completes an identity that a crash left without its certificate. */
static int read_identity(struct host *h, const struct store *s, struct handover *o, struct err *err)
{
	struct identity *id = NULL;
	int rc = store_identity(h, s, false, &id, NULL, err);

	if (rc == 0)
		rc = identity_to_pem(id, &o->file[CONTROL_FILE_CERT], &o->file[CONTROL_FILE_KEY],
				     err);
	identity_free(id);
	return rc;
}

int handover_read(struct host *h, const struct store *s, const char *cluster, struct handover *ret,
		  struct err *err)
{
	struct handover o = { .sent = 0 };
	int rc = read_cluster(h, s, cluster, &o, err);

	if (rc == 0)
		rc = read_identity(h, s, &o, err);
	if (rc < 0)
		handover_free(&o);
	else
		*ret = o;
	return rc;
}

void handover_free(struct handover *o)
{
	for (size_t i = 0; i < CONTROL_FILES; i++)
		buf_free(&o->file[i]);
	o->sent = 0;
}

struct control_request handover_request(const struct handover *o, const char *cluster)
{
	struct control_request r = { .verb = CONTROL_CONNECT };

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	for (size_t i = 0; i < CONTROL_FILES; i++)
		r.size[i] = o->file[i].len;
	return r;
}

/* Copies up to `cap` bytes of all files, one behind the other, from the offset `at`. */
static size_t copy_from(const struct handover *o, uint64_t at, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < CONTROL_FILES && n < cap; i++) {
		const struct buf *b = &o->file[i];
		size_t part;

		if (at >= b->len) {
			at -= b->len;
			continue;
		}
		part = MIN(b->len - (size_t)at, cap - n);
		memcpy(out + n, b->data + at, part);
		n += part;
		at = 0;
	}
	return n;
}

int handover_send(struct handover *o, struct local_conn *c, uint64_t received)
{
	uint8_t piece[CONTROL_PIECE_MAX];
	uint64_t until = received + CONTROL_WINDOW;
	int rc = 0;

	if (received > o->sent)
		return -EBADMSG;
	while (rc == 0 && o->sent < until) {
		size_t n = copy_from(o, o->sent, piece,
				     (size_t)MIN(until - o->sent, sizeof(piece)));

		if (n == 0)
			break;
		rc = local_send(c, piece, n);
		o->sent += n;
	}
	secret_wipe(piece, sizeof(piece));
	return rc;
}
