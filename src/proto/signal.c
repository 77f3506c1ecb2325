/* SPDX-License-Identifier: MIT */
/* Requests of the signal protocol, their bytes both ways. */
#include "proto/signal.h"

#include <errno.h>

#include "proto/signal_wire.h"

/* Elements of each request's array, its type included. */
static const uint8_t request_elements[SIGNAL_REQUEST_TYPES] = {
	[SIGNAL_HELLO] = 5,	 [SIGNAL_SETUP_OFFER] = 3, [SIGNAL_SETUP] = 3,
	[SIGNAL_RECOVER] = 2,	 [SIGNAL_LOG] = 3,	   [SIGNAL_ADMIT] = 2,
	[SIGNAL_SESSION] = 4,	 [SIGNAL_APPEND] = 2,	   [SIGNAL_PUSH] = 3,
	[SIGNAL_CANDIDATES] = 2, [SIGNAL_SUBSCRIBE] = 3,   [SIGNAL_RELAY_OPEN] = 2,
	[SIGNAL_ECHO] = 1,	 [SIGNAL_IMPORT] = 3,	   [SIGNAL_BEACON] = 2,
};

static void put_subnet(struct cbor_writer *w, const struct prefix4 *p)
{
	cbor_put_array(w, 2);
	cbor_put_uint(w, p->net);
	cbor_put_uint(w, p->bits);
}

static void put_request(struct cbor_writer *w, const struct signal_request *m)
{
	switch (m->type) {
	case SIGNAL_HELLO:
		cbor_put_uint(w, SIGNAL_VERSION);
		cbor_put_bytes(w, m->cluster_id, sizeof(m->cluster_id));
		cbor_put_text_span(w, m->agent);
		cbor_put_uint(w, m->features);
		break;
	case SIGNAL_SETUP_OFFER:
		cbor_put_text_span(w, m->code);
		if (m->has_subnet)
			put_subnet(w, &m->subnet);
		else
			cbor_put_null(w);
		break;
	case SIGNAL_SETUP:
		cbor_put_text_span(w, m->code);
		cbor_put_bytes(w, m->entry.data, m->entry.len);
		break;
	case SIGNAL_LOG:
		cbor_put_uint(w, m->generation);
		cbor_put_uint(w, m->from);
		break;
	case SIGNAL_RECOVER:
	case SIGNAL_ADMIT:
	case SIGNAL_APPEND:
		cbor_put_bytes(w, m->entry.data, m->entry.len);
		break;
	case SIGNAL_SESSION:
		cbor_put_bytes(w, m->node_token, sizeof(m->node_token));
		wire_put_head(w, &m->head);
		wire_put_candidates(w, &m->candidates);
		break;
	case SIGNAL_PUSH:
		cbor_put_bytes(w, m->node_token, sizeof(m->node_token));
		wire_put_entries(w, &m->entries);
		break;
	case SIGNAL_CANDIDATES:
		wire_put_candidates(w, &m->candidates);
		break;
	case SIGNAL_SUBSCRIBE:
		cbor_put_bytes(w, m->epoch, sizeof(m->epoch));
		cbor_put_uint(w, m->cursor);
		break;
	case SIGNAL_RELAY_OPEN:
		cbor_put_bytes(w, m->node_id, sizeof(m->node_id));
		break;
	case SIGNAL_IMPORT:
		cbor_put_text_span(w, m->code);
		wire_put_entries(w, &m->entries);
		break;
	case SIGNAL_BEACON:
		cbor_put_bytes(w, m->beacon.data, m->beacon.len);
		break;
	case SIGNAL_ECHO:
		break;
	case SIGNAL_REQUEST_TYPES:
		w->failed = true;
		break;
	}
}

ptrdiff_t signal_request_encode(const struct signal_request *m, void *buf, size_t cap)
{
	struct cbor_writer w = frame_begin(buf, cap, SIGNAL_MESSAGE_MAX);

	if (m->type < SIGNAL_HELLO || m->type >= SIGNAL_REQUEST_TYPES)
		return -EINVAL;
	cbor_put_array(&w, request_elements[m->type]);
	cbor_put_uint(&w, m->type);
	put_request(&w, m);
	return frame_end(&w, buf);
}

static void get_subnet(struct cbor_reader *r, struct prefix4 *ret)
{
	cbor_get_array(r, 2);
	ret->net = (ip4)cbor_get_uint(r, UINT32_MAX);
	ret->bits = (uint8_t)cbor_get_uint(r, 32);
}

/* What follows the type. Returns false if the version is another: the rest is not ours to read. */
static bool get_request(struct cbor_reader *r, struct signal_request *m)
{
	switch (m->type) {
	case SIGNAL_HELLO:
		if (cbor_get_uint(r, UINT64_MAX) != SIGNAL_VERSION && !r->failed)
			return false;
		cbor_get_bytes_fixed(r, m->cluster_id, sizeof(m->cluster_id));
		m->agent = cbor_get_text(r, 0, AGENT_MAX);
		m->features = cbor_get_uint(r, UINT64_MAX);
		break;
	case SIGNAL_SETUP_OFFER:
		m->code = cbor_get_text(r, 1, CODE_TEXT_MAX);
		m->has_subnet = !cbor_get_null(r);
		if (m->has_subnet)
			get_subnet(r, &m->subnet);
		break;
	case SIGNAL_SETUP:
		m->code = cbor_get_text(r, 1, CODE_TEXT_MAX);
		m->entry = cbor_get_bytes(r, 1, ENTRY_MAX_BYTES);
		break;
	case SIGNAL_LOG:
		m->generation = cbor_get_uint(r, GENERATION_MAX);
		m->from = cbor_get_uint(r, LOG_MAX_ENTRIES);
		break;
	case SIGNAL_RECOVER:
	case SIGNAL_ADMIT:
	case SIGNAL_APPEND:
		m->entry = cbor_get_bytes(r, 1, ENTRY_MAX_BYTES);
		break;
	case SIGNAL_SESSION:
		cbor_get_bytes_fixed(r, m->node_token, sizeof(m->node_token));
		wire_get_head(r, &m->head);
		wire_get_candidates(r, &m->candidates);
		break;
	case SIGNAL_PUSH:
		cbor_get_bytes_fixed(r, m->node_token, sizeof(m->node_token));
		wire_get_entries(r, &m->entries);
		break;
	case SIGNAL_CANDIDATES:
		wire_get_candidates(r, &m->candidates);
		break;
	case SIGNAL_SUBSCRIBE:
		cbor_get_bytes_fixed(r, m->epoch, sizeof(m->epoch));
		m->cursor = cbor_get_uint(r, UINT64_MAX);
		break;
	case SIGNAL_RELAY_OPEN:
		cbor_get_bytes_fixed(r, m->node_id, sizeof(m->node_id));
		break;
	case SIGNAL_IMPORT:
		m->code = cbor_get_text(r, 1, CODE_TEXT_MAX);
		wire_get_entries(r, &m->entries);
		break;
	case SIGNAL_BEACON:
		m->beacon = cbor_get_bytes(r, 1, BEACON_MAX_BYTES);
		break;
	case SIGNAL_ECHO:
		break;
	case SIGNAL_REQUEST_TYPES:
		r->failed = true;
		break;
	}
	return true;
}

int signal_request_decode(struct span message, struct signal_request *ret)
{
	struct cbor_reader r = cbor_reader_of(message);
	struct signal_request m = { 0 };
	size_t elements = cbor_get_array_len(&r, message.len);
	uint64_t type = cbor_get_uint(&r, UINT64_MAX);

	if (r.failed)
		return -EBADMSG;
	if (type == 0 || type >= SIGNAL_REQUEST_TYPES)
		return -ENOSYS;
	m.type = (enum signal_request_type)type;
	if (elements != request_elements[m.type] && m.type != SIGNAL_HELLO)
		return -EBADMSG;
	if (!get_request(&r, &m))
		return -EPROTONOSUPPORT;
	if (elements != request_elements[m.type] || cbor_reader_end(&r) < 0)
		return -EBADMSG;
	*ret = m;
	return 0;
}
