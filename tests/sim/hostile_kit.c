/* SPDX-License-Identifier: MIT */
/* A hostile server for one node, and scenes with it. */
#include "hostile_kit.h"

/* --- what it says ----------------------------------------------------------------------------- */

struct span evil_shown(const struct evil *e, size_t i)
{
	return span_of(e->shown[i].data, e->shown[i].len);
}

static struct record evil_shown_record(const struct evil *e, size_t i)
{
	struct record r;

	ck_assert_int_eq(record_decode(evil_shown(e, i), &r, NULL), 0);
	return r;
}

struct record_bytes evil_record(const struct evil *e, size_t n, struct span entry, ip4 address)
{
	struct record before = evil_shown_record(e, n - 1);
	uint8_t receipt[SIG_LEN];
	struct record r = { .entry = entry, .receipt = receipt };
	struct record_bytes b;

	r.order = (struct order){ 0, n, { 0 }, (uint64_t)clock_wall_s(e->host), address };
	memcpy(r.order.prev, before.hash, HASH_LEN);
	sha256(entry, r.entry_hash);
	ck_assert_int_eq(receipt_make(e->order_seed, evil_shown_record(e, 0).hash, &r.order,
				      r.entry_hash, receipt),
			 0);
	ck_assert_int_eq(record_encode(&r, &b), 0);
	return b;
}

void evil_order(struct evil *e, struct span entry, ip4 address)
{
	ck_assert_uint_lt(e->n_shown, ARRAY_LEN(e->shown));
	e->shown[e->n_shown] = evil_record(e, e->n_shown, entry, address);
	e->n_shown++;
}

void evil_found(struct evil *e, struct span genesis)
{
	struct record r = { .genesis = true, .entry = genesis };

	ck_assert_int_eq(record_encode(&r, &e->shown[0]), 0);
	e->n_shown = 1;
}

/* Is the entry in what it shows? */
static bool evil_has(const struct evil *e, struct span entry)
{
	for (size_t i = 0; i < e->n_shown; i++)
		if (span_equal(evil_shown_record(e, i).entry, entry))
			return true;
	return false;
}

static struct wire_head evil_shown_head(const struct evil *e)
{
	struct wire_head h = { .seq = e->n_shown - 1 };

	memcpy(h.hash, evil_shown_record(e, h.seq).hash, HASH_LEN);
	if (e->claim_more) {
		h.seq += 5;
		h.hash[0] ^= 1;
	}
	return h;
}

static void evil_good_reply(struct evil *e, const struct signal_request *rq, struct signal_reply *r)
{
	r->time_s = (uint64_t)clock_wall_s(e->host);
	r->observed = addr_v4(IP(198, 51, 100, 99), 999);
	r->features = e->features;
	r->subnet = e->offer;
	memset(r->epoch, 7, EPOCH_LEN);
	r->address = e->offer_address;
	memcpy(r->order_key, e->order_key, KEY_LEN);
	if (rq->type == SIGNAL_SETUP)
		evil_found(e, rq->entry);
	if (rq->type == SIGNAL_ADMIT && e->n_shown > 0 && !e->deaf_to_admits &&
	    !evil_has(e, rq->entry))
		evil_order(e, rq->entry, e->offer_address);
	if (e->n_shown == 0)
		return;
	r->has_head = true;
	r->head = evil_shown_head(e);
	if (rq->type != SIGNAL_LOG)
		return;
	r->first = e->endless ? 0 : rq->from;
	for (uint64_t i = r->first; i < e->n_shown; i++)
		r->entries.item[r->entries.n++] = evil_shown(e, i);
}

void evil_write_all(struct evil *e, int64_t stream, const void *data, size_t len, bool fin)
{
	ck_assert_int_eq(quic_stream_write(e->conn, stream, data, len, fin), 0);
}

static void evil_misbehave(struct evil *e, int64_t stream, const uint8_t *good, size_t len)
{
	static const uint8_t zeros[64], garbage[] = { 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 1 };
	static const uint8_t too_long[] = { 0, 1, 0, 1, 1 };
	static const uint8_t other[] = { 0, 0, 0, 6, 0x82, 0, 0x43, 1, 2, 3 };

	switch (e->how) {
	case EVIL_SILENT:
		return;
	case EVIL_GARBAGE:
		evil_write_all(e, stream, garbage, sizeof(garbage), true);
		return;
	case EVIL_EMPTY:
		evil_write_all(e, stream, zeros, FRAME_PREFIX_LEN, true);
		return;
	case EVIL_HUGE_LENGTH:
		evil_write_all(e, stream, huge, sizeof(huge), false);
		return;
	case EVIL_LONG_LENGTH:
		evil_write_all(e, stream, too_long, sizeof(too_long), false);
		return;
	case EVIL_CUT:
		evil_write_all(e, stream, good, len - 1, true);
		return;
	case EVIL_TWICE:
		evil_write_all(e, stream, good, len, false);
		evil_write_all(e, stream, good, len, true);
		return;
	case EVIL_WRONG_KIND:
		evil_write_all(e, stream, other, sizeof(other), true);
		return;
	case EVIL_RESET:
		quic_stream_reset(e->conn, stream, 7);
		return;
	case EVIL_CLOSE:
		quic_conn_close(e->conn, e->close_code, "\033[31mno");
		return;
	case EVIL_NOT:
	case EVIL_REFUSE:
	case EVIL_MOVED:
	case EVIL_BUSY:
		break;
	}
	ck_abort_msg("how=%d is a reply of its own", (int)e->how);
}

static void evil_answer(struct evil *e, int64_t stream, struct span message)
{
	static struct signal_request rq;
	static struct signal_reply reply;
	static uint8_t bytes[MESSAGE_CAP];
	ptrdiff_t len;

	ck_assert_int_eq(signal_request_decode(message, &rq), 0);
	e->requests[rq.type]++;
	if (rq.type == SIGNAL_SUBSCRIBE) {
		e->cursor = rq.cursor;
		memcpy(e->epoch, rq.epoch, EPOCH_LEN);
	}
	memset(&reply, 0, sizeof(reply));
	if (e->how == EVIL_REFUSE && rq.type == e->at) {
		reply.refusal = e->reason;
		reply.retry_after_s = e->retry_after_s;
		reply.text = span_str("because");
	} else if (e->how == EVIL_MOVED && rq.type == SIGNAL_HELLO) {
		reply.moved_host = span_str(e->moved_host);
		reply.moved_port = e->moved_port;
	} else if (e->how == EVIL_BUSY && rq.type == SIGNAL_HELLO) {
		reply.busy = true;
		reply.retry_after_s = e->retry_after_s;
	} else {
		evil_good_reply(e, &rq, &reply);
	}
	len = signal_reply_encode(rq.type, &reply, bytes, sizeof(bytes));
	ck_assert_int_gt(len, 0);
	if (rq.type == SIGNAL_SUBSCRIBE && e->how != EVIL_REFUSE)
		ck_assert_int_eq(quic_stream_open(e->conn, false, &e->events), 0);
	if (rq.type == e->at && e->how != EVIL_NOT && e->how < EVIL_REFUSE)
		evil_misbehave(e, stream, bytes, (size_t)len);
	else
		evil_write_all(e, stream, bytes, (size_t)len, true);
}

void evil_say(struct evil *e, const struct signal_event *ev)
{
	static uint8_t bytes[MESSAGE_CAP];
	ptrdiff_t len = signal_event_encode(ev, bytes, sizeof(bytes));

	ck_assert_int_gt(len, 0);
	evil_write_all(e, e->events, bytes, (size_t)len, false);
}

/* --- its program ------------------------------------------------------------------------------ */

static void evil_on_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct evil *e = ctx;
	struct span in, message;
	size_t used;
	bool fin;

	if (ev->type == QUIC_CLOSED) {
		if (e->conn == c)
			e->conn = NULL;
		quic_conn_free(c);
		return;
	}
	if (ev->type != QUIC_STREAM_READABLE || c != e->conn)
		return;
	in = quic_stream_peek(c, ev->stream, &fin);
	if (!fin || frame_next(in, SIGNAL_MESSAGE_MAX, &message, &used) != 1)
		return;
	evil_answer(e, ev->stream, message);
	if (e->conn)
		quic_stream_consume(c, ev->stream, used);
}

static const struct quic_conn_ops evil_ops = { .event = evil_on_event };

static bool evil_on_accept(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			   const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct evil *e = ctx;

	(void)profile;
	if (e->conns < ARRAY_LEN(e->conn_at))
		e->conn_at[e->conns] = world_now(e->w);
	e->conns++;
	e->conn = c;
	*ret_ops = &evil_ops;
	*ret_ctx = e;
	return true;
}

void evil_open_at(struct evil *e, struct world *w, const char *host_name, const char *dns_name,
		  ip4 ip, const struct identity *key_of)
{
	static const struct quic_profile *const serve[] = { &signal_profile, NULL };
	struct addr at = addr_v4(ip, KIT_PORT);
	struct quic_socket_config cfg = {
		.udp.bind.port = KIT_PORT,
		.serve = serve,
		.accepted = evil_on_accept,
		.ctx = e,
		.accepts_per_s = 1000,
		.max_conns = 64,
	};

	*e = (struct evil){ .w = w, .offer = { IP(100, 64, 0, 0), 10 } };
	e->offer_address = IP(100, 64, 0, 1);
	memset(e->order_seed, 0x0e, sizeof(e->order_seed));
	ck_assert_int_eq(seed_public(e->order_seed, e->order_key), 0);
	e->host = world_host(w, host_name, ip);
	SIM_CHECK_OK(w, world_dns_set(w, dns_name, &at));
	if (!key_of)
		SIM_CHECK_OK(w, identity_new(e->host, NULL, &e->id));
	cfg.identity = key_of ? key_of : e->id;
	SIM_CHECK_OK(w, quic_socket_open(e->host, &cfg, NULL, &e->socket));
}

void evil_close(struct evil *e)
{
	quic_socket_close(e->socket);
	identity_free(e->id);
	*e = (struct evil){ .w = e->w };
}

void evil_open(struct evil *e, struct world *w)
{
	evil_open_at(e, w, "evil", "evil.example.net", IP(192, 0, 2, 66), NULL);
}

void evil_scene_open(struct scene *s)
{
	kit_world_open(&s->k);
	evil_open(&s->e, s->k.w);
	s->n = kit_node(&s->k, "nas");
}

void evil_scene_close(struct scene *s)
{
	kit_node_down(s->n);
	evil_close(&s->e);
	kit_world_close(&s->k);
}

struct setup_params evil_params(struct scene *s)
{
	struct setup_params p = kit_setup_params(s->n);

	p.host = "evil.example.net";
	memcpy(p.signal_cert, identity_cert_sha256(s->e.id), HASH_LEN);
	return p;
}

void evil_scene_joined(struct scene *s)
{
	struct setup_params p;

	evil_scene_open(s);
	p = evil_params(s);
	kit_setup_with(s->n, &p);
	KIT_JOINED(s->n);
	ck_assert_uint_eq(s->e.n_shown, 1);
	memset(s->e.requests, 0, sizeof(s->e.requests));
	s->e.conns = 0;
}

struct kit_node *evil_scene_second(struct scene *s)
{
	struct kit_node *laptop = kit_node(&s->k, "laptop");
	struct invite_url url = kit_invite_url(s->n);

	s->e.offer_address = IP(100, 64, 0, 2);
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	ck_assert_uint_eq(s->e.n_shown, 2);
	kit_load(laptop);
	kit_unload(laptop);
	return laptop;
}

void evil_scene_up(struct scene *s)
{
	evil_scene_joined(s);
	kit_node_up(s->n);
	KIT_UP_WITHIN(s->n, 5 * NS_PER_S);
	sim_pass(s->k.w, NS_PER_S);
	ck_assert(kit_is_up(s->n));
}
