/* SPDX-License-Identifier: MIT */
/* The life of a connection: it reads packets, is settled after each batch, and ends. */
#include "quic/conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "quic/socket.h"

#define LINGER_MAX NS_PER_S
#define TIMER_MIN (10 * NS_PER_US)
#define TIMER_MIN_BLOCKED NS_PER_MS /* nothing can be sent: it need not try often */
#define CRYPTO_ERROR 0x100	    /* RFC 9000 section 20.1: 0x100 and the TLS alert */
#define CRYPTO_ERROR_MAX 0x1ff

/* --- ending -------------------------------------------------------------------------------------
 */

static void conn_uncount(struct quic_conn *c)
{
	if (c->half_open)
		c->s->n_half_open--;
	else
		c->s->n_conns--;
	if (c->half_open && c->source)
		c->source->half_open--;
	router_release(c->s, c->given_label);
	c->given_label = 0;
	c->half_open = false;
	c->source = NULL;
}

static void conn_leave_initials(struct quic_conn *c)
{
	if (c->in_initials)
		map_remove(c->s->initials, c->initial_key);
	c->in_initials = false;
}

/* Frees everything that only an open connection needs. */
static void conn_shut(struct quic_conn *c)
{
	if (!c->alive)
		return;
	c->alive = false;
	conn_uncount(c);
	conn_leave_initials(c);
	tokens_free(c);
	cids_free(c->s, &c->cids);
	list_remove(&c->dirty);
	ngtcp2_conn_del(c->qc);
	c->qc = NULL;
	quic_tls_session_fini(&c->tls);
	timer_free(c->timer);
	c->timer = NULL;
}

void conn_delete(struct quic_conn *c)
{
	if (!c)
		return;
	conn_shut(c);
	streams_free(c);
	list_remove(&c->link);
	list_remove(&c->events);
	free(c);
}

/*
 * Writes CONNECTION_CLOSE. What remains of the connection (struct closing) repeats it for a while.
 */
static void conn_say_goodbye(struct quic_conn *c, const ngtcp2_ccerr *ccerr, uint64_t linger)
{
	uint8_t packet[UDP_PAYLOAD_MAX];
	uint64_t now = clock_now(c->s->h);
	size_t headroom = conn_headroom(c);
	uint8_t *at = tx_reserve(&c->s->tx, QUIC_OVERHEAD_MAX + UDP_PAYLOAD_MAX);
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	ngtcp2_ssize n;

	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_connection_close(c->qc, &ps.path, &pi, packet, sizeof(packet), ccerr,
					       now);
	if (n <= 0) {
		closing_add(c, NULL, 0, &c->endpoint, now + linger);
		return;
	}
	if (at) {
		memcpy(at + headroom, packet, (size_t)n);
		conn_put(c, label_of(&ps.path), at, headroom, (size_t)n, pi.ecn);
	}
	closing_add(c, packet, c->endpoint_label ? (size_t)n : 0, &c->endpoint, now + linger);
}

void conn_end(struct quic_conn *c, enum quic_close_reason reason, uint64_t error,
	      const char *detail, const ngtcp2_ccerr *ccerr)
{
	uint64_t linger;

	if (!c->alive)
		return;
	conn_update_info(c);
	linger = MIN(3 * ngtcp2_conn_get_pto(c->qc), LINGER_MAX);
	if (ccerr)
		conn_say_goodbye(c, ccerr, linger);
	else if (reason != QUIC_CLOSE_RESET && reason != QUIC_CLOSE_TIMEOUT)
		closing_add(c, NULL, 0, &c->endpoint, clock_now(c->s->h) + linger);
	conn_shut(c);
	c->reason = reason;
	c->close_error = error;
	snprintf(c->close_detail, sizeof(c->close_detail), "%s", detail);
	text_make_printable(c->close_detail);
	c->pending.closed = true;
	if (c->server && !c->connected)
		conn_bury(c); /* no owner knows of it */
	else
		conn_mark_event(c);
}

void conn_close(struct quic_conn *c, uint64_t app_error, const char *phrase)
{
	ngtcp2_ccerr ccerr;

	ngtcp2_ccerr_default(&ccerr);
	ngtcp2_ccerr_set_application_error(&ccerr, app_error, (const uint8_t *)phrase,
					   strlen(phrase));
	conn_end(c, QUIC_CLOSE_LOCAL, app_error, phrase, &ccerr);
}

/* The other side has closed, or answered with a stateless reset. */
static void conn_ended_by_peer(struct quic_conn *c)
{
	const ngtcp2_ccerr *e = ngtcp2_conn_get_ccerr(c->qc);
	char phrase[128];

	if (c->got_reset) {
		conn_end(c, QUIC_CLOSE_RESET, 0, "stateless reset", NULL);
		return;
	}
	snprintf(phrase, sizeof(phrase), "%.*s", (int)MIN(e->reasonlen, sizeof(phrase) - 1),
		 e->reason ? (const char *)e->reason : "");
	if (e->type == NGTCP2_CCERR_TYPE_APPLICATION)
		conn_end(c, QUIC_CLOSE_REMOTE_APP, e->error_code, phrase, NULL);
	else if (e->error_code >= CRYPTO_ERROR && e->error_code <= CRYPTO_ERROR_MAX)
		conn_end(c, QUIC_CLOSE_TLS, e->error_code - CRYPTO_ERROR, phrase, NULL);
	else
		conn_end(c, QUIC_CLOSE_REMOTE, e->error_code, phrase, NULL);
}

/* Ends the connection because of an error of ngtcp2. */
static void conn_fail(struct quic_conn *c, int rv)
{
	uint8_t alert = ngtcp2_conn_get_tls_alert(c->qc);
	ngtcp2_ccerr ccerr;

	ngtcp2_ccerr_default(&ccerr);
	ngtcp2_ccerr_set_liberr(&ccerr, rv, NULL, 0);
	switch (rv) {
	case NGTCP2_ERR_DRAINING:
		conn_ended_by_peer(c);
		return;
	case NGTCP2_ERR_IDLE_CLOSE:
		conn_end(c, QUIC_CLOSE_TIMEOUT, 0, "idle timeout", NULL);
		return;
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		conn_end(c, QUIC_CLOSE_HANDSHAKE_TIMEOUT, 0, "handshake timeout", &ccerr);
		return;
	case NGTCP2_ERR_CRYPTO:
		ngtcp2_ccerr_set_tls_alert(&ccerr, alert, NULL, 0);
		conn_end(c, c->tls.refused ? QUIC_CLOSE_PIN : QUIC_CLOSE_TLS, alert,
			 c->tls.refused ? "the other side's key was refused"
					: "TLS handshake failed",
			 &ccerr);
		return;
	case NGTCP2_ERR_NOMEM:
	case NGTCP2_ERR_CALLBACK_FAILURE:
	case NGTCP2_ERR_INTERNAL:
		conn_end(c, QUIC_CLOSE_INTERNAL, ccerr.error_code, ngtcp2_strerror(rv), &ccerr);
		return;
	default:
		conn_end(c, QUIC_CLOSE_PROTOCOL, ccerr.error_code, ngtcp2_strerror(rv), &ccerr);
		return;
	}
}

/* --- packets ------------------------------------------------------------------------------------
 */

/*
 * The path that a packet came on, as ngtcp2 is told. The client role knows two paths: the one that
 * it migrates to, and the current one for everything else, so that late packets of the old path
 * still count.
 */
static const ngtcp2_path *conn_rx_path(struct quic_conn *c, path_label label, uint64_t generation,
				       struct label_path *buf)
{
	if (c->server) {
		label_path_set(buf, label, generation);
		return &buf->path;
	}
	if (c->migrating && label == label_of(&c->target.path))
		return &c->target.path;
	return ngtcp2_conn_get_path(c->qc);
}

static void note_heard(struct quic_conn *c)
{
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(c->qc, &info);
	if (info.pkt_recv == c->pkt_recv)
		return; /* the datagram held nothing that is authentic and new */
	c->pkt_recv = info.pkt_recv;
	c->last_heard = clock_now(c->s->h);
	c->unanswered_since = 0;
}

int conn_read(struct quic_conn *c, const struct udp_rx *rx, path_label label, uint64_t generation)
{
	ngtcp2_pkt_info pi = { .ecn = rx->ecn };
	struct label_path buf;
	const ngtcp2_path *path;
	int rv;

	if (!c->alive)
		return 0;
	path = conn_rx_path(c, label, generation, &buf);
	rv = ngtcp2_conn_read_pkt(c->qc, path, &pi, rx->data, rx->len, clock_now(c->s->h));
	if (rv == 0 || rv == NGTCP2_ERR_CLOSING) {
		note_heard(c);
		conn_mark_dirty(c);
		return 0;
	}
	if (c->server && (rv == NGTCP2_ERR_RETRY || rv == NGTCP2_ERR_DROP_CONN))
		return -EAGAIN;
	conn_fail(c, rv);
	return 0;
}

void conn_flush(struct quic_conn *c)
{
	int rv = conn_send(c);

	if (rv < 0)
		conn_fail(c, rv);
}

void conn_on_timer(void *ctx)
{
	struct quic_conn *c = ctx;
	int rv;

	if (!c->alive)
		return;
	rv = ngtcp2_conn_handle_expiry(c->qc, clock_now(c->s->h));
	if (rv != 0)
		conn_fail(c, rv);
	else
		conn_flush(c);
	tx_flush(&c->s->tx);
	conn_settle(c);
}

/*
 * Must not be called within a callback of ngtcp2, which may use the session. In the server role the
 * handshake is confirmed when it is complete (RFC 9001 section 4.1.2).
 */
void conn_drop_tls(struct quic_conn *c)
{
	bool confirmed = c->server ? c->handshake_done : c->confirmed;

	if (!c->drop_tls || !confirmed || !c->alive || !c->tls.ssl)
		return;
	ngtcp2_conn_set_tls_native_handle(c->qc, NULL);
	quic_tls_session_drop(&c->tls);
}

void conn_settle(struct quic_conn *c)
{
	path_label label;
	size_t max;
	uint64_t now, at, earliest;

	if (!c->alive)
		return;
	conn_drop_tls(c);
	label = label_of(ngtcp2_conn_get_path(c->qc));
	max = conn_payload_max(c);
	if (label != c->label || max != c->max_udp_payload) {
		router_current(c, label);
		c->label = label;
		c->max_udp_payload = max;
		c->pending.path_changed = true;
		conn_mark_event(c);
	}
	now = clock_now(c->s->h);
	at = ngtcp2_conn_get_expiry(c->qc);
	earliest = now + (c->s->tx.blocked ? TIMER_MIN_BLOCKED : TIMER_MIN);
	timer_set(c->timer, at == UINT64_MAX ? TIME_NEVER : MAX(at, earliest));
}

/* --- information --------------------------------------------------------------------------------
 */

void conn_update_info(struct quic_conn *c)
{
	struct quic_conn_info *out = &c->last_info;
	ngtcp2_conn_info info;

	if (!c->alive || !c->qc)
		return;
	ngtcp2_conn_get_conn_info(c->qc, &info);
	*out = (struct quic_conn_info){
		.srtt_ns = info.smoothed_rtt,
		.rx_packets = info.pkt_recv,
		.tx_packets = info.pkt_sent,
		.lost_packets = info.pkt_lost,
		.rx_bytes = info.bytes_recv,
		.tx_bytes = info.bytes_sent,
		.last_heard = c->last_heard,
		.unanswered_since = c->unanswered_since,
		.max_udp_payload = c->max_udp_payload,
		.label = c->label,
	};
	if (c->handshake_done)
		quic_tls_session_names(&c->tls, out->group, sizeof(out->group), out->cipher,
				       sizeof(out->cipher));
}

bool conn_accepted(struct quic_conn *c)
{
	struct quic_socket *s = c->s;
	const struct quic_conn_ops *ops = NULL;
	ngtcp2_ccerr ccerr;
	void *ctx = NULL;

	conn_uncount(c);
	s->n_conns++;
	c->profile = c->tls.profile;
	if (c->profile->keep_alive)
		ngtcp2_conn_set_keep_alive_timeout(c->qc, c->profile->keep_alive);
	if (s->n_conns <= s->cfg.max_conns && s->cfg.accepted &&
	    s->cfg.accepted(s->cfg.ctx, c, c->profile, &ops, &ctx)) {
		c->ops = ops;
		c->ctx = ctx;
		s->stats.accepted++;
		return true;
	}
	ngtcp2_ccerr_default(&ccerr);
	ngtcp2_ccerr_set_transport_error(&ccerr, NGTCP2_CONNECTION_REFUSED, NULL, 0);
	conn_end(c, QUIC_CLOSE_LOCAL, 0, "refused", &ccerr);
	return false;
}
