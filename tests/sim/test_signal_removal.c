/* SPDX-License-Identifier: MIT */
/*
 * Who is a member no longer at a simulated server: its session, its relay channels and its presence
 * end in one turn with the record, its token is good for nothing, and it may read why. So it goes
 * for a node that leaves, that is replaced, that a recovery drops, and for a key of before.
 */
#include <time.h>

#include "accept_kit.h"
#include "identity/identity.h"
#include "relay_kit.h"

static struct cluster *cluster(void)
{
	return registry_find(g.s->registry, a->cluster_id);
}

static const struct presence_item *presence_of(const struct raw *r)
{
	struct node_id id = identity_node_id(r->id);

	return presence_get(cluster()->presence, &id);
}

static const struct member *member_in(const struct raw *reader, const struct raw *r)
{
	struct node_id id = identity_node_id(r->id);

	return roster_by_id(mlog_roster(reader->log), &id, ROSTER_ALL);
}

static bool says(const struct signal_reply *reply, const char *text)
{
	return memmem(reply->text.data, reply->text.len, text, strlen(text)) != NULL;
}

static void append(struct raw *r, const struct entry_bytes *entry)
{
	struct signal_reply reply;

	ck_assert_int_eq(raw_append(r, entry, &reply), REFUSAL_NONE);
}

/* --- removed ---------------------------------------------------------------------------------- */

/* [P3-66] [P6-6] */
START_TEST(everything_ends_in_one_turn)
{
	struct relay_end ea, eb;
	struct entry_bytes e;
	struct raw *c;

	begin();
	c = raw_member(a, "phone");
	raw_online(c);
	channel(&ea, &eb);
	send_frame(b, &eb, 1, 100);
	sim_pass(g.w, 50 * NS_PER_MS);
	ck_assert_uint_eq(a->frames, 1);

	e = raw_remove_entry(a, b);
	append(a, &e);
	/* the reply leaves right behind the commit */
	ck_assert_ptr_null(presence_of(b));
	ck_assert_uint_eq(sig_stats(&g).sessions, 2);
	ck_assert_uint_eq(stats().channels, 0);
	send_frame(b, &eb, 2, 100);
	raw_await_close(b, SIGNAL_CLOSE_REMOVED);
	ck_assert_uint_eq(a->frames, 1);
	/* it was shown the record first, and so were the others */
	ck_assert_int_eq(member_in(b, b)->left, LEFT_REMOVED);
	ck_assert_int_eq(member_in(c, b)->left, LEFT_REMOVED);
	ck_assert_uint_eq(a->relay_closed_events, 1);
	ck_assert_uint_eq(sig_stats(&g).strangers, 0);
	raw_free(c);
	end();
}
END_TEST

/* [P3-68] [P3-70] [P3-71] */
START_TEST(its_token_is_refused_with_reason_time_and_author)
{
	struct signal_request push = { .type = SIGNAL_PUSH }, log = { .type = SIGNAL_LOG };
	struct signal_reply reply;
	struct entry_bytes e;
	char when[32];
	struct raw *c;

	begin();
	e = raw_remove_entry(a, b);
	append(a, &e);
	sim_pass(g.w, NS_PER_S);
	c = raw_member(a, "phone"); /* news that are not for it */
	mlog_free(b->log);
	b->log = NULL;
	raw_greet(b);
	ck_assert_int_eq(raw_ask(b, &log, &reply), REFUSAL_NOT_ALLOWED); /* it is nobody yet */
	b->token[0] ^= 1;
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_BAD_TOKEN);
	ck_assert_int_eq(raw_ask(b, &log, &reply), REFUSAL_NOT_ALLOWED);
	b->token[0] ^= 1;
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_NOT_MEMBER);
	strftime(when, sizeof(when),
		 "%Y-%m-%d %H:", gmtime(&(time_t){ (time_t)mlog_last_time_s(a->log) }));
	ck_assert(says(&reply, "\"laptop\" was removed"));
	ck_assert(says(&reply, "by \"nas\""));
	ck_assert(says(&reply, "record 2"));
	ck_assert(says(&reply, when));

	/* it may read the log up to there, and bring what it has, and nothing else */
	raw_fetch(b);
	ck_assert_uint_eq(mlog_count(b->log), 3);
	ck_assert_int_eq(member_in(b, b)->left, LEFT_REMOVED);
	memcpy(push.node_token, b->token, HASH_LEN);
	ck_assert_int_eq(raw_ask(b, &push, &reply), REFUSAL_NONE);
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert_uint_eq(mlog_count(a->log), 4);
	raw_free(c);
	end();
}
END_TEST

/* A name and an address were given once; an invite and an entry from before are worth nothing. */
/* [P3-48] */
START_TEST(what_it_has_from_before_is_good_for_nothing)
{
	struct signal_reply reply;
	struct raw_invite own, other;
	struct entry_bytes e;
	struct entry promote;
	struct raw *c;

	begin();
	promote = raw_entry(a, ENTRY_PROMOTE);
	promote.promote.id = identity_node_id(b->id);
	memcpy(promote.promote.key_sha256, identity_key_sha256(b->id), HASH_LEN);
	e = raw_sign(a, &promote);
	append(a, &e);
	sim_pass(g.w, NS_PER_S);
	own = raw_invite(b); /* it was an admin */
	e = raw_remove_entry(a, b);
	append(a, &e);
	sim_pass(g.w, 3 * NS_PER_S);

	c = raw_new(&g);
	raw_adopt_begin(c, &own);
	e = raw_admit_entry(c, &own, "friend");
	ck_assert_int_eq(raw_admit(c, &e, &reply), REFUSAL_SPONSOR_REMOVED);
	e = raw_remove_entry(b, a); /* brought by somebody who is there */
	ck_assert_int_eq(raw_append(a, &e, &reply), REFUSAL_NOT_MEMBER);
	other = raw_invite(a);
	e = raw_admit_entry(c, &other, "laptop");
	ck_assert_int_eq(raw_admit(c, &e, &reply), REFUSAL_NAME_TAKEN);
	e = raw_admit_entry(c, &other, "tablet");
	ck_assert_int_eq(raw_admit(c, &e, &reply), REFUSAL_NONE);
	raw_admitted(c, &reply);
	ck_assert_uint_eq(c->address, IP(100, 64, 0, 3));
	/* and its own key never comes back */
	other = raw_invite(a);
	raw_greet(b);
	e = raw_admit_entry(b, &other, "again");
	ck_assert_int_eq(raw_admit(b, &e, &reply), REFUSAL_KEY_KNOWN);
	raw_free(c);
	end();
}
END_TEST

/* --- by itself, by another -------------------------------------------------------------------- */

/* [P3-66] */
START_TEST(a_node_that_leaves_gets_its_record)
{
	struct signal_reply reply;
	struct entry_bytes e;
	struct record rec;

	begin();
	e = raw_remove_entry(b, b);
	ck_assert_int_eq(raw_append(b, &e, &reply), REFUSAL_NONE);
	ck_assert_int_eq(record_decode(reply.record, &rec, NULL), 0);
	ck_assert_uint_eq(rec.order.seq, 2);
	raw_await_close(b, SIGNAL_CLOSE_REMOVED);
	ck_assert_int_eq(member_in(b, b)->left, LEFT_BY_ITSELF);
	ck_assert_int_eq(member_in(a, b)->left, LEFT_BY_ITSELF);
	ck_assert_ptr_null(presence_of(b));
	raw_greet(b);
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert(says(&reply, "has left"));
	end();
}
END_TEST

START_TEST(a_replacement_takes_name_and_address)
{
	struct signal_reply reply;
	struct raw_invite i;
	struct raw *again;

	begin();
	i = raw_invite_fields(a, 3600);
	i.inv.replaces = true;
	i.inv.replace = identity_node_id(b->id);
	raw_invite_sign(&i, a);
	again = raw_new(&g);
	raw_adopt(again, &i, "");
	raw_await_close(b, SIGNAL_CLOSE_REMOVED);
	ck_assert_uint_eq(again->address, b->address);
	ck_assert_str_eq(member_in(again, again)->name, "laptop");
	raw_online(again);
	ck_assert(raw_sees(a, again));
	raw_greet(b);
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert(says(&reply, "was replaced"));
	raw_free(again);
	again = raw_member(a, "tablet"); /* no address was used up */
	ck_assert_uint_eq(again->address, IP(100, 64, 0, 3));
	raw_free(again);
	end();
}
END_TEST

/* --- keys ------------------------------------------------------------------------------------- */

/* The member `of` with a further key, on the same host. */
static struct raw *with_new_key(const struct raw *of)
{
	struct quic_socket_config cfg = { .udp = { .bind = { .port = 5001 } }, .max_conns = 8 };
	struct raw *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	r->g = of->g;
	r->h = of->h;
	memcpy(r->cluster_id, of->cluster_id, HASH_LEN);
	memcpy(r->token, of->token, HASH_LEN);
	ck_assert_int_eq(identity_new(r->h, NULL, &r->id), 0);
	cfg.identity = r->id;
	cfg.ctx = r;
	ck_assert_int_eq(quic_socket_open(r->h, &cfg, NULL, &r->socket), 0);
	return r;
}

/* [P3-67] */
START_TEST(a_session_is_the_key_in_forces)
{
	struct signal_reply reply;
	struct entry_bytes bytes;
	struct raw *renewed;
	struct entry e;

	begin();
	renewed = with_new_key(b);
	raw_greet(renewed); /* not yet anybody's */
	ck_assert_int_eq(raw_session_ask(renewed, &reply), REFUSAL_BAD_TOKEN);
	e = raw_entry(b, ENTRY_ROTATE);
	memcpy(e.rotate.key, identity_key(renewed->id), KEY_LEN);
	ck_assert_int_eq(entry_make(&e, b->cluster_id, &(struct signer){ .identity = b->id },
				    &(struct signer){ .identity = renewed->id }, &bytes, NULL),
			 0);
	append(b, &bytes);
	ck_assert(!presence_of(b)->session);
	raw_await_close(b, SIGNAL_CLOSE_BYE);
	raw_free(raw_member(a, "phone"));

	/* the token is the member's, whatever its key is */
	raw_session(renewed);
	raw_fetch(renewed);
	ck_assert_uint_eq(mlog_count(renewed->log), 4);
	ck_assert_ptr_nonnull(presence_of(b)->session);
	/* over the key of before only the log passes, up to the change */
	raw_greet(b);
	ck_assert_int_eq(raw_session_ask(b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert(says(&reply, "another key"));
	raw_fetch(b);
	ck_assert_uint_eq(mlog_count(b->log), 3);
	ck_assert_ptr_nonnull(presence_of(b)->session);
	raw_free(renewed);
	end();
}
END_TEST

/* --- recovery --------------------------------------------------------------------------------- */

/* The founder's code, on the log of somebody who knows it up to `base`. */
static struct entry_bytes recover_entry(const struct raw *by, uint64_t base,
					const struct raw *admin)
{
	return raw_recover_entry(by, a, base, admin);
}

/* [P3-44] [P3-48] [P3-52] [P3-53] [P3-77] */
START_TEST(a_recovery_goes_back_and_is_kept)
{
	struct signal_reply reply;
	struct entry_bytes e;
	struct raw *c, *d;

	begin();
	c = raw_member(a, "phone"); /* record 2 */
	raw_online(c);
	e = raw_remove_entry(a, b); /* 3 */
	append(a, &e);
	d = raw_member(a, "tablet"); /* 4 */
	raw_online(d);
	sim_pass(g.w, 2 * NS_PER_S);

	/* the removed node has the paper, and the log up to its end */
	e = recover_entry(b, 2, b);
	raw_greet(b);
	e.data[e.len - 1] ^= 1;
	ck_assert_int_ne(raw_recover(b, &e, &reply), REFUSAL_NONE);
	e.data[e.len - 1] ^= 1;
	ck_assert_int_eq(raw_recover(b, &e, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.generation, generation_of(1, 0));
	ck_assert_uint_eq(reply.head.seq, 3);
	ck_assert_int_eq(raw_recover(b, &e, &reply), REFUSAL_NONE); /* the reply was lost */
	ck_assert_uint_eq(reply.head.seq, 3);

	/* all are told from that record on; who joined in what is dropped is out */
	raw_await_close(d, SIGNAL_CLOSE_REMOVED);
	ck_assert_uint_eq(c->log_first, 3);
	ck_assert_uint_eq(mlog_count(c->log), 4);
	ck_assert_uint_eq(mlog_generation(a->log), generation_of(1, 0));
	ck_assert_int_eq(member_in(a, a)->role, ROLE_NODE);
	raw_online(b);
	ck_assert_int_eq(member_in(b, b)->role, ROLE_ADMIN);
	raw_greet(d);
	ck_assert_int_eq(raw_session_ask(d, &reply), REFUSAL_NOT_MEMBER);
	raw_fetch(d); /* it has records 3 and 4 of the generation before */
	ck_assert_uint_eq(mlog_generation(d->log), generation_of(1, 0));

	/* it lasts, and no address is given again */
	sig_crash(&g);
	sig_boot(&g);
	raw_online(b);
	ck_assert_uint_eq(mlog_count(b->log), 4);
	raw_free(d);
	d = raw_member(b, "watch");
	ck_assert_uint_eq(d->address, IP(100, 64, 0, 5));
	raw_free(d);
	raw_free(c);
	end();
}
END_TEST

/* Somebody who slept through it asks with the generation that it has. */
/* [P3-53] */
START_TEST(the_log_is_given_from_where_the_generations_part)
{
	struct signal_request rq = { .type = SIGNAL_LOG };
	struct signal_reply reply;
	struct entry_bytes e;
	struct raw *c;

	begin();
	c = raw_member(a, "phone");
	raw_hang_up(b);
	e = recover_entry(a, 1, a);
	ck_assert_int_eq(raw_recover(a, &e, &reply), REFUSAL_NONE);
	sim_pass(g.w, 2 * NS_PER_S);
	raw_session(b);
	rq.from = 3; /* it had the record that was dropped, and one more */
	ck_assert_int_eq(raw_ask(b, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.first, 2);
	ck_assert_uint_eq(reply.entries.n, 1);
	rq.from = 1;
	ck_assert_int_eq(raw_ask(b, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.first, 1);
	rq.generation = generation_of(1, 0);
	rq.from = 3;
	ck_assert_int_eq(raw_ask(b, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.first, 3);
	ck_assert_uint_eq(reply.entries.n, 0);
	raw_free(c);
	end();
}
END_TEST

/* The record is in two logs after a restore: the node that knows of the recovery brings it. */
START_TEST(a_recovery_is_brought_to_a_server_that_forgot_it)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct signal_reply reply;
	struct entry_bytes e;

	begin();
	raw_free(raw_member(a, "phone")); /* record 2 */
	sim_pass(g.w, NS_PER_S);
	sig_crash(&g);
	sig_backup(&g, false);
	sig_boot(&g);
	raw_session(a);
	raw_fetch(a);
	e = recover_entry(a, 1, a);
	ck_assert_int_eq(raw_recover(a, &e, &reply), REFUSAL_NONE);
	raw_fetch(a);
	ck_assert_uint_eq(mlog_count(a->log), 3);
	sig_crash(&g);
	sig_backup(&g, true);
	sig_boot(&g);
	raw_greet(a);
	memcpy(rq.node_token, a->token, HASH_LEN);
	rq.entries.item[rq.entries.n++] = mlog_record(a->log, 2);
	ck_assert_int_eq(raw_ask(a, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.generation, generation_of(1, 0));
	sig_crash(&g);
	sig_boot(&g);
	raw_session(a);
	raw_fetch(a);
	ck_assert_uint_eq(mlog_generation(a->log), generation_of(1, 0));
	end();
}
END_TEST

/* After a restore the server has put something else in order: the recovery brings its own past. */
/* [P3-55] */
START_TEST(a_recovery_on_another_branch_is_kept)
{
	struct signal_request push = { .type = SIGNAL_PUSH };
	struct entry rename = { .type = ENTRY_RENAME };
	struct entry_bytes ours, theirs, recovery;
	struct signal_reply reply;

	begin();
	sig_crash(&g);
	sig_backup(&g, false);
	sig_boot(&g);
	raw_session(a);
	rename = raw_entry(a, ENTRY_RENAME);
	rename.rename.id = identity_node_id(b->id);
	strcpy(rename.rename.name, "ours");
	ours = raw_sign(a, &rename);
	strcpy(rename.rename.name, "theirs");
	theirs = raw_sign(a, &rename);
	append(a, &ours);
	raw_fetch(a);
	recovery = recover_entry(a, 2, a);
	ck_assert_int_eq(raw_recover(a, &recovery, &reply), REFUSAL_NONE);
	raw_fetch(a);
	ck_assert_uint_eq(mlog_count(a->log), 4);
	sig_crash(&g);
	sig_backup(&g, true);
	sig_boot(&g);
	server_accept(g.h, g.cfg.db_path);
	raw_session(a);
	append(a, &theirs);

	memcpy(push.node_token, a->token, HASH_LEN);
	mlog_page(a->log, 2, &push.entries);
	ck_assert_int_eq(raw_ask(a, &push, &reply), REFUSAL_NONE);
	sig_crash(&g);
	sig_boot(&g);
	ck_assert_ptr_nonnull(cluster()->log);
	ck_assert_uint_eq(mlog_count(cluster()->log), 4);
	raw_session(a);
	raw_fetch(a);
	ck_assert_uint_eq(mlog_count(a->log), 4);
	end();
}
END_TEST

UNIT_MAIN("signal/removal", everything_ends_in_one_turn,
	  its_token_is_refused_with_reason_time_and_author,
	  what_it_has_from_before_is_good_for_nothing, a_node_that_leaves_gets_its_record,
	  a_replacement_takes_name_and_address, a_session_is_the_key_in_forces,
	  a_recovery_goes_back_and_is_kept, the_log_is_given_from_where_the_generations_part,
	  a_recovery_is_brought_to_a_server_that_forgot_it, a_recovery_on_another_branch_is_kept)
