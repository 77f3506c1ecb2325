/* SPDX-License-Identifier: MIT */
/* An attempt to reach the server: from which socket, where to, for how long. */
#include "client/session_internal.h"

#define DNS_TIMEOUT (3 * NS_PER_S)
#define DIAL_TIMEOUT (5 * NS_PER_S) /* a server that returns is found within the next attempt */
#define DIAL_TIMEOUT_SLOW (10 * NS_PER_S) /* every third: for paths with a round trip of seconds */
#define SPARE_SOCKET_AFTER 3		  /* failures */

/*
 * The node's socket, or one of our own: a NAT or firewall may hold on to a dead mapping of the
 * node's port for as long as something is sent through it.
 */
static struct quic_socket *choose_socket(struct session *s)
{
	struct quic_socket_config cfg = { .identity = s->identity, .udp.icmp = true };

	if (s->failures < SPARE_SOCKET_AFTER || s->failures % 2 == 0 || s->spent)
		return s->socket;
	if (quic_socket_open(s->host, &cfg, NULL, &s->spare) < 0)
		return s->socket;
	return s->spare;
}

static void on_server_resolved(void *ctx, const struct addr *addrs, size_t n)
{
	struct session *s = ctx;

	if (s->ops->server)
		s->ops->server(s->ctx, addrs, n);
}

/* With jitter, so that nodes that began together do not begin together again. */
static uint64_t dial_timeout(struct session *s)
{
	uint64_t whole = s->failures % 3 == 2 ? DIAL_TIMEOUT_SLOW : DIAL_TIMEOUT;

	return whole - random_below(s->host, whole / 4);
}

int session_dial(struct session *s, const struct rpc_ops *ops, struct err *err)
{
	struct place at = place_to_dial(s);
	struct rpc_params p = {
		.zone = s->cluster.cluster,
		.day = &s->hops_day,
		.dial = {
			.socket = choose_socket(s),
			.host = at.host,
			.port = at.port,
			.named_by_server = s->moved.host[0] != '\0',
			.pin = { .by_cert = true, .by_key = true },
			.last_good = s->last_good,
			.dns_timeout = DNS_TIMEOUT,
			.resolved = on_server_resolved,
			.resolved_ctx = s,
			.timeout = dial_timeout(s),
		},
	};

	memcpy(p.dial.pin.cert_sha256, s->cluster.signal_cert, HASH_LEN);
	memcpy(p.dial.pin.key_sha256, s->cluster.signal_key, HASH_LEN);
	memcpy(p.cluster_id, s->cluster.cluster_id, HASH_LEN);
	s->dial_began = clock_now(s->host);
	return rpc_open(s->host, &p, ops, s, err, &s->rpc);
}
