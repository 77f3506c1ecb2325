/* SPDX-License-Identifier: MIT */
/*
 * Demultiplexing: finds the connection of a datagram by its connection ID (RFC 9000 section 5.2).
 */
#include "quic/socket.h"

#define LONG_HEADER_BIT 0x80

static void demux_read(struct quic_socket *s, struct quic_conn *c, const struct udp_rx *rx,
		       path_label label, uint64_t generation)
{
	struct quic_endpoint endpoint;

	if (label == 0)
		label = router_label(s, c, rx);
	else if (c->routed && label != c->label && !router_endpoint(s, c, label, &endpoint))
		label = c->label; /* of another connection: nothing may be sent there */
	if (label == 0) {
		s->stats.dropped_unknown++;
		return;
	}
	if (conn_read(c, rx, label, generation) < 0)
		conn_delete(c); /* at its first packets only, when no owner knows it */
}

/*
 * A packet of no connection of ours. The other side may have lost one of ours (a stateless reset).
 */
static void unknown_short(struct quic_socket *s, const struct udp_rx *rx, path_label label)
{
	struct quic_conn *c = NULL;

	if (rx->len >= RESET_BYTES_MIN)
		c = map_get(s->tokens, rx->data + rx->len - NGTCP2_STATELESS_RESET_TOKENLEN);
	if (c) {
		/* ngtcp2 compares token and path once more. */
		demux_read(s, c, rx, c->label, label_generation_of(ngtcp2_conn_get_path(c->qc)));
		return;
	}
	s->stats.dropped_unknown++;
	if (label == 0)
		accept_send_reset(s, rx);
}

static void long_header(struct quic_socket *s, const struct udp_rx *rx, path_label label,
			const ngtcp2_version_cid *vc)
{
	uint8_t key[1 + NGTCP2_MAX_CIDLEN];
	struct quic_conn *c = NULL;

	if (vc->dcidlen <= NGTCP2_MAX_CIDLEN) {
		initial_key(vc->dcid, vc->dcidlen, key);
		c = map_get(s->initials, key);
	}
	if (c)
		demux_read(s, c, rx, label, 0);
	else
		accept_packet(s, rx, label);
}

static void quic_packet(struct quic_socket *s, const struct udp_rx *rx, path_label label)
{
	ngtcp2_version_cid vc;
	struct cid *cid = NULL;
	int rv = ngtcp2_pkt_decode_version_cid(&vc, rx->data, rx->len, CID_LEN);

	if (rv == NGTCP2_ERR_VERSION_NEGOTIATION) {
		if (label == 0)
			accept_send_versions(s, rx, &vc);
		return;
	}
	if (rv != 0) {
		s->stats.dropped_garbage++;
		return;
	}
	if (vc.dcidlen == CID_LEN)
		cid = cid_find(s, vc.dcid);
	if (cid && cid->closing)
		closing_hit(s, cid->closing, rx->len);
	else if (cid)
		demux_read(s, cid->conn, rx, label, cid->generation);
	else if (rx->data[0] & LONG_HEADER_BIT)
		long_header(s, rx, label, &vc);
	else
		unknown_short(s, rx, label);
}

void demux_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label)
{
	struct udp_rx copy = *rx;

	if (rx->len == 0) {
		s->stats.dropped_garbage++;
	} else if (rx->data[0] & QUIC_FIXED_BIT) {
		quic_packet(s, rx, label);
	} else if (label == 0 && s->cfg.other) {
		s->cfg.other(s->cfg.ctx, &copy);
	} else {
		s->stats.dropped_other++;
	}
}
