/* SPDX-License-Identifier: MIT */
/* The log file: a node's copy of the membership log, entry after entry behind 32-bit lengths. */
#include <stdlib.h>

#include "base/cursor.h"
#include "client/cluster_file.h"

int log_file_encode(const struct mlog *l, struct buf *ret)
{
	size_t count = mlog_count(l), len = 0;
	struct writer w;
	uint8_t *data;

	for (size_t i = 0; i < count; i++)
		len += 4 + mlog_entry(l, i).len;
	data = malloc(len + 1);
	if (!data)
		return -ENOMEM;
	w = writer_of(data, len);
	for (size_t i = 0; i < count; i++) {
		struct span e = mlog_entry(l, i);

		write_u32(&w, (uint32_t)e.len);
		write_bytes(&w, e.data, e.len);
	}
	data[len] = '\0';
	*ret = (struct buf){ data, len };
	return 0;
}

/* A file of a later form will begin with this in place of a length ("\x8dmls"). */
#define HEAD_OF_NEWER 0x8d6d6c73u

static int append_one(struct mlog *l, struct reader *r, const uint8_t cluster_id[HASH_LEN],
		      struct err *err)
{
	uint32_t len = read_u32(r);
	struct span e;
	int code;

	if (!r->failed && mlog_count(l) == 0 && len == HEAD_OF_NEWER)
		return err_set(err, -EPROTONOSUPPORT,
			       "it was written by a newer mlsh: upgrade "
			       "this one");
	if (r->failed || len == 0 || len > ENTRY_MAX_BYTES)
		return err_set(err, -EBADMSG, "entry %zu has an impossible length", mlog_count(l));
	e = read_span(r, len);
	if (r->failed)
		return err_set(err, -EBADMSG, "it ends in the middle of entry %zu", mlog_count(l));
	code = mlog_append(l, e, err);
	if (code < 0) {
		err_prefix(err, "entry %zu", mlog_count(l));
		return code;
	}
	if (memcmp(mlog_cluster_id(l), cluster_id, HASH_LEN) != 0)
		return err_set(err, -EBADMSG, "it is the log of another cluster");
	return 0;
}

int log_file_decode(struct host *h, struct span bytes, const uint8_t cluster_id[HASH_LEN],
		    struct mlog **ret, struct err *err)
{
	struct reader r = reader_of(bytes);
	uint8_t seed[16];
	struct mlog *l;
	int code = 0;

	if (bytes.len == 0)
		return err_set(err, -EBADMSG, "it is empty");
	if (bytes.len > LOG_FILE_MAX)
		return err_set(err, -EFBIG, "it is larger than %u bytes", LOG_FILE_MAX);
	random_fill(h, seed, sizeof(seed));
	l = mlog_new(seed);
	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	while (code == 0 && reader_left(&r) > 0)
		code = append_one(l, &r, cluster_id, err);
	if (code < 0) {
		mlog_free(l);
		return code;
	}
	*ret = l;
	return 0;
}
