/* SPDX-License-Identifier: MIT */
/* Sessions and the log: a restored server, a fork, entries of our own, records from peers. */
#include "accept_kit.h"
#include "client_session_kit.h"
#include "signal/caller.h"

/* --- lost and forked -------------------------------------------------------------------------- */

/* [P3-54] */
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
	kit_join_by(laptop, nas);
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
	kit_world_close(&k);
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
	url = kit_invite_url(n);
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
	kit_join_by(laptop, nas);
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	ours = mlog_head(nas->log);
	kit_node_down(nas);
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);
	server_accept(k.server_host, k.db);
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
	kit_world_close(&k);
}
END_TEST

/* --- entries of our own ----------------------------------------------------------------------- */

static int make_cancel(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct kit_node *n = ctx;
	struct signer self = *identity_signer(n->id);
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
	url = kit_invite_url(nas);
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
	url = kit_invite_url(nas);
	cancel(laptop, &url);
	SIM_CHECK(k.w, world_run(k.w, 3 * NS_PER_S, append_is_done, laptop));
	ck_assert_int_ne(laptop->append_err.code, 0);
	kit_world_close(&k);
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
	url = kit_invite_url(nas);
	kit_deafen(&k, 1);
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 15 * NS_PER_S, kit_is_not_up, nas));
	ck_assert(k.dropped && !nas->append_done);
	k.deaf = false;
	SIM_CHECK(k.w, world_run(k.w, 15 * NS_PER_S, append_is_done, nas));
	ck_assert_int_eq(nas->append_err.code, 0);
	ck_assert_uint_eq(nas->makes, 1);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	kit_world_close(&k);
}
END_TEST

START_TEST(append_before_the_session_is_up)
{
	struct kit k;
	struct kit_node *nas;
	struct invite_url url;

	kit_mesh(&k, 2);
	nas = &k.node[0];
	url = kit_invite_url(nas); /* nas does not know of laptop's entry yet */
	kit_node_up(nas);
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 5 * NS_PER_S, append_is_done, nas));
	ck_assert_int_eq(nas->append_err.code, 0);
	ck_assert_uint_eq(mlog_count(nas->log), 3);
	kit_world_close(&k);
}
END_TEST

/* A record that came from a peer is pushed to a server that lacks it. */
/* [P4-29] */
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
	url = kit_invite_url(nas);
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
	kit_world_close(&k);
}
END_TEST

static size_t server_count(struct kit_node *n)
{
	return mlog_count(registry_find(n->kit->server->registry, n->cluster.cluster_id)->log);
}

/* Its clock was wrong while it came up; the node does not ask again and again meanwhile. */
START_TEST(a_push_waits_for_the_servers_clock)
{
	struct invite_url url;
	struct kit_node *nas;
	uint64_t requests;
	struct kit k;

	kit_mesh(&k, 1);
	nas = &k.node[0];
	kit_server_stop(&k);
	kit_copy_file(k.db, k.copy);
	kit_server_boot(&k);
	world_host_wall_skew(k.server_host, 3600);
	world_host_wall_skew(nas->host, 3600);
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	url = kit_invite_url(nas);
	cancel(nas, &url);
	SIM_CHECK(k.w, world_run(k.w, 3 * NS_PER_S, append_is_done, nas));
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);
	world_host_wall_skew(k.server_host, 0);
	KIT_UP_WITHIN(nas, 30 * NS_PER_S);
	sim_pass(k.w, 150 * NS_PER_S);
	requests = signal_server_stats_get(k.server).requests;
	ck_assert_uint_le(requests, 20);
	ck_assert_uint_eq(server_count(nas), 1);
	world_host_wall_skew(k.server_host, 3600);
	sim_pass(k.w, 61 * NS_PER_S);
	ck_assert_uint_eq(server_count(nas), 2);
	kit_world_close(&k);
}
END_TEST

/* Behind the log of the node, by the code that setup has shown; ordered with the server's key. */
static void recover_log(struct kit_node *n)
{
	struct entry e = { .type = ENTRY_RECOVER, .base = mlog_head(n->log) };
	struct server_keys *keys = &n->kit->server->keys;
	struct ordering by = { .now_s = (uint64_t)clock_wall_s(n->host),
			       .order_seed = keys->order_seed,
			       .order_key = keys->order_key };
	uint8_t seed[SIGN_SEED_LEN];
	struct signer code = { .seed = seed };
	struct entry_bytes b;
	struct err err = { 0 };

	ck_assert_int_eq(recovery_code_seed(n->recovery_code, mlog_genesis(n->log)->random, seed),
			 0);
	ck_assert_int_eq(seed_public(seed, e.recover.key), 0);
	e.author = key_node_id(e.recover.key);
	e.time_s = by.now_s;
	e.recover.admins.n = 1;
	e.recover.admins.id[0] = n->cluster.node_id;
	SIM_CHECK_OK(n->kit->w, entry_make(&e, mlog_cluster_id(n->log), &code, NULL, &b, &err));
	SIM_CHECK_OK(n->kit->w, entry_decode(span_of(b.data, b.len), &e, &err));
	SIM_CHECK_OK(n->kit->w, mlog_order(n->log, &e, span_of(b.data, b.len), &by, &err));
	mlog_commit(n->log);
	SIM_CHECK_OK(n->kit->w, store_save_log(n->host, &n->store, &n->cluster, n->log, &err));
}

/*
 * The server was put back and went on. Nobody else brings it the recovery that it lacks: the node
 * has to begin where the branches part.
 */
START_TEST(a_recovery_reaches_a_server_on_another_branch)
{
	struct kit k;
	struct kit_node *nas, *ours[2], *theirs;
	struct invite_url url;
	const struct mlog *log;
	struct wire_entries page;
	struct mlog_take take;

	kit_mesh(&k, 1);
	nas = &k.node[0];
	url = invite_on_genesis(nas);
	kit_server_stop(&k);
	kit_copy_file(k.db, k.copy);
	kit_server_boot(&k);
	for (size_t i = 0; i < 2; i++) {
		ours[i] = kit_node(&k, i ? "ours2" : "ours1");
		kit_join_by(ours[i], nas);
	}
	kit_load(ours[1]);
	kit_load(nas);
	mlog_page(ours[1]->log, 0, &page);
	mlog_take(nas->log, page.item, page.n, &take);
	ck_assert_uint_eq(mlog_count(nas->log), 3);
	recover_log(nas);
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);
	server_accept(k.server_host, k.db);
	theirs = kit_node(&k, "theirs");
	kit_adopt(theirs, &url);
	KIT_JOINED(theirs);
	kit_unload(nas);
	kit_unload(ours[1]);

	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 5 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	log = registry_find(k.server->registry, nas->cluster.cluster_id)->log;
	ck_assert_uint_eq(mlog_count(log), 4);
	ck_assert_uint_eq(mlog_generation(log), mlog_generation(nas->log));
	ck_assert(mlog_generation(log) > 0);
	kit_world_close(&k);
}
END_TEST

UNIT_MAIN("client/log", a_push_waits_for_the_servers_clock, restored_server_is_given_what_it_lost,
	  fork_is_reported_and_not_taken, cancelled_invite_is_refused, append_with_a_lost_reply,
	  append_before_the_session_is_up, records_from_a_peer_are_pushed,
	  a_recovery_reaches_a_server_on_another_branch)
