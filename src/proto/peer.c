/* SPDX-License-Identifier: MIT */
/* Messages of the peer protocol's control stream, their bytes both ways. */
#include "proto/peer.h"

#include <errno.h>

#include "proto/signal_wire.h"

#define PEER_TYPES (PEER_OPENED + 1)

/* Elements of each message's array, its type included. */
static const uint8_t peer_elements[PEER_TYPES] = {
	[PEER_HELLO] = 6,      [PEER_LOG] = 3,	   [PEER_LOG_REQUEST] = 3, [PEER_OBSERVED] = 2,
	[PEER_CANDIDATES] = 2, [PEER_BYE] = 1,	   [PEER_PUNCH] = 2,	   [PEER_NAT] = 3,
	[PEER_PORTS] = 2,      [PEER_REMOVAL] = 2, [PEER_BEACON] = 2,	   [PEER_OPENED] = 2,
};

ptrdiff_t peer_message_encode(const struct peer_message *m, void *buf, size_t cap)
{
	struct cbor_writer w = frame_begin(buf, cap, PEER_MESSAGE_MAX);

	if (m->type < PEER_HELLO || m->type >= PEER_TYPES)
		return -EINVAL;
	cbor_put_array(&w, peer_elements[m->type]);
	cbor_put_uint(&w, m->type);
	switch (m->type) {
	case PEER_HELLO:
		cbor_put_uint(&w, PEER_VERSION);
		cbor_put_bytes(&w, m->cluster_id, sizeof(m->cluster_id));
		wire_put_head(&w, &m->head);
		cbor_put_bytes(&w, m->binding, sizeof(m->binding));
		cbor_put_uint(&w, m->features);
		break;
	case PEER_LOG:
		cbor_put_uint(&w, m->first);
		wire_put_entries(&w, &m->entries);
		break;
	case PEER_LOG_REQUEST:
		cbor_put_uint(&w, m->generation);
		cbor_put_uint(&w, m->first);
		break;
	case PEER_OBSERVED:
	case PEER_PORTS:
		wire_put_addr(&w, &m->observed);
		break;
	case PEER_CANDIDATES:
		wire_put_candidates(&w, &m->candidates);
		break;
	case PEER_NAT:
		cbor_put_uint(&w, m->nat.mapping);
		cbor_put_uint(&w, m->nat.filtering);
		break;
	case PEER_REMOVAL:
		cbor_put_bytes(&w, m->removal.data, m->removal.len);
		break;
	case PEER_BEACON:
		cbor_put_bytes(&w, m->beacon.data, m->beacon.len);
		break;
	case PEER_PUNCH:
		cbor_put_uint(&w, m->hops);
		break;
	case PEER_OPENED:
		cbor_put_uint(&w, m->heard);
		break;
	case PEER_BYE:
		break;
	}
	return frame_end(&w, buf);
}

/* What follows the type. Returns false if the version is another: the rest is not ours to read. */
static bool peer_get(struct cbor_reader *r, struct peer_message *m)
{
	switch (m->type) {
	case PEER_HELLO:
		if (cbor_get_uint(r, UINT64_MAX) != PEER_VERSION && !r->failed)
			return false;
		cbor_get_bytes_fixed(r, m->cluster_id, sizeof(m->cluster_id));
		wire_get_head(r, &m->head);
		cbor_get_bytes_fixed(r, m->binding, sizeof(m->binding));
		m->features = cbor_get_uint(r, UINT64_MAX);
		break;
	case PEER_LOG:
		m->first = cbor_get_uint(r, LOG_MAX_ENTRIES);
		wire_get_entries(r, &m->entries);
		break;
	case PEER_LOG_REQUEST:
		m->generation = cbor_get_uint(r, GENERATION_MAX);
		m->first = cbor_get_uint(r, LOG_MAX_ENTRIES);
		break;
	case PEER_OBSERVED:
	case PEER_PORTS:
		wire_get_addr(r, &m->observed);
		break;
	case PEER_CANDIDATES:
		wire_get_candidates(r, &m->candidates);
		break;
	case PEER_NAT:
		m->nat.mapping = (enum nat_mapping)cbor_get_uint(r, MAPPINGS - 1);
		m->nat.filtering = (enum nat_filtering)cbor_get_uint(r, FILTERINGS - 1);
		break;
	case PEER_REMOVAL:
		m->removal = cbor_get_bytes(r, 1, ENTRY_MAX_BYTES);
		break;
	case PEER_BEACON:
		m->beacon = cbor_get_bytes(r, 1, BEACON_MAX_BYTES);
		break;
	case PEER_PUNCH:
		m->hops = (uint8_t)cbor_get_uint(r, UINT8_MAX);
		break;
	case PEER_OPENED:
		m->heard = (uint32_t)cbor_get_uint(r, UINT32_MAX);
		break;
	case PEER_BYE:
		break;
	}
	return true;
}

int peer_message_decode(struct span message, struct peer_message *ret)
{
	struct cbor_reader r = cbor_reader_of(message);
	struct peer_message m = { 0 };
	size_t elements = cbor_get_array_len(&r, message.len);
	uint64_t type = cbor_get_uint(&r, UINT64_MAX);

	if (!r.failed && type >= UNKNOWN_TYPES_FROM)
		return -ENOSYS;
	if (r.failed || type == 0 || type >= PEER_TYPES)
		return -EBADMSG;
	m.type = (enum peer_message_type)type;
	if (elements != peer_elements[m.type] && m.type != PEER_HELLO)
		return -EBADMSG;
	if (!peer_get(&r, &m))
		return -EPROTONOSUPPORT;
	if (elements != peer_elements[m.type] || cbor_reader_end(&r) < 0)
		return -EBADMSG;
	*ret = m;
	return 0;
}
