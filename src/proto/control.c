/* SPDX-License-Identifier: MIT */
/* The local socket's requests, their bytes both ways. */
#include "proto/control.h"

#include "proto/cbor.h"

#define REQUEST_ELEMENTS 12
#define ELEMENTS_MAX 16 /* of another version */

/* How many sizes of files a request of this verb names. */
static size_t sizes_of(enum control_verb v)
{
	return v == CONTROL_CONNECT ? CONTROL_FILES : 0;
}

ptrdiff_t control_request_encode(const struct control_request *r, void *buf, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(buf, cap);

	cbor_put_array(&w, REQUEST_ELEMENTS);
	cbor_put_uint(&w, CONTROL_VERSION);
	cbor_put_uint(&w, r->verb);
	cbor_put_text(&w, r->cluster);
	cbor_put_bytes(&w, r->nonce, sizeof(r->nonce));
	cbor_put_uint(&w, r->expiry_s);
	cbor_put_bool(&w, r->promote);
	cbor_put_text(&w, r->node);
	cbor_put_uint(&w, r->count);
	cbor_put_uint(&w, r->interval_ms);
	cbor_put_bool(&w, r->until_direct);
	cbor_put_array(&w, sizes_of(r->verb));
	for (size_t i = 0; i < sizes_of(r->verb); i++)
		cbor_put_uint(&w, r->size[i]);
	cbor_put_bytes(&w, r->entry.data, r->entry.len);
	struct span s = cbor_writer_span(&w);

	return s.len ? (ptrdiff_t)s.len : -ENOSPC;
}

static bool needs_node(enum control_verb v)
{
	return v == CONTROL_PING || v == CONTROL_WHY;
}

/* Without a cluster's name, of all of the caller's. */
static bool is_for_all(enum control_verb v)
{
	return v == CONTROL_STATUS || v == CONTROL_NAMES || v == CONTROL_CLUSTERS;
}

int control_request_decode(struct span in, struct control_request *ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	struct control_request m = { 0 };

	size_t elements = cbor_get_array_len(&r, ELEMENTS_MAX);
	uint64_t version = cbor_get_uint(&r, UINT64_MAX);
	if (!r.failed && version != CONTROL_VERSION)
		return -EPROTONOSUPPORT;
	if (elements != REQUEST_ELEMENTS)
		return -EBADMSG;
	m.verb = (enum control_verb)cbor_get_uint(&r, CONTROL_VERBS - 1);
	cbor_get_text_copy(&r, m.cluster, sizeof(m.cluster));
	cbor_get_bytes_fixed(&r, m.nonce, sizeof(m.nonce));
	m.expiry_s = cbor_get_uint(&r, UINT64_MAX);
	m.promote = cbor_get_bool(&r);
	cbor_get_text_copy(&r, m.node, sizeof(m.node));
	m.count = (uint32_t)cbor_get_uint(&r, UINT32_MAX);
	m.interval_ms = (uint32_t)cbor_get_uint(&r, UINT32_MAX);
	m.until_direct = cbor_get_bool(&r);
	cbor_get_array(&r, sizes_of(m.verb));
	for (size_t i = 0; i < sizes_of(m.verb); i++)
		m.size[i] = cbor_get_uint(&r, UINT64_MAX);
	m.entry = cbor_get_bytes(&r, 0, ENTRY_MAX_BYTES);
	if (cbor_reader_end(&r) < 0 || m.verb == 0)
		return -EBADMSG;
	if (m.cluster[0] && !label_ok(span_str(m.cluster)))
		return -EBADMSG;
	if (!m.cluster[0] && !is_for_all(m.verb))
		return -EBADMSG;
	if (m.node[0] ? !label_ok(span_str(m.node)) : needs_node(m.verb))
		return -EBADMSG;
	if ((m.entry.len > 0) != (m.verb == CONTROL_SUBMIT))
		return -EBADMSG;
	*ret = m;
	return 0;
}

uint64_t control_request_version(struct span in)
{
	struct cbor_reader r = cbor_reader_of(in);
	uint64_t version;

	cbor_get_array_len(&r, ELEMENTS_MAX);
	version = cbor_get_uint(&r, UINT64_MAX);
	return r.failed ? 0 : version;
}

void control_ack_encode(uint64_t received, uint8_t out[CONTROL_ACK_LEN])
{
	out[0] = CONTROL_ACK;
	store_be64(out + 1, received);
}

int control_ack_decode(struct span in, uint64_t *ret_received)
{
	if (in.len != CONTROL_ACK_LEN || in.data[0] != CONTROL_ACK)
		return -EBADMSG;
	*ret_received = load_be64(in.data + 1);
	return 0;
}
