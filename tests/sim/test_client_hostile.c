/* SPDX-License-Identifier: MIT */
/*
 * A server that lies, babbles, floods or falls silent, against sessions and joins: nothing of it is
 * believed, nothing grows without bounds, nothing is left behind, and trying again stays slow.
 */
#include "client_kit.h"
#include "proto/cbor.h"
#include "quic/profiles.h"

#define MESSAGE_CAP (FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX)
#define REQUESTS 12

/* How it misbehaves, in the request `at` if that is not 0. */
enum evil_how {
	EVIL_NOT,
	EVIL_SILENT,		/* no reply at all */
	EVIL_GARBAGE,		/* bytes that are no CBOR */
	EVIL_EMPTY,		/* a message of no bytes */
	EVIL_HUGE_LENGTH,	/* a length of 4 GB, then silence */
	EVIL_LONG_LENGTH,	/* one byte more than allowed */
	EVIL_CUT,		/* ends in the middle */
	EVIL_TWICE,		/* two replies on the stream */
	EVIL_WRONG_KIND,	/* the reply to another request */
	EVIL_RESET,		/* gives the stream up */
	EVIL_CLOSE,		/* closes the connection with `close_code` */
	EVIL_REFUSE		/* refuses with `reason` and `retry_after_s` */
};

struct evil {
	struct world *w;
	struct host *host;
	struct identity *id;
	struct quic_socket *socket;
	struct quic_conn *conn;		/* the latest */
	enum signal_request_type at;
	enum evil_how how;
	uint64_t close_code;
	enum refusal reason;
	uint32_t retry_after_s;
	/* what it shows */
	struct entry_bytes shown[8];
	size_t n_shown;
	bool claim_more;		/* a head beyond what it shows */
	bool endless;			/* the same page for ever */
	struct prefix4 offer;
	ip4 offer_address;
	/* what it saw */
	unsigned requests[REQUESTS];
	unsigned conns;
	uint64_t conn_at[64];
	int64_t events;
};

/* --- what it says ----------------------------------------------------------------------------- */

static struct wire_head shown_head(const struct evil *e)
{
	struct wire_head h = { .seq = e->n_shown - 1 };

	sha256(span_of(e->shown[h.seq].data, e->shown[h.seq].len), h.hash);
	if (e->claim_more) {
		h.seq += 5;
		h.hash[0] ^= 1;
	}
	return h;
}

static void good_reply(struct evil *e, const struct signal_request *rq, struct signal_reply *r)
{
	r->time_s = (uint64_t)clock_wall_s(e->host);
	r->observed = addr_v4(IP(198, 51, 100, 99), 999);
	r->subnet = e->offer;
	r->address = e->offer_address;
	if (e->n_shown == 0)
		return;
	r->has_head = true;
	r->head = shown_head(e);
	if (rq->type != SIGNAL_LOG)
		return;
	for (uint64_t i = e->endless ? 0 : rq->from; i < e->n_shown; i++)
		r->entries.item[r->entries.n++] = span_of(e->shown[i].data, e->shown[i].len);
}

static void write_all(struct evil *e, int64_t stream, const void *data, size_t len, bool fin)
{
	ck_assert_int_eq(quic_stream_write(e->conn, stream, data, len, fin), 0);
}

static void misbehave(struct evil *e, int64_t stream, const uint8_t *good, size_t len)
{
	static const uint8_t zeros[64], garbage[] = { 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 1 };
	static const uint8_t too_long[] = { 0, 1, 0, 1, 1 };
	static const uint8_t other[] = { 0, 0, 0, 6, 0x82, 0, 0x43, 1, 2, 3 };

	switch (e->how) {
	case EVIL_SILENT:
		return;
	case EVIL_GARBAGE:
		write_all(e, stream, garbage, sizeof(garbage), true);
		return;
	case EVIL_EMPTY:
		write_all(e, stream, zeros, FRAME_PREFIX_LEN, true);
		return;
	case EVIL_HUGE_LENGTH:
		write_all(e, stream, huge, sizeof(huge), false);
		return;
	case EVIL_LONG_LENGTH:
		write_all(e, stream, too_long, sizeof(too_long), false);
		return;
	case EVIL_CUT:
		write_all(e, stream, good, len - 1, true);
		return;
	case EVIL_TWICE:
		write_all(e, stream, good, len, false);
		write_all(e, stream, good, len, true);
		return;
	case EVIL_WRONG_KIND:
		write_all(e, stream, other, sizeof(other), true);
		return;
	case EVIL_RESET:
		quic_stream_reset(e->conn, stream, 7);
		return;
	case EVIL_CLOSE:
		quic_conn_close(e->conn, e->close_code, "\033[31mno");
		return;
	default:
		ck_abort();
	}
}

static void answer(struct evil *e, int64_t stream, struct span message)
{
	static struct signal_request rq;
	static struct signal_reply reply;
	static uint8_t bytes[MESSAGE_CAP];
	ptrdiff_t len;

	ck_assert_int_eq(signal_request_decode(message, &rq), 0);
	e->requests[rq.type]++;
	memset(&reply, 0, sizeof(reply));
	if (e->how == EVIL_REFUSE && rq.type == e->at) {
		reply.refusal = e->reason;
		reply.retry_after_s = e->retry_after_s;
		reply.text = span_str("because");
	} else {
		good_reply(e, &rq, &reply);
	}
	len = signal_reply_encode(rq.type, &reply, bytes, sizeof(bytes));
	ck_assert_int_gt(len, 0);
	if (rq.type == SIGNAL_SUBSCRIBE && e->how != EVIL_REFUSE)
		ck_assert_int_eq(quic_stream_open(e->conn, false, &e->events), 0);
	if (rq.type == e->at && e->how != EVIL_REFUSE && e->how != EVIL_NOT)
		misbehave(e, stream, bytes, (size_t)len);
	else
		write_all(e, stream, bytes, (size_t)len, true);
}

static void say(struct evil *e, const struct signal_event *ev)
{
	static uint8_t bytes[MESSAGE_CAP];
	ptrdiff_t len = signal_event_encode(ev, bytes, sizeof(bytes));

	ck_assert_int_gt(len, 0);
	write_all(e, e->events, bytes, (size_t)len, false);
}

/* --- its program ------------------------------------------------------------------------------ */

static void on_evil_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
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
	answer(e, ev->stream, message);
	if (e->conn)
		quic_stream_consume(c, ev->stream, used);
}

static const struct quic_conn_ops evil_ops = { .event = on_evil_event };

static bool on_evil_accept(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
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

struct scene {
	struct kit k;	/* its server is not used */
	struct evil e;
	struct kit_node *n;
};

static void evil_open(struct evil *e, struct world *w)
{
	static const struct quic_profile *const serve[] = { &signal_profile, NULL };
	struct addr at = addr_v4(IP(192, 0, 2, 66), KIT_PORT);
	struct quic_socket_config cfg = {
		.udp.bind.port = KIT_PORT,
		.serve = serve,
		.accepted = on_evil_accept,
		.ctx = e,
		.accepts_per_s = 1000,
		.max_conns = 64,
	};

	*e = (struct evil){ .w = w, .offer = { IP(100, 64, 0, 0), 10 } };
	e->offer_address = IP(100, 64, 0, 1);
	e->host = world_host(w, "evil", IP(192, 0, 2, 66));
	SIM_CHECK_OK(w, world_dns_set(w, "evil.example.net", &at));
	SIM_CHECK_OK(w, identity_new(e->host, NULL, &e->id));
	cfg.identity = e->id;
	SIM_CHECK_OK(w, quic_socket_open(e->host, &cfg, NULL, &e->socket));
}

static void scene_open(struct scene *s)
{
	kit_open(&s->k);
	evil_open(&s->e, s->k.w);
	s->n = kit_node(&s->k, "nas");
}

static void scene_close(struct scene *s)
{
	kit_node_down(s->n);
	quic_socket_close(s->e.socket);
	identity_free(s->e.id);
	kit_close(&s->k);
}

/* `mlsh setup` with this server, with the right fingerprint. */
static struct setup_params evil_params(struct scene *s)
{
	struct setup_params p = kit_setup_params(s->n);

	p.host = "evil.example.net";
	memcpy(p.signal_cert, identity_cert_sha256(s->e.id), HASH_LEN);
	return p;
}

/* The node sets up a cluster with it, while it behaves: it then holds the cluster's genesis. */
static void scene_joined(struct scene *s)
{
	struct setup_params p;
	struct span genesis;

	scene_open(s);
	p = evil_params(s);
	kit_setup_with(s->n, &p);
	KIT_JOINED(s->n);
	kit_load(s->n);
	genesis = mlog_entry(s->n->log, 0);
	memcpy(s->e.shown[0].data, genesis.data, genesis.len);
	s->e.shown[0].len = genesis.len;
	s->e.n_shown = 1;
	kit_unload(s->n);
	memset(s->e.requests, 0, sizeof(s->e.requests));
	s->e.conns = 0;
}

static void scene_up(struct scene *s)
{
	scene_joined(s);
	kit_node_up(s->n);
	KIT_UP_WITHIN(s->n, 5 * NS_PER_S);
	sim_pass(s->k.w, NS_PER_S);
	ck_assert(kit_is_up(s->n));
}

/* --- joins ------------------------------------------------------------------------------------ */

START_TEST(broken_offers_leave_nothing)
{
	struct scene s;

	for (int how = EVIL_SILENT; how <= EVIL_CLOSE; how++) {
		for (int at = SIGNAL_HELLO; at <= SIGNAL_SETUP_OFFER; at++) {
			struct setup_params p;
			uint64_t began;

			scene_open(&s);
			s.e.how = (enum evil_how)how;
			s.e.at = (enum signal_request_type)at;
			p = evil_params(&s);
			began = world_now(s.k.w);
			kit_setup_with(s.n, &p);
			ck_assert(!s.n->joined);
			ck_assert_int_ne(s.n->join_err.reason, 0);
			ck_assert_ptr_nonnull(strstr(s.n->join_err.text, "evil.example.net"));
			ck_assert(kit_has_nothing(s.n));
			ck_assert_uint_lt(world_now(s.k.w) - began, 12 * NS_PER_S);
			scene_close(&s);
		}
	}
}
END_TEST

/* Whatever it does after it was sent: it may have taken it, so it stays pending. */
START_TEST(broken_setup_replies_keep_the_request)
{
	struct scene s;

	for (int how = EVIL_SILENT; how <= EVIL_CLOSE; how++) {
		struct setup_params p;

		scene_open(&s);
		s.e.how = (enum evil_how)how;
		s.e.at = SIGNAL_SETUP;
		p = evil_params(&s);
		kit_setup_with(s.n, &p);
		ck_assert(!s.n->joined);
		ck_assert(kit_has_file(s.n, STORE_PENDING));
		ck_assert(!kit_has_file(s.n, STORE_CLUSTER));
		ck_assert_ptr_nonnull(strstr(s.n->join_err.text, "same command again"));
		s.e.how = EVIL_NOT;
		kit_setup_with(s.n, &p);
		KIT_JOINED(s.n);
		ck_assert(s.n->result.completed_pending);
		scene_close(&s);
	}
}
END_TEST

START_TEST(refusals_of_a_setup_follow_the_table)
{
	static const struct {
		enum refusal reason;
		bool stays;
	} cases[] = {
		{ REFUSAL_USED_CODE, false }, { REFUSAL_FULL, false }, { REFUSAL_RATE, false },
		{ REFUSAL_VERSION, false },   { REFUSAL_INTERNAL, true }, { (enum refusal)77, true },
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct setup_params p;

		scene_open(&s);
		s.e.how = EVIL_REFUSE;
		s.e.at = SIGNAL_SETUP;
		s.e.reason = cases[i].reason;
		p = evil_params(&s);
		kit_setup_with(s.n, &p);
		KIT_REFUSED(s.n, (int)cases[i].reason);
		ck_assert_ptr_nonnull(strstr(s.n->join_err.text, "because"));
		ck_assert(kit_has_file(s.n, STORE_PENDING) == cases[i].stays);
		ck_assert(kit_has_identity(s.n) == cases[i].stays);
		/* Seen by another run, what an earlier one sent is not forgotten for a rate limit. */
		if (cases[i].stays) {
			s.e.reason = REFUSAL_RATE;
			kit_setup_with(s.n, &p);
			KIT_REFUSED(s.n, REFUSAL_RATE);
			ck_assert(kit_has_file(s.n, STORE_PENDING));
			s.e.reason = REFUSAL_USED_CODE;
			kit_setup_with(s.n, &p);
			KIT_REFUSED(s.n, REFUSAL_USED_CODE);
			ck_assert(kit_has_nothing(s.n));
		}
		scene_close(&s);
	}
}
END_TEST

/* For ever stale: a bounded number of attempts. */
START_TEST(endlessly_stale_setup_ends)
{
	struct setup_params p;
	struct scene s;

	scene_open(&s);
	s.e.how = EVIL_REFUSE;
	s.e.at = SIGNAL_SETUP;
	s.e.reason = REFUSAL_STALE;
	p = evil_params(&s);
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_STALE);
	ck_assert_uint_le(s.e.requests[SIGNAL_SETUP], 5);
	ck_assert(kit_has_nothing(s.n));
	scene_close(&s);
}
END_TEST

START_TEST(offers_outside_of_the_permitted_are_refused)
{
	static const struct {
		struct prefix4 subnet;
		ip4 address;
	} offers[] = {
		{ { IP(8, 0, 0, 0), 8 }, IP(8, 0, 0, 1) },	/* the Internet */
		{ { IP(0, 0, 0, 0), 0 }, IP(8, 0, 0, 1) },
		{ { IP(127, 0, 0, 0), 8 }, IP(127, 0, 0, 1) },
		{ { IP(100, 64, 0, 0), 10 }, IP(100, 64, 0, 0) },
		{ { IP(100, 64, 0, 0), 10 }, IP(100, 127, 255, 255) },
		{ { IP(100, 64, 0, 0), 10 }, IP(192, 168, 1, 1) },
		{ { IP(100, 64, 0, 0), 10 }, 0 },
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		struct setup_params p;

		scene_open(&s);
		s.e.offer = offers[i].subnet;
		s.e.offer_address = offers[i].address;
		p = evil_params(&s);
		kit_setup_with(s.n, &p);
		ck_assert(!s.n->joined);
		ck_assert_uint_gt(strlen(s.n->join_err.text), 20);
		ck_assert_uint_eq(s.e.requests[SIGNAL_SETUP], 0);
		ck_assert(kit_has_nothing(s.n));
		scene_close(&s);
	}
}
END_TEST

/* Another subnet than the one that was asked for is not taken either. */
START_TEST(another_subnet_than_asked_is_refused)
{
	struct setup_params p;
	struct scene s;

	scene_open(&s);
	p = evil_params(&s);
	p.has_subnet = true;
	p.subnet = (struct prefix4){ IP(10, 9, 0, 0), 16 };
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_SUBNET);
	ck_assert(kit_has_nothing(s.n));
	scene_close(&s);
}
END_TEST

/* --- adopt ------------------------------------------------------------------------------------ */

/* An invite into the node's cluster, and a second machine to use it. */
static struct kit_node *joiner(struct scene *s, struct invite_url *ret_url)
{
	struct kit_node *laptop = kit_node(&s->k, "laptop");

	*ret_url = kit_invite(s->n);
	s->e.offer_address = IP(100, 64, 0, 2);
	return laptop;
}

/* Another cluster's genesis, valid in itself. */
static void show_another_genesis(struct scene *s)
{
	struct genesis g;

	kit_load(s->n);
	g = *mlog_genesis(s->n->log);
	g.random[0] ^= 1;
	SIM_CHECK_OK(s->k.w, genesis_make(&g, 1000, s->n->id, &s->e.shown[0], NULL));
	kit_unload(s->n);
}

START_TEST(lying_logs_are_not_joined)
{
	struct scene s;
	struct kit_node *laptop;
	struct invite_url url;

	/* A byte of genesis changed. */
	scene_joined(&s);
	laptop = joiner(&s, &url);
	s.e.shown[0].data[60] ^= 1;
	kit_adopt(laptop, &url);
	ck_assert(!laptop->joined);
	ck_assert(kit_has_nothing(laptop));
	s.e.shown[0].data[60] ^= 1;

	/* Genesis again and again. */
	s.e.endless = true;
	kit_adopt(laptop, &url);
	ck_assert(!laptop->joined);
	ck_assert_uint_lt(s.e.requests[SIGNAL_LOG], 8);
	ck_assert(kit_has_nothing(laptop));
	s.e.endless = false;

	show_another_genesis(&s);
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_WRONG_CLUSTER);
	ck_assert(kit_has_nothing(laptop));
	ck_assert_uint_eq(s.e.requests[SIGNAL_ADMIT], 0);
	scene_close(&s);
}
END_TEST

START_TEST(addresses_outside_of_the_subnet_are_not_taken)
{
	static const ip4 addresses[] = {
		IP(100, 64, 0, 1), IP(100, 64, 0, 0), IP(192, 168, 0, 1), IP(100, 127, 255, 255), 0,
	};
	struct scene s;
	struct kit_node *laptop;
	struct invite_url url;

	scene_joined(&s);
	laptop = joiner(&s, &url);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		s.e.offer_address = addresses[i];
		kit_adopt(laptop, &url);
		ck_assert(!laptop->joined);
		ck_assert(kit_has_nothing(laptop));
	}
	ck_assert_uint_eq(s.e.requests[SIGNAL_ADMIT], 0);
	scene_close(&s);
}
END_TEST

/* --- sessions --------------------------------------------------------------------------------- */

/* How often it was tried again in ten minutes of this. */
static unsigned attempts_in_ten_minutes(struct scene *s)
{
	unsigned before = s->e.conns;

	sim_pass(s->k.w, 600 * NS_PER_S);
	return s->e.conns - before;
}

START_TEST(broken_replies_do_not_become_a_storm)
{
	static const enum signal_request_type at[] = {
		SIGNAL_HELLO, SIGNAL_SESSION, SIGNAL_LOG, SIGNAL_SUBSCRIBE,
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		for (int how = EVIL_SILENT; how <= EVIL_CLOSE; how++) {
			unsigned attempts;

			scene_joined(&s);
			s.e.at = at[i];
			s.e.how = (enum evil_how)how;
			kit_node_up(s.n);
			sim_pass(s.k.w, 5 * NS_PER_S);
			ck_assert(!kit_is_up(s.n));
			attempts = attempts_in_ten_minutes(&s);
			ck_assert_uint_ge(attempts, 10);
			/* The longest wait is 5 s, half of it at least: never more than this. */
			ck_assert_uint_le(attempts, 240);
			if (how == EVIL_GARBAGE || how == EVIL_CUT || how == EVIL_TWICE)
				ck_assert_uint_le(attempts, 20); /* malformed: half a minute each */
			ck_assert(!s.n->stopped);
			ck_assert_int_ne(kit_status(s.n).last_err.code, 0);
			/* It comes to its senses. */
			s.e.how = EVIL_NOT;
			KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
			scene_close(&s);
		}
	}
}
END_TEST

/* Connects, greets, and closes at once: not a useful session, so the waits must grow. */
START_TEST(sessions_that_end_at_once_are_not_useful)
{
	struct scene s;

	scene_joined(&s);
	kit_node_up(s.n);
	for (int i = 0; i < 40; i++) {
		KIT_UP_WITHIN(s.n, 30 * NS_PER_S);
		quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
		SIM_CHECK(s.k.w, world_run(s.k.w, 5 * NS_PER_S, kit_is_not_up, s.n));
	}
	for (int i = 10; i < 40; i++)
		ck_assert_uint_ge(s.e.conn_at[i] - s.e.conn_at[i - 1], 2 * NS_PER_S);
	scene_close(&s);
}
END_TEST

START_TEST(hello_refused_with_a_wait)
{
	struct scene s;

	scene_joined(&s);
	s.e.at = SIGNAL_HELLO;
	s.e.how = EVIL_REFUSE;
	s.e.reason = REFUSAL_RATE;
	s.e.retry_after_s = 60;
	kit_node_up(s.n);
	sim_pass(s.k.w, 58 * NS_PER_S);
	session_kick(s.n->session);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert_uint_eq(s.e.conns, 1);
	/* It may not ask for more than five minutes. */
	s.e.retry_after_s = UINT32_MAX;
	sim_pass(s.k.w, 60 * NS_PER_S);
	ck_assert_uint_eq(s.e.conns, 2);
	s.e.how = EVIL_NOT;
	KIT_UP_WITHIN(s.n, 400 * NS_PER_S);
	scene_close(&s);
}
END_TEST

START_TEST(shutdown_with_a_wait)
{
	struct signal_event ev = { .type = SIGNAL_EV_SHUTDOWN, .retry_after_s = 20 };
	struct scene s;
	uint64_t told;

	scene_up(&s);
	say(&s.e, &ev);
	told = world_now(s.k.w);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 30 * NS_PER_S);
	ck_assert_uint_ge(world_now(s.k.w) - told, 20 * NS_PER_S);
	ev.retry_after_s = UINT32_MAX;
	say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	KIT_UP_WITHIN(s.n, 400 * NS_PER_S);
	scene_close(&s);
}
END_TEST

START_TEST(removal_stops)
{
	struct scene s;

	scene_up(&s);
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_REMOVED, "");
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(s.n->stopped);
	ck_assert_int_eq(s.n->stop_err.reason, REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(kit_status(s.n).state, SESSION_STOPPED);
	session_kick(s.n->session);
	ck_assert_uint_eq(attempts_in_ten_minutes(&s), 0);
	scene_close(&s);
}
END_TEST

START_TEST(broken_events_end_the_session)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
	} events[] = {
		{ { 0, 0, 0, 0 }, 4 },			/* empty */
		{ { 0, 0, 0, 2, 0x81, 0x09 }, 6 },	/* unknown type */
		{ { 0, 1, 0, 1, 0 }, 5 },		/* too long */
		{ { 0xff, 0xff, 0xff, 0xff }, 4 },
		{ { 0, 0, 0, 3, 0x82, 0x03, 0x40 }, 7 }, /* observed without an address */
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		scene_up(&s);
		write_all(&s.e, s.e.events, events[i].bytes, events[i].len, false);
		SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
		ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_MALFORMED);
		KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
		scene_close(&s);
	}
}
END_TEST

START_TEST(a_second_event_stream_ends_the_session)
{
	struct scene s;
	int64_t second;

	scene_up(&s);
	say(&s.e, &(struct signal_event){ .type = SIGNAL_EV_OBSERVED,
					  .observed = addr_v4(IP(1, 2, 3, 4), 5) });
	sim_pass(s.k.w, NS_PER_S);
	ck_assert_uint_eq(addr_ip4(&s.n->observed), IP(1, 2, 3, 4));
	ck_assert_int_eq(quic_stream_open(s.e.conn, false, &second), 0);
	write_all(&s.e, second, "x", 1, false);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	scene_close(&s);
}
END_TEST

/* Nodes that are in no log: remembered within bounds, asked about, never shown. */
START_TEST(presence_of_strangers_is_bounded)
{
	static struct wire_presence items[PRESENCE_PER_EVENT_MAX];
	struct signal_event ev = { .type = SIGNAL_EV_PRESENCE, .presence = items, .cursor = 1 };
	struct scene s;

	scene_up(&s);
	ev.n_presence = 20;
	for (size_t i = 0; i < 20; i++) {
		items[i].online = true;
		items[i].node_id[0] = (uint8_t)i;
	}
	say(&s.e, &ev);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	ev.n_presence = PRESENCE_PER_EVENT_MAX;
	for (size_t i = 0; i < PRESENCE_PER_EVENT_MAX; i++)
		items[i].node_id[1] = (uint8_t)(i + 1);
	say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_uint_eq(s.n->n_seen, 0);
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	scene_close(&s);
}
END_TEST

/* A log event far ahead, and a head that it can not show. */
START_TEST(claims_without_entries_are_not_believed)
{
	struct signal_event ev = { .type = SIGNAL_EV_LOG, .first = 5000, .entries.n = 1 };
	struct scene s;

	scene_up(&s);
	ev.entries.item[0] = span_of(s.e.shown[0].data, s.e.shown[0].len);
	say(&s.e, &ev);
	sim_pass(s.k.w, NS_PER_S);
	ck_assert(kit_is_up(s.n));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	s.e.claim_more = true;
	say(&s.e, &ev);
	SIM_CHECK(s.k.w, world_run(s.k.w, NS_PER_S, kit_is_not_up, s.n));
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 20);
	scene_close(&s);
}
END_TEST

/* An entry that is not valid, at the end of the log: nothing is taken, no storm. */
START_TEST(invalid_entries_are_not_taken)
{
	struct scene s;
	struct entry_bytes cancel;
	struct head head;
	uint8_t nonce[NONCE_LEN] = { 1 };

	scene_up(&s);
	head = mlog_head(s.n->log);
	SIM_CHECK_OK(s.k.w, cancel_make(&head, mlog_last_time_s(s.n->log), s.n->id,
					s.n->cluster.cluster_id, nonce, &cancel, NULL));
	cancel.data[cancel.len - 1] ^= 1;
	s.e.shown[1] = cancel;
	s.e.n_shown = 2;
	quic_conn_close(s.e.conn, SIGNAL_CLOSE_BYE, "");
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert(!kit_is_up(s.n));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	ck_assert_uint_eq(s.n->forks, 0);
	ck_assert_int_eq(kit_status(s.n).last_err.reason, REFUSAL_BAD_ENTRY);
	ck_assert_uint_le(attempts_in_ten_minutes(&s), 20);
	/* The right one is. */
	s.e.shown[1].data[cancel.len - 1] ^= 1;
	KIT_UP_WITHIN(s.n, 60 * NS_PER_S);
	ck_assert_uint_eq(mlog_count(s.n->log), 2);
	scene_close(&s);
}
END_TEST

/* An entry of a type that this version does not know: it stops and says so. */
START_TEST(unknown_entry_types_stop_with_upgrade)
{
	uint8_t payload[256], zeros[64] = { 0 };
	struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
	struct scene s;
	struct head head;
	struct span body;

	scene_joined(&s);
	kit_load(s.n);
	head = mlog_head(s.n->log);
	cbor_put_array(&w, 7);
	cbor_put_uint(&w, 1);
	cbor_put_uint(&w, 10); /* recover */
	cbor_put_uint(&w, 1);
	cbor_put_bytes(&w, head.hash, HASH_LEN);
	cbor_put_uint(&w, mlog_last_time_s(s.n->log) + 1);
	cbor_put_bytes(&w, zeros, NODE_ID_LEN);
	cbor_put_array(&w, 0);
	body = cbor_writer_span(&w);
	w = cbor_writer_of(s.e.shown[1].data, sizeof(s.e.shown[1].data));
	cbor_put_array(&w, 2);
	cbor_put_bytes(&w, body.data, body.len);
	cbor_put_array(&w, 1);
	cbor_put_bytes(&w, zeros, SIG_LEN);
	s.e.shown[1].len = cbor_writer_span(&w).len;
	s.e.n_shown = 2;
	kit_unload(s.n);
	kit_node_up(s.n);
	sim_pass(s.k.w, 5 * NS_PER_S);
	ck_assert(s.n->stopped);
	ck_assert_int_eq(s.n->stop_err.reason, REFUSAL_VERSION);
	ck_assert_ptr_nonnull(strstr(s.n->stop_err.text, "Upgrade"));
	ck_assert_uint_eq(mlog_count(s.n->log), 1);
	scene_close(&s);
}
END_TEST

UNIT_MAIN("client/hostile", broken_offers_leave_nothing, broken_setup_replies_keep_the_request,
	  refusals_of_a_setup_follow_the_table, endlessly_stale_setup_ends,
	  offers_outside_of_the_permitted_are_refused, another_subnet_than_asked_is_refused,
	  lying_logs_are_not_joined, addresses_outside_of_the_subnet_are_not_taken,
	  broken_replies_do_not_become_a_storm, sessions_that_end_at_once_are_not_useful,
	  hello_refused_with_a_wait, shutdown_with_a_wait, removal_stops,
	  broken_events_end_the_session, a_second_event_stream_ends_the_session,
	  presence_of_strangers_is_bounded, claims_without_entries_are_not_believed,
	  invalid_entries_are_not_taken, unknown_entry_types_stop_with_upgrade)
