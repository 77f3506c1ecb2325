/* SPDX-License-Identifier: MIT */
/* The user's list of open invites: its file, and what leaves it. */
#include "client/invite_book.h"

#include <stdlib.h>

#include "proto/cbor.h"

/*
 * [version: 1, invites: array of
 *	[nonce: bstr(16), expiry: uint, role: uint, promote: bool, told: bool, replaces: bool,
 *	 name: tstr, sponsor: bstr(16), head seq: uint, head hash: bstr(32)]]
 */
#define BOOK_VERSION 1
#define BOOK_FIELDS 10
#define BOOK_ITEM_MAX 176 /* bytes, more than any */
#define BOOK_FILE_MAX (INVITES_MAX * BOOK_ITEM_MAX + 16)

void invite_id(const uint8_t nonce[NONCE_LEN], char ret[INVITE_ID_LEN + 1])
{
	hex_encode(nonce, INVITE_ID_LEN / 2, ret);
}

void invite_book_free(struct invite_book *b)
{
	free(b->item);
	*b = (struct invite_book){ .n = 0 };
}

int invite_book_add(struct invite_book *b, const struct invite_made *m)
{
	struct invite_made *more;

	if (b->n >= INVITES_MAX)
		return -ENOSPC;
	more = realloc(b->item, (b->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	b->item = more;
	b->item[b->n++] = *m;
	return 0;
}

/* Would the log admit somebody with it? */
static bool stands(const struct mlog *l, const struct invite_made *m, uint64_t now_s)
{
	struct invite inv = { .sponsor = m->sponsor, .head = m->head, .expiry = m->note.expiry_s };

	memcpy(inv.nonce, m->note.nonce, NONCE_LEN);
	return mlog_invite_stands(l, &inv, now_s);
}

bool invite_book_clear(struct invite_book *b, const struct mlog *l, uint64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct invite_made *m = &b->item[i];

		if (m->note.expiry_s >= now_s && (!l || stands(l, m, now_s)))
			b->item[kept++] = *m;
	}
	bool any = kept < b->n;

	b->n = kept;
	return any;
}

int invite_book_encode(const struct invite_book *b, struct buf *ret)
{
	uint8_t *bytes = malloc(BOOK_FILE_MAX);
	struct cbor_writer w = cbor_writer_of(bytes, bytes ? BOOK_FILE_MAX : 0);

	if (!bytes)
		return -ENOMEM;
	cbor_put_array(&w, 2);
	cbor_put_uint(&w, BOOK_VERSION);
	cbor_put_array(&w, b->n);
	for (size_t i = 0; i < b->n; i++) {
		const struct invite_made *m = &b->item[i];

		cbor_put_array(&w, BOOK_FIELDS);
		cbor_put_bytes(&w, m->note.nonce, NONCE_LEN);
		cbor_put_uint(&w, m->note.expiry_s);
		cbor_put_uint(&w, m->role);
		cbor_put_bool(&w, m->note.promote);
		cbor_put_bool(&w, m->told);
		cbor_put_bool(&w, m->replaces);
		cbor_put_text(&w, m->name);
		cbor_put_bytes(&w, m->sponsor.bytes, sizeof(m->sponsor.bytes));
		cbor_put_uint(&w, m->head.seq);
		cbor_put_bytes(&w, m->head.hash, HASH_LEN);
	}
	struct span s = cbor_writer_span(&w);

	if (!s.len) {
		free(bytes);
		return -ENOSPC;
	}
	*ret = (struct buf){ bytes, s.len };
	return 0;
}

static void get_made(struct cbor_reader *r, struct invite_made *m)
{
	*m = (struct invite_made){ .told = false };
	cbor_get_array(r, BOOK_FIELDS);
	cbor_get_bytes_fixed(r, m->note.nonce, NONCE_LEN);
	m->note.expiry_s = cbor_get_uint(r, UINT64_MAX);
	m->role = (enum member_role)cbor_get_uint(r, ROLE_ADMIN);
	m->note.promote = cbor_get_bool(r);
	m->told = cbor_get_bool(r);
	m->replaces = cbor_get_bool(r);
	cbor_get_text_copy(r, m->name, sizeof(m->name));
	cbor_get_bytes_fixed(r, m->sponsor.bytes, sizeof(m->sponsor.bytes));
	m->head.seq = cbor_get_uint(r, UINT64_MAX);
	cbor_get_bytes_fixed(r, m->head.hash, HASH_LEN);
	if (m->name[0] && !label_ok(span_str(m->name)))
		r->failed = true;
}

int invite_book_decode(struct span in, struct invite_book *ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	struct invite_book b = { .n = 0 };

	if (cbor_file_version(in) > BOOK_VERSION)
		return -EPROTONOSUPPORT;
	cbor_get_array(&r, 2);
	if (cbor_get_uint(&r, UINT32_MAX) != BOOK_VERSION)
		return -EBADMSG;
	size_t n = cbor_get_array_len(&r, INVITES_MAX);

	b.item = n ? calloc(n, sizeof(*b.item)) : NULL;
	if (n && !b.item)
		return -ENOMEM;
	while (b.n < n)
		get_made(&r, &b.item[b.n++]);
	if (cbor_reader_end(&r) < 0) {
		invite_book_free(&b);
		return -EBADMSG;
	}
	*ret = b;
	return 0;
}

int invite_book_load(struct host *h, const struct store *s, const char *cluster,
		     struct invite_book *ret, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	int rc = store_cluster_path(s, cluster, STORE_INVITES, path, err);

	*ret = (struct invite_book){ .n = 0 };
	if (rc == 0)
		rc = file_read(h, path, BOOK_FILE_MAX, err, &b);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = invite_book_decode(span_of(b.data, b.len), ret);
	buf_free(&b);
	if (rc == -EPROTONOSUPPORT)
		return err_set(err, rc, "%s was written by a newer mlsh: upgrade this one", path);
	if (rc < 0)
		return err_set(err, rc,
			       "%s, the list of your open invites, is damaged: remove it. The "
			       "invites stay good until they run out",
			       path);
	return 0;
}

int invite_book_save(struct host *h, const struct store *s, const char *cluster,
		     const struct invite_book *b, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct buf bytes = { 0 };
	int rc = store_cluster_path(s, cluster, STORE_INVITES, path, err);

	if (rc < 0)
		return rc;
	if (b->n == 0) {
		rc = file_forget(h, path);
		return rc < 0 ? err_set(err, rc, "cannot remove %s: %s", path, strerror(-rc)) : 0;
	}
	rc = invite_book_encode(b, &bytes);
	if (rc < 0)
		return err_set(err, rc, "no memory for the list of open invites");
	rc = file_write(h, path, bytes.data, bytes.len, 0600, err);
	buf_free(&bytes);
	return rc;
}
