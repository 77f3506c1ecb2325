/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The second port: the server tells a member that pings it from where the ping came. A third
 * socket, to which no node sends, pings members unasked.
 */
#include "signal/echo.h"

#include <stdlib.h>

#include "base/map.h"
#include "crypto/hash.h"
#include "signal/caller.h"

#define ANSWERS_PER_S 2 /* of a session */
#define ANSWERS_BURST 16
#define UNASKED 2 /* one may get lost */

struct echo {
	struct host *host;
	struct udp *udp;
	struct udp *unasked; /* on a port that no node ever sends to */
	struct map *tags;    /* of sessions that have asked -> caller */
};

static void send_frame(struct udp *by, const struct caller *c, const struct probe *f,
		       const struct addr *to, const struct addr *local)
{
	uint8_t buf[PROBE_PONG_LEN];
	ptrdiff_t n = probe_encode(f, c->echo_keys.server, hmac_sha256, buf, sizeof(buf));
	struct udp_tx tx = { .data = buf, .to = *to, .local = *local };

	if (n < 0)
		return;
	tx.len = tx.segment = (size_t)n;
	if (udp_send(by, &tx, 1) == 0)
		udp_forget(by);
}

static void answer(struct echo *e, struct span frame, const struct udp_rx *rx)
{
	struct probe f, pong = { .type = PROBE_PONG, .observed = rx->from };
	struct caller *c = probe_decode(frame, &f) == 0 ? map_get(e->tags, f.tag) : NULL;

	if (!c || f.type != PROBE_PING ||
	    probe_verify(frame, c->echo_keys.client, hmac_sha256) < 0 ||
	    f.counter <= c->echo_counter || !bucket_take(&c->echo_rate, 1, clock_now(e->host)))
		return;
	c->echo_counter = f.counter; /* from now on copies of this ping are dropped */
	memcpy(pong.tag, f.tag, sizeof(pong.tag));
	pong.nonce = f.nonce;
	send_frame(e->udp, c, &pong, &rx->from, &rx->local);
}

static void readable(void *ctx)
{
	struct echo *e = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t n = udp_recv(e->udp, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n; i++) {
		for (size_t at = 0; at < rx[i].len; at += rx[i].segment)
			answer(e, span_of(rx[i].data + at, MIN(rx[i].segment, rx[i].len - at)),
			       &rx[i]);
	}
}

/* The third socket expects no answers. */
static void discard(void *ctx)
{
	struct echo *e = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];

	(void)udp_recv(e->unasked, rx, ARRAY_LEN(rx));
}

static void ping_unasked(struct echo *e, struct caller *c)
{
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN };
	struct quic_endpoint to;

	if (!quic_conn_remote_endpoint(c->quic, &to))
		return;
	memcpy(f.tag, c->echo_keys.tag, sizeof(f.tag));
	for (int i = 0; i < UNASKED; i++) {
		random_fill(e->host, &f.nonce, sizeof(f.nonce));
		send_frame(e->unasked, c, &f, &to.to, &to.local);
	}
}

int echo_derive(struct caller *c)
{
	return probe_keys_export(quic_conn_exporter, c->quic, span_of(c->cluster->id, HASH_LEN),
				 &c->echo_keys);
}

uint16_t echo_begin(struct echo *e, struct caller *c)
{
	if (!e)
		return 0;
	if (!c->echo_on) {
		bucket_init(&c->echo_rate, ANSWERS_PER_S, ANSWERS_BURST, clock_now(e->host));
		if (map_put(e->tags, c->echo_keys.tag, c) < 0)
			return 0;
		c->echo_on = true;
	}
	if (bucket_take(&c->echo_rate, UNASKED, clock_now(e->host)))
		ping_unasked(e, c);
	return udp_local(e->udp).port;
}

void echo_forget(struct echo *e, struct caller *c)
{
	if (c->echo_on)
		map_remove(e->tags, c->echo_keys.tag);
	c->echo_on = false;
	secret_wipe(&c->echo_keys, sizeof(c->echo_keys));
}

int echo_open(struct host *h, const struct addr *bind, uint16_t port, struct err *err,
	      struct echo **ret)
{
	struct udp_config cfg = { .bind = *bind, .address_may_come = true };
	struct echo *e = calloc(1, sizeof(*e));
	uint8_t seed[16];
	int rc;

	if (!e)
		return err_set(err, -ENOMEM, "out of memory.");
	e->host = h;
	cfg.bind.port = bind->port && bind->port < UINT16_MAX ? bind->port + 1 : 0;
	if (port)
		cfg.bind.port = port;
	random_fill(h, seed, sizeof(seed));
	e->tags = map_new(seed, PROBE_TAG_LEN, SIGNAL_CONNS_MAX);
	rc = e->tags ? udp_open(h, &cfg, readable, e, err, &e->udp)
		     : err_set(err, -ENOMEM, "out of memory.");
	if (rc == -EADDRINUSE && cfg.bind.port != 0 && !port) {
		cfg.bind.port = 0;
		rc = udp_open(h, &cfg, readable, e, err, &e->udp);
	}
	cfg.bind.port = 0;
	if (rc == 0)
		rc = udp_open(h, &cfg, discard, e, err, &e->unasked);
	if (rc < 0) {
		echo_close(e);
		return rc;
	}
	*ret = e;
	return 0;
}

void echo_close(struct echo *e)
{
	if (!e)
		return;
	udp_close(e->udp);
	udp_close(e->unasked);
	map_free(e->tags);
	free(e);
}
