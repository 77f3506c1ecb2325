/* SPDX-License-Identifier: MIT */
/* The file of removals without order. */
#include "tund/removals.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/store.h"
#include "crypto/hash.h"
#include "proto/cbor.h"

#define REMOVALS_VERSION 1
#define REMOVALS_ELEMENTS 3

static int removals_path(const char *state_dir, const char *cluster, char out[STORE_PATH_MAX])
{
	int n = snprintf(out, STORE_PATH_MAX, "%s/%s%s", state_dir, cluster, REMOVALS_SUFFIX);

	return n < 0 || n >= STORE_PATH_MAX ? -ENAMETOOLONG : 0;
}

int removals_decode(struct span in, struct span entry[DENIALS_MAX], size_t *ret_n)
{
	struct cbor_reader r = cbor_reader_of(in);
	uint8_t sum[HASH_LEN], want[HASH_LEN];
	size_t n;

	if (cbor_file_version(in) > REMOVALS_VERSION)
		return -EPROTONOSUPPORT;
	cbor_get_array(&r, REMOVALS_ELEMENTS);
	if (cbor_get_uint(&r, UINT32_MAX) != REMOVALS_VERSION)
		return -EBADMSG;
	n = cbor_get_array_len(&r, DENIALS_MAX);
	for (size_t i = 0; i < n && !r.failed; i++)
		entry[i] = cbor_get_bytes(&r, 1, ENTRY_MAX_BYTES);
	if (r.failed)
		return -EBADMSG;
	sha256(span_of(in.data, (size_t)(r.at - in.data)), want);
	cbor_get_bytes_fixed(&r, sum, sizeof(sum));
	if (cbor_reader_end(&r) < 0 || memcmp(sum, want, sizeof(sum)) != 0)
		return -EBADMSG;
	*ret_n = n;
	return 0;
}

static struct span encode(const struct denials *d, uint8_t *buf)
{
	struct cbor_writer w = cbor_writer_of(buf, REMOVALS_FILE_MAX);

	uint8_t sum[HASH_LEN];

	cbor_put_array(&w, REMOVALS_ELEMENTS);
	cbor_put_uint(&w, REMOVALS_VERSION);
	cbor_put_array(&w, denials_count(d));
	for (size_t i = 0; i < denials_count(d); i++) {
		struct span entry = denials_entry(d, i);

		cbor_put_bytes(&w, entry.data, entry.len);
	}
	sha256(cbor_writer_span(&w), sum);
	cbor_put_bytes(&w, sum, sizeof(sum));
	return cbor_writer_span(&w);
}

int removals_save(struct host *h, const char *state_dir, const struct tunnel *t, struct err *err)
{
	const char *cluster = tunnel_cluster(t)->cluster;
	char path[STORE_PATH_MAX];
	uint8_t *buf;
	struct span bytes;
	int rc = removals_path(state_dir, cluster, path);

	if (rc < 0)
		return err_set(err, rc, "path too long: %s", state_dir);
	if (denials_count(tunnel_denials(t)) == 0)
		return removals_remove(h, state_dir, cluster);
	buf = malloc(REMOVALS_FILE_MAX);
	if (!buf)
		return err_set(err, -ENOMEM, "no memory to save removals");
	bytes = encode(tunnel_denials(t), buf);
	rc = bytes.len ? file_write(h, path, bytes.data, bytes.len, 0600, err)
		       : err_set(err, -ENOSPC, "the removals do not fit their file %s", path);
	free(buf);
	return rc;
}

int removals_load(struct host *h, const char *state_dir, struct tunnel *t, struct err *err)
{
	struct span entry[DENIALS_MAX];
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	size_t n = 0;
	int rc = removals_path(state_dir, tunnel_cluster(t)->cluster, path);

	if (rc < 0)
		return err_set(err, rc, "path too long: %s", state_dir);
	rc = file_read(h, path, REMOVALS_FILE_MAX, err, &b);
	if (rc < 0)
		return rc;
	rc = removals_decode(span_of(b.data, b.len), entry, &n);
	if (rc < 0)
		err_set(err, rc,
			"%s is damaged: removals that wait for their order come from peers", path);
	for (size_t i = 0; rc == 0 && i < n; i++)
		(void)!tunnel_deny(t, entry[i], NULL); /* it may be ordered since, or void */
	buf_free(&b);
	return rc;
}

int removals_check(struct host *h, const char *state_dir, const char *cluster, struct err *err)
{
	struct span entry[DENIALS_MAX];
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	size_t n;
	int rc = removals_path(state_dir, cluster, path);

	if (rc < 0 || file_read(h, path, REMOVALS_FILE_MAX, NULL, &b) < 0)
		return 0;
	rc = removals_decode(span_of(b.data, b.len), entry, &n);
	buf_free(&b);
	return rc == -EPROTONOSUPPORT
		       ? err_set(err, rc,
				 "%s was written by a newer mlshtund: upgrade this one. It holds "
				 "removals that the server has not ordered yet; if you remove the "
				 "file, run those again",
				 path)
		       : 0;
}

int removals_remove(struct host *h, const char *state_dir, const char *cluster)
{
	char path[STORE_PATH_MAX];
	int rc = removals_path(state_dir, cluster, path);

	return rc < 0 ? rc : file_forget(h, path);
}
