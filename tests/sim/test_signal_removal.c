/* SPDX-License-Identifier: MIT */
/*
 * Who is a member no longer at a simulated server: its session, its relay channels and its presence
 * end in one turn with the record, its token is good for nothing, and it may read why. So it goes
 * for a node that leaves, that is replaced, that a recovery drops, and for an earlier key.
 */
#include <time.h>

#include "accept_kit.h"
#include "identity/identity.h"
#include "relay_kit.h"

static struct cluster *cluster(void)
{
	return registry_find(chan_g.s->registry, chan_a->cluster_id);
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

	chan_begin();
	c = raw_member(chan_a, "phone");
	raw_online(c);
	chan_new(&ea, &eb);
	chan_send_frame(chan_b, &eb, 1, 100);
	sim_pass(chan_g.w, 50 * NS_PER_MS);
	ck_assert_uint_eq(chan_a->frames, 1);

	e = raw_remove_entry(chan_a, chan_b);
	append(chan_a, &e);
	/* the reply leaves right behind the commit */
	ck_assert_ptr_null(presence_of(chan_b));
	ck_assert_uint_eq(sig_stats(&chan_g).sessions, 2);
	ck_assert_uint_eq(chan_stats().channels, 0);
	chan_send_frame(chan_b, &eb, 2, 100);
	raw_await_close(chan_b, SIGNAL_CLOSE_REMOVED);
	ck_assert_uint_eq(chan_a->frames, 1);
	/* it was shown the record first, and so were the others */
	ck_assert_int_eq(member_in(chan_b, chan_b)->left, LEFT_REMOVED);
	ck_assert_int_eq(member_in(c, chan_b)->left, LEFT_REMOVED);
	ck_assert_uint_eq(chan_a->relay_closed_events, 1);
	ck_assert_uint_eq(sig_stats(&chan_g).strangers, 0);
	raw_free(c);
	chan_end();
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

	chan_begin();
	e = raw_remove_entry(chan_a, chan_b);
	append(chan_a, &e);
	sim_pass(chan_g.w, NS_PER_S);
	c = raw_member(chan_a, "phone"); /* news that are not for it */
	mlog_free(chan_b->log);
	chan_b->log = NULL;
	raw_greet(chan_b);
	ck_assert_int_eq(raw_ask(chan_b, &log, &reply), REFUSAL_NOT_ALLOWED); /* it is nobody yet */
	chan_b->token[0] ^= 1;
	ck_assert_int_eq(raw_session_ask(chan_b, &reply), REFUSAL_BAD_TOKEN);
	ck_assert_int_eq(raw_ask(chan_b, &log, &reply), REFUSAL_NOT_ALLOWED);
	chan_b->token[0] ^= 1;
	ck_assert_int_eq(raw_session_ask(chan_b, &reply), REFUSAL_NOT_MEMBER);
	strftime(when, sizeof(when),
		 "%Y-%m-%d %H:", gmtime(&(time_t){ (time_t)mlog_last_time_s(chan_a->log) }));
	ck_assert(says(&reply, "\"laptop\" was removed"));
	ck_assert(says(&reply, "by \"nas\""));
	ck_assert(says(&reply, "record 2"));
	ck_assert(says(&reply, when));

	/* it may read the log up to there, and bring what it has, and nothing else */
	raw_fetch(chan_b);
	ck_assert_uint_eq(mlog_count(chan_b->log), 3);
	ck_assert_int_eq(member_in(chan_b, chan_b)->left, LEFT_REMOVED);
	memcpy(push.node_token, chan_b->token, HASH_LEN);
	ck_assert_int_eq(raw_ask(chan_b, &push, &reply), REFUSAL_NONE);
	ck_assert_int_eq(raw_session_ask(chan_b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert_uint_eq(mlog_count(chan_a->log), 4);
	raw_free(c);
	chan_end();
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

	chan_begin();
	promote = raw_entry(chan_a, ENTRY_PROMOTE);
	promote.promote.id = identity_node_id(chan_b->id);
	memcpy(promote.promote.key_sha256, identity_key_sha256(chan_b->id), HASH_LEN);
	e = raw_sign(chan_a, &promote);
	append(chan_a, &e);
	sim_pass(chan_g.w, NS_PER_S);
	own = raw_invite(chan_b); /* it was an admin */
	e = raw_remove_entry(chan_a, chan_b);
	append(chan_a, &e);
	sim_pass(chan_g.w, 3 * NS_PER_S);

	c = raw_new(&chan_g);
	raw_adopt_begin(c, &own);
	e = raw_admit_entry(c, &own, "friend");
	ck_assert_int_eq(raw_admit(c, &e, &reply), REFUSAL_SPONSOR_REMOVED);
	e = raw_remove_entry(chan_b, chan_a); /* brought by somebody who is there */
	ck_assert_int_eq(raw_append(chan_a, &e, &reply), REFUSAL_NOT_MEMBER);
	other = raw_invite(chan_a);
	e = raw_admit_entry(c, &other, "laptop");
	ck_assert_int_eq(raw_admit(c, &e, &reply), REFUSAL_NAME_TAKEN);
	e = raw_admit_entry(c, &other, "tablet");
	ck_assert_int_eq(raw_admit(c, &e, &reply), REFUSAL_NONE);
	raw_admitted(c, &reply);
	ck_assert_uint_eq(c->address, IP(100, 64, 0, 3));
	/* and its own key never comes back */
	other = raw_invite(chan_a);
	raw_greet(chan_b);
	e = raw_admit_entry(chan_b, &other, "again");
	ck_assert_int_eq(raw_admit(chan_b, &e, &reply), REFUSAL_KEY_KNOWN);
	raw_free(c);
	chan_end();
}
END_TEST

/* --- by itself, by another -------------------------------------------------------------------- */

/* [P3-66] */
START_TEST(a_node_that_leaves_gets_its_record)
{
	struct signal_reply reply;
	struct entry_bytes e;
	struct record rec;

	chan_begin();
	e = raw_remove_entry(chan_b, chan_b);
	ck_assert_int_eq(raw_append(chan_b, &e, &reply), REFUSAL_NONE);
	ck_assert_int_eq(record_decode(reply.record, &rec, NULL), 0);
	ck_assert_uint_eq(rec.order.seq, 2);
	raw_await_close(chan_b, SIGNAL_CLOSE_REMOVED);
	ck_assert_int_eq(member_in(chan_b, chan_b)->left, LEFT_BY_ITSELF);
	ck_assert_int_eq(member_in(chan_a, chan_b)->left, LEFT_BY_ITSELF);
	ck_assert_ptr_null(presence_of(chan_b));
	raw_greet(chan_b);
	ck_assert_int_eq(raw_session_ask(chan_b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert(says(&reply, "has left"));
	chan_end();
}
END_TEST

START_TEST(a_replacement_takes_name_and_address)
{
	struct signal_reply reply;
	struct raw_invite i;
	struct raw *again;

	chan_begin();
	i = raw_invite_fields(chan_a, 3600);
	i.inv.replaces = true;
	i.inv.replace = identity_node_id(chan_b->id);
	raw_invite_sign(&i, chan_a);
	again = raw_new(&chan_g);
	raw_adopt(again, &i, "");
	raw_await_close(chan_b, SIGNAL_CLOSE_REMOVED);
	ck_assert_uint_eq(again->address, chan_b->address);
	ck_assert_str_eq(member_in(again, again)->name, "laptop");
	raw_online(again);
	ck_assert(raw_sees(chan_a, again));
	raw_greet(chan_b);
	ck_assert_int_eq(raw_session_ask(chan_b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert(says(&reply, "was replaced"));
	raw_free(again);
	again = raw_member(chan_a, "tablet"); /* no address was used up */
	ck_assert_uint_eq(again->address, IP(100, 64, 0, 3));
	raw_free(again);
	chan_end();
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

	chan_begin();
	renewed = with_new_key(chan_b);
	raw_greet(renewed); /* not yet anybody's */
	ck_assert_int_eq(raw_session_ask(renewed, &reply), REFUSAL_BAD_TOKEN);
	e = raw_entry(chan_b, ENTRY_ROTATE);
	memcpy(e.rotate.key, identity_key(renewed->id), KEY_LEN);
	ck_assert_int_eq(entry_make(&e, chan_b->cluster_id, identity_signer(chan_b->id),
				    identity_signer(renewed->id), &bytes, NULL),
			 0);
	append(chan_b, &bytes);
	ck_assert(!presence_of(chan_b)->session);
	raw_await_close(chan_b, SIGNAL_CLOSE_BYE);
	raw_free(raw_member(chan_a, "phone"));

	/* the token is the member's, whatever its key is */
	raw_session(renewed);
	raw_fetch(renewed);
	ck_assert_uint_eq(mlog_count(renewed->log), 4);
	ck_assert_ptr_nonnull(presence_of(chan_b)->session);
	/* over the earlier key only the log passes, up to the change */
	raw_greet(chan_b);
	ck_assert_int_eq(raw_session_ask(chan_b, &reply), REFUSAL_NOT_MEMBER);
	ck_assert(says(&reply, "another key"));
	raw_fetch(chan_b);
	ck_assert_uint_eq(mlog_count(chan_b->log), 3);
	ck_assert_ptr_nonnull(presence_of(chan_b)->session);
	raw_free(renewed);
	chan_end();
}
END_TEST

/* --- recovery --------------------------------------------------------------------------------- */

/* The founder's code, on the log of somebody who knows it up to `base`. */
static struct entry_bytes recover_entry(const struct raw *by, uint64_t base,
					const struct raw *admin)
{
	return raw_recover_entry(by, chan_a, base, admin);
}

/* [P3-44] [P3-48] [P3-52] [P3-53] [P3-77] */
START_TEST(a_recovery_goes_back_and_is_kept)
{
	struct signal_reply reply;
	struct entry_bytes e;
	struct raw *c, *d;

	chan_begin();
	c = raw_member(chan_a, "phone"); /* record 2 */
	raw_online(c);
	e = raw_remove_entry(chan_a, chan_b); /* 3 */
	append(chan_a, &e);
	d = raw_member(chan_a, "tablet"); /* 4 */
	raw_online(d);
	sim_pass(chan_g.w, 2 * NS_PER_S);

	/* the removed node has the paper, and the log up to its end */
	e = recover_entry(chan_b, 2, chan_b);
	raw_greet(chan_b);
	e.data[e.len - 1] ^= 1;
	ck_assert_int_ne(raw_recover(chan_b, &e, &reply), REFUSAL_NONE);
	e.data[e.len - 1] ^= 1;
	ck_assert_int_eq(raw_recover(chan_b, &e, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.generation, generation_of(1, 0));
	ck_assert_uint_eq(reply.head.seq, 3);
	ck_assert_int_eq(raw_recover(chan_b, &e, &reply), REFUSAL_NONE); /* the reply was lost */
	ck_assert_uint_eq(reply.head.seq, 3);

	/* all hear of it from that record on; a member that joined in a dropped record is out */
	raw_await_close(d, SIGNAL_CLOSE_REMOVED);
	ck_assert_uint_eq(c->log_first, 3);
	ck_assert_uint_eq(mlog_count(c->log), 4);
	ck_assert_uint_eq(mlog_generation(chan_a->log), generation_of(1, 0));
	ck_assert_int_eq(member_in(chan_a, chan_a)->role, ROLE_NODE);
	raw_online(chan_b);
	ck_assert_int_eq(member_in(chan_b, chan_b)->role, ROLE_ADMIN);
	raw_greet(d);
	ck_assert_int_eq(raw_session_ask(d, &reply), REFUSAL_NOT_MEMBER);
	raw_fetch(d); /* it has records 3 and 4 of the generation before */
	ck_assert_uint_eq(mlog_generation(d->log), generation_of(1, 0));

	/* it lasts, and no address is given again */
	sig_crash(&chan_g);
	sig_boot(&chan_g);
	raw_online(chan_b);
	ck_assert_uint_eq(mlog_count(chan_b->log), 4);
	raw_free(d);
	d = raw_member(chan_b, "watch");
	ck_assert_uint_eq(d->address, IP(100, 64, 0, 5));
	raw_free(d);
	raw_free(c);
	chan_end();
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

	chan_begin();
	c = raw_member(chan_a, "phone");
	raw_hang_up(chan_b);
	e = recover_entry(chan_a, 1, chan_a);
	ck_assert_int_eq(raw_recover(chan_a, &e, &reply), REFUSAL_NONE);
	sim_pass(chan_g.w, 2 * NS_PER_S);
	raw_session(chan_b);
	rq.from = 3; /* it had the record that was dropped, and one more */
	ck_assert_int_eq(raw_ask(chan_b, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.first, 2);
	ck_assert_uint_eq(reply.entries.n, 1);
	rq.from = 1;
	ck_assert_int_eq(raw_ask(chan_b, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.first, 1);
	rq.generation = generation_of(1, 0);
	rq.from = 3;
	ck_assert_int_eq(raw_ask(chan_b, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.first, 3);
	ck_assert_uint_eq(reply.entries.n, 0);
	raw_free(c);
	chan_end();
}
END_TEST

/* The record is in two logs after a restore: the node that knows of the recovery brings it. */
START_TEST(a_recovery_is_brought_to_a_server_that_forgot_it)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct signal_reply reply;
	struct entry_bytes e;

	chan_begin();
	raw_free(raw_member(chan_a, "phone")); /* record 2 */
	sim_pass(chan_g.w, NS_PER_S);
	sig_crash(&chan_g);
	sig_backup(&chan_g, false);
	sig_boot(&chan_g);
	raw_session(chan_a);
	raw_fetch(chan_a);
	e = recover_entry(chan_a, 1, chan_a);
	ck_assert_int_eq(raw_recover(chan_a, &e, &reply), REFUSAL_NONE);
	raw_fetch(chan_a);
	ck_assert_uint_eq(mlog_count(chan_a->log), 3);
	sig_crash(&chan_g);
	sig_backup(&chan_g, true);
	sig_boot(&chan_g);
	raw_greet(chan_a);
	memcpy(rq.node_token, chan_a->token, HASH_LEN);
	rq.entries.item[rq.entries.n++] = mlog_record(chan_a->log, 2);
	ck_assert_int_eq(raw_ask(chan_a, &rq, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(reply.head.generation, generation_of(1, 0));
	sig_crash(&chan_g);
	sig_boot(&chan_g);
	raw_session(chan_a);
	raw_fetch(chan_a);
	ck_assert_uint_eq(mlog_generation(chan_a->log), generation_of(1, 0));
	chan_end();
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

	chan_begin();
	sig_crash(&chan_g);
	sig_backup(&chan_g, false);
	sig_boot(&chan_g);
	raw_session(chan_a);
	rename = raw_entry(chan_a, ENTRY_RENAME);
	rename.rename.id = identity_node_id(chan_b->id);
	strcpy(rename.rename.name, "ours");
	ours = raw_sign(chan_a, &rename);
	strcpy(rename.rename.name, "theirs");
	theirs = raw_sign(chan_a, &rename);
	append(chan_a, &ours);
	raw_fetch(chan_a);
	recovery = recover_entry(chan_a, 2, chan_a);
	ck_assert_int_eq(raw_recover(chan_a, &recovery, &reply), REFUSAL_NONE);
	raw_fetch(chan_a);
	ck_assert_uint_eq(mlog_count(chan_a->log), 4);
	sig_crash(&chan_g);
	sig_backup(&chan_g, true);
	sig_boot(&chan_g);
	server_accept(chan_g.h, chan_g.cfg.db_path);
	raw_session(chan_a);
	append(chan_a, &theirs);

	memcpy(push.node_token, chan_a->token, HASH_LEN);
	mlog_page(chan_a->log, 2, &push.entries);
	ck_assert_int_eq(raw_ask(chan_a, &push, &reply), REFUSAL_NONE);
	sig_crash(&chan_g);
	sig_boot(&chan_g);
	ck_assert_ptr_nonnull(cluster()->log);
	ck_assert_uint_eq(mlog_count(cluster()->log), 4);
	raw_session(chan_a);
	raw_fetch(chan_a);
	ck_assert_uint_eq(mlog_count(chan_a->log), 4);
	chan_end();
}
END_TEST

UNIT_MAIN("signal/removal", everything_ends_in_one_turn,
	  its_token_is_refused_with_reason_time_and_author,
	  what_it_has_from_before_is_good_for_nothing, a_node_that_leaves_gets_its_record,
	  a_replacement_takes_name_and_address, a_session_is_the_key_in_forces,
	  a_recovery_goes_back_and_is_kept, the_log_is_given_from_where_the_generations_part,
	  a_recovery_is_brought_to_a_server_that_forgot_it, a_recovery_on_another_branch_is_kept)
