/* SPDX-License-Identifier: MIT */
/* What strangers and broken nodes may do to a simulated server: little, and to nobody else. */
#include <signal.h>
#include <sys/resource.h>

#include "proto/cbor.h"
#include "signal/caller.h"
#include "signal_founder.h"

/* Whatever happened, the founder's session lives. */
static void end_well(void)
{
	sim_pass(founder_g.w, NS_PER_S);
	SIM_CHECK(founder_g.w, !founder->closed);
	raw_fetch(founder);
	founder_end();
}

/* --- phases ----------------------------------------------------------------------------------- */

enum { NEW, SETUP, GREETED, FORMER, ADMITTED, SESSION, N_PHASES };

/* A fresh node, brought to the phase. */
static struct raw *in_phase(int phase)
{
	struct signal_reply reply;
	struct raw_invite i;
	struct entry_bytes b;
	struct raw *r;
	char name[32];

	snprintf(name, sizeof(name), "member%llu", (unsigned long long)founder_g.ids);
	r = phase == SESSION || phase == FORMER ? raw_member(founder, name) : raw_new(&founder_g);
	switch (phase) {
	case NEW:
		raw_connect(r);
		break;
	case SETUP:
		raw_greet(r);
		break;
	case GREETED:
		memcpy(r->cluster_id, founder->cluster_id, HASH_LEN);
		raw_greet(r);
		break;
	case FORMER:
		b = raw_remove_entry(founder, r);
		ck_assert_int_eq(raw_append(founder, &b, &reply), REFUSAL_NONE);
		raw_greet(r);
		ck_assert_int_eq(raw_session_ask(r, &reply), REFUSAL_NOT_MEMBER);
		break;
	case ADMITTED:
		i = raw_invite(founder);
		raw_adopt(r, &i, name);
		break;
	case SESSION:
		raw_session(r);
		break;
	}
	return r;
}

/* A request of each type, of valid form, that means nothing. */
static struct signal_request request_of(enum signal_request_type type)
{
	static const uint8_t bytes[64] = { 1 };
	struct signal_request rq = { .type = type };

	rq.agent = span_str("x");
	rq.code = span_str("AAAA-AAAA-AAAA");
	rq.entry = rq.beacon = span_of(bytes, sizeof(bytes));
	return rq;
}

/* [P3-6] */
START_TEST(requests_in_another_phase_are_refused)
{
	static const bool allowed[N_PHASES][SIGNAL_REQUEST_TYPES] = {
		[NEW] = { [SIGNAL_HELLO] = true },
		[SETUP] = { [SIGNAL_SETUP_OFFER] = true,
			    [SIGNAL_SETUP] = true,
			    [SIGNAL_IMPORT] = true },
		[GREETED] = { [SIGNAL_RECOVER] = true,
			      [SIGNAL_ADMIT] = true,
			      [SIGNAL_SESSION] = true,
			      [SIGNAL_PUSH] = true },
		[FORMER] = { [SIGNAL_RECOVER] = true,
			     [SIGNAL_LOG] = true,
			     [SIGNAL_SESSION] = true,
			     [SIGNAL_PUSH] = true },
		[ADMITTED] = { [SIGNAL_LOG] = true, [SIGNAL_ADMIT] = true },
		[SESSION] = { [SIGNAL_RECOVER] = true,
			      [SIGNAL_LOG] = true,
			      [SIGNAL_APPEND] = true,
			      [SIGNAL_PUSH] = true,
			      [SIGNAL_CANDIDATES] = true,
			      [SIGNAL_SUBSCRIBE] = true,
			      [SIGNAL_RELAY_OPEN] = true,
			      [SIGNAL_ECHO] = true,
			      [SIGNAL_BEACON] = true },
	};

	founder_begin();
	for (int phase = 0; phase < N_PHASES; phase++) {
		struct raw *r = in_phase(phase);

		for (int type = SIGNAL_HELLO; type < SIGNAL_REQUEST_TYPES; type++) {
			struct signal_request rq = request_of((enum signal_request_type)type);
			struct signal_reply reply;

			if (allowed[phase][type])
				continue;
			ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_NOT_ALLOWED);
		}
		raw_free(r);
	}
	end_well();
}
END_TEST

/* [P3-1] [P3-8] */
START_TEST(garbage_costs_a_node_its_connection_only)
{
	/* each with its length in front, but the first four */
	static const struct {
		const char *bytes;
		size_t len;
	} garbage[] = {
		{ "", 0 },
		{ "\x00\x00", 2 },
		{ "\x00\x01\x00\x01", 4 },	   /* one byte more than is allowed */
		{ "\x00\x00\x00\x09\x82\x05", 6 }, /* less than it says */
		{ "\x00\x00\x00\x00", 4 },	   /* empty */
		{ "\x00\x00\x00\x01\x80", 5 },	   /* an empty array */
		{ "\x00\x00\x00\x01\xff", 5 },
		{ "\x00\x00\x00\x02\x81\x18", 6 },
		{ "\x00\x00\x00\x02\x81\x0c", 6 },	       /* relay_open, to nobody */
		{ "\x00\x00\x00\x05\x83\x18\x05\x00\x00", 9 }, /* log, its type not in one byte */
		{ "\x00\x00\x00\x05\x9f\x05\x00\x00\xff", 9 }, /* indefinite */
		{ "\x00\x00\x00\x04\x83\x05\x00\x20", 8 },     /* log from -1 */
		{ "\x00\x00\x00\x04\x83\x05\x00\x00\x00", 9 }, /* something behind the message */
		{ "\x00\x00\x00\x05\x83\x05\x00\x00\x00", 9 }, /* something behind the array */
		{ "\x00\x00\x00\x06\xc1\x83\x05\x00\x00", 9 }, /* a tag, and too short */
		{ "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81", 12 },
	};

	founder_begin();
	for (int phase = 0; phase < N_PHASES; phase++) {
		struct raw *r = in_phase(phase);

		for (size_t i = phase; i < ARRAY_LEN(garbage); i += phase == NEW ? 1 : N_PHASES) {
			if (r->closed) {
				raw_free(r);
				r = in_phase(phase);
			}
			raw_send_bytes(r, garbage[i].bytes, garbage[i].len, true);
			raw_await_close(r, SIGNAL_CLOSE_MALFORMED);
		}
		raw_free(r);
	}
	ck_assert_uint_gt(sig_stats(&founder_g).malformed, ARRAY_LEN(garbage));
	end_well();
}
END_TEST

START_TEST(random_requests_harm_nobody)
{
	struct unit_rng rng = { sim_seed() };
	struct raw *r;
	uint8_t frame[300];

	founder_begin();
	r = in_phase(SESSION);
	for (unsigned n = 0; n < 150; n++) {
		size_t len = 1 + unit_random_below(&rng, 200);

		store_be32(frame, (uint32_t)len);
		unit_random_bytes(&rng, frame + 4, len);
		if (unit_random_below(&rng, 2)) { /* nearly well-formed */
			frame[4] = 0x82 + (uint8_t)unit_random_below(&rng, 3);
			frame[5] = (uint8_t)unit_random_below(&rng, SIGNAL_REQUEST_TYPES + 1);
		}
		raw_send_bytes(r, frame, 4 + len, true);
		SIM_CHECK(founder_g.w, world_run(founder_g.w, 20 * NS_PER_S, raw_is_answered, r));
		if (r->closed) {
			ck_assert_uint_eq(r->error, SIGNAL_CLOSE_MALFORMED);
			sim_pass(founder_g.w, 10 * NS_PER_S);
			raw_session(r);
		}
	}
	raw_free(r);
	end_well();
}
END_TEST

/* [P3-9] */
START_TEST(another_version_is_told_so)
{
	uint8_t frame[128];
	struct cbor_writer w = cbor_writer_of(frame + 4, sizeof(frame) - 4);
	struct signal_reply reply;
	struct raw *r;

	founder_begin();
	r = in_phase(NEW);
	cbor_put_array(&w, 5); /* a hello of version 2 with something more */
	cbor_put_uint(&w, SIGNAL_HELLO);
	cbor_put_uint(&w, 2);
	cbor_put_text(&w, "whatever");
	cbor_put_bool(&w, true);
	cbor_put_uint(&w, 7);
	store_be32(frame, (uint32_t)w.len);
	raw_send_bytes(r, frame, 4 + w.len, true);
	ck_assert_int_eq(raw_reply(r, SIGNAL_HELLO, &reply), REFUSAL_VERSION);
	raw_free(r);
	end_well();
}
END_TEST

/* --- rates ------------------------------------------------------------------------------------ */

static enum refusal offer(struct raw *r, struct signal_reply *reply)
{
	return raw_offer(r, "AAAA-AAAA-AAAA", NULL, reply);
}

/* [P3-12] */
START_TEST(a_source_may_make_a_number_of_requests_a_minute)
{
	struct signal_reply reply;
	struct raw *r, *other;
	unsigned n = 0;
	uint64_t until;

	founder_begin();
	r = in_phase(SETUP);
	while (offer(r, &reply) == REFUSAL_BAD_CODE)
		ck_assert_uint_lt(++n, 200);
	ck_assert_int_eq(reply.refusal, REFUSAL_RATE);
	ck_assert_uint_ge(n, 30);
	ck_assert_uint_le(n, SIGNAL_REQUESTS_BURST + 10);
	ck_assert_uint_ge(reply.retry_after_s, 1);
	sim_pass(founder_g.w, reply.retry_after_s * NS_PER_S);
	ck_assert_int_eq(offer(r, &reply), REFUSAL_BAD_CODE);

	/* from then on thirty in a minute */
	sim_pass(founder_g.w, 4 * NS_PER_S);
	raw_greet(r);
	until = world_now(founder_g.w) + 20 * NS_PER_S;
	for (n = 0; world_now(founder_g.w) < until;) {
		sim_pass(founder_g.w, NS_PER_S);
		n += offer(r, &reply) == REFUSAL_BAD_CODE;
	}
	ck_assert_uint_ge(n, 9);
	ck_assert_uint_le(n, 12);

	other = in_phase(SETUP); /* others have a purse of their own */
	ck_assert_int_eq(offer(other, &reply), REFUSAL_BAD_CODE);
	raw_free(other);
	raw_free(r);
	end_well();
}
END_TEST

/* [P3-12] */
START_TEST(who_does_not_stop_is_hung_up_on)
{
	struct signal_reply reply;
	struct raw *r;

	founder_begin();
	r = in_phase(SETUP);
	for (unsigned n = 0; !r->closed; n++) {
		struct signal_request rq = request_of(SIGNAL_SETUP_OFFER);

		ck_assert_uint_lt(n, 300);
		raw_send(r, &rq);
		SIM_CHECK(founder_g.w, world_run(founder_g.w, 20 * NS_PER_S, raw_is_answered, r));
	}
	ck_assert_uint_eq(r->error, SIGNAL_CLOSE_LIMIT);
	raw_connect(r); /* a new connection is no new purse */
	ck_assert_int_ne(raw_hello(r, r->cluster_id, &reply), REFUSAL_NONE);
	raw_free(r);
	end_well();
}
END_TEST

/* Members are held by a limit of their own: a house full of them comes back at once. */
/* [P3-14] */
START_TEST(members_do_not_use_up_their_source)
{
	struct signal_reply reply;
	struct raw *r;

	founder_begin();
	r = raw_member(founder, "laptop");
	for (unsigned n = 0; n < 100; n++)
		raw_session(r);
	for (unsigned n = 0; n < 150; n++) {
		struct signal_request rq = { .type = SIGNAL_LOG };

		ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_NONE);
	}
	raw_free(r);
	end_well();
}
END_TEST

/* [P3-15] */
START_TEST(a_sessions_requests_are_limited)
{
	struct signal_request rq = { .type = SIGNAL_LOG };
	struct signal_reply reply;
	struct raw *r;
	unsigned n = 0;

	founder_begin();
	world_link_both(founder_g.w, founder->h, founder_g.h, LINK_DEFAULT);
	r = raw_member(founder, "laptop");
	world_link_both(founder_g.w, r->h, founder_g.h,
			(struct link_params){ .delay_ns = NS_PER_MS / 10, .mtu_bytes = 1500 });
	raw_session(r);
	while (raw_ask(r, &rq, &reply) == REFUSAL_NONE)
		ck_assert_uint_lt(++n, 1000);
	ck_assert_int_eq(reply.refusal, REFUSAL_RATE);
	ck_assert_uint_ge(n, SIGNAL_SESSION_REQUESTS_BURST);
	sim_pass(founder_g.w, reply.retry_after_s * NS_PER_S);
	ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_NONE);
	raw_free(r);
	end_well();
}
END_TEST

/* --- connections ------------------------------------------------------------------------------ */

/* [P3-16] */
START_TEST(strangers_are_not_kept_for_ever)
{
	struct raw *r;
	uint64_t since;

	founder_begin();
	for (int phase = NEW; phase <= GREETED; phase++) {
		r = in_phase(phase);
		since = world_now(founder_g.w);
		raw_await_close(r, SIGNAL_CLOSE_UNAUTHENTICATED);
		ck_assert_uint_le(world_now(founder_g.w) - since, 33 * NS_PER_S);
		raw_free(r);
	}
	ck_assert_uint_eq(sig_stats(&founder_g).strangers, 0);
	end_well();
}
END_TEST

START_TEST(a_source_has_a_bounded_number_of_connections)
{
	struct raw *first, *more[SIGNAL_CONNS_PER_SOURCE_MAX], *other;
	size_t up = 1;

	founder_begin();
	first = in_phase(NEW);
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		more[i] = raw_clone(first);
		if (raw_try_connect(more[i]))
			sim_pass(founder_g.w, 50 * NS_PER_MS);
		up += more[i]->connected && !more[i]->closed;
	}
	ck_assert_uint_eq(up, SIGNAL_CONNS_PER_SOURCE_MAX);
	ck_assert_uint_eq(sig_stats(&founder_g).strangers, SIGNAL_CONNS_PER_SOURCE_MAX);
	other = in_phase(GREETED);
	raw_free(other);
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		raw_free(more[i]);
	raw_free(first);
	end_well();
}
END_TEST

static void connect_begin(struct raw *r)
{
	struct quic_pin pin = { .by_cert = true };
	struct addr to = addr_v4(SIGNAL_SIM_IP, SIGNAL_PORT);

	memcpy(pin.cert_sha256, founder_g.cert, sizeof(pin.cert_sha256));
	ck_assert_int_eq(quic_connect(r->socket, &signal_profile, &pin, 0, &to, &raw_ops, r, NULL,
				      &r->c),
			 0);
}

#define CROWD_HOSTS_MAX 20

/* Strangers from many sources, with so many connections from each. */
struct crowd {
	size_t hosts, each;
	struct raw *host[CROWD_HOSTS_MAX];
	struct raw *conn[CROWD_HOSTS_MAX][SIGNAL_CONNS_PER_SOURCE_MAX];
};

/* They begin to connect, one after the other from each source. */
static void crowd_gather(struct crowd *c)
{
	for (size_t i = 0; i < c->hosts; i++)
		c->host[i] = raw_new(&founder_g);
	for (size_t k = 0; k < c->each; k++) {
		for (size_t i = 0; i < c->hosts; i++) {
			c->conn[i][k] = raw_clone(c->host[i]);
			connect_begin(c->conn[i][k]);
		}
		sim_pass(founder_g.w, 30 * NS_PER_MS);
	}
}

static size_t crowd_up(const struct crowd *c)
{
	size_t up = 0;

	for (size_t i = 0; i < c->hosts; i++) {
		for (size_t k = 0; k < c->each; k++)
			up += c->conn[i][k]->connected && !c->conn[i][k]->closed;
	}
	return up;
}

static void crowd_free(struct crowd *c)
{
	for (size_t i = 0; i < c->hosts; i++) {
		for (size_t k = 0; k < c->each; k++)
			raw_free(c->conn[i][k]);
		raw_free(c->host[i]);
	}
}

/* Many sources together cannot keep others out for long. */
/* [P3-16] */
START_TEST(a_crowd_of_strangers_is_sent_away_sooner)
{
	static struct crowd crowd = { .hosts = 8, .each = SIGNAL_CONNS_PER_SOURCE_MAX };
	struct raw *member;

	founder_begin();
	member = raw_member(founder, "laptop");
	raw_hang_up(member);
	crowd_gather(&crowd);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert_uint_gt(crowd_up(&crowd), SIGNAL_CONNS_UNAUTHENTICATED_MAX / 2);
	ck_assert_uint_le(sig_stats(&founder_g).strangers, SIGNAL_CONNS_UNAUTHENTICATED_MAX);
	sim_pass(founder_g.w, 6 * NS_PER_S);
	ck_assert_uint_le(sig_stats(&founder_g).strangers, SIGNAL_CONNS_UNAUTHENTICATED_MAX / 2);
	raw_session(member);
	crowd_free(&crowd);
	raw_free(member);
	end_well();
}
END_TEST

/* Many sources have taken all places, each with few: a member gets in all the same. */
/* [P3-17] */
START_TEST(many_sources_do_not_keep_a_member_out)
{
	static struct crowd crowd = { .hosts = CROWD_HOSTS_MAX,
				      .each = SIGNAL_CONNS_UNAUTHENTICATED_MAX / CROWD_HOSTS_MAX +
					      2 };
	struct raw *member;

	founder_begin();
	member = raw_member(founder, "laptop");
	raw_hang_up(member);
	crowd_gather(&crowd);
	sim_pass(founder_g.w, 500 * NS_PER_MS);
	ck_assert_uint_eq(sig_stats(&founder_g).strangers, SIGNAL_CONNS_UNAUTHENTICATED_MAX);
	raw_session(member);
	ck_assert_uint_lt(sig_stats(&founder_g).strangers, SIGNAL_CONNS_UNAUTHENTICATED_MAX);
	crowd_free(&crowd);
	raw_free(member);
	end_well();
}
END_TEST

/* [P3-7] */
START_TEST(a_request_has_ten_seconds)
{
	struct raw *r;

	founder_begin();
	r = in_phase(SESSION);
	raw_send_bytes(r, "\x00\x00\x00\x03\x82", 5, false);
	sim_pass(founder_g.w, 5 * NS_PER_S);
	ck_assert(!r->closed);
	raw_await_close(r, SIGNAL_CLOSE_LIMIT);
	raw_free(r);

	r = raw_new(&founder_g); /* unless it is given up in time */
	memcpy(r->cluster_id, founder->cluster_id, HASH_LEN);
	raw_greet(r);
	raw_send_bytes(r, "\x00\x00\x00\x03\x82", 5, false);
	sim_pass(founder_g.w, NS_PER_S);
	quic_stream_reset(r->c, r->stream, 0);
	sim_pass(founder_g.w, 15 * NS_PER_S);
	ck_assert(!r->closed);
	raw_free(r);
	end_well();
}
END_TEST

/* Events pile up for one that does not fetch them; the others get theirs. */
/* [P3-83] */
START_TEST(who_does_not_fetch_events_is_hung_up_on)
{
	struct cluster *c;
	struct raw *r, *healthy;
	size_t log_bytes = 0, sent = 0;
	unsigned times = 0;

	founder_begin();
	for (int i = 0; i < 20; i++) {
		raw_free(in_phase(SESSION));
		sim_pass(founder_g.w, 10 * NS_PER_S);
	}
	r = raw_member(founder, "lazy");
	healthy = raw_member(founder, "healthy");
	raw_online(r);
	raw_online(healthy);
	r->hold = true;
	for (size_t i = 0; i < mlog_count(founder->log); i++)
		log_bytes += mlog_record(founder->log, i).len;
	c = registry_find(founder_g.s->registry, founder->cluster_id);
	/* the whole log, again and again, as if it were news */
	for (; !r->closed && sent < 3 * SIGNAL_EVENT_BACKLOG_BYTES; times++) {
		events_log(c, 0);
		sent += log_bytes;
		sim_pass(founder_g.w, 200 * NS_PER_MS);
	}
	raw_await_close(r, SIGNAL_CLOSE_SLOW);
	ck_assert_uint_ge(sent, SIGNAL_EVENT_BACKLOG_BYTES);
	ck_assert(!healthy->closed);
	ck_assert_uint_ge(healthy->log_entries, times * mlog_count(founder->log));
	raw_free(healthy);
	raw_free(r);
	end_well();
}
END_TEST

/* --- a server in trouble ---------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN); /* writes fail with EFBIG instead */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_is_said_and_nothing_is_half_done)
{
	struct signal_reply reply;
	struct raw_invite i;
	struct entry_bytes b;
	struct raw *r;

	founder_begin();
	i = raw_invite(founder);
	r = raw_new(&founder_g);
	raw_adopt_begin(r, &i);
	b = raw_admit_entry(r, &i, "laptop");
	limit_files(100);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_INTERNAL);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_INTERNAL);
	limit_files(RLIM_INFINITY);
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 1);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	raw_free(r);
	end_well();
}
END_TEST

UNIT_MAIN("signal/limits", requests_in_another_phase_are_refused,
	  garbage_costs_a_node_its_connection_only, random_requests_harm_nobody,
	  another_version_is_told_so, a_source_may_make_a_number_of_requests_a_minute,
	  who_does_not_stop_is_hung_up_on, members_do_not_use_up_their_source,
	  a_sessions_requests_are_limited, strangers_are_not_kept_for_ever,
	  a_source_has_a_bounded_number_of_connections, a_crowd_of_strangers_is_sent_away_sooner,
	  many_sources_do_not_keep_a_member_out, a_request_has_ten_seconds,
	  who_does_not_fetch_events_is_hung_up_on, a_full_disk_is_said_and_nothing_is_half_done)
