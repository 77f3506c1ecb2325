/* SPDX-License-Identifier: MIT */
/*
 * Recoveries that make the server play a log again: those that break a rule end the connection,
 * those that obey are a few at a time, and a former member has one budget wherever it comes from.
 */
#include "signal_founder.h"

/* The key of the code number n after the founder's. */
static struct signer code_of(unsigned n, uint8_t seed[SIGN_SEED_LEN])
{
	if (n == 0)
		memcpy(seed, founder->code, SIGN_SEED_LEN);
	else
		memset(seed, (int)n, SIGN_SEED_LEN);
	return (struct signer){ .seed = seed };
}

/* A recovery by the code number `n`, which goes back to record `base` of the founder's log. */
static struct entry_bytes recovery(unsigned n, uint64_t base, const struct node_id *admin,
				   const struct log_server *server)
{
	struct entry e = raw_entry(founder, ENTRY_RECOVER);
	uint8_t seed[SIGN_SEED_LEN], next[SIGN_SEED_LEN];
	struct signer code = code_of(n, seed);
	struct entry_bytes bytes;
	struct err err = { .code = 0 };
	struct record rec;

	ck_assert_int_eq(record_decode(mlog_record(founder->log, base), &rec, NULL), 0);
	e.base.seq = base;
	memcpy(e.base.hash, rec.hash, HASH_LEN);
	ck_assert_int_eq(seed_public(seed, e.recover.key), 0);
	e.author = key_node_id(e.recover.key);
	e.recover.admins.id[e.recover.admins.n++] = *admin;
	(void)code_of(n + 1, next);
	raw_code_hash(next, e.recover.next);
	e.recover.has_server = server != NULL;
	if (server)
		e.recover.server = *server;
	ck_assert_msg(entry_make(&e, founder->cluster_id, &code, NULL, &bytes, &err) == 0, "%s",
		      err.text);
	return bytes;
}

static enum refusal recover(const struct entry_bytes *entry, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_RECOVER,
				     .entry = span_of(entry->data, entry->len) };

	return raw_ask(founder, &rq, reply);
}

static void rename_node(const struct node_id *who, const char *name)
{
	struct entry e = raw_entry(founder, ENTRY_RENAME);
	struct signal_reply reply;
	struct entry_bytes b;

	e.rename.id = *who;
	snprintf(e.rename.name, sizeof(e.rename.name), "%s", name);
	b = raw_sign(founder, &e);
	ck_assert_msg(raw_append(founder, &b, &reply) == REFUSAL_NONE, "%.*s", (int)reply.text.len,
		      (const char *)reply.text.data);
	raw_fetch(founder);
}

/* The code is the true one, so the log is played again; the admin that it names is nobody. */
/* [P3-19] */
START_TEST(a_recovery_in_vain_ends_the_connection)
{
	struct signal_request push = { .type = SIGNAL_PUSH };
	uint8_t seed[SIGN_SEED_LEN] = { 5 }, receipt[SIG_LEN];
	struct node_id nobody = { { 7 } }, self;
	struct log_server server;
	struct record_bytes bytes;
	struct entry_bytes e;
	struct record r, base;

	founder_begin();
	self = identity_node_id(founder->id);
	rename_node(&self, "one");
	rename_node(&self, "two");
	server = mlog_genesis(founder->log)->server;
	ck_assert_int_eq(seed_public(seed, server.order_key), 0);
	e = recovery(0, 1, &nobody, &server);
	ck_assert_int_eq(record_decode(mlog_record(founder->log, 1), &base, NULL), 0);
	r = (struct record){ .entry = span_of(e.data, e.len) };
	r.order = (struct order){ generation_of(1, 0), 2, { 0 }, raw_now_s(founder), 0 };
	memcpy(r.order.prev, base.hash, HASH_LEN);
	sha256(r.entry, r.entry_hash);
	ck_assert_int_eq(receipt_make(seed, founder->cluster_id, &r.order, r.entry_hash, receipt),
			 0);
	r.receipt = receipt;
	ck_assert_int_eq(record_encode(&r, &bytes), 0);
	push.entries.item[push.entries.n++] = span_of(bytes.data, bytes.len);
	memcpy(push.node_token, founder->token, HASH_LEN);
	raw_send(founder, &push);
	raw_await_close(founder, SIGNAL_CLOSE_MALFORMED);
	raw_session(founder);
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_generation(founder->log), 0);
	ck_assert_uint_eq(mlog_count(founder->log), 3);
	founder_end();
}
END_TEST

/* Each by a code that is in force, and each goes back by one record. */
/* [P3-18] */
START_TEST(recoveries_that_go_back_are_a_few_at_a_time)
{
	struct signal_reply reply;
	struct entry_bytes e;
	struct node_id self;
	unsigned n;
	char name[16];

	founder_begin();
	self = identity_node_id(founder->id);
	rename_node(&self, "first");
	for (n = 0; n < 30; n++) {
		uint64_t base = mlog_count(founder->log) - 1;

		snprintf(name, sizeof(name), "name%u", n);
		rename_node(&self, name);
		e = recovery(n, base, &self, NULL);
		if (recover(&e, &reply) != REFUSAL_NONE)
			break;
		raw_fetch(founder);
	}
	ck_assert_int_eq(reply.refusal, REFUSAL_RATE);
	ck_assert_uint_ge(n, 8);
	ck_assert_uint_le(n, 10);
	/* and one each ten seconds after that */
	sim_pass(founder_g.w, 10 * NS_PER_S);
	ck_assert_int_eq(recover(&e, &reply), REFUSAL_NONE);
	founder_end();
}
END_TEST

/* Its token stays good for a push. Its address is another one each time. */
START_TEST(a_former_member_pushes_seldom_from_everywhere)
{
	struct signal_request push = { .type = SIGNAL_PUSH };
	struct addr own = { 0 };
	struct signal_reply reply;
	struct entry_bytes e;
	struct raw *r;
	unsigned good = 0, refused = 0;

	founder_begin();
	r = raw_member(founder, "laptop");
	raw_session(r);
	raw_fetch(r);
	e = raw_remove_entry(founder, r);
	ck_assert_int_eq(raw_append(founder, &e, &reply), REFUSAL_NONE);
	sim_pass(founder_g.w, NS_PER_S);
	memcpy(push.node_token, r->token, HASH_LEN);
	push.entries.item[push.entries.n++] = mlog_record(r->log, 1);
	own = addr_v4(IP(198, 51, 100, 0) + (ip4)founder_g.ids, 0);
	for (unsigned i = 0; i < 10; i++) {
		struct addr next = addr_v4(IP(198, 51, 101, 1) + i, 0);

		raw_hang_up(r);
		SIM_CHECK_OK(founder_g.w, world_host_addr_del(r->h, &own));
		SIM_CHECK_OK(founder_g.w, world_host_addr(r->h, &next, "eth0"));
		own = next;
		raw_greet(r);
		for (unsigned k = 0; k < 40; k++) {
			enum refusal why = raw_ask(r, &push, &reply);

			good += why == REFUSAL_NONE;
			refused += why == REFUSAL_RATE;
		}
	}
	ck_assert_uint_ge(good, 40); /* it has heard of a recovery, say */
	ck_assert_uint_le(good, SIGNAL_REQUESTS_BURST + 10);
	ck_assert_uint_eq(good + refused, 400);
	raw_free(r);
	founder_end();
}
END_TEST

UNIT_MAIN("signal/replay", a_recovery_in_vain_ends_the_connection,
	  recoveries_that_go_back_are_a_few_at_a_time,
	  a_former_member_pushes_seldom_from_everywhere)
