/* SPDX-License-Identifier: MIT */
/*
 * A member that does not play by the rules and makes the connections itself, as many as it likes.
 * Whatever it does, no event reaches a lifecycle that its table says never comes (the sanitizers'
 * build has ASSERT), honest tunnels stay, and it has a tunnel again once it behaves.
 */
#include "overlay/peering/peer.h"
#include "overlay_sim.h"
#include "proto/peer.h"

#define CALLS 12
#define CALLER_PORT 9999

struct scene;

/* A connection of the caller. */
struct call {
	struct scene *s;
	struct quic_conn *c; /* NULL: the place is free */
	int64_t control;
	bool connected, closed;
	uint8_t hello[256];
	size_t hello_len, hello_sent;
	uint64_t error;
	unsigned bidi; /* streams that the honest side opened, and that said something */
};

struct scene {
	struct fleet m;
	struct fleet_node *self, *honest; /* the caller, and the node that it calls */
	struct quic_socket *s;
	struct call call[CALLS];
	struct unit_rng rng;
	bool deaf;	      /* it accepts no connection */
	bool seen[N_PEERING]; /* the states that the honest side was in */
};

/* --- its connections -------------------------------------------------------------------------- */

static void make_hello(struct call *l)
{
	struct peer_message m = { .type = PEER_HELLO };
	const struct mlog *log = l->s->honest->log;
	struct span id = span_of(mlog_cluster_id(log), HASH_LEN);
	ptrdiff_t n;

	memcpy(m.cluster_id, id.data, HASH_LEN);
	m.head = mlog_wire_head(log);
	ck_assert_int_eq(quic_conn_export(l->c, PEER_EXPORTER, id, m.binding, 32), 0);
	n = peer_message_encode(&m, l->hello, sizeof(l->hello));
	ck_assert_int_gt(n, 0);
	l->hello_len = (size_t)n;
}

static void call_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct call *l = ctx;

	if (c != l->c)
		return;
	switch (ev->type) {
	case QUIC_CONNECTED:
		l->connected = true;
		make_hello(l);
		break;
	case QUIC_STREAM_READABLE:
		if (quic_stream_is_bidi(ev->stream) && ev->stream != l->control) {
			l->bidi++;
			l->control = ev->stream;
		}
		break;
	case QUIC_CLOSED:
		l->closed = true;
		l->error = ev->reason == QUIC_CLOSE_REMOTE_APP ? ev->error : UINT64_MAX;
		break;
	case QUIC_STREAM_WRITABLE:
	case QUIC_STREAM_RESET:
	case QUIC_PATH_CHANGED:
	case QUIC_PATH_FAILED:
		break;
	}
}

static const struct quic_conn_ops call_ops = { .event = call_event };

static void drop(struct call *l)
{
	quic_conn_free(l->c);
	*l = (struct call){ .s = l->s, .control = -1 };
}

/* A free place, or that of one that is over. */
static struct call *place(struct scene *s)
{
	for (size_t i = 0; i < CALLS; i++)
		if (!s->call[i].c)
			return &s->call[i];
	for (size_t i = 0; i < CALLS; i++)
		if (s->call[i].closed) {
			drop(&s->call[i]);
			return &s->call[i];
		}
	return NULL;
}

static bool accept_call(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct scene *s = ctx;
	struct call *l = s->deaf ? NULL : place(s);

	(void)profile;
	if (!l)
		return false;
	l->c = c;
	*ret_ops = &call_ops;
	*ret_ctx = l;
	return true;
}

static bool any_key(void *ctx, const struct quic_profile *profile, const uint8_t key[32])
{
	(void)ctx, (void)profile, (void)key;
	return true;
}

static struct addr honest_at(const struct scene *s)
{
	struct addr at = quic_socket_local(s->honest->o->peering.socket);

	return addr_v4(IP(192, 0, 2, 10) + (ip4)(s->honest - s->m.node), at.port);
}

static struct call *call(struct scene *s)
{
	struct quic_pin pin = { .by_key = true };
	struct addr to = honest_at(s);
	struct call *l = place(s);

	if (!l)
		return NULL;
	memcpy(pin.key_sha256, s->honest->self->key_sha256, sizeof(pin.key_sha256));
	ck_assert_int_eq(quic_connect(s->s, &peer_profile, &pin, 0, &to, &call_ops, l, NULL, &l->c),
			 0);
	return l;
}

/* The next `n` bytes of its hello; the first ones open the control stream. */
static void say_hello(struct call *l, size_t n)
{
	n = MIN(n, l->hello_len - l->hello_sent);
	if (!l->connected || l->closed || n == 0)
		return;
	if (l->control < 0 && quic_stream_open(l->c, true, &l->control) < 0)
		return;
	if (quic_stream_write(l->c, l->control, l->hello + l->hello_sent, n, false) == 0)
		l->hello_sent += n;
}

/* --- the scene -------------------------------------------------------------------------------- */

/* The caller is node `self` of three, and the honest one is node 1 - self. */
static void begin(struct scene *s, unsigned self)
{
	static struct quic_profile lax; /* it takes more streams than it should get */
	static const struct quic_profile *const serve[] = { &lax, NULL };
	struct quic_socket_config cfg = {
		.udp = { .bind = { .port = CALLER_PORT } },
		.serve = serve,
		.key_allowed = any_key,
		.accepted = accept_call,
		.ctx = s,
	};

	lax = peer_profile;
	lax.max_remote_bidi = 9;
	memset(s, 0, sizeof(*s));
	fleet_init(&s->m, 3);
	s->self = &s->m.node[self];
	s->honest = &s->m.node[1 - self];
	for (size_t i = 0; i < CALLS; i++)
		s->call[i] = (struct call){ .s = s, .control = -1 };
	cfg.identity = s->self->id;
	ck_assert_int_eq(quic_socket_open(s->self->h, &cfg, NULL, &s->s), 0);
	fleet_start(s->honest);
	fleet_start(&s->m.node[2]);
	sim_pass(s->m.w, NS_PER_S);
	SIM_CHECK(s->m.w, fleet_linked(s->honest, &s->m.node[2]));
}

static const struct member *caller_of(const struct scene *s)
{
	return roster_by_id(mlog_roster(s->honest->log), &s->self->self->id, ROSTER_CURRENT);
}

static struct peer *peer_of(const struct scene *s)
{
	return peer_of_member(&s->honest->o->peering, caller_of(s));
}

static bool is_up(const struct scene *s)
{
	return fleet_peer(s->honest, s->self).state == PEER_UP;
}

static void end(struct scene *s)
{
	struct fleet_node *third = &s->m.node[2];

	SIM_CHECK(s->m.w, fleet_linked(s->honest, third));
	while (!fleet_tun_silent(third))
		;
	fleet_send(s->honest, third, 90, 9);
	sim_pass(s->m.w, NS_PER_S);
	SIM_CHECK(s->m.w, fleet_received(s->honest, third, 90, 9));
	for (size_t i = 0; i < CALLS; i++)
		quic_conn_free(s->call[i].c);
	quic_socket_close(s->s);
	fleet_free(&s->m);
}

/* A call with a tunnel. */
static struct call *tunnel(struct scene *s)
{
	struct call *l = call(s);

	sim_pass(s->m.w, 200 * NS_PER_MS);
	SIM_CHECK(s->m.w, l->connected && !l->closed);
	say_hello(l, sizeof(l->hello));
	sim_pass(s->m.w, 200 * NS_PER_MS);
	SIM_CHECK(s->m.w, !l->closed && is_up(s));
	return l;
}

/* A record by the keys of this call brings a packet to the honest node. */
static bool record_arrives(struct scene *s, struct call *l)
{
	uint8_t exported[RECORD_EXPORT_LEN], record[200];
	struct span id = span_of(mlog_cluster_id(s->honest->log), HASH_LEN);
	struct addr to = honest_at(s);
	struct records *r;
	size_t len;

	while (!fleet_tun_silent(s->honest))
		;
	ck_assert_int_eq(quic_conn_export(l->c, RECORD_EXPORTER, id, exported, sizeof(exported)),
			 0);
	ck_assert_int_eq(records_new(AEAD_AES128_GCM, true, exported, &r), 0);
	record[RECORD_HEADER] = 0;
	fleet_udp(record + RECORD_HEADER + 1, 100, s->self->self->address, s->honest->self->address,
		  1);
	len = record_seal(r, record, 101);
	quic_socket_send_other(s->s, &to, record, len);
	records_free(r);
	sim_pass(s->m.w, 100 * NS_PER_MS);
	return !fleet_tun_silent(s->honest);
}

/* --- one tunnel after the other --------------------------------------------------------------- */

/* [P4-5] */
START_TEST(a_newer_control_stream_replaces_the_tunnel)
{
	struct scene s;

	begin(&s, 0);
	struct call *old = tunnel(&s), *new = tunnel(&s);

	ck_assert(old->closed);
	ck_assert_uint_eq(old->error, PEER_CLOSE_REPLACED);
	ck_assert(record_arrives(&s, new));
	sim_pass(s.m.w, 3 * NS_PER_S);
	ck_assert(!new->closed &&is_up(&s));
	end(&s);
}
END_TEST

START_TEST(calls_without_a_control_stream_replace_nothing)
{
	struct scene s;

	begin(&s, 0);
	struct call *l = tunnel(&s);

	for (unsigned i = 0; i < 3 * PEER_LINKS_MAX; i++) {
		(void)call(&s);
		sim_pass(s.m.w, 500 * NS_PER_MS);
		ck_assert(!l->closed && is_up(&s));
	}
	ck_assert(record_arrives(&s, l));
	end(&s);
}
END_TEST

/* The hello of a connection that replaces a tunnel may come in pieces, late. */
START_TEST(a_slow_hello_replaces_a_tunnel_as_well)
{
	struct scene s;

	begin(&s, 0);
	struct call *old = tunnel(&s), *new = call(&s);

	sim_pass(s.m.w, 200 * NS_PER_MS);
	say_hello(new, 5);
	sim_pass(s.m.w, 3 * NS_PER_S); /* the tunnel is looked after meanwhile */
	ck_assert(old->closed);
	ck_assert(!new->closed);
	say_hello(new, sizeof(new->hello));
	sim_pass(s.m.w, 100 * NS_PER_MS);
	ck_assert(!new->closed);
	ck_assert(is_up(&s));
	ck_assert_ptr_nonnull(peer_of(&s)->reach);
	end(&s);
}
END_TEST

/* [P7-13] The honest side takes no packets by a connection whose hello has not come. */
START_TEST(before_its_hello_a_new_connection_gets_no_packets_in)
{
	struct scene s;

	begin(&s, 0);
	(void)tunnel(&s);
	struct call *new = call(&s);

	sim_pass(s.m.w, 200 * NS_PER_MS);
	say_hello(new, 5);
	sim_pass(s.m.w, 200 * NS_PER_MS);
	ck_assert(!record_arrives(&s, new));
	sim_pass(s.m.w, 2 * NS_PER_S);
	ck_assert(!record_arrives(&s, new));
	end(&s);
}
END_TEST

/* --- whatever it does ------------------------------------------------------------------------- */

static uint64_t below(struct scene *s, uint64_t n)
{
	return unit_random_below(&s->rng, n);
}

static struct addr some_addr(struct scene *s)
{
	switch (below(s, 4)) {
	case 0:
		return honest_at(s);
	case 1:
		return addr_v4(IP(203, 0, 113, 0) + (ip4)below(s, 4), (uint16_t)(1 + below(s, 9)));
	default:
		return addr_v4(IP(192, 0, 2, 10) + (ip4)(s->self - s->m.node), CALLER_PORT);
	}
}

/* A message of any kind but a hello. */
static void say(struct scene *s, struct call *l)
{
	static const uint8_t entry[60] = { 0x82 };
	struct peer_message m = { .type = PEER_HELLO };
	uint8_t buf[4096];
	ptrdiff_t n;

	while (m.type == PEER_HELLO)
		m.type = (enum peer_message_type)(PEER_HELLO +
						  below(s, PEER_BEACON - PEER_HELLO + 1));
	m.first = below(s, 6);
	m.generation = below(s, 2);
	m.observed = some_addr(s);
	m.hops = (uint8_t)(PUNCH_HOPS_MIN + below(s, 3));
	m.heard = (uint32_t)below(s, 6);
	m.removal = m.beacon = span_of(entry, sizeof(entry));
	for (size_t i = below(s, 3); i > 0; i--)
		m.candidates.item[m.candidates.n++] = some_addr(s);
	n = peer_message_encode(&m, buf, sizeof(buf));
	if (n > 0)
		(void)!quic_stream_write(l->c, l->control, buf, (size_t)n, below(s, 40) == 0);
}

static void act(struct scene *s, struct call *l)
{
	int64_t stream;

	switch (below(s, 12)) {
	case 0:
		quic_conn_close(l->c, below(s, 9), "as it likes");
		drop(l);
		break;
	case 1:
		drop(l); /* without a word */
		break;
	case 2:
		if (l->control >= 0)
			quic_stream_reset(l->c, l->control, 0);
		break;
	case 3:
		if (l->control >= 0)
			(void)!quic_stream_write(l->c, l->control, "\0\0\0\5hello", 9, false);
		break;
	case 4:
		l->hello[l->hello_len / 2] ^= 1;
		break;
	case 5:
		if (quic_stream_open(l->c, false, &stream) == 0)
			(void)!quic_stream_write(l->c, stream, l->hello, 1 + below(s, 99),
						 below(s, 2));
		break;
	case 6:
		if (l->control >= 0 && l->hello_sent == l->hello_len)
			l->hello_sent = 0; /* once more */
		break;
	case 7:
		say_hello(l, 1 + below(s, 40));
		break;
	case 8:
		say_hello(l, sizeof(l->hello));
		break;
	default:
		if (l->control >= 0 && (l->hello_sent == l->hello_len || below(s, 9) == 0))
			say(s, l);
	}
}

/* What the server says, and what happens to the honest node and its log. */
static void around(struct scene *s)
{
	struct overlay *o = s->honest->o;
	struct addr server = FLEET_SERVER;
	struct wire_candidates c = { .n = 1, .item = { some_addr(s) } };
	struct relay_end end;

	switch (below(s, 8)) {
	case 0:
		overlay_network_changed(o);
		break;
	case 1:
		overlay_presence(o, caller_of(s), below(s, 3) > 0, &c);
		break;
	case 2:
		memset(&end, (int)below(s, 3), sizeof(end));
		overlay_relay(o, caller_of(s), below(s, 3) ? &end : NULL, &server);
		break;
	case 3:
		overlay_relay_reset(o);
		break;
	case 4:
		s->honest->denies[s->self - s->m.node] = below(s, 3) == 0;
		overlay_denials_changed(o);
		break;
	case 5:
		s->deaf = below(s, 2);
		break;
	default:
		fleet_send(s->honest, s->self, 28 + below(s, 1300), (unsigned)below(s, 99));
	}
}

/* A tunnel is there when both sides think so, and packets go where it leads. */
static void check(struct scene *s)
{
	const struct peer *p = peer_of(s);
	bool up = peer_is_up(p);
	uint8_t got[2000];
	size_t len;

	s->seen[p->phase] = true;
	for (size_t i = 0; i < CALLS; i++) /* [P4-6]: one if it called, none if it was called */
		SIM_CHECK(s->m.w,
			  !s->call[i].c || s->call[i].bidi <= quic_conn_is_server(s->call[i].c));
	SIM_CHECK(s->m.w, up == (p->active != NULL) || p->phase == PEERING_CHOSEN);
	SIM_CHECK(s->m.w, !p->dest.up || (up && p->dest.records && p->dest.conn));
	SIM_CHECK(s->m.w, !p->reach || p->active);
	SIM_CHECK(s->m.w, !p->dest.records || p->active);
	SIM_CHECK(s->m.w, p->phase != PEERING_BARRED || s->honest->denies[s->self - s->m.node]);
	while (world_tun_take(s->honest->h, 0, got, sizeof(got), &len) == 1)
		SIM_CHECK(s->m.w, got[9] == IPPROTO_ICMP4); /* our own overlay's unreachable */
}

static struct call *some_call(struct scene *s)
{
	struct call *l = &s->call[below(s, CALLS)];

	return l->c && l->connected && !l->closed ? l : NULL;
}

/* The server tells where it is, and it answers the honest node's call. */
static void is_called(struct scene *s)
{
	const struct wire_candidates here = { .n = 1,
					      .item = { addr_v4(IP(192, 0, 2, 11), CALLER_PORT) } };

	for (unsigned i = 0; i < 60 && !is_up(s); i++) {
		overlay_presence(s->honest->o, caller_of(s), true, &here);
		sim_pass(s->m.w, NS_PER_S);
		for (size_t k = 0; k < CALLS; k++)
			if (s->call[k].c && s->call[k].control >= 0)
				say_hello(&s->call[k], sizeof(s->call[k].hello));
	}
}

static void come_up(struct scene *s)
{
	if (s->self == &s->m.node[0])
		(void)tunnel(s);
	else
		is_called(s);
	SIM_CHECK(s->m.w, is_up(s));
}

static void behave(struct scene *s)
{
	s->deaf = false;
	s->honest->denies[s->self - s->m.node] = false;
	overlay_denials_changed(s->honest->o);
	for (size_t i = 0; i < CALLS; i++) {
		if (s->call[i].c)
			quic_conn_close(s->call[i].c, PEER_CLOSE_SHUTDOWN, "done");
		drop(&s->call[i]);
	}
	sim_pass(s->m.w, 90 * NS_PER_S); /* budgets, and what else it used up */
	for (size_t i = 0; i < CALLS; i++)
		drop(&s->call[i]);
	come_up(s);
}

/*
 * The honest node answers a Retry with the last of its budget for addresses that proved nothing:
 * addresses where nobody is do not keep it from one where the caller is.
 */
START_TEST(an_attempt_that_is_begun_can_answer_a_retry)
{
	struct wire_candidates nobody = { 0 };
	struct scene s;

	begin(&s, 1);
	for (unsigned i = 0; i < CANDIDATES_MAX; i++)
		nobody.item[nobody.n++] = addr_v4(IP(192, 0, 2, 200) + i, 7);
	for (unsigned i = 0; i < 120; i++) {
		overlay_presence(s.honest->o, caller_of(&s), true, &nobody);
		sim_pass(s.m.w, NS_PER_S);
	}
	ck_assert(!is_up(&s));
	is_called(&s);
	ck_assert(is_up(&s));
	end(&s);
}
END_TEST

static void misbehaves(struct scene *s, unsigned case_nr)
{
	struct call *l;

	s->rng.state = sim_seed() * 1000 + case_nr;
	come_up(s);
	for (unsigned i = 0; i < 2000; i++) {
		if (below(s, 8) == 0)
			(void)call(s);
		if (below(s, 6) == 0)
			around(s);
		l = some_call(s);
		if (l)
			act(s, l);
		sim_pass(s->m.w,
			 below(s, 4) ? below(s, 40) * NS_PER_MS : below(s, 900) * NS_PER_MS);
		check(s);
	}
	behave(s);
}

static void misbehaves_again_and_again(unsigned self)
{
	bool seen[N_PEERING] = { 0 };
	struct scene s;

	for (unsigned i = 0; i < 3; i += SIM_STRIDE) {
		begin(&s, self);
		misbehaves(&s, i);
		for (size_t k = 0; k < N_PEERING; k++)
			seen[k] |= s.seen[k];
		end(&s);
	}
	ck_assert(seen[PEERING_UP] && seen[PEERING_BARRED]);
}

START_TEST(a_caller_that_does_as_it_likes)
{
	misbehaves_again_and_again(0);
}
END_TEST

START_TEST(a_called_one_that_does_as_it_likes)
{
	misbehaves_again_and_again(1);
}
END_TEST

UNIT_MAIN("overlay/caller", a_newer_control_stream_replaces_the_tunnel,
	  calls_without_a_control_stream_replace_nothing, a_slow_hello_replaces_a_tunnel_as_well,
	  before_its_hello_a_new_connection_gets_no_packets_in,
	  an_attempt_that_is_begun_can_answer_a_retry, a_caller_that_does_as_it_likes,
	  a_called_one_that_does_as_it_likes)
