/* SPDX-License-Identifier: MIT */
/* The bytes of a `.node` file. */
#include "tund/node_file.h"

#include "crypto/hash.h"
#include "proto/cbor.h"

#define NODE_FILE_VERSION 1
#define NODE_FILE_ELEMENTS 5

ptrdiff_t node_file_encode(const struct node_file *f, void *buf, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(buf, cap);
	uint8_t sum[HASH_LEN];

	cbor_put_array(&w, NODE_FILE_ELEMENTS);
	cbor_put_uint(&w, NODE_FILE_VERSION);
	cbor_put_bytes(&w, f->cluster.data, f->cluster.len);
	cbor_put_bytes(&w, f->cert.data, f->cert.len);
	cbor_put_bytes(&w, f->key.data, f->key.len);
	sha256(cbor_writer_span(&w), sum);
	cbor_put_bytes(&w, sum, sizeof(sum));
	struct span s = cbor_writer_span(&w);

	return s.len ? (ptrdiff_t)s.len : -ENOSPC;
}

int node_file_decode(struct span in, struct node_file *ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	uint8_t sum[HASH_LEN], want[HASH_LEN];
	struct node_file f;

	if (cbor_file_version(in) > NODE_FILE_VERSION)
		return -EPROTONOSUPPORT;
	cbor_get_array(&r, NODE_FILE_ELEMENTS);
	if (cbor_get_uint(&r, UINT32_MAX) != NODE_FILE_VERSION)
		return -EBADMSG;
	f.cluster = cbor_get_bytes(&r, 1, CLUSTER_BYTES_MAX);
	f.cert = cbor_get_bytes(&r, 1, NODE_FILE_PEM_MAX);
	f.key = cbor_get_bytes(&r, 1, NODE_FILE_PEM_MAX);
	if (r.failed)
		return -EBADMSG;
	sha256(span_of(in.data, (size_t)(r.at - in.data)), want);
	cbor_get_bytes_fixed(&r, sum, sizeof(sum));
	if (cbor_reader_end(&r) < 0 || memcmp(sum, want, sizeof(sum)) != 0)
		return -EBADMSG;
	*ret = f;
	return 0;
}
