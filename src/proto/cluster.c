/* SPDX-License-Identifier: MIT */
/* The contents of a cluster file in deterministic CBOR. */
#include "proto/cluster.h"

#include "proto/cbor.h"

#define CLUSTER_VERSION 1
#define CLUSTER_ELEMENTS 12

ptrdiff_t cluster_encode(const struct cluster_file *f, void *buf, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(buf, cap);

	cbor_put_array(&w, CLUSTER_ELEMENTS);
	cbor_put_uint(&w, CLUSTER_VERSION);
	cbor_put_text(&w, f->cluster);
	cbor_put_bytes(&w, f->cluster_id, HASH_LEN);
	cbor_put_array(&w, 2);
	cbor_put_uint(&w, f->subnet.net);
	cbor_put_uint(&w, f->subnet.bits);
	cbor_put_text(&w, f->node_name);
	cbor_put_bytes(&w, f->node_id.bytes, NODE_ID_LEN);
	cbor_put_uint(&w, f->address);
	cbor_put_bytes(&w, f->node_token, HASH_LEN);
	cbor_put_text(&w, f->signal_host);
	cbor_put_uint(&w, f->signal_port);
	cbor_put_bytes(&w, f->signal_cert, HASH_LEN);
	cbor_put_bytes(&w, f->signal_key, HASH_LEN);
	struct span s = cbor_writer_span(&w);

	return s.len ? (ptrdiff_t)s.len : -ENOSPC;
}

static bool values_ok(const struct cluster_file *f)
{
	return label_ok(span_str(f->cluster)) && label_ok(span_str(f->node_name)) &&
	       (f->subnet.net & ~prefix4_mask(f->subnet)) == 0 &&
	       overlay_subnet_check(f->subnet, NULL) == 0 &&
	       f->address >= prefix4_first(f->subnet) && f->address <= prefix4_last(f->subnet) &&
	       f->signal_host[0] && f->signal_port != 0;
}

int cluster_decode(struct span in, struct cluster_file *ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	struct cluster_file f = { 0 };
	int rc = 0;

	if (cbor_file_version(in) > CLUSTER_VERSION)
		return -EPROTONOSUPPORT;
	cbor_get_array(&r, CLUSTER_ELEMENTS);
	if (cbor_get_uint(&r, UINT32_MAX) != CLUSTER_VERSION)
		return -EBADMSG;
	cbor_get_text_copy(&r, f.cluster, sizeof(f.cluster));
	cbor_get_bytes_fixed(&r, f.cluster_id, HASH_LEN);
	cbor_get_array(&r, 2);
	f.subnet.net = (ip4)cbor_get_uint(&r, UINT32_MAX);
	f.subnet.bits = (uint8_t)cbor_get_uint(&r, 32);
	cbor_get_text_copy(&r, f.node_name, sizeof(f.node_name));
	cbor_get_bytes_fixed(&r, f.node_id.bytes, NODE_ID_LEN);
	f.address = (ip4)cbor_get_uint(&r, UINT32_MAX);
	cbor_get_bytes_fixed(&r, f.node_token, HASH_LEN);
	cbor_get_text_copy(&r, f.signal_host, sizeof(f.signal_host));
	f.signal_port = (uint16_t)cbor_get_uint(&r, UINT16_MAX);
	cbor_get_bytes_fixed(&r, f.signal_cert, HASH_LEN);
	cbor_get_bytes_fixed(&r, f.signal_key, HASH_LEN);
	if (cbor_reader_end(&r) < 0 || !values_ok(&f))
		rc = -EBADMSG;
	else
		*ret = f;
	secret_wipe(&f, sizeof(f));
	return rc;
}

bool cluster_equal(const struct cluster_file *a, const struct cluster_file *b)
{
	uint8_t one[CLUSTER_BYTES_MAX], other[CLUSTER_BYTES_MAX];
	ptrdiff_t n = cluster_encode(a, one, sizeof(one));
	ptrdiff_t m = cluster_encode(b, other, sizeof(other));
	bool equal = n > 0 && n == m && secret_equal(one, other, (size_t)n);

	secret_wipe(one, sizeof(one));
	secret_wipe(other, sizeof(other));
	return equal;
}
