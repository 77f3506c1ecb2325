/* SPDX-License-Identifier: MIT */
/* Replies and refusals of the signal protocol, their bytes both ways. */
#include <errno.h>

#include "proto/signal_wire.h"

enum { REPLY_ACCEPTED = 0, REPLY_REFUSED = 1, REPLY_MOVED = 2, REPLY_BUSY = 3 };

#define REFUSAL_ELEMENTS 4
#define MOVED_ELEMENTS 3
#define BUSY_ELEMENTS 2
#define REFUSAL_WIRE_MAX 99 /* larger ones name causes on our own side */

/* Elements of an accepted reply's array, the leading 0 included. */
static const uint8_t reply_elements[SIGNAL_REQUEST_TYPES] = {
	[SIGNAL_HELLO] = 6,	 [SIGNAL_SETUP_OFFER] = 4, [SIGNAL_SETUP] = 2,
	[SIGNAL_RECOVER] = 2,	 [SIGNAL_LOG] = 4,	   [SIGNAL_ADMIT] = 3,
	[SIGNAL_SESSION] = 3,	 [SIGNAL_APPEND] = 2,	   [SIGNAL_PUSH] = 2,
	[SIGNAL_CANDIDATES] = 1, [SIGNAL_SUBSCRIBE] = 2,   [SIGNAL_RELAY_OPEN] = 3,
	[SIGNAL_ECHO] = 2,	 [SIGNAL_IMPORT] = 3,	   [SIGNAL_BEACON] = 1,
};

static void put_accepted(struct cbor_writer *w, enum signal_request_type to,
			 const struct signal_reply *m)
{
	switch (to) {
	case SIGNAL_HELLO:
		cbor_put_uint(w, SIGNAL_VERSION);
		cbor_put_uint(w, m->time_s);
		wire_put_addr(w, &m->observed);
		if (m->has_head)
			wire_put_head(w, &m->head);
		else
			cbor_put_null(w);
		cbor_put_uint(w, m->features);
		break;
	case SIGNAL_SETUP_OFFER:
		cbor_put_array(w, 2);
		cbor_put_uint(w, m->subnet.net);
		cbor_put_uint(w, m->subnet.bits);
		cbor_put_uint(w, m->address);
		cbor_put_bytes(w, m->order_key, sizeof(m->order_key));
		break;
	case SIGNAL_SETUP:
		cbor_put_bytes(w, m->node_token, sizeof(m->node_token));
		break;
	case SIGNAL_ADMIT:
	case SIGNAL_SESSION:
		cbor_put_bytes(w, m->node_token, sizeof(m->node_token));
		wire_put_head(w, &m->head);
		break;
	case SIGNAL_LOG:
		wire_put_head(w, &m->head);
		cbor_put_uint(w, m->first);
		wire_put_entries(w, &m->entries);
		break;
	case SIGNAL_IMPORT:
		wire_put_head(w, &m->head);
		cbor_put_bytes(w, m->order_key, sizeof(m->order_key));
		break;
	case SIGNAL_RECOVER:
	case SIGNAL_PUSH:
		wire_put_head(w, &m->head);
		break;
	case SIGNAL_SUBSCRIBE:
		cbor_put_bytes(w, m->epoch, sizeof(m->epoch));
		break;
	case SIGNAL_RELAY_OPEN:
		wire_put_relay_end(w, &m->relay);
		break;
	case SIGNAL_ECHO:
		cbor_put_uint(w, m->echo_port);
		break;
	case SIGNAL_APPEND:
		cbor_put_bytes(w, m->record.data, m->record.len);
		break;
	case SIGNAL_CANDIDATES:
	case SIGNAL_BEACON:
		break;
	case SIGNAL_REQUEST_TYPES:
		w->failed = true;
		break;
	}
}

static bool reply_fits(enum signal_request_type to, const struct signal_reply *m)
{
	bool elsewhere = m->busy || m->moved_host.len > 0;

	if (m->refusal != REFUSAL_NONE)
		return m->refusal <= REFUSAL_WIRE_MAX && m->text.len <= REFUSAL_TEXT_MAX;
	return to >= SIGNAL_HELLO && to < SIGNAL_REQUEST_TYPES &&
	       (!elsewhere || to == SIGNAL_HELLO);
}

static void put_refusal(struct cbor_writer *w, const struct signal_reply *m)
{
	cbor_put_array(w, REFUSAL_ELEMENTS);
	cbor_put_uint(w, REPLY_REFUSED);
	cbor_put_uint(w, m->refusal);
	cbor_put_text_span(w, m->text);
	cbor_put_uint(w, m->retry_after_s);
}

static void put_moved(struct cbor_writer *w, const struct signal_reply *m)
{
	cbor_put_array(w, MOVED_ELEMENTS);
	cbor_put_uint(w, REPLY_MOVED);
	cbor_put_text_span(w, m->moved_host);
	cbor_put_uint(w, m->moved_port);
}

static void put_busy(struct cbor_writer *w, const struct signal_reply *m)
{
	cbor_put_array(w, BUSY_ELEMENTS);
	cbor_put_uint(w, REPLY_BUSY);
	cbor_put_uint(w, m->retry_after_s);
}

ptrdiff_t signal_reply_encode(enum signal_request_type to, const struct signal_reply *m, void *buf,
			      size_t cap)
{
	struct cbor_writer w = frame_begin(buf, cap, SIGNAL_MESSAGE_MAX);

	if (!reply_fits(to, m))
		return -EINVAL;
	if (m->refusal != REFUSAL_NONE) {
		put_refusal(&w, m);
	} else if (m->moved_host.len > 0) {
		put_moved(&w, m);
	} else if (m->busy) {
		put_busy(&w, m);
	} else {
		cbor_put_array(&w, reply_elements[to]);
		cbor_put_uint(&w, REPLY_ACCEPTED);
		put_accepted(&w, to, m);
	}
	return frame_end(&w, buf);
}

static void get_accepted(struct cbor_reader *r, enum signal_request_type to, struct signal_reply *m)
{
	switch (to) {
	case SIGNAL_HELLO:
		if (cbor_get_uint(r, UINT64_MAX) != SIGNAL_VERSION)
			r->failed = true;
		m->time_s = cbor_get_uint(r, INT64_MAX);
		wire_get_addr(r, &m->observed);
		m->has_head = !cbor_get_null(r);
		if (m->has_head)
			wire_get_head(r, &m->head);
		m->features = cbor_get_uint(r, UINT64_MAX);
		break;
	case SIGNAL_SETUP_OFFER:
		cbor_get_array(r, 2);
		m->subnet.net = (ip4)cbor_get_uint(r, UINT32_MAX);
		m->subnet.bits = (uint8_t)cbor_get_uint(r, 32);
		m->address = (ip4)cbor_get_uint(r, UINT32_MAX);
		cbor_get_bytes_fixed(r, m->order_key, sizeof(m->order_key));
		break;
	case SIGNAL_SETUP:
		cbor_get_bytes_fixed(r, m->node_token, sizeof(m->node_token));
		break;
	case SIGNAL_ADMIT:
	case SIGNAL_SESSION:
		cbor_get_bytes_fixed(r, m->node_token, sizeof(m->node_token));
		wire_get_head(r, &m->head);
		break;
	case SIGNAL_LOG:
		wire_get_head(r, &m->head);
		m->first = cbor_get_uint(r, LOG_MAX_ENTRIES);
		wire_get_entries(r, &m->entries);
		break;
	case SIGNAL_IMPORT:
		wire_get_head(r, &m->head);
		cbor_get_bytes_fixed(r, m->order_key, sizeof(m->order_key));
		break;
	case SIGNAL_RECOVER:
	case SIGNAL_PUSH:
		wire_get_head(r, &m->head);
		break;
	case SIGNAL_SUBSCRIBE:
		cbor_get_bytes_fixed(r, m->epoch, sizeof(m->epoch));
		break;
	case SIGNAL_RELAY_OPEN:
		wire_get_relay_end(r, &m->relay);
		break;
	case SIGNAL_ECHO:
		m->echo_port = (uint16_t)cbor_get_uint(r, UINT16_MAX);
		break;
	case SIGNAL_APPEND:
		m->record = cbor_get_bytes(r, 1, RECORD_MAX_BYTES);
		break;
	case SIGNAL_CANDIDATES:
	case SIGNAL_BEACON:
		break;
	case SIGNAL_REQUEST_TYPES:
		r->failed = true;
		break;
	}
}

static void get_refusal(struct cbor_reader *r, struct signal_reply *m)
{
	m->refusal = (enum refusal)cbor_get_uint(r, REFUSAL_WIRE_MAX);
	m->text = cbor_get_text(r, 0, REFUSAL_TEXT_MAX);
	m->retry_after_s = (uint32_t)cbor_get_uint(r, UINT32_MAX);
	r->failed |= m->refusal == REFUSAL_NONE;
}

static void get_moved(struct cbor_reader *r, struct signal_reply *m)
{
	m->moved_host = cbor_get_text(r, 1, HOST_TEXT_MAX);
	m->moved_port = (uint16_t)cbor_get_uint(r, UINT16_MAX);
	r->failed |= m->moved_port == 0;
}

/* How many elements the reply has that begins with this number; 0 if no reply begins so. */
static size_t elements_of(uint64_t kind, enum signal_request_type to)
{
	switch (kind) {
	case REPLY_ACCEPTED:
		return reply_elements[to];
	case REPLY_REFUSED:
		return REFUSAL_ELEMENTS;
	case REPLY_MOVED:
		return to == SIGNAL_HELLO ? MOVED_ELEMENTS : 0;
	case REPLY_BUSY:
		return to == SIGNAL_HELLO ? BUSY_ELEMENTS : 0;
	default:
		return 0;
	}
}

int signal_reply_decode(enum signal_request_type to, struct span message, struct signal_reply *ret)
{
	struct cbor_reader r = cbor_reader_of(message);
	struct signal_reply m = { 0 };
	size_t elements = cbor_get_array_len(&r, UINT8_MAX);
	uint64_t kind;

	if (to < SIGNAL_HELLO || to >= SIGNAL_REQUEST_TYPES)
		return -EINVAL;
	kind = cbor_get_uint(&r, REPLY_BUSY);
	if (r.failed || elements == 0 || elements != elements_of(kind, to))
		return -EBADMSG;
	switch (kind) {
	case REPLY_ACCEPTED:
		get_accepted(&r, to, &m);
		break;
	case REPLY_REFUSED:
		get_refusal(&r, &m);
		break;
	case REPLY_MOVED:
		get_moved(&r, &m);
		break;
	case REPLY_BUSY:
		m.busy = true;
		m.retry_after_s = (uint32_t)cbor_get_uint(&r, UINT32_MAX);
		break;
	}
	if (cbor_reader_end(&r) < 0)
		return -EBADMSG;
	*ret = m;
	return 0;
}
