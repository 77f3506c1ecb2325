/* SPDX-License-Identifier: MIT */
/* What goes out by the control stream (docs/protocol/04-peer.md), but for the log (log_send.c). */
#include <errno.h>

#include "overlay/peering/peering.h"
#include "overlay/peering/control.h"
#include "overlay/peering/path.h"
#include "proto/names.h"

int control_send(struct link *l, const struct peer_message *m)
{
	struct peering *g = l->peer->g;
	ptrdiff_t n = peer_message_encode(m, g->out, sizeof(g->out));

	if (n < 0)
		return (int)n;
	log_trace(host_log(g->h), "%s: -> %s, %td bytes", l->peer->member->name,
		  peer_message_name(m->type), n);
	return quic_stream_write(l->conn, l->control, g->out, (size_t)n, false);
}

/* For messages that may be left out. */
static bool send_lossy(struct link *l, const struct peer_message *m)
{
	bool sent = control_send(l, m) >= 0;

	if (!sent)
		log_debug(host_log(l->peer->g->h), "%s reads its control stream too slowly",
			  l->peer->member->name);
	return sent;
}

/*
 * Messages that begin with a server's or another member's word are not passed on as often as that
 * comes: the other side ends a tunnel that says too much. Returns false if the message is left out.
 */
static bool send_seldom(struct link *l, const struct peer_message *m)
{
	return bucket_take(&l->send_budget, 1, clock_now(l->peer->g->h)) && send_lossy(l, m);
}

int control_binding(struct link *l, uint8_t out[32])
{
	struct span context = span_of(mlog_cluster_id(l->peer->g->log), HASH_LEN);

	return quic_conn_export(l->conn, PEER_EXPORTER, context, out, 32);
}

int control_start(struct link *l)
{
	struct peering *g = l->peer->g;
	struct peer_message *m = &g->message;

	*m = (struct peer_message){ .type = PEER_HELLO,
				    .head = mlog_wire_head(g->log),
				    .features = PEER_FEATURES };
	memcpy(m->cluster_id, mlog_cluster_id(g->log), sizeof(m->cluster_id));
	if (control_binding(l, m->binding) < 0 || control_send(l, m) < 0)
		return -EIO;
	l->hello_sent = true;
	return 0;
}

void control_candidates(struct link *l)
{
	struct peering *g = l->peer->g;
	struct peer_message *m = &g->message;

	*m = (struct peer_message){ .type = PEER_CANDIDATES, .candidates = g->around.own };
	l->candidates_sent += send_lossy(l, m);
}

void control_observed(struct link *l)
{
	struct peer_message *m = &l->peer->g->message;
	struct addr seen;

	if (path_remote(l->peer->g, l->conn, &seen))
		*m = (struct peer_message){ .type = PEER_OBSERVED, .observed = seen };
	else
		*m = (struct peer_message){ .type = PEER_PUNCH, .hops = PUNCH_HOPS_MIN };
	(void)send_seldom(l, m);
}

void control_punch(struct link *l, uint8_t hops)
{
	struct peer_message *m = &l->peer->g->message;

	*m = (struct peer_message){ .type = PEER_PUNCH, .hops = hops };
	(void)send_seldom(l, m);
}

bool control_opened(struct link *l)
{
	struct peer_message *m = &l->peer->g->message;

	*m = (struct peer_message){ .type = PEER_OPENED, .heard = l->candidates_heard };
	return send_seldom(l, m);
}

void control_nat(struct link *l)
{
	struct peer_message *m = &l->peer->g->message;

	*m = (struct peer_message){ .type = PEER_NAT, .nat = nat_told(&l->peer->g->around) };
	(void)send_seldom(l, m);
}

void control_ports(struct link *l)
{
	struct peering *g = l->peer->g;
	struct peer_message *m = &g->message;

	*m = (struct peer_message){ .type = PEER_PORTS, .observed = g->around.nat.last_port };
	(void)send_seldom(l, m);
}
