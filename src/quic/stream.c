/* SPDX-License-Identifier: MIT */
/*
 * Streams. Bytes that arrived and were not consumed lie in one piece. Bytes that were written stay
 * where they are, in chunks, until the other side has acknowledged them.
 */
#include <stdlib.h>

#include "quic/socket.h"

#define CHUNK_BYTES 4096
#define RX_BYTES_MIN 1024

/* --- objects -------------------------------------------------------------------------------------
 */

struct quic_stream *stream_new(struct quic_conn *c, int64_t id)
{
	struct quic_stream *st = calloc(1, sizeof(*st));
	bool ours = (id & 1) == (c->server ? 1 : 0);

	if (!st)
		return NULL;
	st->id = id;
	st->c = c;
	st->rx_done = ours && !quic_stream_is_bidi(id);
	st->tx_done = !ours && !quic_stream_is_bidi(id);
	list_init(&st->chunks);
	list_append(&c->streams, &st->link);
	return st;
}

static struct quic_stream *stream_find(const struct quic_conn *c, int64_t id)
{
	list_for_each(it, &c->streams) {
		struct quic_stream *st = list_entry(it, struct quic_stream, link);

		if (st->id == id)
			return st;
	}
	return NULL;
}

static void chunks_free(struct quic_stream *st)
{
	list_for_each(it, &st->chunks) {
		list_remove(it);
		free(list_entry(it, struct chunk, link));
	}
	st->tx_chunk = NULL;
}

static void stream_free(struct quic_stream *st)
{
	list_remove(&st->link);
	list_remove(&st->tx_link);
	list_remove(&st->event_link);
	chunks_free(st);
	free(st->rx);
	free(st);
}

void streams_free(struct quic_conn *c)
{
	list_for_each(it, &c->streams)
		stream_free(list_entry(it, struct quic_stream, link));
}

/* Forgets a stream that neither side needs, and lets the other side open another one. */
static void stream_settle(struct quic_stream *st)
{
	struct quic_conn *c = st->c;
	bool theirs = (st->id & 1) == (c->server ? 0 : 1);

	if (!st->closed || !st->rx_done || st->event_link.next)
		return;
	if (theirs && c->alive) {
		if (quic_stream_is_bidi(st->id))
			ngtcp2_conn_extend_max_streams_bidi(c->qc, 1);
		else
			ngtcp2_conn_extend_max_streams_uni(c->qc, 1);
		conn_mark_dirty(c);
	}
	stream_free(st);
}

/* --- events --------------------------------------------------------------------------------------
 */

static void stream_mark(struct quic_stream *st)
{
	if (!st->event_link.next)
		list_append(&st->c->event_streams, &st->event_link);
	conn_mark_event(st->c);
}

static void stream_tell(struct quic_conn *c, enum quic_event_type type, int64_t id, uint64_t error)
{
	struct quic_event ev = { .type = type, .stream = id, .error = error };

	if (c->ops && c->ops->event && !c->freed)
		c->ops->event(c->ctx, c, &ev);
}

/* The owner may forget the stream in any event, so it is looked up again. */
static void stream_dispatch_one(struct quic_conn *c, struct quic_stream *st)
{
	bool readable = st->readable && !st->reset, writable = st->writable && !st->reset,
	     reset = st->reset;
	uint64_t error = st->reset_error;
	int64_t id = st->id;

	st->readable = st->writable = st->reset = false;
	if (readable)
		stream_tell(c, QUIC_STREAM_READABLE, id, 0);
	if (writable && stream_find(c, id))
		stream_tell(c, QUIC_STREAM_WRITABLE, id, 0);
	if (reset) {
		stream_tell(c, QUIC_STREAM_RESET, id, error);
		quic_stream_reset(c, id, error);
	}
	st = stream_find(c, id);
	if (st)
		stream_settle(st);
}

void stream_dispatch(struct quic_conn *c)
{
	while (!list_empty(&c->event_streams) && !c->freed) {
		struct quic_stream *st = list_entry(c->event_streams.next, struct quic_stream,
						    event_link);

		list_remove(&st->event_link);
		stream_dispatch_one(c, st);
	}
}

/* --- from ngtcp2 ---------------------------------------------------------------------------------
 */

static int rx_make_room(struct quic_stream *st, size_t len)
{
	size_t cap = MAX(st->rx_cap, (size_t)RX_BYTES_MIN);
	uint8_t *grown;

	if (st->rx_at + st->rx_len + len <= st->rx_cap)
		return 0;
	if (st->rx_at > 0) {
		memmove(st->rx, st->rx + st->rx_at, st->rx_len);
		st->rx_at = 0;
		if (st->rx_len + len <= st->rx_cap)
			return 0;
	}
	while (cap < st->rx_len + len)
		cap *= 2;
	grown = realloc(st->rx, cap);
	if (!grown)
		return -ENOMEM;
	st->rx = grown;
	st->rx_cap = cap;
	return 0;
}

/*
 * Flow control (RFC 9000 section 4) bounds the bytes here: credit is given for consumed bytes only.
 */
int stream_received(struct quic_stream *st, const uint8_t *data, size_t len, bool fin)
{
	int r;

	if (st->rx_done)
		return 0; /* we gave it up, and the other side does not know that yet */
	r = rx_make_room(st, len);
	if (r < 0)
		return r;
	if (len > 0)
		memcpy(st->rx + st->rx_at + st->rx_len, data, len);
	st->rx_len += len;
	st->rx_fin |= fin;
	st->readable = true;
	stream_mark(st);
	return 0;
}

void stream_acked(struct quic_stream *st, uint64_t upto)
{
	st->tx_acked = upto;
	while (!list_empty(&st->chunks)) {
		struct chunk *k = list_entry(st->chunks.next, struct chunk, link);

		if (st->tx_base + k->len > upto)
			break;
		st->tx_base += k->len;
		list_remove(&k->link);
		if (st->tx_chunk == k) { /* all of it was sent: the next one was written since */
			st->tx_chunk = list_empty(&st->chunks)
					       ? NULL
					       : list_entry(st->chunks.next, struct chunk, link);
			st->tx_off = 0;
		}
		free(k);
	}
	if (st->tx_acked == st->tx_end && !st->tx_done) {
		st->writable = true;
		stream_mark(st);
	}
}

static void rx_drop(struct quic_stream *st)
{
	if (st->c->alive && st->rx_len > 0) {
		ngtcp2_conn_extend_max_offset(st->c->qc, st->rx_len);
		conn_mark_dirty(st->c);
	}
	free(st->rx);
	st->rx = NULL;
	st->rx_at = st->rx_len = st->rx_cap = 0;
	st->rx_done = true;
}

void stream_given_up(struct quic_stream *st, uint64_t error)
{
	if (st->reset || (st->rx_done && st->tx_done))
		return;
	st->reset = true;
	st->reset_error = error;
	st->tx_done = true;
	list_remove(&st->tx_link);
	stream_mark(st);
}

void stream_closed(struct quic_stream *st)
{
	st->closed = true;
	st->tx_done = true;
	list_remove(&st->tx_link);
	chunks_free(st);
	stream_mark(st); /* stream_dispatch settles it: not within a callback */
}

void stream_unblocked(struct quic_stream *st)
{
	st->tx_blocked = false;
	if (!st->tx_done && !st->tx_link.next && (st->tx_sent < st->tx_end || st->tx_fin))
		list_append(&st->c->tx_streams, &st->tx_link);
}

/* --- sending -------------------------------------------------------------------------------------
 */

struct quic_stream *stream_next_tx(struct quic_conn *c)
{
	return list_empty(&c->tx_streams)
		       ? NULL
		       : list_entry(c->tx_streams.next, struct quic_stream, tx_link);
}

size_t stream_tx_vec(const struct quic_stream *st, ngtcp2_vec *vec, size_t max, bool *ret_fin)
{
	const struct list *it = st->tx_chunk ? &st->tx_chunk->link : &st->chunks;
	size_t n = 0, off = st->tx_off;
	uint64_t end = st->tx_sent;

	for (; it != &st->chunks && n < max; it = it->next, off = 0) {
		struct chunk *k = list_entry(it, struct chunk, link);

		if (k->len == off)
			continue;
		vec[n++] = (ngtcp2_vec){ k->data + off, k->len - off };
		end += k->len - off;
	}
	*ret_fin = st->tx_fin && end == st->tx_end;
	return n;
}

void stream_sent(struct quic_stream *st, size_t len, bool fin)
{
	st->tx_sent += len;
	st->tx_off += len;
	while (st->tx_chunk && st->tx_off >= st->tx_chunk->len &&
	       st->tx_chunk->link.next != &st->chunks) {
		st->tx_off -= st->tx_chunk->len;
		st->tx_chunk = list_entry(st->tx_chunk->link.next, struct chunk, link);
	}
	if (fin && st->tx_sent == st->tx_end)
		st->tx_fin_sent = true;
	list_remove(&st->tx_link);
	if (st->tx_sent < st->tx_end || (st->tx_fin && !st->tx_fin_sent))
		list_append(&st->c->tx_streams, &st->tx_link); /* behind the other streams */
}

/* Copies into the last chunk and, past its end, into a new one. */
static int tx_append(struct quic_stream *st, const uint8_t *data, size_t len)
{
	struct chunk *last = list_empty(&st->chunks)
				     ? NULL
				     : list_entry(st->chunks.prev, struct chunk, link);
	size_t room = last ? last->cap - last->len : 0, head = MIN(len, room);
	struct chunk *k = NULL;

	if (len > head) {
		size_t cap = MAX(len - head, (size_t)CHUNK_BYTES);

		k = malloc(sizeof(*k) + cap);
		if (!k)
			return -ENOMEM;
		*k = (struct chunk){ .len = len - head, .cap = cap };
		memcpy(k->data, data + head, len - head);
	}
	if (head > 0) {
		memcpy(last->data + last->len, data, head);
		last->len += head;
	}
	if (k)
		list_append(&st->chunks, &k->link);
	if (!st->tx_chunk) {
		st->tx_chunk = k;
		st->tx_off = 0;
	}
	st->tx_end += len;
	return 0;
}

/* --- the owner's side ----------------------------------------------------------------------------
 */

int quic_stream_open(struct quic_conn *c, bool bidi, int64_t *ret_id)
{
	struct quic_stream *st;
	int64_t id;
	int rv;

	if (!c->connected || !c->alive)
		return -ENOTCONN;
	rv = bidi ? ngtcp2_conn_open_bidi_stream(c->qc, &id, NULL)
		  : ngtcp2_conn_open_uni_stream(c->qc, &id, NULL);
	if (rv == NGTCP2_ERR_STREAM_ID_BLOCKED)
		return -EAGAIN;
	if (rv != 0)
		return -ENOMEM;
	st = stream_new(c, id);
	if (!st) {
		ngtcp2_conn_shutdown_stream(c->qc, 0, id, 0);
		return -ENOMEM;
	}
	ngtcp2_conn_set_stream_user_data(c->qc, id, st);
	*ret_id = id;
	return 0;
}

int quic_stream_write(struct quic_conn *c, int64_t id, const void *data, size_t len, bool fin)
{
	struct quic_stream *st = stream_find(c, id);
	int r = 0;

	if (!c->alive)
		return -ENOTCONN;
	if (!st || st->tx_done || st->tx_fin)
		return -EPIPE;
	if (len > c->profile->stream_send_bytes -
			  MIN(st->tx_end - st->tx_acked, c->profile->stream_send_bytes))
		return -ENOBUFS;
	if (len == 0 && !fin)
		return 0;
	if (len > 0)
		r = tx_append(st, data, len);
	if (r < 0)
		return r;
	st->tx_fin = fin;
	if (!st->tx_blocked && !st->tx_link.next)
		list_append(&c->tx_streams, &st->tx_link);
	conn_mark_dirty(c);
	return 0;
}

struct span quic_stream_peek(struct quic_conn *c, int64_t id, bool *ret_fin)
{
	const struct quic_stream *st = stream_find(c, id);

	*ret_fin = st && st->rx_fin;
	return st && st->rx_len > 0 ? span_of(st->rx + st->rx_at, st->rx_len) : span_of("", 0);
}

void quic_stream_consume(struct quic_conn *c, int64_t id, size_t n)
{
	struct quic_stream *st = stream_find(c, id);

	if (!st || st->rx_done)
		return;
	n = MIN(n, st->rx_len);
	st->rx_at += n;
	st->rx_len -= n;
	if (c->alive && n > 0) {
		if (!st->closed)
			(void)ngtcp2_conn_extend_max_stream_offset(c->qc, id, n);
		ngtcp2_conn_extend_max_offset(c->qc, n);
		conn_mark_dirty(c);
	}
	if (st->rx_fin && st->rx_len == 0) {
		rx_drop(st);
		stream_settle(st);
	}
}

void quic_stream_reset(struct quic_conn *c, int64_t id, uint64_t app_error)
{
	struct quic_stream *st = stream_find(c, id);

	if (!st)
		return;
	if (c->alive && !st->closed) {
		ngtcp2_conn_shutdown_stream(c->qc, 0, id, app_error);
		conn_mark_dirty(c);
	}
	if (!st->rx_done)
		rx_drop(st);
	st->tx_done = true;
	st->readable = st->writable = st->reset = false;
	list_remove(&st->tx_link);
	list_remove(&st->event_link);
	stream_settle(st);
}
