/* SPDX-License-Identifier: MIT */
/* What the daemon needs of a cluster: read from its user's files, and sent in pieces. */
#include "client/handover.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/cluster_file.h"
#include "identity/identity.h"

static int encode_cluster(const struct cluster_file *f, struct buf *ret, struct err *err)
{
	ptrdiff_t n = -ENOMEM;

	ret->data = malloc(CLUSTER_BYTES_MAX);
	if (ret->data)
		n = cluster_encode(f, ret->data, CLUSTER_BYTES_MAX);
	if (n < 0)
		return err_set(err, (int)n, "cannot hand over cluster %s: %s", f->cluster,
			       strerror((int)-n));
	ret->len = (size_t)n;
	return 0;
}

/* The file is parsed here, with its user's rights; the daemon gets what is in it. */
static int read_cluster(struct host *h, const struct store *s, const char *cluster,
			struct handover *o, struct err *err)
{
	struct cluster_file f = { 0 };
	int rc = store_load_cluster(h, s, cluster, &f, err);

	if (rc == 0)
		rc = encode_cluster(&f, &o->file[CONTROL_FILE_CLUSTER], err);
	secret_wipe(&f, sizeof(f));
	if (rc == 0)
		rc = store_read_log(h, s, cluster, &o->file[CONTROL_FILE_LOG], err);
	return rc;
}

/* Loading it completes an identity that a crash left without its certificate. */
static int read_identity(struct host *h, const struct store *s, const char *cluster,
			 struct handover *o, struct err *err)
{
	struct identity *id = NULL;
	int rc = store_identity(h, s, cluster, &id, err);

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
		rc = read_identity(h, s, cluster, &o, err);
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
