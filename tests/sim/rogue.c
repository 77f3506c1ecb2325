/* SPDX-License-Identifier: MIT */
/* The hostile server's side of the signal protocol: every request is granted. */
#include "rogue.h"

#include "crypto/hash.h"
#include "identity/identity.h"
#include "proto/signal.h"
#include "quic/profiles.h"

/* What one caller is shown. */
struct view {
	const struct record_bytes *record;
	size_t n;
};

/* Of the last record; zeros for what is none. */
static void last_hash(const struct view *v, uint8_t ret[HASH_LEN])
{
	const struct record_bytes *last = &v->record[v->n - 1];
	struct record x = { .genesis = false };

	if (record_decode(span_of(last->data, last->len), &x, NULL) < 0)
		memset(x.hash, 0, HASH_LEN);
	memcpy(ret, x.hash, HASH_LEN);
}

static struct view all_of(const struct rogue *r)
{
	return (struct view){ r->record, r->n_records };
}

static bool has_key(struct mesh_node *n, const uint8_t key_sha256[HASH_LEN])
{
	struct tunnel *t = mesh_tunnel(n);
	const struct member *m = t ? roster_by_key_sha256(mlog_roster(tunnel_log(t)), key_sha256,
							  ROSTER_ALL)
				   : NULL;

	return m && node_id_equal(&m->id, &tunnel_cluster(t)->node_id);
}

static struct view view_of(const struct rogue_caller *c)
{
	const struct rogue *r = c->rogue;
	struct view v = all_of(r);

	for (size_t i = 0; i < r->mesh->n_nodes; i++) {
		if (!has_key(&r->mesh->node[i], quic_conn_peer_key_sha256(c->quic)))
			continue;
		if (r->shows_other[i])
			v = (struct view){ r->other.record, r->other.n };
		if (r->shows_only[i] > 0)
			v.n = MIN(v.n, r->shows_only[i]);
	}
	return v;
}

static struct wire_head head_of(const struct view *v)
{
	struct wire_head h = { 0 };
	struct record last;

	if (v->n == 0)
		return h;
	h.seq = v->n - 1;
	last_hash(v, h.hash);
	if (record_decode(span_of(v->record[h.seq].data, v->record[h.seq].len), &last, NULL) == 0)
		h.generation = last.order.generation;
	return h;
}

/* From the first record of a later generation on, if that comes earlier. */
static void fill_page(const struct view *v, uint64_t generation, uint64_t from,
		      struct wire_entries *ret)
{
	struct record r;

	ret->n = 0;
	for (size_t i = 0; i < MIN(from, v->n); i++)
		if (record_decode(span_of(v->record[i].data, v->record[i].len), &r, NULL) == 0 &&
		    !r.genesis && r.order.generation > generation)
			from = i;
	for (size_t i = from; i < v->n; i++)
		ret->item[ret->n++] = span_of(v->record[i].data, v->record[i].len);
}

static void begin_events(struct rogue_caller *c)
{
	if (c->events < 0)
		ck_assert_int_eq(quic_stream_open(c->quic, false, &c->events), 0);
}

static void answer(struct rogue_caller *c, int64_t stream, const struct signal_request *rq)
{
	static struct signal_reply reply; /* large */
	static uint8_t out[FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX];
	struct rogue *r = c->rogue;
	struct view v;
	ptrdiff_t len;
	int rc;

	r->appends += rq->type == SIGNAL_APPEND;
	if (rq->type == SIGNAL_APPEND && r->swallows)
		return;
	if (rq->type == SIGNAL_APPEND && !r->only_says_yes)
		rogue_order(r, rq->entry, 0);
	if (rq->type == SIGNAL_ADMIT && r->next_address && r->n_records > 0)
		rogue_order(r, rq->entry, r->next_address);
	v = view_of(c);
	reply = (struct signal_reply){ .has_head = v.n > 0,
				       .head = head_of(&v),
				       .first = rq->from };
	if (rq->type == SIGNAL_APPEND)
		reply.record = span_of(v.record[v.n - 1].data, v.record[v.n - 1].len);
	if (rq->type == SIGNAL_SESSION && r->says_removed) {
		reply.refusal = REFUSAL_NOT_MEMBER;
		reply.text = span_str("you were removed");
	}
	reply.time_s = (uint64_t)clock_wall_s(*r->host);
	(void)quic_conn_remote_addr(c->quic, &reply.observed);
	if (rq->type == SIGNAL_HELLO && r->moved_to) {
		reply.moved_host = span_str(r->moved_to);
		reply.moved_port = SIGNAL_PORT;
		r->moved_to = NULL;
	}
	if (rq->type == SIGNAL_HELLO && r->busy_s > 0) {
		reply.busy = true;
		reply.retry_after_s = r->busy_s;
	}
	if (rq->type == SIGNAL_LOG)
		fill_page(&v, rq->generation, rq->from, &reply.entries);
	if (rq->type == SIGNAL_SUBSCRIBE) {
		memset(reply.epoch, 'r', sizeof(reply.epoch));
		begin_events(c);
	}
	r->sessions += rq->type == SIGNAL_SESSION;
	r->admits += rq->type == SIGNAL_ADMIT;
	r->pushes += rq->type == SIGNAL_PUSH;
	len = signal_reply_encode(rq->type, &reply, out, sizeof(out));
	ck_assert_int_gt(len, 0);
	/* The node may have had enough of it by now. */
	rc = quic_stream_write(c->quic, stream, out, (size_t)len, true);
	ck_assert(rc == 0 || rc == -ENOTCONN);
}

static void on_event(void *ctx, struct quic_conn *quic, const struct quic_event *ev)
{
	static struct signal_request rq; /* large */
	struct rogue_caller *c = ctx;
	struct span message = { 0 }, in;
	size_t used = 0;
	bool fin = false;

	if (ev->type == QUIC_CLOSED) {
		quic_conn_free(quic);
		c->quic = NULL;
		return;
	}
	if (ev->type != QUIC_STREAM_READABLE)
		return;
	in = quic_stream_peek(quic, ev->stream, &fin);
	if (!fin)
		return;
	ck_assert_int_eq(frame_next(in, SIGNAL_MESSAGE_MAX, &message, &used), 1);
	ck_assert_int_eq(signal_request_decode(message, &rq), 0);
	answer(c, ev->stream, &rq);
	quic_stream_consume(quic, ev->stream, used);
}

static bool on_accepted(void *ctx, struct quic_conn *quic, const struct quic_profile *profile,
			const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	static const struct quic_conn_ops ops = { .event = on_event };
	struct rogue *r = ctx;
	struct rogue_caller *c = &r->caller[r->n_callers];

	(void)profile;
	ck_assert_uint_lt(r->n_callers, ROGUE_CALLERS_MAX);
	r->n_callers++;
	*c = (struct rogue_caller){ .rogue = r, .quic = quic, .events = -1 };
	*ret_ops = &ops;
	*ret_ctx = c;
	return true;
}

/* It has stolen the database. */
static struct identity *steal_keys(struct mesh *m, struct host *h, const char *path,
				   struct server_keys *ret)
{
	struct identity *id = NULL;
	struct db *db = NULL;
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, db_open(path, false, &err, &db));
	SIM_CHECK_OK(m->w, bootstrap_keys(h, db, &id, ret, &err));
	db_close(db);
	return id;
}

struct rogue *rogue_start_at(struct mesh *m, struct host **host, const char *db)
{
	static const struct quic_profile *const serve[] = { &signal_profile, NULL };
	struct rogue *r = calloc(1, sizeof(*r));
	struct quic_socket_config cfg = { .udp.bind.port = SIGNAL_PORT,
					  .serve = serve,
					  .accepted = on_accepted,
					  .max_conns = 1024,
					  .ctx = r };
	struct err err = { 0 };

	ck_assert_ptr_nonnull(r);
	MESH_CHECK(m, !world_host_alive(*host));
	r->mesh = m;
	r->host = host;
	r->identity = steal_keys(m, *host, db, &r->keys);
	cfg.identity = r->identity;
	*host = world_host_boot(*host);
	SIM_CHECK_OK(m->w, quic_socket_open(*host, &cfg, &err, &r->socket));
	return r;
}

struct rogue *rogue_start(struct mesh *m)
{
	char path[96];

	MESH_CHECK(m, !m->server);
	mesh_server_db(m, path);
	return rogue_start_at(m, &m->server_host, path);
}

void rogue_stop(struct rogue *r)
{
	for (size_t i = 0; i < r->n_callers; i++)
		quic_conn_free(r->caller[i].quic);
	quic_socket_close(r->socket);
	world_host_crash(*r->host);
	identity_free(r->identity);
	free(r);
}

void rogue_add(struct rogue *r, struct span record)
{
	struct record_bytes *b = &r->record[r->n_records];

	ck_assert_uint_lt(r->n_records, ROGUE_RECORDS_MAX);
	ck_assert_uint_le(record.len, sizeof(b->data));
	memcpy(b->data, record.data, record.len);
	b->len = record.len;
	r->n_records++;
}

/* Of a record with the entry, behind records of that one; the code was never renewed. */
static uint64_t generation_behind(uint64_t before, struct span entry)
{
	struct entry e;

	if (entry_decode(entry, &e, NULL) < 0 || e.type != ENTRY_RECOVER)
		return before;
	return generation_of(before / generation_of(1, 0) + 1, e.recover.depth);
}

void rogue_order_at(struct rogue *r, struct span entry, ip4 address, uint64_t time_s)
{
	uint8_t receipt[SIG_LEN];
	struct record x = { .entry = entry, .receipt = receipt }, genesis;
	struct view v = all_of(r);
	struct record_bytes b;

	ck_assert_int_eq(record_decode(span_of(r->record[0].data, r->record[0].len), &genesis,
				       NULL),
			 0);
	x.order = (struct order){ .generation = generation_behind(head_of(&v).generation, entry),
				  .seq = r->n_records,
				  .time_s = time_s,
				  .address = address };
	last_hash(&v, x.order.prev);
	sha256(entry, x.entry_hash);
	ck_assert_int_eq(receipt_make(r->keys.order_seed, genesis.hash, &x.order, x.entry_hash,
				      receipt),
			 0);
	ck_assert_int_eq(record_encode(&x, &b), 0);
	rogue_add(r, span_of(b.data, b.len));
}

void rogue_order(struct rogue *r, struct span entry, ip4 address)
{
	rogue_order_at(r, entry, address, (uint64_t)clock_wall_s(*r->host));
}

void rogue_branch_off(struct rogue *r, size_t n)
{
	ck_assert_uint_le(n, r->n_records);
	memcpy(r->other.record, r->record, n * sizeof(r->record[0]));
	r->other.n = n;
}

void rogue_swap(struct rogue *r)
{
	static struct rogue_branch was; /* large */

	memcpy(was.record, r->record, sizeof(was.record));
	was.n = r->n_records;
	memcpy(r->record, r->other.record, sizeof(was.record));
	r->n_records = r->other.n;
	r->other = was;
}

void rogue_add_log(struct rogue *r, const struct mlog *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rogue_add(r, mlog_record(l, i));
}

static void say(struct rogue_caller *c, const struct signal_event *ev)
{
	static uint8_t out[FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX];
	ptrdiff_t len = signal_event_encode(ev, out, sizeof(out));

	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(quic_stream_write(c->quic, c->events, out, (size_t)len, false), 0);
}

static bool listens(const struct rogue_caller *c)
{
	return c->quic && c->events >= 0;
}

void rogue_say(struct rogue *r, const struct signal_event *ev)
{
	for (size_t i = 0; i < r->n_callers; i++)
		if (listens(&r->caller[i]))
			say(&r->caller[i], ev);
}

void rogue_tell(struct rogue *r, size_t first)
{
	static struct signal_event ev; /* large */

	for (size_t i = 0; i < r->n_callers; i++) {
		struct rogue_caller *c = &r->caller[i];
		struct view v;

		if (!listens(c))
			continue;
		v = view_of(c);
		ev = (struct signal_event){ .type = SIGNAL_EV_LOG, .first = first };
		fill_page(&v, UINT64_MAX, first, &ev.entries);
		if (ev.entries.n > 0)
			say(c, &ev);
	}
}

void rogue_hang_up(struct rogue *r, enum signal_close code)
{
	for (size_t i = 0; i < r->n_callers; i++)
		if (r->caller[i].quic)
			quic_conn_close(r->caller[i].quic, code, "");
}
