/* SPDX-License-Identifier: MIT */
/*
 * The shell: the UDP socket, timers and deferred work around connections. Events are delivered to
 * owners from here only, after a batch. What owners free is freed after that.
 */
#include "quic/socket.h"

#include <pthread.h>
#include <stdlib.h>

#include <ngtcp2/ngtcp2_crypto_ossl.h>

#define DEFAULT_CONNS 16
#define DEFAULT_HALF_OPEN 64
#define DEFAULT_HALF_OPEN_PER_SOURCE 8
#define DEFAULT_ACCEPTS_PER_S 20
#define CIDS_PER_CONN 24 /* active, spare and lately retired ones */
#define SOURCES_LIMIT 8192
#define TOKENS_LIMIT 65536
#define REPLIES_PER_S 200
#define CLOSING_CIDS 4096
#define WORK_ROUNDS_MAX 4

/* --- events --------------------------------------------------------------------------------------
 */

static void tell(struct quic_conn *c, const struct quic_event *ev)
{
	if (!c->freed && c->ops && c->ops->event)
		c->ops->event(c->ctx, c, ev);
}

/* Returns false if there is nothing left to tell. */
static bool tell_connected(struct quic_conn *c)
{
	if (!c->pending.connected)
		return c->connected || c->pending.closed;
	c->pending.connected = false;
	if (!c->alive)
		return true; /* it was closed in the same batch */
	if (c->server && !conn_accepted(c))
		return false;
	if (c->freed || !c->alive)
		return !c->freed;
	c->connected = true;
	c->pending.path_changed = false;
	tell(c, &(struct quic_event){ .type = QUIC_CONNECTED });
	conn_mark_dirty(c);
	return true;
}

static void tell_closed(struct quic_conn *c)
{
	struct quic_event ev = { .type = QUIC_CLOSED,
				 .reason = c->reason,
				 .error = c->close_error };

	memcpy(ev.detail, c->close_detail, sizeof(ev.detail));
	tell(c, &ev);
}

static void dispatch(struct quic_conn *c)
{
	if (!tell_connected(c))
		return;
	if (c->pending.path_changed && c->connected) {
		c->pending.path_changed = false;
		tell(c, &(struct quic_event){ .type = QUIC_PATH_CHANGED });
	}
	if (c->pending.path_failed) {
		c->pending.path_failed = false;
		tell(c, &(struct quic_event){ .type = QUIC_PATH_FAILED, .error = c->failed_label });
	}
	if (c->connected)
		stream_dispatch(c);
	if (c->pending.closed && !c->freed) {
		c->pending.closed = false;
		tell_closed(c);
	}
}

/* --- work ----------------------------------------------------------------------------------------
 */

static void send_dirty(struct quic_socket *s)
{
	struct list batch;

	list_init(&batch);
	while (!list_empty(&s->dirty)) {
		struct list *it = s->dirty.next;

		list_remove(it);
		list_append(&batch, it);
	}
	while (!list_empty(&batch)) {
		struct quic_conn *c = list_entry(batch.next, struct quic_conn, dirty);

		list_remove(&c->dirty);
		conn_flush(c);
		conn_settle(c);
	}
	tx_flush(&s->tx);
}

static void dispatch_all(struct quic_socket *s)
{
	while (!list_empty(&s->events) && !s->closed) {
		struct quic_conn *c = list_entry(s->events.next, struct quic_conn, events);

		list_remove(&c->events);
		dispatch(c);
	}
}

static void reap(struct quic_socket *s)
{
	while (!list_empty(&s->dead))
		conn_delete(list_entry(s->dead.next, struct quic_conn, link));
}

static void socket_free(struct quic_socket *s)
{
	if (!s)
		return;
	while (!list_empty(&s->conns))
		conn_delete(list_entry(s->conns.next, struct quic_conn, link));
	reap(s);
	closings_free(s);
	sources_free(s);
	map_free(s->cids);
	map_free(s->initials);
	map_free(s->tokens);
	map_free(s->sources);
	quic_tls_free(s->tls);
	tx_fini(&s->tx);
	udp_close(s->udp);
	deferred_free(s->work);
	secret_wipe(s->retry_secret, sizeof(s->retry_secret));
	secret_wipe(s->reset_secret, sizeof(s->reset_secret));
	free(s);
}

/* The callbacks of owners are over: frees what they have closed. */
static void leave(struct quic_socket *s)
{
	s->busy = false;
	if (s->closed)
		socket_free(s);
	else
		reap(s);
}

static void on_work(void *ctx)
{
	struct quic_socket *s = ctx;

	s->busy = true;
	for (int i = 0; i < WORK_ROUNDS_MAX && !s->closed; i++) {
		if (list_empty(&s->events) && (list_empty(&s->dirty) || s->tx.blocked))
			break;
		dispatch_all(s);
		if (!s->closed && !s->tx.blocked)
			send_dirty(s);
	}
	leave(s);
}

/* Datagrams of a batch that are not QUIC, gathered for an owner who wants them in runs. */
struct others {
	struct udp_rx run[UDP_BATCH_MAX];
	size_t n;
};

static void others_hand_over(struct quic_socket *s, struct others *o)
{
	if (o->n > 0 && !s->closed)
		s->cfg.others(s->cfg.ctx, o->run, o->n);
	o->n = 0;
}

/* Gathers the datagrams from `at` on that are not QUIC. Returns their number of bytes. */
static size_t others_take(struct quic_socket *s, struct others *o, const struct udp_rx *rx,
			  size_t at)
{
	struct udp_rx run = *rx;
	size_t end = at;

	while (end < rx->len && !(rx->data[end] & QUIC_FIXED_BIT))
		end = MIN(end + rx->segment, rx->len);
	run.data = rx->data + at;
	run.len = end - at;
	run.segment = MIN(rx->segment, run.len);
	if (o->n == ARRAY_LEN(o->run))
		others_hand_over(s, o);
	o->run[o->n++] = run;
	return run.len;
}

static void receive_run(struct quic_socket *s, const struct udp_rx *rx, struct others *o)
{
	struct udp_rx one = *rx;
	size_t at = 0;

	do {
		if (s->cfg.others && rx->len > 0 && !(rx->data[at] & QUIC_FIXED_BIT)) {
			at += others_take(s, o, rx, at);
			continue;
		}
		one.data = rx->data + at;
		one.len = one.segment = MIN(rx->segment, rx->len - at);
		demux_receive(s, &one, 0);
		at += one.len;
	} while (at < rx->len && !s->closed);
}

static void on_readable(void *ctx)
{
	struct quic_socket *s = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	struct others others;
	size_t n;

	others.n = 0;
	s->busy = true;
	closing_expire(s, clock_now(s->h));
	n = udp_recv(s->udp, rx, ARRAY_LEN(rx));
	for (size_t i = 0; i < n && !s->closed; i++)
		receive_run(s, &rx[i], &others);
	others_hand_over(s, &others);
	if (!s->closed)
		tx_flush(&s->tx);
	leave(s);
}

static void on_writable(void *ctx)
{
	struct quic_socket *s = ctx;

	tx_flush(&s->tx);
	if (s->tx.blocked)
		return;
	if (!list_empty(&s->dirty))
		deferred_call(s->work);
	if (s->cfg.writable)
		s->cfg.writable(s->cfg.ctx);
}

/* --- opening and closing
 * -------------------------------------------------------------------------- */

static void crypto_helper_init(void)
{
	(void)ngtcp2_crypto_ossl_init(); /* fetches algorithms once; without it, each use would */
}

static void config_set_defaults(struct quic_socket_config *cfg)
{
	if (cfg->max_conns == 0)
		cfg->max_conns = DEFAULT_CONNS;
	if (cfg->max_half_open == 0)
		cfg->max_half_open = DEFAULT_HALF_OPEN;
	if (cfg->max_half_open_per_source == 0)
		cfg->max_half_open_per_source = DEFAULT_HALF_OPEN_PER_SOURCE;
	if (cfg->accepts_per_s == 0)
		cfg->accepts_per_s = DEFAULT_ACCEPTS_PER_S;
	if (cfg->serve && !cfg->serve[0])
		cfg->serve = NULL;
}

static struct map *table_new(struct quic_socket *s, size_t key_len, size_t max)
{
	uint8_t seed[16];

	random_fill(s->h, seed, sizeof(seed));
	return map_new(seed, key_len, max);
}

static bool tables_init(struct quic_socket *s)
{
	size_t conns = s->cfg.max_conns + s->cfg.max_half_open;

	s->cids = table_new(s, CID_LEN, conns * CIDS_PER_CONN + CLOSING_CIDS);
	s->initials = table_new(s, 1 + NGTCP2_MAX_CIDLEN, conns);
	s->tokens = table_new(s, NGTCP2_STATELESS_RESET_TOKENLEN, TOKENS_LIMIT);
	s->sources = table_new(s, sizeof(((struct source *)0)->key), SOURCES_LIMIT);
	s->work = deferred_new(s->h, on_work, s);
	return s->cids && s->initials && s->tokens && s->sources && s->work;
}

static struct quic_socket *socket_new(struct host *h, const struct quic_socket_config *cfg)
{
	struct quic_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->h = h;
	s->cfg = *cfg;
	s->room_lines = (struct log_limit){ .period_ns = 60 * NS_PER_S };
	config_set_defaults(&s->cfg);
	list_init(&s->conns);
	list_init(&s->dead);
	list_init(&s->dirty);
	list_init(&s->events);
	list_init(&s->source_age);
	list_init(&s->closings);
	bucket_init(&s->replies, REPLIES_PER_S, REPLIES_PER_S, clock_now(h));
	random_fill(h, s->retry_secret, sizeof(s->retry_secret));
	return s;
}

int quic_socket_open(struct host *h, const struct quic_socket_config *cfg, struct err *err,
		     struct quic_socket **ret)
{
	/* The helper keeps its algorithms in the library's own globals: once a process. */
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct quic_socket *s = socket_new(h, cfg);
	struct tls_config tls = {
		.identity = cfg->identity,
		.serve = cfg->serve,
		.key_allowed = cfg->key_allowed,
		.ctx = cfg->ctx,
	};
	int r = -ENOMEM;

	pthread_once(&once, crypto_helper_init);
	if (!s || !tables_init(s)) {
		err_set(err, r, "out of memory");
		goto fail;
	}
	r = quic_tls_new(&tls, err, &s->tls);
	if (r < 0)
		goto fail;
	r = udp_open(h, &s->cfg.udp, on_readable, s, err, &s->udp);
	if (r < 0)
		goto fail;
	udp_on_writable(s->udp, on_writable, s);
	quic_tls_derive_secret(s->tls, h, "mlsh/1 stateless-reset", udp_local(s->udp).port,
			       s->reset_secret);
	r = tx_init(&s->tx, s->udp);
	if (r < 0) {
		err_set(err, r, "out of memory");
		goto fail;
	}
	*ret = s;
	return 0;
fail:
	socket_free(s);
	return r;
}

void quic_socket_close(struct quic_socket *s)
{
	if (!s || s->closed)
		return;
	s->closed = true;
	list_for_each(it, &s->conns) {
		struct quic_conn *c = list_entry(it, struct quic_conn, link);

		c->ops = NULL;
		conn_close(c, 0, "");
	}
	tx_flush(&s->tx);
	if (!s->busy)
		socket_free(s);
}

int quic_socket_identity_set(struct quic_socket *s, const struct identity *id, struct err *err)
{
	return quic_tls_identity_set(s->tls, id, err);
}

bool quic_socket_refused(const struct quic_socket *s, const struct addr *to, uint64_t since,
			 struct udp_refusal *ret)
{
	return udp_refused(s->udp, to, since, ret);
}

struct addr quic_socket_local(const struct quic_socket *s)
{
	return udp_local(s->udp);
}

void quic_socket_send_other(struct quic_socket *s, const struct addr *to, const void *data,
			    size_t len)
{
	struct addr any = { .port = 0 };

	tx_send(&s->tx, data, len, to, &any);
	if (!s->busy) /* else with the batch: a relay forwards many of one size */
		tx_flush(&s->tx);
}

bool quic_socket_room(struct quic_socket *s, size_t bytes, size_t runs)
{
	return !s->closed && tx_room(&s->tx, bytes, runs);
}

uint8_t *quic_socket_reserve(struct quic_socket *s, size_t need)
{
	return s->closed ? NULL : tx_reserve(&s->tx, need);
}

void quic_socket_commit(struct quic_socket *s, size_t len, const struct quic_endpoint *to,
			uint8_t ecn)
{
	tx_commit(&s->tx, len, &to->to, &to->local, ecn);
}

void quic_socket_flush(struct quic_socket *s)
{
	tx_flush(&s->tx);
}

static size_t datagrams_of(const struct udp_tx *run)
{
	return run->segment ? (run->len + run->segment - 1) / run->segment : 1;
}

size_t quic_socket_send_runs(struct quic_socket *s, const struct udp_tx *runs, size_t n)
{
	size_t gone, datagrams = 0;

	tx_flush(&s->tx);
	if (s->closed || s->tx.blocked)
		return 0;
	gone = udp_send(s->udp, runs, n);
	if (gone < n)
		udp_forget(s->udp);
	for (size_t i = 0; i < gone; i++)
		datagrams += datagrams_of(&runs[i]);
	return datagrams;
}

size_t quic_socket_queued(const struct quic_socket *s)
{
	return udp_queued(s->udp);
}

void quic_socket_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label)
{
	if (s->closed || label == 0)
		return;
	demux_receive(s, rx, label);
	if (!s->busy)
		tx_flush(&s->tx);
}

struct quic_socket_stats quic_socket_stats_get(const struct quic_socket *s)
{
	struct quic_socket_stats out = s->stats;

	out.conns = s->n_conns;
	out.half_open = s->n_half_open;
	out.udp = udp_stats_get(s->udp);
	return out;
}
