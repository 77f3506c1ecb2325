/* SPDX-License-Identifier: MIT */
/* Encoding and decoding of the pending request. */
#include "client/pending.h"

#include "membership/hostport.h"
#include "proto/cbor.h"

#define PENDING_VERSION 1
#define PENDING_ELEMENTS 10

ptrdiff_t pending_encode(const struct pending *p, void *out, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(out, cap);

	cbor_put_array(&w, PENDING_ELEMENTS);
	cbor_put_uint(&w, PENDING_VERSION);
	cbor_put_uint(&w, (uint64_t)p->kind);
	cbor_put_text(&w, p->cluster);
	cbor_put_text(&w, p->node_name);
	cbor_put_text(&w, p->host);
	cbor_put_uint(&w, p->port);
	cbor_put_bytes(&w, p->signal_pin, HASH_LEN);
	cbor_put_bytes(&w, p->seed, SIGN_SEED_LEN);
	cbor_put_bytes(&w, p->entry.data, p->entry.len);
	if (p->kind == PENDING_SETUP) {
		cbor_put_array(&w, 1);
		cbor_put_text(&w, p->code);
	} else {
		cbor_put_array(&w, 2);
		cbor_put_bytes(&w, p->invite, p->invite_len);
		cbor_put_bytes(&w, p->invite_sig, SIG_LEN);
	}
	return w.failed ? -ENOSPC : (ptrdiff_t)cbor_writer_span(&w).len;
}

/* Copies; 0 for a span that is empty because reading failed. */
static size_t copy_span(struct span s, uint8_t *out)
{
	if (s.len)
		memcpy(out, s.data, s.len);
	return s.len;
}

static void get_kind_parts(struct cbor_reader *r, struct pending *p)
{
	if (p->kind == PENDING_SETUP) {
		cbor_get_array(r, 1);
		cbor_get_text_copy(r, p->code, sizeof(p->code));
	} else {
		cbor_get_array(r, 2);
		p->invite_len = copy_span(cbor_get_bytes(r, 1, sizeof(p->invite)), p->invite);
		cbor_get_bytes_fixed(r, p->invite_sig, SIG_LEN);
	}
}

static bool parts_ok(const struct pending *p)
{
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;

	if (p->kind == PENDING_SETUP && !p->code[0])
		return false;
	if (!label_ok(span_str(p->cluster)) || !label_ok(span_str(p->node_name)) || p->port == 0)
		return false;
	return hostport_parse(p->host, p->port, host, &port, NULL) == 0 && port == p->port &&
	       strcmp(host, p->host) == 0;
}

int pending_decode(struct span bytes, struct pending *ret)
{
	struct cbor_reader r = cbor_reader_of(bytes);
	struct pending p = { 0 };
	uint64_t kind;
	int code;

	if (cbor_file_version(bytes) > PENDING_VERSION)
		return -EPROTONOSUPPORT;
	if (bytes.len > PENDING_FILE_MAX)
		return -EBADMSG;
	cbor_get_array(&r, PENDING_ELEMENTS);
	if (cbor_get_uint(&r, UINT32_MAX) != PENDING_VERSION)
		return -EBADMSG;
	kind = cbor_get_uint(&r, PENDING_ADOPT);
	p.kind = kind == PENDING_SETUP ? PENDING_SETUP : PENDING_ADOPT;
	cbor_get_text_copy(&r, p.cluster, sizeof(p.cluster));
	cbor_get_text_copy(&r, p.node_name, sizeof(p.node_name));
	cbor_get_text_copy(&r, p.host, sizeof(p.host));
	p.port = (uint16_t)cbor_get_uint(&r, UINT16_MAX);
	cbor_get_bytes_fixed(&r, p.signal_pin, HASH_LEN);
	cbor_get_bytes_fixed(&r, p.seed, SIGN_SEED_LEN);
	p.entry.len = copy_span(cbor_get_bytes(&r, 1, sizeof(p.entry.data)), p.entry.data);
	get_kind_parts(&r, &p);
	code = cbor_reader_end(&r);
	if (code == 0 && (kind == 0 || !parts_ok(&p)))
		code = -EBADMSG;
	if (code == 0)
		*ret = p;
	pending_wipe(&p);
	return code;
}

void pending_wipe(struct pending *p)
{
	secret_wipe(p, sizeof(*p));
}
