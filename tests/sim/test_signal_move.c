/* SPDX-License-Identifier: MIT */
/*
 * A cluster that moves from one signaling server to another, as the servers see it: the new one
 * takes the log over with a setup token, opens sessions for members by their keys, and orders
 * nothing before the log names it; the old one orders that record, and then sends everybody away.
 */
#include "identity/identity.h"
#include "signal/caller.h"
#include "signal_steps.h"

#define NEW_IP IP(192, 0, 2, 2)

static struct sig a, b; /* the old server, the new one in the same world */

static void begin(void)
{
	sig_start(&a);
	sig_beside(&b, &a, "signal2", NEW_IP, "100.64.0.0/10");
	sig_open(&b);
}

static void end(void)
{
	sig_remove(&b);
	sig_stop(&a);
}

static void restart(struct sig *g)
{
	sig_crash(g);
	sig_boot(g);
}

/* --- importing --- */

static enum refusal import_page(struct raw *r, const char *code, const struct mlog *log,
				uint64_t from, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_IMPORT, .code = span_str(code) };

	if (log)
		mlog_page(log, from, &rq.entries);
	return raw_ask(r, &rq, reply);
}

static void hello_nobody(struct raw *r, struct sig *g)
{
	static const uint8_t none[HASH_LEN];
	struct signal_reply reply;

	r->g = g;
	raw_connect(r);
	ck_assert_int_eq(raw_hello(r, none, &reply), REFUSAL_NONE);
}

/* The whole log, and the end. The reply names the order key. */
static enum refusal import_all(struct raw *r, const char *code, struct signal_reply *reply)
{
	uint64_t from = 0;

	while (from < mlog_count(r->log)) {
		struct wire_entries page;

		mlog_page(r->log, from, &page);
		if (import_page(r, code, r->log, from, reply) != REFUSAL_NONE)
			return reply->refusal;
		from += page.n;
		ck_assert_uint_eq(reply->head.seq + 1, from);
	}
	if (import_page(r, code, NULL, 0, reply) == REFUSAL_NONE)
		memcpy(b.order_key, reply->order_key, KEY_LEN);
	return reply->refusal;
}

static void import_to_b(struct raw *r)
{
	struct signal_reply reply;

	hello_nobody(r, &b);
	ck_assert_int_eq(import_all(r, b.code, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.seq + 1, mlog_count(r->log));
}

/* --- the record --- */

static struct entry_bytes signal_entry(struct raw *r)
{
	struct entry e = raw_entry(r, ENTRY_SIGNAL);

	strcpy(e.signal.host, "signal2.example");
	e.signal.port = SIGNAL_PORT;
	memcpy(e.signal.cert, b.cert, HASH_LEN);
	memcpy(e.signal.key, identity_key_sha256(b.s->identity), HASH_LEN);
	memcpy(e.signal.order_key, b.order_key, KEY_LEN);
	return raw_sign(r, &e);
}

static void take(struct raw *r, struct span record)
{
	struct wire_entries one = { .item[0] = record, .n = 1 };

	raw_take(r, &one);
}

/* The old server orders the record; the admin brings it to the new one. */
static void move(struct raw *admin)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct signal_reply reply;
	struct entry_bytes e;

	admin->g = &a;
	raw_session(admin);
	raw_fetch(admin);
	e = signal_entry(admin);
	ck_assert_int_eq(raw_append(admin, &e, &reply), REFUSAL_NONE);
	take(admin, reply.record);
	ck_assert_str_eq(mlog_server(admin->log)->host, "signal2.example");
	admin->g = &b;
	raw_greet(admin);
	mlog_page(admin->log, mlog_count(admin->log) - 1, &rq.entries);
	ck_assert_int_eq(raw_ask(admin, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.seq + 1, mlog_count(admin->log));
}

/* What becomes of a joiner with an invite of the sponsor's, at the server `g`. */
static enum refusal joins(struct raw *sponsor, struct sig *g, const char *name, struct raw **ret)
{
	struct raw_invite i = raw_invite(sponsor);
	struct raw *r = raw_new(&a);
	struct entry_bytes entry = raw_admit_entry(r, &i, name);
	struct signal_reply reply;
	enum refusal refused;

	r->g = g;
	raw_adopt_begin(r, &i);
	refused = raw_admit(r, &entry, &reply);
	if (refused == REFUSAL_NONE)
		raw_admitted(r, &reply);
	else if (refused == REFUSAL_MOVED_AWAY)
		ck_assert_ptr_nonnull(memmem(reply.text.data, reply.text.len, "signal", 6));
	if (ret)
		*ret = r;
	else
		raw_free(r);
	return refused;
}

/* --- cases --- */

/* [P3-37] [P3-39] [P3-40] [P3-41] */
START_TEST(a_cluster_moves)
{
	struct raw *founder, *member, *off, *late;
	struct signal_reply reply;
	struct entry_bytes e;
	uint8_t old_token[HASH_LEN];

	begin();
	founder = raw_founder(&a);
	member = raw_member(founder, "member");
	off = raw_member(founder, "off");
	raw_online(member);
	raw_fetch(founder);
	raw_hang_up(founder);
	import_to_b(founder);
	ck_assert_mem_ne(b.order_key, a.order_key, KEY_LEN);

	/* the token is burned; the connection goes on as a greeted one, and needs no node token */
	memcpy(old_token, founder->token, HASH_LEN);
	ck_assert_int_eq(raw_session_ask(founder, &reply), REFUSAL_NONE);
	ck_assert_mem_ne(reply.node_token, old_token, HASH_LEN);

	/* a session, but nothing is ordered, whoever asks; the log is another server's */
	e = raw_remove_entry(founder, off);
	ck_assert_int_eq(raw_append(founder, &e, &reply), REFUSAL_MOVED_AWAY);
	ck_assert_int_eq(joins(founder, &b, "early", NULL), REFUSAL_MOVED_AWAY);
	restart(&b);
	ck_assert_int_eq(joins(founder, &b, "early", NULL), REFUSAL_MOVED_AWAY);

	/* a session at the old server hears of it, and ends */
	move(founder);
	raw_await_close(member, SIGNAL_CLOSE_BYE);
	ck_assert_str_eq(mlog_server(member->log)->host, "signal2.example");
	memset(member->token, 0, HASH_LEN);
	member->g = &b;
	raw_session(member);

	/* one that was off finds the record at the old server, and nothing else */
	raw_greet(off);
	ck_assert_int_eq(raw_session_ask(off, &reply), REFUSAL_MOVED_AWAY);
	ck_assert_ptr_nonnull(memmem(reply.text.data, reply.text.len, "signal2.example", 15));
	raw_fetch(off);
	ck_assert_str_eq(mlog_server(off->log)->host, "signal2.example");
	e = raw_remove_entry(founder, off);
	ck_assert_int_eq(raw_append(off, &e, &reply), REFUSAL_NOT_ALLOWED);
	ck_assert_int_eq(joins(founder, &a, "late", NULL), REFUSAL_MOVED_AWAY);

	/* the new one orders, and gives addresses of this cluster */
	ck_assert_int_eq(joins(founder, &b, "late", &late), REFUSAL_NONE);
	ck_assert_uint_eq(late->address, off->address + 1);
	raw_greet(late);
	memset(late->token, 0, HASH_LEN); /* this server gave it one */
	ck_assert_int_eq(raw_session_ask(late, &reply), REFUSAL_BAD_TOKEN);
	off->g = &b;
	raw_session(off);
	raw_fetch(off);
	ck_assert_uint_eq(mlog_count(off->log), mlog_count(late->log));
	restart(&a);
	ck_assert_int_eq(joins(founder, &a, "late2", NULL), REFUSAL_MOVED_AWAY);
	raw_free(late);
	raw_free(off);
	raw_free(member);
	raw_free(founder);
	end();
}
END_TEST

/* A token opens nothing but what it was made for, and strangers make the server hold nothing. */
/* [P3-36] */
START_TEST(what_is_no_log_is_not_taken)
{
	struct raw *founder, *stranger;
	struct signal_reply reply;
	struct wire_entries page;
	struct signal_request rq = { .type = SIGNAL_IMPORT, .code = span_str("AAAA-AAAA-AAAA") };
	uint8_t changed[RECORD_MAX_BYTES];

	begin();
	founder = raw_founder(&a);
	raw_free(raw_member(founder, "one"));
	raw_free(raw_member(founder, "two"));
	raw_fetch(founder);
	stranger = raw_new(&a);
	hello_nobody(stranger, &b);
	mlog_page(founder->log, 0, &rq.entries);
	ck_assert_int_eq(raw_ask(stranger, &rq, &reply), REFUSAL_BAD_CODE);
	ck_assert_uint_eq(b.s->n_imports, 0);

	/* an end without a beginning, a beginning that is missing, a record that was altered */
	ck_assert_int_eq(import_page(stranger, b.code, NULL, 0, &reply), REFUSAL_BAD_ENTRY);
	ck_assert_int_ne(import_page(stranger, b.code, founder->log, 1, &reply), REFUSAL_NONE);
	mlog_page(founder->log, 0, &page);
	memcpy(changed, page.item[1].data, page.item[1].len);
	changed[page.item[1].len - 1] ^= 1; /* of its receipt */
	rq.code = span_str(b.code);
	rq.entries = (struct wire_entries){
		.item = { page.item[0], span_of(changed, page.item[1].len) }, .n = 2
	};
	ck_assert_int_eq(raw_ask(stranger, &rq, &reply), REFUSAL_TAMPERED);
	ck_assert_uint_eq(b.s->n_imports, 0);
	ck_assert_uint_eq(registry_count(b.s->registry), 0);

	/* half a log is forgotten with its connection, or with the server */
	ck_assert_int_eq(import_page(stranger, b.code, founder->log, 0, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(b.s->n_imports, 1);
	restart(&b);
	ck_assert_uint_eq(registry_count(b.s->registry), 0);

	/* what was refused has not cost the token */
	import_to_b(founder);
	ck_assert_uint_eq(b.s->n_imports, 0);
	ck_assert_uint_eq(registry_count(b.s->registry), 1);
	raw_free(stranger);
	raw_free(founder);
	end();
}
END_TEST

/* Lost replies strand nobody; another cluster cannot use the token. */
/* [P3-38] */
START_TEST(the_same_again_is_the_same)
{
	struct raw *founder, *other;
	struct signal_reply reply;
	char token[BOOTSTRAP_CODE_TEXT_MAX];

	begin();
	founder = raw_founder(&a);
	import_to_b(founder);
	restart(&b);
	import_to_b(founder);

	/* the log has grown meanwhile */
	founder->g = &a;
	raw_session(founder);
	raw_free(raw_member(founder, "one"));
	raw_fetch(founder);
	import_to_b(founder);
	ck_assert_uint_eq(registry_count(b.s->registry), 1);

	other = raw_new(&a);
	memcpy(token, b.code, sizeof(token));
	ck_assert_int_eq(bootstrap_code_add(a.h, a.s->db, NULL, 0, token, NULL), 0);
	raw_setup(other, token, "second", NULL);
	hello_nobody(other, &b);
	ck_assert_int_eq(import_all(other, b.code, &reply), REFUSAL_USED_CODE);
	ck_assert_uint_eq(registry_count(b.s->registry), 1);
	move(founder);
	import_to_b(founder);
	raw_free(other);
	raw_free(founder);
	end();
}
END_TEST

/* The subnet's rules hold for those that come, too. */
START_TEST(a_subnet_that_overlaps_is_refused)
{
	struct raw *founder, *local;
	struct signal_reply reply;
	char token[BOOTSTRAP_CODE_TEXT_MAX];

	begin();
	founder = raw_founder(&a);
	local = raw_new(&a);
	local->g = &b;
	ck_assert_int_eq(bootstrap_code_add(b.h, b.s->db, NULL, 0, token, NULL), 0);
	raw_setup(local, token, "local", "100.64.5.0/24");
	hello_nobody(founder, &b);
	ck_assert_int_eq(import_all(founder, b.code, &reply), REFUSAL_SUBNET);
	ck_assert_uint_eq(registry_count(b.s->registry), 1);
	raw_free(local);
	raw_free(founder);
	end();
}
END_TEST

/* Back where it came from: the old server has the cluster, and orders again once the log says so.
 */
START_TEST(a_cluster_moves_back)
{
	struct raw *founder, *late;
	struct signal_reply reply;
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct entry_bytes e;
	struct entry x;
	char token[BOOTSTRAP_CODE_TEXT_MAX];

	begin();
	founder = raw_founder(&a);
	import_to_b(founder);
	move(founder);
	ck_assert_int_eq(joins(founder, &b, "one", NULL), REFUSAL_NONE);
	raw_session(founder);
	raw_fetch(founder);

	ck_assert_int_eq(bootstrap_code_add(a.h, a.s->db, NULL, 0, token, NULL), 0);
	hello_nobody(founder, &a);
	ck_assert_int_eq(import_all(founder, token, &reply), REFUSAL_NONE);
	ck_assert_int_eq(joins(founder, &a, "two", NULL), REFUSAL_MOVED_AWAY);
	x = raw_entry(founder, ENTRY_SIGNAL);
	x.signal = mlog_genesis(founder->log)->server;
	e = raw_sign(founder, &x);
	founder->g = &b;
	raw_session(founder);
	ck_assert_int_eq(raw_append(founder, &e, &reply), REFUSAL_NONE);
	take(founder, reply.record);
	founder->g = &a;
	raw_greet(founder);
	mlog_page(founder->log, mlog_count(founder->log) - 1, &rq.entries);
	ck_assert_int_eq(raw_ask(founder, &rq, &reply), REFUSAL_NONE);
	ck_assert_int_eq(joins(founder, &b, "two", NULL), REFUSAL_MOVED_AWAY);
	ck_assert_int_eq(joins(founder, &a, "two", &late), REFUSAL_NONE);
	raw_free(late);
	raw_free(founder);
	end();
}
END_TEST

/* The old server's clock was ahead when somebody joined. */
START_TEST(a_log_from_ahead_waits)
{
	struct raw *founder, *mover;
	struct signal_reply reply;

	begin();
	founder = raw_founder(&a);
	raw_free(raw_member(founder, "member"));
	raw_fetch(founder);
	world_host_wall_skew(b.h, -3600);
	mover = raw_clone(founder);
	mover->log = founder->log;
	hello_nobody(mover, &b);
	ck_assert_int_eq(import_all(mover, b.code, &reply), REFUSAL_AHEAD);
	ck_assert_ptr_nonnull(memmem(reply.text.data, reply.text.len, "minutes ahead", 13));
	ck_assert_ptr_null(registry_find(b.s->registry, founder->cluster_id));
	world_host_wall_skew(b.h, 0);
	raw_hang_up(mover);
	hello_nobody(mover, &b);
	ck_assert_int_eq(import_all(mover, b.code, &reply), REFUSAL_NONE);
	mover->log = NULL;
	raw_free(mover);
	raw_free(founder);
	end();
}
END_TEST

UNIT_MAIN("signal/move", a_cluster_moves, what_is_no_log_is_not_taken, the_same_again_is_the_same,
	  a_subnet_that_overlaps_is_refused, a_cluster_moves_back, a_log_from_ahead_waits)
