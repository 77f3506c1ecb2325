/* SPDX-License-Identifier: MIT */
/*
 * Programs for simulations of the quic layer: a node with an identity and a socket, and an end of a
 * connection that sends and checks numbered datagrams and patterned streams.
 */
#ifndef MLSH_TESTS_QUIC_SIM_H
#define MLSH_TESTS_QUIC_SIM_H

#include "identity/identity.h"
#include "quic/quic.h"
#include "sim.h"

#define QUIC_SIM_PORT 7000
#define QUIC_SIM_ENDS 64
#define QUIC_SIM_SEQ_MAX 200000

static const struct quic_profile quic_sim_profile = {
	.alpn = "mlsh-test/1",
	.datagrams = true,
	.max_remote_bidi = 8,
	.max_remote_uni = 8,
	.stream_window_bytes = 256 * 1024,
	.conn_window_bytes = 1024 * 1024,
	.stream_send_bytes = 256 * 1024,
	.handshake_timeout = 10 * NS_PER_S,
	.idle_timeout = 30 * NS_PER_S,
	.keep_alive = 10 * NS_PER_S,
};

static const struct quic_profile *const quic_sim_serve[] = { &quic_sim_profile, NULL };

struct quic_end {
	struct quic_node *node;
	struct quic_conn *c;
	bool connected, closed;
	enum quic_close_reason reason;
	uint64_t error;
	char detail[128];
	ip4 told_addr; /* at the last change of path */
	unsigned path_changes, paths_failed, resets, writables;
	uint64_t reset_error;

	/* numbered datagrams */
	uint32_t to_send, sent, got, doubled;
	size_t size;
	bool force; /* whether it fits or not */
	uint8_t out[2048];
	uint8_t *seen;
	unsigned batches;

	/* one outgoing stream of patterned bytes, and what came in on others */
	int64_t stream;
	size_t stream_left;
	uint64_t stream_at;
	bool stream_ended;
	uint64_t rx_bytes, rx_ends;
	bool hold;	/* does not consume */
	bool echo;	/* answers on the same stream */
};

struct quic_node {
	struct host *h;
	struct identity *id;
	struct quic_socket *s;
	struct quic_end end[QUIC_SIM_ENDS];
	size_t n_ends;
	bool refuse;
	const uint8_t *allowed;	/* SHA-256 of the only key allowed, or NULL */
	size_t others;
};

static inline uint8_t quic_sim_byte(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

static inline bool quic_sim_bytes_ok(struct span data, uint64_t at)
{
	for (size_t i = 0; i < data.len; i++) {
		if (data.data[i] != quic_sim_byte(at + i))
			return false;
	}
	return true;
}

/* --- ends --- */

static inline void quic_end_pump(struct quic_end *e)
{
	uint8_t piece[5000];

	while (e->stream >= 0 && !e->stream_ended) {
		size_t n = MIN(e->stream_left, sizeof(piece));
		bool fin = n == e->stream_left;
		int r;

		for (size_t i = 0; i < n; i++)
			piece[i] = quic_sim_byte(e->stream_at + i);
		r = quic_stream_write(e->c, e->stream, piece, n, fin);
		if (r == -ENOBUFS)
			return;
		ck_assert_int_eq(r, 0);
		e->stream_at += n;
		e->stream_left -= n;
		e->stream_ended = fin;
	}
}

static inline void quic_end_read(struct quic_end *e, int64_t id)
{
	uint64_t at = (uint64_t)(uintptr_t)quic_stream_ctx(e->c, id);
	bool fin;
	struct span data = quic_stream_peek(e->c, id, &fin);

	if (e->hold)
		return;
	ck_assert(quic_sim_bytes_ok(data, at));
	e->rx_bytes += data.len;
	quic_stream_set_ctx(e->c, id, (void *)(uintptr_t)(at + data.len));
	if (fin)
		e->rx_ends++;
	if (e->echo)
		ck_assert_int_eq(quic_stream_write(e->c, id, data.data, data.len, fin), 0);
	quic_stream_consume(e->c, id, data.len);
}

static inline void quic_end_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct quic_end *e = ctx;
	struct addr remote;

	ck_assert_ptr_eq(e->c, c);
	ck_assert(!e->closed);
	switch (ev->type) {
	case QUIC_CONNECTED:
		ck_assert(!e->connected);
		e->connected = true;
		break;
	case QUIC_STREAM_READABLE:
		quic_end_read(e, ev->stream);
		break;
	case QUIC_STREAM_WRITABLE:
		e->writables++;
		quic_end_pump(e);
		break;
	case QUIC_STREAM_RESET:
		e->resets++;
		e->reset_error = ev->error;
		break;
	case QUIC_PATH_CHANGED:
		e->path_changes++;
		if (quic_conn_remote_addr(c, &remote) && addr_is_v4(&remote))
			e->told_addr = addr_ip4(&remote);
		break;
	case QUIC_PATH_FAILED:
		e->paths_failed++;
		break;
	case QUIC_CLOSED:
		e->closed = true;
		e->reason = ev->reason;
		e->error = ev->error;
		memcpy(e->detail, ev->detail, sizeof(e->detail));
		break;
	}
}

static inline void quic_end_datagram(void *ctx, struct quic_conn *c, const uint8_t *data,
				     size_t len)
{
	struct quic_end *e = ctx;
	uint32_t seq;

	(void)c;
	ck_assert_uint_ge(len, 4);
	seq = load_be32(data);
	ck_assert_uint_lt(seq, QUIC_SIM_SEQ_MAX);
	ck_assert(quic_sim_bytes_ok(span_of(data + 4, len - 4), seq + 4));
	if (e->seen[seq]++)
		e->doubled++;
	else
		e->got++;
}

static inline void quic_end_batch(void *ctx, struct quic_conn *c)
{
	struct quic_end *e = ctx;

	(void)c;
	e->batches++;
}

static inline bool quic_end_next(void *ctx, struct quic_conn *c, struct quic_datagram *ret)
{
	struct quic_end *e = ctx;

	if (e->sent >= e->to_send || (!e->force && quic_conn_datagram_max(c) < e->size))
		return false;
	store_be32(e->out, e->sent);
	for (size_t i = 4; i < e->size; i++)
		e->out[i] = quic_sim_byte(e->sent + i);
	ret->piece[0] = span_of(e->out, 10);
	ret->piece[1] = span_of(e->out + 10, e->size - 10);
	return true;
}

static inline void quic_end_taken(void *ctx, struct quic_conn *c)
{
	struct quic_end *e = ctx;

	(void)c;
	e->sent++;
}

static const struct quic_conn_ops quic_end_ops = {
	.event = quic_end_event,
	.datagram = quic_end_datagram,
	.batch_end = quic_end_batch,
	.next_datagram = quic_end_next,
	.datagram_taken = quic_end_taken,
};

static inline struct quic_end *quic_end_new(struct quic_node *n, struct quic_conn *c)
{
	struct quic_end *e = &n->end[n->n_ends++];

	ck_assert_uint_le(n->n_ends, QUIC_SIM_ENDS);
	*e = (struct quic_end){ .node = n, .c = c, .stream = -1, .size = 200 };
	e->seen = calloc(QUIC_SIM_SEQ_MAX, 1);
	ck_assert_ptr_nonnull(e->seen);
	return e;
}

/* Sends `bytes` patterned bytes on a new stream. */
static inline void quic_end_stream(struct quic_end *e, bool bidi, size_t bytes)
{
	ck_assert_int_eq(quic_stream_open(e->c, bidi, &e->stream), 0);
	e->stream_left = bytes;
	e->stream_at = 0;
	e->stream_ended = false;
	quic_end_pump(e);
}

static inline void quic_end_datagrams(struct quic_end *e, uint32_t more)
{
	e->to_send += more;
	quic_conn_wake(e->c);
}

/* --- nodes --- */

static inline bool quic_node_accepted(void *ctx, struct quic_conn *c,
				      const struct quic_profile *profile,
				      const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct quic_node *n = ctx;

	ck_assert_ptr_nonnull(profile);
	if (n->refuse)
		return false;
	*ret_ops = &quic_end_ops;
	*ret_ctx = quic_end_new(n, c);
	return true;
}

static inline bool quic_node_key_allowed(void *ctx, const struct quic_profile *profile,
					 const uint8_t key_sha256[32])
{
	const struct quic_node *n = ctx;

	ck_assert_ptr_nonnull(profile);
	return !n->allowed || memcmp(n->allowed, key_sha256, 32) == 0;
}

static inline void quic_node_other(void *ctx, struct udp_rx *rx)
{
	struct quic_node *n = ctx;

	ck_assert(rx->len == rx->segment && !(rx->data[0] & 0x40));
	n->others++;
}

static inline struct quic_socket_config quic_node_config(struct quic_node *n)
{
	return (struct quic_socket_config){
		.identity = n->id,
		.udp = { .bind = { .port = QUIC_SIM_PORT } },
		.serve = quic_sim_serve,
		.key_allowed = quic_node_key_allowed,
		.accepted = quic_node_accepted,
		.other = quic_node_other,
		.ctx = n,
	};
}

static inline void quic_node_open(struct quic_node *n, const struct quic_socket_config *cfg)
{
	struct err err = { .code = 0 };
	int r = quic_socket_open(n->h, cfg, &err, &n->s);

	ck_assert_msg(r == 0, "%s", err.text);
}

/* Without a socket yet. */
static inline void quic_node_init(struct quic_node *n, struct host *h)
{
	memset(n, 0, sizeof(*n));
	n->h = h;
	ck_assert_int_eq(crypto_init(NULL), 0);
	ck_assert_int_eq(identity_new(h, NULL, &n->id), 0);
}

static inline void quic_node_start(struct quic_node *n, struct host *h)
{
	struct quic_socket_config cfg;

	quic_node_init(n, h);
	cfg = quic_node_config(n);
	quic_node_open(n, &cfg);
}

static inline void quic_node_stop(struct quic_node *n)
{
	for (size_t i = 0; i < n->n_ends; i++) {
		quic_conn_free(n->end[i].c);
		free(n->end[i].seen);
	}
	quic_socket_close(n->s);
	identity_free(n->id);
}

static inline struct quic_pin quic_node_pin(const struct quic_node *n)
{
	struct quic_pin pin = { .by_key = true };

	memcpy(pin.key_sha256, identity_key_sha256(n->id), 32);
	return pin;
}

static inline struct quic_end *quic_node_connect(struct quic_node *n, const struct quic_pin *pin,
						 struct addr to)
{
	struct quic_end *e = quic_end_new(n, NULL);
	struct err err = { .code = 0 };
	int r = quic_connect(n->s, &quic_sim_profile, pin, 0, &to, &quic_end_ops, e, &err, &e->c);

	ck_assert_msg(r == 0, "%s", err.text);
	return e;
}

/* --- a client and a server --- */

struct quic_pair {
	struct world *w;
	struct quic_node server, client;
	struct quic_end *ce, *se;
	struct addr server_addr;
};

static inline void quic_pair_seeded(struct quic_pair *p, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->w = world_new(seed);
	world_seed_tls(p->w);
	quic_node_init(&p->server, world_host(p->w, "server", IP(192, 0, 2, 1)));
	quic_node_init(&p->client, world_host(p->w, "client", IP(192, 0, 2, 2)));
	p->server_addr = addr_v4(IP(192, 0, 2, 1), QUIC_SIM_PORT);
}

static inline void quic_pair_hosts(struct quic_pair *p)
{
	quic_pair_seeded(p, sim_seed());
}

static inline void quic_pair_open(struct quic_pair *p)
{
	struct quic_socket_config cfg = quic_node_config(&p->server);

	quic_node_open(&p->server, &cfg);
	cfg = quic_node_config(&p->client);
	quic_node_open(&p->client, &cfg);
}

static inline bool quic_end_done(void *ctx)
{
	const struct quic_end *e = ctx;

	return e->connected || e->closed;
}

static inline bool quic_end_is_closed(void *ctx)
{
	return ((const struct quic_end *)ctx)->closed;
}

/* Connects with the right pin; both ends are up afterwards. */
static inline void quic_pair_connect(struct quic_pair *p)
{
	struct quic_pin pin = quic_node_pin(&p->server);

	p->ce = quic_node_connect(&p->client, &pin, p->server_addr);
	SIM_CHECK(p->w, world_run(p->w, 20 * NS_PER_S, quic_end_done, p->ce));
	SIM_CHECK(p->w, p->ce->connected);
	sim_pass(p->w, NS_PER_S);
	SIM_CHECK(p->w, p->server.n_ends == 1 && p->server.end[0].connected);
	p->se = &p->server.end[0];
}

static inline void quic_pair_start(struct quic_pair *p)
{
	quic_pair_hosts(p);
	quic_pair_open(p);
	quic_pair_connect(p);
}

static inline void quic_pair_stop(struct quic_pair *p)
{
	quic_node_stop(&p->client);
	quic_node_stop(&p->server);
	world_free(p->w);
}

#endif
