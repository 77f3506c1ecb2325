/* SPDX-License-Identifier: MIT */
/* How a peer is reached: beginning connections on a path, and telling what path one is on. */
#include "overlay/peering/peering.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"

#define ATTEMPTS_FRESH (8 * ATTEMPT_FLIGHT) /* of it, not for repetitions */
#define ATTEMPTS_RENEW_GAP (10 * NS_PER_S)  /* between networks on which budgets begin again */

#define CONTROL_BYTES (2 * (FRAME_PREFIX_LEN + PEER_MESSAGE_MAX))
#define WINDOW_BYTES (8 * (FRAME_PREFIX_LEN + PEER_MESSAGE_MAX))
#define STREAM_PACKETS 256 /* that do not fit a record, within a round trip */

/* A packet makes room when all of it is there: all that may come at once must fit. */
_Static_assert(STREAM_PACKETS * (1 + OVERLAY_MTU) + CONTROL_BYTES <= WINDOW_BYTES,
	       "packets that wait for each other's end");

const struct quic_profile peer_profile = {
	.alpn = PEER_ALPN,
	.max_remote_bidi = 1, /* the control stream */
	.max_remote_uni = STREAM_PACKETS,
	.stream_window_bytes = CONTROL_BYTES,
	.conn_window_bytes = WINDOW_BYTES,
	.stream_send_bytes = 6 * (FRAME_PREFIX_LEN + PEER_MESSAGE_MAX),
	.handshake_timeout = HANDSHAKE_TIMEOUT,
	.idle_timeout = PEER_IDLE_TIMEOUT,
	.keep_alive = PEER_KEEP_ALIVE,
};

static bool is_proven(const struct peer *p, const struct addr *to)
{
	return addr_equal(to, &p->last_good) || addr_equal(to, &p->called_from);
}

static bool affordable(struct peer *p, const struct addr *to, size_t bytes, uint64_t reserve)
{
	uint64_t now = clock_now(p->g->h);

	return bucket_has(&p->attempts, bytes + reserve, now) &&
	       meter_has(&p->g->around.unproven, to, bytes, now);
}

/* Its first flight and the one with the token: without the second one the first is wasted. */
bool path_affordable(struct peer *p, const struct addr *to)
{
	return is_proven(p, to) || affordable(p, to, 2 * ATTEMPT_FLIGHT, 0);
}

/* What repetitions leave to others. The answer to a Retry is no repetition: the address answers. */
static uint64_t reserve(const struct link *l, const struct quic_conn *c)
{
	bool is_answer = quic_conn_was_retried(c) && !l->retried;

	return l->admitted_at == TIME_NEVER || is_answer ? 0 : ATTEMPTS_FRESH;
}

/* Half a flight is of no use: whether there is enough is looked at for the whole of it. */
bool path_admit(struct link *l, const struct quic_conn *c, size_t len)
{
	struct peer *p = l->peer;
	uint64_t now = clock_now(p->g->h);

	if (l->connected || l->proven || l->relayed)
		return true;
	if (l->admitted_at != now && !affordable(p, &l->to, ATTEMPT_FLIGHT, reserve(l, c)))
		return false;
	l->admitted_at = now;
	l->retried = quic_conn_was_retried(c);
	return bucket_has(&p->attempts, len, now) &&
	       meter_take(&p->g->around.unproven, &l->to, len, now) &&
	       bucket_take(&p->attempts, len, now);
}

void path_budgets_renew(struct peering *g)
{
	uint64_t now = clock_now(g->h);

	if (now - g->around.unproven_since < ATTEMPTS_RENEW_GAP)
		return;
	g->around.unproven_since = now;
	meter_renew(&g->around.unproven, now);
	list_for_each(it, &g->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		bucket_init(&p->attempts, PEER_ATTEMPTS_PER_S, PEER_ATTEMPTS_BURST, now);
	}
}

int path_connect(struct link *l, const struct addr *to)
{
	struct peer *p = l->peer;
	struct peering *g = p->g;
	struct quic_pin pin = { .by_key = true };

	memcpy(pin.key_sha256, l->key_before ? p->member->key_before_sha256 : p->member->key_sha256,
	       sizeof(pin.key_sha256));
	l->begun = clock_now(g->h);
	l->relayed = !to;
	l->proven = to && is_proven(p, to);
	l->to = to ? *to : p->relay.server;
	l->label = to ? label_new(&g->labels) : p->relay.label;
	return quic_connect(g->socket, &peer_profile, &pin, l->label, NULL, g->link_ops, l, NULL,
			    &l->conn);
}

bool path_accepted(struct link *l, const struct quic_conn *c)
{
	const struct pending_path *s;

	l->label = quic_conn_label(c);
	l->relayed = l->label == l->peer->relay.label;
	if (l->relayed) {
		l->to = l->peer->relay.server;
		return true;
	}
	s = label_pending(&l->peer->g->labels, l->label);
	if (!s)
		return false;
	l->to = s->from;
	l->local = s->local;
	l->proven = true; /* or QUIC sends no more than three times what came */
	return true;
}

enum peer_path path_of(const struct link *l, struct addr *ret_endpoint)
{
	if (!quic_conn_remote_addr(l->conn, ret_endpoint))
		return PEER_PATH_NONE;
	return quic_conn_label(l->conn) == l->peer->relay.label ? PEER_PATH_RELAY
								: PEER_PATH_DIRECT;
}

bool path_remote(const struct peering *g, const struct quic_conn *c, struct addr *ret)
{
	const struct link *l = quic_conn_ctx(c);
	path_label label = quic_conn_label(c);
	const struct pending_path *s;

	if (l)
		return path_of(l, ret) == PEER_PATH_DIRECT;
	s = label_pending(&g->labels, label);
	if (s)
		*ret = s->from;
	return s != NULL;
}
