/* SPDX-License-Identifier: MIT */
/* Replies and refusals of the signal protocol, their bytes both ways. */
#include <errno.h>

#include "proto/signal_wire.h"

enum { REPLY_ACCEPTED = 0, REPLY_REFUSED = 1 };

#define REFUSAL_ELEMENTS 4
#define REFUSAL_WIRE_MAX 99 /* larger ones name causes on our own side */

/* Elements of an accepted reply's array, the leading 0 included. */
static const uint8_t reply_elements[SIGNAL_REQUEST_TYPES] = {
	[SIGNAL_HELLO] = 5,	  [SIGNAL_SETUP_OFFER] = 3, [SIGNAL_SETUP] = 2,
	[SIGNAL_INVITE_OPEN] = 3, [SIGNAL_LOG] = 3,	    [SIGNAL_ADMIT] = 2,
	[SIGNAL_SESSION] = 2,	  [SIGNAL_APPEND] = 1,	    [SIGNAL_PUSH] = 2,
	[SIGNAL_CANDIDATES] = 1,  [SIGNAL_SUBSCRIBE] = 2,   [SIGNAL_RELAY_OPEN] = 3,
	[SIGNAL_ECHO] = 2,
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
		break;
	case SIGNAL_SETUP_OFFER:
		cbor_put_array(w, 2);
		cbor_put_uint(w, m->subnet.net);
		cbor_put_uint(w, m->subnet.bits);
		cbor_put_uint(w, m->address);
		break;
	case SIGNAL_SETUP:
	case SIGNAL_ADMIT:
		cbor_put_bytes(w, m->node_token, sizeof(m->node_token));
		break;
	case SIGNAL_INVITE_OPEN:
		wire_put_head(w, &m->head);
		cbor_put_uint(w, m->address);
		break;
	case SIGNAL_LOG:
		wire_put_head(w, &m->head);
		wire_put_entries(w, &m->entries);
		break;
	case SIGNAL_SESSION:
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
	case SIGNAL_CANDIDATES:
		break;
	case SIGNAL_REQUEST_TYPES:
		w->failed = true;
		break;
	}
}

static bool reply_fits(enum signal_request_type to, const struct signal_reply *m)
{
	return to >= SIGNAL_HELLO && to < SIGNAL_REQUEST_TYPES && m->refusal <= REFUSAL_WIRE_MAX &&
	       m->text.len <= REFUSAL_TEXT_MAX;
}

ptrdiff_t signal_reply_encode(enum signal_request_type to, const struct signal_reply *m, void *buf,
			      size_t cap)
{
	struct cbor_writer w = frame_begin(buf, cap, SIGNAL_MESSAGE_MAX);

	if (!reply_fits(to, m))
		return -EINVAL;
	if (m->refusal != REFUSAL_NONE) {
		cbor_put_array(&w, REFUSAL_ELEMENTS);
		cbor_put_uint(&w, REPLY_REFUSED);
		cbor_put_uint(&w, m->refusal);
		cbor_put_text_span(&w, m->text);
		cbor_put_uint(&w, m->retry_after_s);
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
		break;
	case SIGNAL_SETUP_OFFER:
		cbor_get_array(r, 2);
		m->subnet.net = (ip4)cbor_get_uint(r, UINT32_MAX);
		m->subnet.bits = (uint8_t)cbor_get_uint(r, 32);
		m->address = (ip4)cbor_get_uint(r, UINT32_MAX);
		break;
	case SIGNAL_SETUP:
	case SIGNAL_ADMIT:
		cbor_get_bytes_fixed(r, m->node_token, sizeof(m->node_token));
		break;
	case SIGNAL_INVITE_OPEN:
		wire_get_head(r, &m->head);
		m->address = (ip4)cbor_get_uint(r, UINT32_MAX);
		break;
	case SIGNAL_LOG:
		wire_get_head(r, &m->head);
		wire_get_entries(r, &m->entries);
		break;
	case SIGNAL_SESSION:
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
	case SIGNAL_CANDIDATES:
		break;
	case SIGNAL_REQUEST_TYPES:
		r->failed = true;
		break;
	}
}

int signal_reply_decode(enum signal_request_type to, struct span message, struct signal_reply *ret)
{
	struct cbor_reader r = cbor_reader_of(message);
	struct signal_reply m = { 0 };
	size_t elements = cbor_get_array_len(&r, UINT8_MAX);

	if (to < SIGNAL_HELLO || to >= SIGNAL_REQUEST_TYPES)
		return -EINVAL;
	switch (cbor_get_uint(&r, REPLY_REFUSED)) {
	case REPLY_ACCEPTED:
		if (elements != reply_elements[to])
			return -EBADMSG;
		get_accepted(&r, to, &m);
		break;
	case REPLY_REFUSED:
		if (elements != REFUSAL_ELEMENTS)
			return -EBADMSG;
		m.refusal = (enum refusal)cbor_get_uint(&r, REFUSAL_WIRE_MAX);
		m.text = cbor_get_text(&r, 0, REFUSAL_TEXT_MAX);
		m.retry_after_s = (uint32_t)cbor_get_uint(&r, UINT32_MAX);
		if (m.refusal == REFUSAL_NONE)
			return -EBADMSG;
		break;
	}
	if (cbor_reader_end(&r) < 0)
		return -EBADMSG;
	*ret = m;
	return 0;
}
