/* SPDX-License-Identifier: MIT */
/* Admission at a simulated server: every invite that must not be good, and what gets lost. */
#include "signal_founder.h"

/* What admit says to a fresh node. */
static enum refusal asked(const struct raw_invite *i)
{
	struct raw *r = raw_new(&founder_g);
	struct entry_bytes b = raw_admit_entry(r, i, "asking");
	struct signal_reply reply;
	enum refusal refused;

	memcpy(r->cluster_id, founder->cluster_id, HASH_LEN);
	raw_greet(r);
	refused = raw_admit(r, &b, &reply);
	raw_free(r);
	return refused;
}

/* [P3-47] */
START_TEST(adopt_admits_nodes_one_address_after_the_other)
{
	struct raw *a, *b;

	founder_begin();
	a = raw_member(founder, "laptop");
	b = raw_member(founder, "phone");
	ck_assert_uint_eq(a->address, IP(100, 64, 0, 2));
	ck_assert_uint_eq(b->address, IP(100, 64, 0, 3));
	raw_session(a);
	raw_session(b);
	/* the founder was told as it happened */
	ck_assert_uint_eq(mlog_count(founder->log), 3);
	ck_assert(!founder->log_gap);
	raw_free(b);
	raw_free(a);
	founder_end();
}
END_TEST

START_TEST(adopt_refuses_invites_that_are_not_good)
{
	struct raw_invite i;
	struct raw *a;

	founder_begin();
	a = raw_member(founder, "laptop");

	i = raw_invite(founder);
	*(uint8_t *)memmem(i.bytes, i.len, i.inv.signal_key, HASH_LEN) ^= 1;
	ck_assert_int_eq(asked(&i), REFUSAL_TAMPERED);
	i = raw_invite(founder);
	i.sig[0] ^= 1;
	ck_assert_int_eq(asked(&i), REFUSAL_TAMPERED);

	i = raw_invite_fields(founder, 3600);
	i.inv.cluster_id[0] ^= 1;
	raw_invite_sign(&i, founder);
	ck_assert_int_eq(asked(&i), REFUSAL_WRONG_CLUSTER);

	i = raw_invite_fields(founder, 3600); /* signed by a stranger, in its own name */
	{
		struct raw *stranger = raw_new(&founder_g);

		i.inv.sponsor = identity_node_id(stranger->id);
		raw_invite_sign(&i, stranger);
		ck_assert_int_eq(asked(&i), REFUSAL_SPONSOR_UNKNOWN);
		raw_free(stranger);
	}
	i = raw_invite_fields(a, 3600); /* by a member that is not an admin */
	raw_invite_sign(&i, a);
	ck_assert_int_eq(asked(&i), REFUSAL_SPONSOR_NOT_ADMIN);

	i = raw_invite_fields(founder, 3600); /* made on a log that nobody knows */
	i.inv.head.hash[0] ^= 1;
	raw_invite_sign(&i, founder);
	ck_assert_int_eq(asked(&i), REFUSAL_UNKNOWN_HEAD);
	raw_free(a);
	founder_end();
}
END_TEST

/* [P3-51] */
START_TEST(adopt_refuses_an_expired_invite_by_the_servers_clock)
{
	struct raw_invite i;
	struct signal_reply reply;
	struct entry_bytes b;
	struct raw *r;

	founder_begin();
	i = raw_invite_fields(founder, 60);
	raw_invite_sign(&i, founder);
	r = raw_new(&founder_g);
	raw_adopt_begin(r, &i);
	b = raw_admit_entry(r, &i, "late"); /* dated in time, but sent too late */
	world_host_wall_skew(founder_g.h, 61);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_INVITE_EXPIRED);
	ck_assert_int_eq(asked(&i), REFUSAL_INVITE_EXPIRED);
	world_host_wall_skew(founder_g.h, 0);
	world_host_wall_skew(r->h, -86400); /* the joiner's clock says nothing */
	b = raw_admit_entry(r, &i, "late");
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	raw_free(r);
	founder_end();
}
END_TEST

/* Nor by pushing one's own admission as if it were an old one. */
START_TEST(an_expired_invite_cannot_be_pushed)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct record rec = { .order = { .seq = 2, .address = IP(100, 64, 0, 3) } };
	uint8_t seed[SIGN_SEED_LEN] = { 5 }, entry_hash[HASH_LEN], receipt[SIG_LEN];
	struct record_bytes bytes;
	struct raw_invite i;
	struct signal_reply reply;
	struct entry_bytes b;
	struct raw *r, *a;
	struct head head;

	founder_begin();
	a = raw_member(founder, "laptop");
	i = raw_invite_fields(founder, 60);
	raw_invite_sign(&i, founder);
	r = raw_new(&founder_g);
	raw_adopt_begin(r, &i);
	b = raw_admit_entry(r, &i, "late");
	head = mlog_head(a->log);
	memcpy(rec.order.prev, head.hash, HASH_LEN);
	rec.order.time_s = i.inv.issued;
	rec.entry = span_of(b.data, b.len);
	sha256(rec.entry, entry_hash);
	ck_assert_int_eq(receipt_make(seed, a->cluster_id, &rec.order, entry_hash, receipt), 0);
	rec.receipt = receipt;
	ck_assert_int_eq(record_encode(&rec, &bytes), 0);
	world_host_wall_skew(founder_g.h, 61);
	rq.entries.n = 1;
	rq.entries.item[0] = span_of(bytes.data, bytes.len);
	ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_BAD_TOKEN);
	memcpy(rq.node_token, a->token, HASH_LEN); /* another's token */
	ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_BAD_TOKEN);
	raw_session(a); /* and a member that helps cannot do it either */
	ck_assert_int_eq(raw_ask(a, &rq, &reply), REFUSAL_TAMPERED);
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 2);
	raw_free(r);
	raw_free(a);
	founder_end();
}
END_TEST

START_TEST(adopt_refuses_a_used_invite)
{
	struct raw_invite i;
	struct raw *a;

	founder_begin();
	i = raw_invite(founder);
	a = raw_new(&founder_g);
	raw_adopt(a, &i, "laptop");
	ck_assert_int_eq(asked(&i), REFUSAL_INVITE_USED);
	raw_free(a);
	founder_end();
}
END_TEST

static enum refusal append(struct raw *r, const struct entry_bytes *b)
{
	struct signal_reply reply;

	return raw_append(r, b, &reply);
}

static struct entry_bytes cancel_entry(struct raw *r, const uint8_t nonce[NONCE_LEN])
{
	struct entry e = raw_entry(r, ENTRY_CANCEL);

	e.cancel.what = CANCEL_INVITE;
	memcpy(e.cancel.nonce, nonce, NONCE_LEN);
	return raw_sign(r, &e);
}

/* The reply to append is the record. */
static void check_record(const struct signal_reply *reply, const struct entry_bytes *b,
			 uint64_t seq)
{
	struct record rec;

	ck_assert_int_eq(record_decode(reply->record, &rec, NULL), 0);
	ck_assert_uint_eq(rec.order.seq, seq);
	ck_assert(span_equal(rec.entry, span_of(b->data, b->len)));
	ck_assert_int_eq(receipt_verify(founder_g.order_key, founder->cluster_id, &rec.order,
					rec.entry_hash, rec.receipt),
			 0);
}

START_TEST(a_cancelled_invite_is_refused)
{
	struct raw_invite i, used;
	struct signal_reply reply;
	struct entry_bytes b;
	struct raw *a;

	founder_begin();
	i = raw_invite(founder);
	b = cancel_entry(founder, i.inv.nonce);
	ck_assert_int_eq(raw_append(founder, &b, &reply), REFUSAL_NONE);
	check_record(&reply, &b, 1);
	ck_assert_int_eq(raw_append(founder, &b, &reply), REFUSAL_NONE); /* the reply was lost */
	check_record(&reply, &b, 1);
	ck_assert_int_eq(asked(&i), REFUSAL_INVITE_CANCELLED);
	ck_assert_uint_eq(mlog_count(founder->log), 2); /* from the event */

	/* one that is used cannot be cancelled; nor may others than admins cancel */
	used = raw_invite(founder);
	a = raw_new(&founder_g);
	raw_adopt(a, &used, "laptop");
	sim_pass(founder_g.w, NS_PER_S);
	b = cancel_entry(founder, used.inv.nonce);
	ck_assert_int_eq(append(founder, &b), REFUSAL_INVITE_USED);
	raw_session(a);
	i = raw_invite(founder);
	b = cancel_entry(a, i.inv.nonce);
	ck_assert_int_eq(append(a, &b), REFUSAL_NOT_ALLOWED);
	/* what counts is the signature: a plain node may bring an admin's entry */
	b = cancel_entry(founder, i.inv.nonce);
	ck_assert_int_eq(append(a, &b), REFUSAL_NONE);
	ck_assert_int_eq(asked(&i), REFUSAL_INVITE_CANCELLED);
	raw_free(a);
	founder_end();
}
END_TEST

START_TEST(append_takes_no_admission_and_nothing_forged)
{
	struct signal_reply reply;
	struct raw_invite i;
	struct entry_bytes b;
	struct raw *x;

	founder_begin();
	i = raw_invite(founder);
	x = raw_new(&founder_g);
	b = raw_admit_entry(x, &i, "laptop");
	ck_assert_int_eq(raw_append(founder, &b, &reply), REFUSAL_NOT_ALLOWED);
	b = cancel_entry(founder, i.inv.nonce);
	b.data[b.len - 1] ^= 1; /* the signature */
	ck_assert_int_eq(raw_append(founder, &b, &reply), REFUSAL_TAMPERED);
	b.len -= 1;
	ck_assert_int_eq(raw_append(founder, &b, &reply), REFUSAL_BAD_ENTRY);
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 1);
	raw_free(x);
	founder_end();
}
END_TEST

START_TEST(two_admits_with_one_invite_at_the_same_time)
{
	struct raw_invite i;
	struct signal_reply ra, rb;
	struct entry_bytes ea, eb;
	struct signal_request qa = { .type = SIGNAL_ADMIT }, qb = qa;
	enum refusal fa, fb;
	struct raw *a, *b;

	founder_begin();
	i = raw_invite(founder);
	a = raw_new(&founder_g);
	b = raw_new(&founder_g);
	raw_adopt_begin(a, &i);
	raw_adopt_begin(b, &i);
	ea = raw_admit_entry(a, &i, "first");
	eb = raw_admit_entry(b, &i, "second");
	qa.entry = span_of(ea.data, ea.len);
	qb.entry = span_of(eb.data, eb.len);
	raw_send(a, &qa);
	raw_send(b, &qb);
	fa = raw_reply(a, SIGNAL_ADMIT, &ra);
	fb = raw_reply(b, SIGNAL_ADMIT, &rb);
	ck_assert((fa == REFUSAL_NONE) != (fb == REFUSAL_NONE));
	ck_assert_int_eq(fa == REFUSAL_NONE ? fb : fa, REFUSAL_INVITE_USED);
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 2);
	raw_free(b);
	raw_free(a);
	founder_end();
}
END_TEST

/* The joiner knows no log when it signs, so nobody who comes first spoils it. */
START_TEST(joins_do_not_disturb_each_other)
{
	struct raw_invite i, k;
	struct signal_reply reply;
	struct entry_bytes b;
	struct raw *r, *other;

	founder_begin();
	i = raw_invite(founder);
	k = raw_invite(founder);
	r = raw_new(&founder_g);
	raw_adopt_begin(r, &i);
	b = raw_admit_entry(r, &i, "slow");
	other = raw_new(&founder_g);
	raw_adopt(other, &k, "quick");
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	raw_admitted(r, &reply);
	ck_assert_uint_eq(other->address, IP(100, 64, 0, 2));
	ck_assert_uint_eq(r->address, IP(100, 64, 0, 3));
	raw_free(other);
	raw_free(r);
	founder_end();
}
END_TEST

/* [P3-44] */
START_TEST(a_lost_reply_to_admit_is_answered_again)
{
	struct raw_invite i;
	struct signal_reply reply;
	struct entry_bytes b, own;
	uint8_t token[HASH_LEN];
	struct wire_head head;
	struct raw *r, *thief;

	founder_begin();
	i = raw_invite(founder);
	r = raw_new(&founder_g);
	raw_adopt_begin(r, &i);
	b = raw_admit_entry(r, &i, "laptop");
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	memcpy(token, reply.node_token, HASH_LEN);
	head = reply.head;
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);

	/* after a restart, and with others in between */
	sig_crash(&founder_g);
	sig_boot(&founder_g);
	raw_session(founder);
	raw_fetch(founder);
	raw_free(raw_member(founder, "other"));
	raw_greet(r);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	ck_assert_mem_eq(token, reply.node_token, HASH_LEN);
	ck_assert_uint_eq(reply.head.seq, head.seq);
	ck_assert_mem_eq(reply.head.hash, head.hash, HASH_LEN);
	raw_admitted(r, &reply);
	ck_assert_uint_eq(r->address, IP(100, 64, 0, 2));
	raw_session(r);

	/* nobody else gets that token */
	thief = raw_new(&founder_g);
	memcpy(thief->cluster_id, founder->cluster_id, HASH_LEN);
	raw_greet(thief);
	own = raw_admit_entry(thief, &i, "thief");
	ck_assert_int_eq(raw_admit(thief, &own, &reply), REFUSAL_INVITE_USED);
	ck_assert_int_eq(raw_admit(thief, &b, &reply), REFUSAL_NOT_ALLOWED);
	raw_free(thief);
	raw_free(r);
	founder_end();
}
END_TEST

/* [P3-49] */
START_TEST(an_admit_must_be_the_connections_own_and_its_name_free)
{
	struct raw_invite i, k;
	struct signal_reply reply;
	struct entry_bytes b;
	struct raw *r, *other;

	founder_begin();
	i = raw_invite(founder);
	k = raw_invite(founder);
	r = raw_new(&founder_g);
	raw_adopt_begin(r, &i);
	b = raw_admit_entry(r, &i, "nas");
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NAME_TAKEN);
	b = raw_admit_entry(r, &i, "mine");
	other = raw_new(&founder_g);
	raw_adopt_begin(other, &k);
	ck_assert_int_eq(raw_admit(other, &b, &reply), REFUSAL_NOT_ALLOWED);
	b.data[b.len - 1] ^= 1;
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_TAMPERED);
	b.data[b.len - 1] ^= 1; /* the same invite, under another name */
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	raw_free(other);
	raw_free(r);
	founder_end();
}
END_TEST

/* What a node asks again on the connection that becomes its session spoils nothing. */
START_TEST(an_admit_beside_a_session_is_too_late)
{
	struct raw_invite i;
	struct signal_request admit = { .type = SIGNAL_ADMIT };
	struct signal_reply reply;
	struct entry_bytes b;
	struct raw *r;

	founder_begin();
	i = raw_invite(founder);
	r = raw_new(&founder_g);
	b = raw_admit_entry(r, &i, "laptop");
	raw_adopt_begin(r, &i);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	raw_admitted(r, &reply);
	raw_greet(r);
	admit.entry = span_of(b.data, b.len);
	raw_send(r, &admit);
	ck_assert_int_eq(raw_session_ask(r, &reply), REFUSAL_NONE);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert_uint_eq(sig_stats(&founder_g).sessions, 2);
	raw_fetch(r);
	raw_hang_up(r);
	sim_pass(founder_g.w, NS_PER_S);
	ck_assert_uint_eq(sig_stats(&founder_g).sessions, 1);
	ck_assert_uint_eq(sig_stats(&founder_g).strangers, 0);
	raw_free(r);
	founder_end();
}
END_TEST

UNIT_MAIN("signal/adopt", adopt_admits_nodes_one_address_after_the_other,
	  adopt_refuses_invites_that_are_not_good,
	  adopt_refuses_an_expired_invite_by_the_servers_clock, an_expired_invite_cannot_be_pushed,
	  adopt_refuses_a_used_invite, a_cancelled_invite_is_refused,
	  append_takes_no_admission_and_nothing_forged, two_admits_with_one_invite_at_the_same_time,
	  joins_do_not_disturb_each_other, a_lost_reply_to_admit_is_answered_again,
	  an_admit_must_be_the_connections_own_and_its_name_free,
	  an_admit_beside_a_session_is_too_late)
