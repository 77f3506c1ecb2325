/* SPDX-License-Identifier: MIT */
/*
 * New connections, and the answers that need no connection: Version Negotiation, Retry, a refusal,
 * a stateless reset. Each answer is smaller than the packet that it answers.
 */
#include <netinet/in.h>

#include <ngtcp2/ngtcp2_crypto.h>

#include "quic/socket.h"

#define RETRY_TOKEN_LIFE (10 * NS_PER_S)
#define PACKET_MAX 1200
#define RESET_BYTES_MAX 43 /* looks like a short-header packet; RFC 9000 section 10.3 */

struct initial {
	ngtcp2_pkt_hd hd;
	const struct udp_rx *rx;
	path_label
		label; /* not 0: the packet came on a proven path, and its address means nothing */
	ngtcp2_cid odcid;
	bool validated; /* its token is valid */
};

/* The address that a token is bound to: where the token was sent. */
static struct sockaddr_in6 real_address(const struct addr *a)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
				   .sin6_port = htons(a->port),
				   .sin6_scope_id = a->scope };

	memcpy(&sa.sin6_addr, a->ip, sizeof(a->ip));
	return sa;
}

static void reply(struct quic_socket *s, const struct udp_rx *rx, const uint8_t *packet,
		  ngtcp2_ssize len)
{
	if (len > 0 && (size_t)len <= rx->len)
		tx_send(&s->tx, packet, (size_t)len, &rx->from, &rx->local);
}

void accept_send_versions(struct quic_socket *s, const struct udp_rx *rx,
			  const ngtcp2_version_cid *vc)
{
	static const uint32_t versions[] = { NGTCP2_PROTO_VER_V1 };
	uint8_t packet[PACKET_MAX], first;

	if (!s->cfg.serve || rx->len < NGTCP2_MAX_UDP_PAYLOAD_SIZE ||
	    !bucket_take(&s->replies, 1, clock_now(s->h))) {
		s->stats.dropped_garbage++;
		return;
	}
	random_fill(s->h, &first, 1);
	reply(s, rx, packet,
	      ngtcp2_pkt_write_version_negotiation(packet, sizeof(packet), first | 0x40, vc->scid,
						   vc->scidlen, vc->dcid, vc->dcidlen, versions,
						   ARRAY_LEN(versions)));
}

_Static_assert(QUIC_REVOKE_ID_LEN == CID_LEN, "a revocation names a connection ID");

/* A stateless reset of `len` bytes for the connection with this ID of ours. */
static ngtcp2_ssize reset_write(struct quic_socket *s, const uint8_t id[CID_LEN], size_t len,
				uint8_t packet[RESET_BYTES_MAX])
{
	ngtcp2_stateless_reset_token token;
	uint8_t noise[RESET_BYTES_MAX];
	ngtcp2_cid cid;

	ngtcp2_cid_init(&cid, id, CID_LEN);
	cid_reset_token(s, &cid, token.data);
	random_fill(s->h, noise, sizeof(noise));
	return ngtcp2_pkt_write_stateless_reset2(packet, len, &token, noise,
						 len - NGTCP2_STATELESS_RESET_TOKENLEN);
}

void quic_socket_revoke(struct quic_socket *s, const struct quic_revocation *r)
{
	uint8_t packet[RESET_BYTES_MAX];
	ngtcp2_ssize len = reset_write(s, r->id, RESET_BYTES_MAX, packet);

	if (len > 0)
		tx_send(&s->tx, packet, (size_t)len, &r->remote, &r->local);
	tx_flush(&s->tx);
}

void accept_send_reset(struct quic_socket *s, const struct udp_rx *rx)
{
	uint8_t packet[RESET_BYTES_MAX];

	/*
	 * The reset is shorter than its cause, so that two sides without a connection do not answer
	 * each other forever.
	 */
	if (rx->len <= RESET_BYTES_MIN || !bucket_take(&s->replies, 1, clock_now(s->h)))
		return;
	reply(s, rx, packet,
	      reset_write(s, rx->data + 1, MIN(rx->len - 1, (size_t)RESET_BYTES_MAX), packet));
}

/* An Initial with CONNECTION_CLOSE, in the keys of the client's own Initial. */
static void send_refusal(struct quic_socket *s, const struct initial *in, uint64_t error)
{
	uint8_t packet[PACKET_MAX];

	if (in->label == 0)
		reply(s, in->rx, packet,
		      ngtcp2_crypto_write_connection_close(packet, sizeof(packet), in->hd.version,
							   &in->hd.scid, &in->hd.dcid, error, NULL,
							   0));
}

static void send_retry(struct quic_socket *s, const struct initial *in)
{
	struct sockaddr_in6 sa = real_address(&in->rx->from);
	uint8_t packet[PACKET_MAX], token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
	ngtcp2_cid scid = { .datalen = CID_LEN };
	ngtcp2_ssize len;

	random_fill(s->h, scid.data, CID_LEN);
	len = ngtcp2_crypto_generate_retry_token2(token, s->retry_secret, sizeof(s->retry_secret),
						  in->hd.version, (const ngtcp2_sockaddr *)&sa,
						  sizeof(sa), &scid, &in->hd.dcid, clock_now(s->h));
	if (len < 0)
		return;
	s->stats.retries_sent++;
	reply(s, in->rx, packet,
	      ngtcp2_crypto_write_retry(packet, sizeof(packet), in->hd.version, &in->hd.scid, &scid,
					&in->hd.dcid, token, (size_t)len));
}

/* Returns false if the token is not ours, too old, or bound to another address. */
static bool check_token(struct quic_socket *s, struct initial *in)
{
	struct sockaddr_in6 sa = real_address(&in->rx->from);

	if (in->hd.tokenlen == 0)
		return true;
	if (ngtcp2_crypto_verify_retry_token2(&in->odcid, in->hd.token, in->hd.tokenlen,
					      s->retry_secret, sizeof(s->retry_secret),
					      in->hd.version, (const ngtcp2_sockaddr *)&sa,
					      sizeof(sa), &in->hd.dcid, RETRY_TOKEN_LIFE,
					      clock_now(s->h)) != 0)
		return false;
	in->validated = true;
	return true;
}

/*
 * The limit on half-open connections is reached: evicts the oldest one of the source that holds
 * most, in favour of a source that holds fewer. So a few sources cannot take all places.
 * Connections with a label are on a proven path and are not evicted. Returns false if there is
 * nothing to evict.
 */
static bool make_room(struct quic_socket *s, const struct source *by)
{
	struct quic_conn *most = NULL;

	list_for_each(it, &s->conns) {
		struct quic_conn *c = list_entry(it, struct quic_conn, link);

		if (c->half_open && c->source && !source_is_label(c->source) &&
		    (!most || c->source->half_open > most->source->half_open))
			most = c;
	}
	if (!by || !most || (!source_is_label(by) && most->source->half_open <= by->half_open))
		return false;
	s->stats.refused_limit++;
	conn_end(most, QUIC_CLOSE_TIMEOUT, 0, "gave way", NULL);
	return true;
}

static void say_no_room(struct quic_socket *s, const struct udp_rx *rx)
{
	char from[ADDR_TEXT_MAX];

	log_limited(host_log(s->h), &s->room_lines, clock_now(s->h), LOG_LEVEL_WARN,
		    "a connection from %s is not taken: there is no memory, or too many begin",
		    addr_format(&rx->from, from));
}

/*
 * Checks the limits. `ret_source` stays NULL if the source is not proven: then only the limits of
 * the whole socket hold.
 */
static bool may_begin(struct quic_socket *s, const struct initial *in, struct source **ret_source)
{
	uint64_t now = clock_now(s->h);
	struct source *src = NULL;

	if (in->validated || in->label != 0) {
		src = source_get(s, in->rx, in->label, now);
		if (!src)
			say_no_room(s, in->rx);
		if (!src || src->half_open >= s->cfg.max_half_open_per_source) {
			s->stats.refused_limit++;
			return false;
		}
		if (!bucket_take(&src->accepts, 1, now)) {
			s->stats.refused_rate++;
			return false;
		}
	}
	if (s->n_half_open >= s->cfg.max_half_open && !make_room(s, src)) {
		s->stats.refused_limit++;
		return false;
	}
	*ret_source = src;
	return true;
}

static void begin(struct quic_socket *s, const struct initial *in)
{
	struct accept_params p = {
		.hd = &in->hd,
		.label = in->label,
		.from = in->rx->from,
		.local = in->rx->local,
		.odcid = in->validated ? &in->odcid : NULL,
	};
	struct quic_conn *c;

	/* The limits come first: a packet that is refused takes no label. */
	if (!may_begin(s, in, &p.source))
		return;
	if (p.label == 0)
		p.label = p.given = router_label(s, NULL, in->rx);
	if (p.label == 0) {
		s->stats.dropped_unknown++;
		return;
	}
	if (conn_new_server(s, &p, &c) < 0) {
		say_no_room(s, in->rx);
		return;
	}
	if (conn_read(c, in->rx, c->label, 0) == 0)
		return;
	/*
	 * The first part of the ClientHello is missing (it spans two Initials). The client repeats
	 * it.
	 */
	conn_delete(c);
	if (!in->validated && in->label == 0)
		send_retry(s, in);
}

void accept_packet(struct quic_socket *s, const struct udp_rx *rx, path_label label)
{
	struct initial in = { .rx = rx, .label = label };

	if (!s->cfg.serve || ngtcp2_accept(&in.hd, rx->data, rx->len) != 0) {
		s->stats.dropped_unknown++;
		return;
	}
	if (label == 0 && !check_token(s, &in)) {
		send_refusal(s, &in, NGTCP2_INVALID_TOKEN);
		return;
	}
	if (label == 0 && !in.validated && s->n_half_open >= s->cfg.retry_above) {
		send_retry(s, &in);
		return;
	}
	if (s->n_conns >= s->cfg.max_conns) {
		s->stats.refused_limit++;
		send_refusal(s, &in, NGTCP2_CONNECTION_REFUSED);
		return;
	}
	begin(s, &in);
}
