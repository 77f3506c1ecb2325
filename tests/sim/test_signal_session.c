/* SPDX-License-Identifier: MIT */
/* Sessions at a simulated server: presence, its cursor, replacement, restarts, old databases. */
#include "signal/caller.h"
#include "signal_founder.h"

static bool peer_is(struct raw *r, const struct raw *other, bool online)
{
	return raw_sees(r, other) == online;
}

static struct raw_peer *peer_of(struct raw *r, const struct raw *other)
{
	struct node_id id = identity_node_id(other->id);

	return raw_peer(r, &id);
}

/* [P3-73] [P3-75] */
START_TEST(presence_is_told_once_and_never_ones_own)
{
	struct raw *a, *b;

	founder_begin();
	ck_assert_uint_eq(founder->resets, 1);
	ck_assert_uint_eq(founder->presence_items, 0);
	a = raw_member(founder, "laptop");
	b = raw_member(founder, "phone");
	ck_assert_uint_eq(founder->presence_items, 0); /* members, but not here */
	raw_online(a);
	ck_assert(peer_is(founder, a, true));
	ck_assert_uint_eq(peer_of(founder, a)->told, 1);
	ck_assert_uint_eq(peer_of(founder, a)->candidates.n, 1);
	ck_assert(peer_is(a, founder, true));
	raw_online(b);
	ck_assert(peer_is(founder, b, true) && peer_is(a, b, true) && peer_is(b, a, true));

	raw_hang_up(a);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert(peer_is(founder, a, false) && peer_is(b, a, false));
	ck_assert_uint_eq(peer_of(founder, a)->told, 2);
	ck_assert_uint_eq(founder->presence_items, 3);
	ck_assert_uint_eq(founder->resets, 1);
	raw_free(b);
	raw_free(a);
	founder_end();
}
END_TEST

/* kill -9 of a node: the server finds out by itself. */
START_TEST(a_node_that_vanished_goes_offline)
{
	struct raw *a;

	founder_begin();
	a = raw_member(founder, "laptop");
	raw_online(a);
	world_host_crash(a->h);
	sim_pass(founder_g.w, SIGNAL_IDLE_TIMEOUT + 5 * NS_PER_S);
	ck_assert(peer_is(founder, a, false));
	ck_assert_uint_eq(sig_stats(&founder_g).sessions, 1);
	raw_free(a);
	founder_end();
}
END_TEST

/* [P3-65] */
START_TEST(new_candidates_are_told_and_bad_ones_are_not)
{
	struct signal_request rq = { .type = SIGNAL_CANDIDATES };
	struct signal_reply reply;
	struct raw *a;

	founder_begin();
	a = raw_member(founder, "laptop");
	raw_online(a);
	rq.candidates.n = 8;
	rq.candidates.item[0] = addr_v4(IP(203, 0, 113, 9), 1000);
	rq.candidates.item[1] = addr_v4(IP(203, 0, 113, 9), 1001);
	rq.candidates.item[2] = addr_v4(IP(203, 0, 113, 9), 1002); /* a third of one address */
	rq.candidates.item[3] = addr_v4(IP(127, 0, 0, 1), 1000);
	rq.candidates.item[4] = addr_v4(IP(224, 0, 0, 1), 1000);
	rq.candidates.item[5] = addr_v4(IP(169, 254, 169, 254), 80);
	rq.candidates.item[6] = addr_v4(IP(192, 168, 1, 2), 0);
	rq.candidates.item[7] = addr_v4(IP(192, 168, 1, 2), 7000);
	ck_assert_int_eq(raw_ask(a, &rq, &reply), REFUSAL_NONE);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert_uint_eq(peer_of(founder, a)->told, 2);
	ck_assert_uint_eq(peer_of(founder, a)->candidates.n, 3);
	ck_assert(addr_equal(&peer_of(founder, a)->candidates.item[2], &rq.candidates.item[7]));
	ck_assert_int_eq(raw_ask(a, &rq, &reply), REFUSAL_NONE); /* nothing new: nothing told */
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert_uint_eq(peer_of(founder, a)->told, 2);
	raw_free(a);
	founder_end();
}
END_TEST

/* [P3-72] */
START_TEST(a_cursor_resumes_with_what_changed)
{
	struct signal_reply reply;
	struct raw *a, *b, *c;
	unsigned items;

	founder_begin();
	a = raw_member(founder, "laptop");
	b = raw_member(founder, "phone");
	c = raw_member(founder, "tablet");
	raw_online(a);
	raw_online(b);
	raw_online(c);
	raw_hang_up(founder);
	sim_pass(founder_g.w, NS_PER_S);
	raw_hang_up(b);
	sim_pass(founder_g.w, NS_PER_S);
	items = founder->presence_items;
	raw_online(founder);
	ck_assert_uint_eq(founder->resets, 1); /* from the very beginning */
	ck_assert_uint_eq(founder->presence_items, items + 1);
	ck_assert(peer_is(founder, a, true) && peer_is(founder, b, false) &&
		  peer_is(founder, c, true));

	/* with another epoch, or a cursor from the future, all of it */
	raw_session(founder);
	founder->epoch[0] ^= 1;
	ck_assert_int_eq(raw_subscribe(founder, &reply), REFUSAL_NONE);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert_uint_eq(founder->resets, 2);
	raw_session(founder);
	founder->cursor += 1000;
	ck_assert_int_eq(raw_subscribe(founder, &reply), REFUSAL_NONE);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert_uint_eq(founder->resets, 3);
	ck_assert_int_eq(raw_subscribe(founder, &reply), REFUSAL_NOT_ALLOWED); /* one is enough */
	ck_assert(peer_is(founder, a, true) && peer_is(founder, b, false) &&
		  peer_is(founder, c, true));
	raw_free(c);
	raw_free(b);
	raw_free(a);
	founder_end();
}
END_TEST

/* An old session must not take the new one's presence along when it goes. */
/* [P3-76] */
START_TEST(a_newer_session_replaces_the_older)
{
	struct raw *a, *second;

	founder_begin();
	a = raw_member(founder, "laptop");
	raw_online(a);
	second = raw_clone(a);
	raw_session(second);
	raw_await_close(a, SIGNAL_CLOSE_REPLACED);
	sim_pass(founder_g.w, 3 * NS_PER_S);
	ck_assert(peer_is(founder, a, true));
	ck_assert_uint_eq(peer_of(founder, a)->told, 1); /* it never was away */
	ck_assert_uint_eq(sig_stats(&founder_g).sessions, 2);
	raw_free(second);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert(peer_is(founder, a, false));
	raw_free(a);
	founder_end();
}
END_TEST

/* [P1-23] [P3-64] */
START_TEST(a_session_needs_token_and_key)
{
	struct signal_reply reply;
	struct raw *a, *stranger;

	founder_begin();
	a = raw_member(founder, "laptop");
	a->token[5] ^= 1;
	raw_greet(a);
	ck_assert_int_eq(raw_session_ask(a, &reply), REFUSAL_BAD_TOKEN);
	a->token[5] ^= 1;
	ck_assert_int_eq(raw_session_ask(a, &reply), REFUSAL_NONE);

	stranger = raw_new(&founder_g);
	memcpy(stranger->cluster_id, a->cluster_id, HASH_LEN);
	memcpy(stranger->token, a->token, HASH_LEN);
	raw_greet(stranger);
	ck_assert_int_eq(raw_session_ask(stranger, &reply), REFUSAL_BAD_TOKEN);
	ck_assert_uint_eq(sig_stats(&founder_g).sessions, 2);

	raw_connect(stranger);
	stranger->cluster_id[0] ^= 1;
	ck_assert_int_eq(raw_hello(stranger, stranger->cluster_id, &reply),
			 REFUSAL_CLUSTER_UNKNOWN);
	raw_free(stranger);
	raw_free(a);
	founder_end();
}
END_TEST

START_TEST(hello_tells_time_address_and_head)
{
	struct signal_reply reply;
	struct head head;

	founder_begin();
	raw_connect(founder);
	ck_assert_int_eq(raw_hello(founder, founder->cluster_id, &reply), REFUSAL_NONE);
	head = mlog_head(founder->log);
	ck_assert(reply.has_head);
	ck_assert_uint_eq(reply.head.seq, head.seq);
	ck_assert_mem_eq(reply.head.hash, head.hash, HASH_LEN);
	ck_assert_uint_eq(addr_ip4(&reply.observed), IP(198, 51, 100, 1));
	ck_assert_uint_eq(reply.observed.port, 5000);
	ck_assert_uint_eq(reply.time_s, (uint64_t)clock_wall_s(founder_g.h));
	founder_end();
}
END_TEST

START_TEST(a_moved_node_is_told_its_new_address)
{
	founder_begin();
	world_host_roam(founder->h, IP(198, 51, 100, 77));
	sim_pass(founder_g.w, 20 * NS_PER_S);
	ck_assert_uint_eq(founder->observed_events, 1);
	ck_assert_uint_eq(addr_ip4(&founder->observed), IP(198, 51, 100, 77));
	founder_end();
}
END_TEST

/* What a crowd costs: after a restart all come back at once, and news are gathered. */
/* [P3-73] */
START_TEST(a_crowd_is_told_in_few_events)
{
	enum { CROWD = 130 };
	struct raw *crowd[CROWD];
	char name[16];

	founder_begin();
	for (unsigned i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "node%u", i);
		crowd[i] = raw_member(founder, name);
		raw_hang_up(crowd[i]);
	}
	sig_crash(&founder_g);
	sig_boot(&founder_g);
	raw_online(founder);
	founder->presence_events = founder->presence_items = 0;
	for (unsigned i = 0; i < CROWD; i++)
		raw_session(crowd[i]);
	sim_pass(founder_g.w, NS_PER_S);
	for (unsigned i = 0; i < CROWD; i++)
		ck_assert(peer_is(founder, crowd[i], true));
	ck_assert_uint_eq(founder->presence_items, CROWD);
	ck_assert_uint_lt(founder->presence_events, 120);
	for (unsigned i = 0; i < CROWD; i++)
		raw_hang_up(crowd[i]);
	founder->presence_events = 0;
	sim_pass(founder_g.w, NS_PER_S);
	for (unsigned i = 0; i < CROWD; i++)
		ck_assert(peer_is(founder, crowd[i], false));
	ck_assert_uint_le(founder->presence_events, 40);
	for (unsigned i = 0; i < CROWD; i++)
		raw_free(crowd[i]);
	founder_end();
}
END_TEST

START_TEST(a_restart_keeps_everything)
{
	struct raw *a, *b;
	uint8_t cert[HASH_LEN];

	founder_begin();
	a = raw_member(founder, "laptop");
	memcpy(cert, founder_g.cert, sizeof(cert));
	sig_crash(&founder_g);
	memset(founder_g.code, 0, sizeof(founder_g.code));
	sig_boot(&founder_g);
	ck_assert_str_eq(founder_g.code, ""); /* no further first token */
	ck_assert_mem_eq(cert, founder_g.cert, sizeof(cert));
	raw_online(founder);
	raw_online(a);
	ck_assert_uint_eq(mlog_count(a->log), 2);
	ck_assert(peer_is(founder, a, true) && peer_is(a, founder, true));
	ck_assert_uint_eq(founder->resets, 2); /* another epoch */
	b = raw_member(founder, "phone");
	ck_assert_uint_eq(b->address, IP(100, 64, 0, 3));
	raw_free(b);
	raw_free(a);
	founder_end();
}
END_TEST

static enum refusal push(struct raw *r, size_t from, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };

	memcpy(rq.node_token, r->token, HASH_LEN);
	for (size_t seq = from; seq < mlog_count(r->log); seq++)
		rq.entries.item[rq.entries.n++] = mlog_record(r->log, seq);
	return raw_ask(r, &rq, reply);
}

/* [P3-55] */
START_TEST(an_old_database_is_repaired_by_a_member)
{
	struct signal_reply reply;
	struct raw *a, *b, *c;

	founder_begin();
	sig_crash(&founder_g);
	sig_backup(&founder_g, false);
	sig_boot(&founder_g);
	raw_online(founder);
	a = raw_member(founder, "laptop");
	b = raw_member(founder, "phone");
	raw_online(b);
	sig_crash(&founder_g);
	sig_backup(&founder_g, true);
	sig_boot(&founder_g);

	/* the server has forgotten both; the younger one has the log */
	raw_connect(b);
	ck_assert_int_eq(raw_hello(b, b->cluster_id, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.seq, 0);
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(push(b, 1, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.seq, 2);
	ck_assert_int_eq(push(b, 0, &reply), REFUSAL_NONE); /* again does no harm */
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_NONE);
	raw_session(a);
	/* and the addresses are known to be given out */
	raw_online(founder);
	sim_pass(founder_g.w, 9 * NS_PER_S); /* it listens for beacons first */
	c = raw_member(founder, "tablet");
	ck_assert_uint_eq(c->address, IP(100, 64, 0, 4));
	raw_free(c);
	raw_free(b);
	raw_free(a);
	founder_end();
}
END_TEST

/* --- what only the server's own key can have made: records that it has forgotten --- */

/* The log as somebody has it, with another node at this address; the order key is `seed`. */
static struct mlog *further(struct raw *of, const char *name, ip4 address,
			    const uint8_t seed[SIGN_SEED_LEN])
{
	static const uint8_t map_seed[16];
	struct raw_invite i = raw_invite(founder);
	struct mlog *l = mlog_new(map_seed);
	struct wire_entries page;
	struct mlog_take take;
	struct entry_bytes b;
	uint8_t key[KEY_LEN];
	struct ordering by = { raw_now_s(of), address, seed, key };
	struct err err = { .code = 0 };
	struct entry e;
	struct raw *x = raw_new(&founder_g);

	mlog_page(of->log, 0, &page);
	mlog_take(l, page.item, page.n, &take);
	ck_assert_uint_eq(take.added, mlog_count(of->log));
	b = raw_admit_entry(x, &i, name);
	raw_free(x);
	ck_assert_int_eq(entry_decode(span_of(b.data, b.len), &e, NULL), 0);
	ck_assert_int_eq(seed_public(seed, key), 0);
	ck_assert_msg(mlog_order(l, &e, span_of(b.data, b.len), &by, &err) == 0, "%s", err.text);
	mlog_commit(l);
	return l;
}

static enum refusal push_last(struct raw *r, const struct mlog *l, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };

	memcpy(rq.node_token, r->token, HASH_LEN);
	rq.entries.item[rq.entries.n++] = mlog_record(l, mlog_count(l) - 1);
	return raw_ask(r, &rq, reply);
}

/* Else one record would be enough to use up the subnet for all its clusters. */
/* [P3-57] */
START_TEST(a_pushed_address_may_leave_a_small_gap_only)
{
	static const struct {
		ip4 address;
		enum refusal refused;
	} cases[] = {
		{ IP(100, 127, 255, 254), REFUSAL_BAD_ENTRY },
		{ IP(100, 64, 0, 2) + PUSH_GAP_MAX + 1, REFUSAL_BAD_ENTRY },
		{ IP(100, 64, 0, 2) + PUSH_GAP_MAX, REFUSAL_NONE },
	};
	struct signal_reply reply;
	struct raw *a, *c;

	founder_begin();
	a = raw_member(founder, "laptop"); /* has .2 */
	raw_session(a);
	for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
		struct mlog *l = further(a, "second", cases[n].address,
					 founder_g.s->keys.order_seed);

		ck_assert_int_eq(push_last(a, l, &reply), cases[n].refused);
		mlog_free(l);
	}
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 3);
	c = raw_member(founder, "tablet"); /* there is still room */
	ck_assert_uint_eq(c->address, IP(100, 64, 0, 3) + PUSH_GAP_MAX);
	raw_free(c);
	raw_free(a);
	founder_end();
}
END_TEST

/* A member, which is not a server, makes up records. */
/* [P3-55] */
START_TEST(pushed_records_without_our_receipt_are_refused)
{
	struct signal_reply reply;
	uint8_t seed[SIGN_SEED_LEN] = { 7 };
	struct record_bytes bytes;
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct record rec;
	struct mlog *l;
	struct raw *a;

	founder_begin();
	a = raw_member(founder, "laptop");
	raw_session(a);
	l = further(a, "ghost", IP(100, 64, 0, 3), founder_g.s->keys.order_seed);
	ck_assert_int_eq(record_decode(mlog_record(l, 2), &rec, NULL), 0);
	memcpy(rq.node_token, a->token, HASH_LEN);
	rq.entries.n = 1;
	for (int forged = 0; forged < 2; forged++) {
		uint8_t receipt[SIG_LEN];

		ck_assert_int_eq(receipt_make(seed, a->cluster_id, &rec.order, rec.entry_hash,
					      receipt),
				 0);
		rec.receipt = forged ? receipt : NULL;
		ck_assert_int_eq(record_encode(&rec, &bytes), 0);
		rq.entries.item[0] = span_of(bytes.data, bytes.len);
		ck_assert_int_ne(raw_ask(a, &rq, &reply), REFUSAL_NONE);
	}
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 2);
	ck_assert_int_eq(push_last(a, l, &reply), REFUSAL_NONE); /* with the receipt it is good */
	mlog_free(l);
	raw_free(a);
	founder_end();
}
END_TEST

/* The server was restored and has ordered on: now there are two logs under its own key. */
/* [P3-58] */
START_TEST(a_server_that_is_shown_its_other_log_orders_nothing_more)
{
	struct signal_request rq = { .type = SIGNAL_RECOVER };
	struct signer code = { .seed = NULL };
	struct signal_reply reply;
	struct raw_invite i;
	struct entry_bytes b;
	struct entry e;
	struct mlog *l;
	struct raw *a, *x;
	uint8_t key[KEY_LEN];

	founder_begin();
	l = further(founder, "evil", IP(100, 64, 0, 9), founder_g.s->keys.order_seed);
	a = raw_member(founder, "laptop");
	raw_session(a);
	ck_assert_int_eq(push_last(a, l, &reply), REFUSAL_UNKNOWN_HEAD);
	i = raw_invite(founder);
	x = raw_new(&founder_g);
	raw_adopt_begin(x, &i);
	b = raw_admit_entry(x, &i, "later");
	ck_assert_int_eq(raw_admit(x, &b, &reply), REFUSAL_UNKNOWN_HEAD);
	raw_fetch(a); /* what it has it still gives */
	ck_assert_uint_eq(mlog_count(a->log), 2);

	/* the recovery code decides which one goes on */
	code.seed = founder->code;
	e = raw_entry(founder, ENTRY_RECOVER);
	ck_assert_int_eq(seed_public(founder->code, key), 0);
	memcpy(e.recover.key, key, KEY_LEN);
	e.author = key_node_id(key);
	e.recover.admins.id[e.recover.admins.n++] = identity_node_id(founder->id);
	raw_code_hash(key, e.recover.next);
	ck_assert_int_eq(entry_make(&e, founder->cluster_id, &code, NULL, &b, NULL), 0);
	rq.entry = span_of(b.data, b.len);
	ck_assert_int_eq(raw_ask(a, &rq, &reply), REFUSAL_NONE);
	sim_pass(founder_g.w, NS_PER_S);
	raw_free(x);
	x = raw_member(founder, "later");
	raw_free(x);
	mlog_free(l);
	raw_free(a);
	founder_end();
}
END_TEST

static void set_true(void *ctx)
{
	*(bool *)ctx = true;
}

static bool is_true(void *ctx)
{
	return *(bool *)ctx;
}

/* [P3-82] */
START_TEST(a_stop_says_goodbye_and_ends_within_two_seconds)
{
	struct raw *a;
	bool stopped = false;
	uint64_t before;

	founder_begin();
	a = raw_member(founder, "laptop"); /* connected, but no session */
	before = world_now(founder_g.w);
	signal_server_stop(founder_g.s, set_true, &stopped);
	raw_await_close(founder, SIGNAL_CLOSE_SHUTDOWN);
	ck_assert_uint_eq(founder->shutdowns, 1);
	raw_await_close(a, SIGNAL_CLOSE_SHUTDOWN);
	SIM_CHECK(founder_g.w, world_run(founder_g.w, 5 * NS_PER_S, is_true, &stopped));
	ck_assert_uint_le(world_now(founder_g.w) - before, 2 * NS_PER_S);
	raw_free(a);
	founder_end();
}
END_TEST

UNIT_MAIN("signal/session", presence_is_told_once_and_never_ones_own,
	  a_node_that_vanished_goes_offline, new_candidates_are_told_and_bad_ones_are_not,
	  a_cursor_resumes_with_what_changed, a_newer_session_replaces_the_older,
	  a_session_needs_token_and_key, hello_tells_time_address_and_head,
	  a_moved_node_is_told_its_new_address, a_crowd_is_told_in_few_events,
	  a_restart_keeps_everything, an_old_database_is_repaired_by_a_member,
	  a_pushed_address_may_leave_a_small_gap_only,
	  pushed_records_without_our_receipt_are_refused,
	  a_server_that_is_shown_its_other_log_orders_nothing_more,
	  a_stop_says_goodbye_and_ends_within_two_seconds)
