/* SPDX-License-Identifier: MIT */
/* QUIC ends on simulated hosts, their streams and messages. */
#include "quic_sim.h"

const struct quic_profile quic_sim_profile = {
	.alpn = "mlsh-test/1",
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

static uint8_t quic_sim_byte(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8));
}

static bool quic_sim_bytes_ok(struct span data, uint64_t at)
{
	for (size_t i = 0; i < data.len; i++) {
		if (data.data[i] != quic_sim_byte(at + i))
			return false;
	}
	return true;
}

/* --- ends --- */

static void quic_end_pump(struct quic_end *e)
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

/* --- numbered messages --- */

/* Those that do not fit now go when all before them are acknowledged. */
static void quic_end_say(struct quic_end *e)
{
	uint8_t m[QUIC_SIM_MESSAGE_BYTES_MAX] = { QUIC_SIM_MESSAGE };
	int r;

	if (e->out < 0 && e->sent < e->to_send)
		ck_assert_int_eq(quic_stream_open(e->c, false, &e->out), 0);
	for (; e->sent < e->to_send; e->sent++) {
		store_be32(m + 1, e->sent);
		store_be64(m + 5, clock_now(e->node->h));
		for (size_t i = QUIC_SIM_MESSAGE_HEADER; i < e->size; i++)
			m[i] = quic_sim_byte(e->sent + i);
		r = quic_stream_write(e->c, e->out, m, e->size, false);
		if (r == -ENOBUFS)
			return;
		ck_assert_int_eq(r, 0);
	}
}

void quic_end_messages(struct quic_end *e, uint32_t more)
{
	e->to_send += more;
	quic_end_say(e);
}

static void quic_end_hear(struct quic_end *e)
{
	uint64_t now = clock_now(e->node->h);
	bool fin;
	struct span data = quic_stream_peek(e->c, e->in, &fin);
	size_t n = data.len / e->size;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *m = data.data + i * e->size;
		struct span rest = span_of(m + QUIC_SIM_MESSAGE_HEADER,
					   e->size - QUIC_SIM_MESSAGE_HEADER);

		ck_assert_uint_eq(m[0], QUIC_SIM_MESSAGE);
		ck_assert_uint_eq(load_be32(m + 1), e->got);
		ck_assert(quic_sim_bytes_ok(rest, e->got + QUIC_SIM_MESSAGE_HEADER));
		e->slowest = MAX(e->slowest, now - load_be64(m + 5));
		if (e->got++ > 0)
			e->longest_gap = MAX(e->longest_gap, now - e->got_at);
		e->got_at = now;
	}
	quic_stream_consume(e->c, e->in, n * e->size);
}

/* --- events --- */

/* How far the stream has been read. */
static uint64_t *quic_end_read_at(struct quic_end *e, int64_t id)
{
	size_t i, free_slot = QUIC_SIM_INCOMING;

	for (i = 0; i < QUIC_SIM_INCOMING; i++) {
		if (e->incoming[i].at && e->incoming[i].id == id)
			return &e->incoming[i].at;
		if (!e->incoming[i].at)
			free_slot = i;
	}
	ck_assert_uint_lt(free_slot, QUIC_SIM_INCOMING);
	e->incoming[free_slot].id = id;
	return &e->incoming[free_slot].at;
}

void quic_end_read(struct quic_end *e, int64_t id)
{
	uint64_t *at = quic_end_read_at(e, id);
	bool fin;
	struct span data = quic_stream_peek(e->c, id, &fin);

	if (e->hold)
		return;
	if (*at == 0 && data.len > 0 && data.data[0] == QUIC_SIM_MESSAGE)
		e->in = id;
	if (e->in == id) {
		quic_end_hear(e);
		return;
	}
	ck_assert(quic_sim_bytes_ok(data, *at));
	e->rx_bytes += data.len;
	*at = fin ? 0 : *at + data.len;
	if (fin)
		e->rx_ends++;
	if (e->echo)
		ck_assert_int_eq(quic_stream_write(e->c, id, data.data, data.len, fin), 0);
	quic_stream_consume(e->c, id, data.len);
}

static void quic_end_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct quic_end *e = ctx;
	struct addr remote;

	ck_assert_ptr_eq(e->c, c);
	ck_assert(!e->closed);
	switch (ev->type) {
	case QUIC_CONNECTED:
		ck_assert(!e->connected);
		e->connected = true;
		quic_end_say(e);
		break;
	case QUIC_STREAM_READABLE:
		quic_end_read(e, ev->stream);
		break;
	case QUIC_STREAM_WRITABLE:
		e->writables++;
		if (ev->stream == e->out)
			quic_end_say(e);
		else
			quic_end_pump(e);
		break;
	case QUIC_STREAM_RESET:
		*quic_end_read_at(e, ev->stream) = 0;
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

const struct quic_conn_ops quic_end_ops = { .event = quic_end_event };

struct quic_end *quic_end_new(struct quic_node *n, struct quic_conn *c)
{
	struct quic_end *e = &n->end[n->n_ends++];

	ck_assert_uint_le(n->n_ends, QUIC_SIM_ENDS);
	*e = (struct quic_end){ .node = n, .c = c, .stream = -1, .out = -1, .in = -1, .size = 200 };
	return e;
}

void quic_end_stream(struct quic_end *e, bool bidi, size_t bytes)
{
	ck_assert_int_eq(quic_stream_open(e->c, bidi, &e->stream), 0);
	e->stream_left = bytes;
	e->stream_at = 0;
	e->stream_ended = false;
	quic_end_pump(e);
}

/* --- nodes --- */

static bool quic_node_accepted(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
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

static bool quic_node_key_allowed(void *ctx, const struct quic_profile *profile,
				  const uint8_t key_sha256[32])
{
	const struct quic_node *n = ctx;

	ck_assert_ptr_nonnull(profile);
	return !n->allowed || memcmp(n->allowed, key_sha256, 32) == 0;
}

static void quic_node_other(void *ctx, struct udp_rx *rx)
{
	struct quic_node *n = ctx;

	ck_assert(rx->len == rx->segment && !(rx->data[0] & 0x40));
	n->others++;
}

struct quic_socket_config quic_node_config(struct quic_node *n)
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

void quic_node_open(struct quic_node *n, const struct quic_socket_config *cfg)
{
	struct err err = { .code = 0 };
	int r = quic_socket_open(n->h, cfg, &err, &n->s);

	ck_assert_msg(r == 0, "%s", err.text);
}

/* Without a socket yet. */
static void quic_node_init(struct quic_node *n, struct host *h)
{
	memset(n, 0, sizeof(*n));
	n->h = h;
	ck_assert_int_eq(crypto_init(NULL), 0);
	ck_assert_int_eq(identity_new(h, NULL, &n->id), 0);
}

static void quic_node_stop(struct quic_node *n)
{
	for (size_t i = 0; i < n->n_ends; i++)
		quic_conn_free(n->end[i].c);
	quic_socket_close(n->s);
	identity_free(n->id);
}

struct quic_pin quic_node_pin(const struct quic_node *n)
{
	struct quic_pin pin = { .by_key = true };

	memcpy(pin.key_sha256, identity_key_sha256(n->id), 32);
	return pin;
}

struct quic_end *quic_node_connect(struct quic_node *n, const struct quic_pin *pin, struct addr to)
{
	struct quic_end *e = quic_end_new(n, NULL);
	struct err err = { .code = 0 };
	int r = quic_connect(n->s, &quic_sim_profile, pin, 0, &to, &quic_end_ops, e, &err, &e->c);

	ck_assert_msg(r == 0, "%s", err.text);
	return e;
}

/* --- a client and a server --- */

void quic_pair_seeded(struct quic_pair *p, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->w = world_new(seed);
	world_seed_tls(p->w);
	quic_node_init(&p->server, world_host(p->w, "server", IP(192, 0, 2, 1)));
	quic_node_init(&p->client, world_host(p->w, "client", IP(192, 0, 2, 2)));
	p->server_addr = addr_v4(IP(192, 0, 2, 1), QUIC_SIM_PORT);
}

void quic_pair_hosts(struct quic_pair *p)
{
	quic_pair_seeded(p, sim_seed());
}

void quic_pair_open(struct quic_pair *p)
{
	struct quic_socket_config cfg = quic_node_config(&p->server);

	quic_node_open(&p->server, &cfg);
	cfg = quic_node_config(&p->client);
	quic_node_open(&p->client, &cfg);
}

bool quic_end_done(void *ctx)
{
	const struct quic_end *e = ctx;

	return e->connected || e->closed;
}

bool quic_end_is_closed(void *ctx)
{
	return ((const struct quic_end *)ctx)->closed;
}

struct quic_pin quic_pair_ready(struct quic_pair *p)
{
	quic_pair_hosts(p);
	quic_pair_open(p);
	return quic_node_pin(&p->server);
}

void quic_pair_connect(struct quic_pair *p)
{
	struct quic_pin pin = quic_node_pin(&p->server);

	p->ce = quic_node_connect(&p->client, &pin, p->server_addr);
	SIM_CHECK(p->w, world_run(p->w, 20 * NS_PER_S, quic_end_done, p->ce));
	SIM_CHECK(p->w, p->ce->connected);
	sim_pass(p->w, NS_PER_S);
	SIM_CHECK(p->w, p->server.n_ends == 1 && p->server.end[0].connected);
	p->se = &p->server.end[0];
}

void quic_pair_start(struct quic_pair *p)
{
	quic_pair_hosts(p);
	quic_pair_open(p);
	quic_pair_connect(p);
}

static void quic_end_mark(struct quic_end *e)
{
	struct quic_conn_info info;

	quic_conn_info_get(e->c, &info);
	e->tx_mark = info.tx_packets;
	e->rx_mark = info.rx_packets;
}

void quic_pair_mark(struct quic_pair *p)
{
	quic_end_mark(p->ce);
	quic_end_mark(p->se);
}

int64_t quic_missing(const struct quic_end *from, const struct quic_end *to)
{
	struct quic_conn_info tx, rx;

	quic_conn_info_get(from->c, &tx);
	quic_conn_info_get(to->c, &rx);
	return (int64_t)((tx.tx_packets - from->tx_mark) - (rx.rx_packets - to->rx_mark));
}

void quic_pair_stop(struct quic_pair *p)
{
	quic_node_stop(&p->client);
	quic_node_stop(&p->server);
	world_free(p->w);
}
