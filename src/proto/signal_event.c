/* SPDX-License-Identifier: MIT */
/* Events of the signal protocol, their bytes both ways. */
#include <errno.h>

#include "proto/signal_wire.h"

#define EVENT_TYPES (SIGNAL_EV_BEACON + 1)

/* Elements of each event's array, its type included. */
static const uint8_t event_elements[EVENT_TYPES] = {
	[SIGNAL_EV_LOG] = 3,	  [SIGNAL_EV_PRESENCE] = 4, [SIGNAL_EV_OBSERVED] = 2,
	[SIGNAL_EV_SHUTDOWN] = 2, [SIGNAL_EV_RELAY] = 4,    [SIGNAL_EV_RELAY_CLOSED] = 3,
	[SIGNAL_EV_REMOVAL] = 2,  [SIGNAL_EV_BEACON] = 2,
};

static void put_presence(struct cbor_writer *w, const struct wire_presence *item, size_t n)
{
	if (n > PRESENCE_PER_EVENT_MAX) {
		w->failed = true;
		return;
	}
	cbor_put_array(w, n);
	for (size_t i = 0; i < n; i++) {
		cbor_put_array(w, 3);
		cbor_put_bytes(w, item[i].node_id, sizeof(item[i].node_id));
		cbor_put_bool(w, item[i].online);
		wire_put_candidates(w, &item[i].candidates);
	}
}

ptrdiff_t signal_event_encode(const struct signal_event *m, void *buf, size_t cap)
{
	struct cbor_writer w = frame_begin(buf, cap, SIGNAL_MESSAGE_MAX);

	if (m->type < SIGNAL_EV_LOG || m->type >= EVENT_TYPES)
		return -EINVAL;
	cbor_put_array(&w, event_elements[m->type]);
	cbor_put_uint(&w, m->type);
	switch (m->type) {
	case SIGNAL_EV_LOG:
		cbor_put_uint(&w, m->first);
		wire_put_entries(&w, &m->entries);
		break;
	case SIGNAL_EV_PRESENCE:
		cbor_put_bool(&w, m->reset);
		cbor_put_uint(&w, m->cursor);
		put_presence(&w, m->presence, m->n_presence);
		break;
	case SIGNAL_EV_OBSERVED:
		wire_put_addr(&w, &m->observed);
		break;
	case SIGNAL_EV_SHUTDOWN:
		cbor_put_uint(&w, m->retry_after_s);
		break;
	case SIGNAL_EV_RELAY:
		cbor_put_bytes(&w, m->node_id, sizeof(m->node_id));
		wire_put_relay_end(&w, &m->relay);
		break;
	case SIGNAL_EV_RELAY_CLOSED:
		cbor_put_bytes(&w, m->node_id, sizeof(m->node_id));
		cbor_put_bytes(&w, m->relay.channel, sizeof(m->relay.channel));
		break;
	case SIGNAL_EV_REMOVAL:
		cbor_put_bytes(&w, m->removal.data, m->removal.len);
		break;
	case SIGNAL_EV_BEACON:
		cbor_put_bytes(&w, m->beacon.data, m->beacon.len);
		break;
	}
	return frame_end(&w, buf);
}

static void get_presence(struct cbor_reader *r, struct wire_presence *item, size_t *ret_n)
{
	size_t n = cbor_get_array_len(r, item ? PRESENCE_PER_EVENT_MAX : 0);

	for (size_t i = 0; i < n && !r->failed; i++) {
		cbor_get_array(r, 3);
		cbor_get_bytes_fixed(r, item[i].node_id, sizeof(item[i].node_id));
		item[i].online = cbor_get_bool(r);
		wire_get_candidates(r, &item[i].candidates);
	}
	*ret_n = n;
}

int signal_event_decode(struct span message, struct signal_event *ret)
{
	struct cbor_reader r = cbor_reader_of(message);
	struct signal_event m = { .presence = ret->presence };
	size_t elements = cbor_get_array_len(&r, message.len);
	uint64_t type = cbor_get_uint(&r, UINT64_MAX);

	if (!r.failed && type >= UNKNOWN_TYPES_FROM)
		return -ENOSYS;
	if (r.failed || type == 0 || type >= EVENT_TYPES || elements != event_elements[type])
		return -EBADMSG;
	m.type = (enum signal_event_type)type;
	switch (m.type) {
	case SIGNAL_EV_LOG:
		m.first = cbor_get_uint(&r, LOG_MAX_ENTRIES);
		wire_get_entries(&r, &m.entries);
		break;
	case SIGNAL_EV_PRESENCE:
		m.reset = cbor_get_bool(&r);
		m.cursor = cbor_get_uint(&r, UINT64_MAX);
		get_presence(&r, m.presence, &m.n_presence);
		break;
	case SIGNAL_EV_OBSERVED:
		wire_get_addr(&r, &m.observed);
		break;
	case SIGNAL_EV_SHUTDOWN:
		m.retry_after_s = (uint32_t)cbor_get_uint(&r, UINT32_MAX);
		break;
	case SIGNAL_EV_RELAY:
		cbor_get_bytes_fixed(&r, m.node_id, sizeof(m.node_id));
		wire_get_relay_end(&r, &m.relay);
		break;
	case SIGNAL_EV_RELAY_CLOSED:
		cbor_get_bytes_fixed(&r, m.node_id, sizeof(m.node_id));
		cbor_get_bytes_fixed(&r, m.relay.channel, sizeof(m.relay.channel));
		break;
	case SIGNAL_EV_REMOVAL:
		m.removal = cbor_get_bytes(&r, 1, ENTRY_MAX_BYTES);
		break;
	case SIGNAL_EV_BEACON:
		m.beacon = cbor_get_bytes(&r, 1, BEACON_MAX_BYTES);
		break;
	}
	if (cbor_reader_end(&r) < 0)
		return -EBADMSG;
	*ret = m;
	return 0;
}
