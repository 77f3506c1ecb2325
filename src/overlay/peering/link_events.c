/* SPDX-License-Identifier: MIT */
/* What QUIC says about a connection with a peer, and to whom that matters. Nobody calls up here. */
#include "overlay/peering/peering.h"
#include "overlay/peering/control.h"
#include "overlay/peering/effects.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"

static bool has_aes(const struct quic_conn *c)
{
	struct quic_conn_info info;

	quic_conn_info_get(c, &info);
	return !strstr(info.cipher, "CHACHA20");
}

/* The keys are there before the first message: records may overtake it. */
static int records_start(struct link *l)
{
	struct peering *g = l->peer->g;
	struct dest *d = &l->peer->dest;
	struct records *r = NULL;
	uint8_t exported[RECORD_EXPORT_LEN];
	int rc = quic_conn_export(l->conn, RECORD_EXPORTER,
				  span_of(mlog_cluster_id(g->log), HASH_LEN), exported,
				  sizeof(exported));

	if (rc == 0)
		rc = records_new(has_aes(l->conn) ? AEAD_AES128_GCM : AEAD_CHACHA20_POLY1305,
				 !quic_conn_is_server(l->conn), exported, &r);
	secret_wipe(exported, sizeof(exported));
	if (rc == 0)
		rc = dest_open(d, l->conn, r);
	if (rc == 0)
		peer_push(l->peer);
	return rc;
}

static void say_hello(struct link *l)
{
	if (control_start(l) < 0)
		link_malformed(l, "hello could not be sent");
}

/* It has the control stream. */
static void link_begin(struct link *l)
{
	struct peer *p = l->peer;

	if (l->log_only) {
		say_hello(l);
		return;
	}
	peer_link_chosen(l);
	if (records_start(l) == 0) {
		say_hello(l);
		return;
	}
	log_limited(host_log(p->g->h), &p->log_limit, clock_now(p->g->h), LOG_LEVEL_WARN,
		    "%s: no memory for a tunnel, will try again", p->member->name);
	link_close(l, PEER_CLOSE_BYE, "no memory");
	peer_lost(p, "no memory for a tunnel", PEER_LOST_FAULT);
}

static void on_connected(struct link *l)
{
	struct peer *p = l->peer;

	l->connected = true;
	if (!l->relayed)
		meter_proven(&p->g->around.unproven, &l->to, clock_now(p->g->h));
	if (!l->log_only)
		l->deadline = clock_now(p->g->h) + PEER_CONTROL_TIMEOUT;
	if (quic_conn_is_server(l->conn) || !p->initiator) {
		peer_schedule(p); /* theirs to begin, or to call back */
		return;
	}
	if (p->active && !l->log_only) { /* another candidate was faster */
		link_close(l, PEER_CLOSE_BYE, "another path was faster");
		return;
	}
	if (quic_stream_open(l->conn, true, &l->control) < 0) {
		link_malformed(l, "does not allow a control stream");
		return;
	}
	link_begin(l);
}

static void on_readable(struct link *l, int64_t stream)
{
	if (!quic_stream_is_bidi(stream) && l->log_only) {
		quic_stream_reset(l->conn, stream, PEER_CLOSE_MALFORMED);
		return;
	}
	if (!quic_stream_is_bidi(stream)) {
		inbound_stream(&l->peer->g->dp, l->peer->active == l ? &l->peer->dest : NULL,
			       l->conn, stream);
		return;
	}
	if (l->control < 0 && quic_conn_is_server(l->conn)) {
		l->control = stream;
		link_begin(l);
	}
	if (l->conn && stream == l->control)
		control_readable(l);
	else if (l->conn)
		quic_stream_reset(l->conn, stream, PEER_CLOSE_MALFORMED);
}

static void link_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct link *l = ctx;

	switch (ev->type) {
	case QUIC_CONNECTED:
		on_connected(l);
		return;
	case QUIC_STREAM_READABLE:
		on_readable(l, ev->stream);
		return;
	case QUIC_STREAM_WRITABLE:
		if (ev->stream == l->control && l->hello_got)
			control_push(l);
		return;
	case QUIC_STREAM_RESET:
		if (ev->stream == l->control)
			link_malformed(l, "gave up the control stream");
		return;
	case QUIC_PATH_CHANGED:
		if (l->peer->active == l)
			peer_reach_path_changed(l->peer);
		if (l->peer->active == l && peer_is_up(l->peer))
			peer_tell(l->peer);
		return;
	case QUIC_PATH_FAILED:
		if (l->peer->active == l)
			peer_reach_path_failed(l->peer, ev->error);
		return;
	case QUIC_CLOSED:
		l->conn = NULL;
		quic_conn_free(c);
		if (l->peer->active == l)
			dest_close(&l->peer->dest);
		peer_link_gone(l->peer, l, ev);
		return;
	}
}

const struct quic_conn_ops link_ops = {
	.event = link_event,
};
