/* SPDX-License-Identifier: MIT */
/* Sessions and the log: a restored server, a fork, entries of our own, records from peers. */
#include "accept_kit.h"
#include "client_kit.h"

/* --- lost and forked -------------------------------------------------------------------------- */

START_TEST(restored_server_is_given_what_it_lost)
{
	struct kit k;
	struct kit_node *nas, *laptop;

	kit_mesh(&k, 1);
	nas = &k.node[0];
	kit_server_stop(&k);
	kit_copy_file(k.db, k.copy);
	kit_server_boot(&k);
	laptop = kit_node(&k, "laptop");
	kit_join(laptop, nas);
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);

	/* Only the laptop knows of its own admission. */
	kit_node_up(laptop);
	KIT_UP_WITHIN(laptop, 3 * NS_PER_S);
	ck_assert_uint_eq(laptop->forks, 0);
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	ck_assert(kit_sees(nas, laptop));
	ck_assert(kit_sees(laptop, nas));
	kit_close(&k);
}
END_TEST

/* An invite that names genesis as the head, whatever the node knows. */
static struct invite_url invite_on_genesis(struct kit_node *n)
{
	static const uint8_t seed[16];
	struct invite_url url;
	struct mlog *whole;

	kit_load(n);
	whole = n->log;
	n->log = mlog_new(seed);
	kit_show(n, mlog_record(whole, 0));
	url = kit_invite(n);
	mlog_free(whole);
	kit_unload(n);
	return url;
}

/*
 * The server is put back to an old copy and goes on from there: two different records in the same
 * place, with receipts for both. Each side keeps its branch and says so.
 */
START_TEST(fork_is_reported_and_not_taken)
{
	struct kit k;
	struct kit_node *nas, *laptop, *phone;
	struct invite_url url;
	struct head ours;

	kit_mesh(&k, 1);
	nas = &k.node[0];
	kit_server_stop(&k);
	kit_copy_file(k.db, k.copy);
	kit_server_boot(&k);
	laptop = kit_node(&k, "laptop");
	phone = kit_node(&k, "phone");
	kit_join(laptop, nas);
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	ours = mlog_head(nas->log);
	kit_node_down(nas);
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);
	server_accept(k.db);
	/* The phone's invite was made when nas had genesis only. */
	url = invite_on_genesis(nas);
	kit_adopt(phone, &url);
	KIT_JOINED(phone);

	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 5 * NS_PER_S);
	sim_pass(k.w, 5 * NS_PER_S);
	ck_assert_uint_eq(nas->forks, 1);
	ck_assert_uint_eq(nas->fork_seq, 1);
	ck_assert(mlog_has_head(nas->log, &ours));
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	ck_assert_ptr_null(roster_by_name(mlog_roster(nas->log), span_str("phone"),
					  ROSTER_CURRENT));
	ck_assert_int_eq(kit_status(nas).last_err.reason, REFUSAL_FORK);

	/* It stays so, without noise, over heartbeats, changes and a longer branch. */
	kit_node_up(phone);
	KIT_UP_WITHIN(phone, 5 * NS_PER_S);
	sim_pass(k.w, 300 * NS_PER_S);
	ck_assert_uint_eq(nas->forks, 1);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	ck_assert(kit_is_up(nas));
	ck_assert_uint_eq(phone->forks, 0);
	ck_assert_uint_lt(signal_server_stats_get(k.server).requests, 60);

	/* The laptop is not in the server's branch: not a member there, and not stopped for it. */
	kit_node_up(laptop);
	sim_pass(k.w, 100 * NS_PER_S);
	ck_assert(!kit_is_up(laptop));
	ck_assert(!laptop->stopped);
	ck_assert_int_eq(kit_status(laptop).last_err.reason, REFUSAL_NOT_MEMBER);
	ck_assert_uint_eq(mlog_count(laptop->log), 2);
	kit_close(&k);
}
END_TEST

/* --- entries of our own ----------------------------------------------------------------------- */

static int make_cancel(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct kit_node *n = ctx;
	struct signer self = { .identity = n->id };
	struct entry e = { .type = ENTRY_CANCEL,
			   .time_s = (uint64_t)clock_wall_s(n->host),
			   .author = n->cluster.node_id,
			   .base = *head };

	n->makes++;
	memcpy(e.cancel.nonce, n->cancel_nonce, NONCE_LEN);
	return entry_make(&e, n->cluster.cluster_id, &self, NULL, ret, err);
}

static void on_append_done(void *ctx, const struct err *err)
{
	struct kit_node *n = ctx;

	ck_assert(!n->append_done);
	n->append_done = true;
	n->append_err = err ? *err : (struct err){ 0 };
}

static bool append_is_done(void *ctx)
{
	return ((struct kit_node *)ctx)->append_done;
}

static void cancel(struct kit_node *n, const struct invite_url *url)
{
	n->append_done = false;
	memcpy(n->cancel_nonce, url->invite.nonce, NONCE_LEN);
	SIM_CHECK_OK(n->kit->w, session_append(n->session, make_cancel, on_append_done, n, NULL));
	ck_assert(!n->append_done);
}

START_TEST(cancelled_invite_is_refused)
{
	struct kit k;
	struct kit_node *nas, *laptop, *phone;
	struct invite_url url;

	kit_mesh(&k, 2);
	kit_all_up(&k);
	nas = &k.node[0];
	laptop = &k.node[1];
	phone = kit_node(&k, "phone");
	url = kit_invite(nas);
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 3 * NS_PER_S, append_is_done, nas));
	ck_assert_int_eq(nas->append_err.code, 0);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(mlog_count(nas->log), 3);
	ck_assert_uint_eq(mlog_count(laptop->log), 3);
	kit_adopt(phone, &url);
	KIT_REFUSED(phone, REFUSAL_INVITE_CANCELLED);
	ck_assert(kit_has_nothing(phone));
	/* A second time it is told so. */
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 3 * NS_PER_S, append_is_done, nas));
	ck_assert_int_ne(nas->append_err.code, 0);
	/* A plain node may not. */
	url = kit_invite(nas);
	cancel(laptop, &url);
	SIM_CHECK(k.w, world_run(k.w, 3 * NS_PER_S, append_is_done, laptop));
	ck_assert_int_ne(laptop->append_err.code, 0);
	kit_close(&k);
}
END_TEST

START_TEST(append_with_a_lost_reply)
{
	struct kit k;
	struct kit_node *nas;
	struct invite_url url;

	kit_mesh(&k, 1);
	kit_all_up(&k);
	nas = &k.node[0];
	url = kit_invite(nas);
	kit_deafen(&k, 1);
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 15 * NS_PER_S, kit_is_not_up, nas));
	ck_assert(k.dropped && !nas->append_done);
	k.deaf = false;
	SIM_CHECK(k.w, world_run(k.w, 15 * NS_PER_S, append_is_done, nas));
	ck_assert_int_eq(nas->append_err.code, 0);
	ck_assert_uint_eq(nas->makes, 1);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	kit_close(&k);
}
END_TEST

START_TEST(append_before_the_session_is_up)
{
	struct kit k;
	struct kit_node *nas;
	struct invite_url url;

	kit_mesh(&k, 2);
	nas = &k.node[0];
	url = kit_invite(nas); /* nas does not know of laptop's entry yet */
	kit_node_up(nas);
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 5 * NS_PER_S, append_is_done, nas));
	ck_assert_int_eq(nas->append_err.code, 0);
	ck_assert_uint_eq(mlog_count(nas->log), 3);
	kit_close(&k);
}
END_TEST

/* A record that came from a peer is pushed to a server that lacks it. */
START_TEST(records_from_a_peer_are_pushed)
{
	struct kit k;
	struct kit_node *nas, *laptop, *phone;
	struct invite_url url;
	struct mlog *of_nas;

	kit_mesh(&k, 3);
	nas = &k.node[0];
	laptop = &k.node[1];
	phone = &k.node[2];
	kit_server_stop(&k);
	kit_copy_file(k.db, k.copy);
	kit_server_boot(&k);
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	url = kit_invite(nas);
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 3 * NS_PER_S, append_is_done, nas));
	ck_assert_uint_eq(mlog_count(nas->log), 4);
	of_nas = nas->log;
	nas->log = NULL;
	session_free(nas->session);
	nas->session = NULL;
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);
	kit_node_up(laptop);
	kit_node_up(phone);
	KIT_UP_WITHIN(laptop, 3 * NS_PER_S);
	KIT_UP_WITHIN(phone, 3 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(mlog_count(phone->log), 3);
	kit_show(laptop, mlog_record(of_nas, 3));
	session_log_grew(laptop->session);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(mlog_count(phone->log), 4);
	mlog_free(of_nas);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("client/log", restored_server_is_given_what_it_lost, fork_is_reported_and_not_taken,
	  cancelled_invite_is_refused, append_with_a_lost_reply, append_before_the_session_is_up,
	  records_from_a_peer_are_pushed)
