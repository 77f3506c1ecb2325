/* SPDX-License-Identifier: MIT */
/*
 * setup and adopt against the real server: what they leave on disk, every refusal, and replies that
 * get lost.
 */
#include "accept_kit.h"
#include "client_kit.h"

/* --- setup ------------------------------------------------------------------------------------ */

START_TEST(setup_makes_a_cluster)
{
	struct kit k;
	struct kit_node *nas;
	char path[STORE_PATH_MAX];

	kit_open(&k);
	nas = kit_node(&k, "nas");
	kit_setup(nas);
	KIT_JOINED(nas);
	ck_assert_str_eq(nas->result.cluster.cluster, KIT_CLUSTER);
	ck_assert_uint_eq(nas->result.cluster.address, IP(100, 64, 0, 1));
	ck_assert_uint_gt(strlen(nas->result.recovery_code), 30);
	ck_assert(!nas->result.completed_pending);
	ck_assert(!kit_has_file(nas, STORE_PENDING));
	ck_assert_int_eq(store_cluster_path(&nas->store, KIT_CLUSTER, STORE_CLUSTER, path, NULL),
			 0);
	ck_assert_int_eq(world_file_mode(nas->host, path), 0600);
	kit_load(nas);
	ck_assert_uint_eq(mlog_count(nas->log), 1);
	ck_assert_mem_eq(mlog_genesis(nas->log)->signal_cert, k.cert, HASH_LEN);
	ck_assert_str_eq(nas->cluster.node_name, "nas");
	ck_assert_mem_eq(nas->cluster.node_token, nas->result.cluster.node_token, HASH_LEN);
	ck_assert_mem_eq(nas->cluster.cluster_id, mlog_cluster_id(nas->log), HASH_LEN);
	kit_close(&k);
}
END_TEST

START_TEST(setup_refusals_leave_nothing)
{
	struct kit k;
	struct kit_node *nas;
	struct setup_params p;

	kit_open(&k);
	nas = kit_node(&k, "nas");

	p = kit_setup_params(nas);
	p.code = "0000-0000-0000";
	kit_setup_with(nas, &p);
	KIT_REFUSED(nas, REFUSAL_BAD_CODE);
	ck_assert(kit_has_nothing(nas));

	p = kit_setup_params(nas);
	p.signal_cert[31] ^= 1;
	kit_setup_with(nas, &p);
	KIT_REFUSED(nas, REFUSAL_FINGERPRINT);
	ck_assert(kit_has_nothing(nas));

	p = kit_setup_params(nas);
	p.has_subnet = true;
	p.subnet = (struct prefix4){ IP(8, 0, 0, 0), 8 };
	kit_setup_with(nas, &p);
	KIT_REFUSED(nas, REFUSAL_SUBNET);
	ck_assert(kit_has_nothing(nas));

	p = kit_setup_params(nas);
	p.host = "nowhere.example.net";
	kit_setup_with(nas, &p);
	KIT_REFUSED(nas, REFUSAL_UNREACHABLE);
	ck_assert(kit_has_nothing(nas));

	p = kit_setup_params(nas);
	p.port = 4434;
	kit_setup_with(nas, &p);
	KIT_REFUSED(nas, REFUSAL_UNREACHABLE);
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, "192.0.2.1:4434"));
	ck_assert(kit_has_nothing(nas));

	p = kit_setup_params(nas);
	p.cluster = "../x";
	kit_setup_with(nas, &p);
	ck_assert(!nas->joined && nas->join_err.code == -EINVAL);
	p.cluster = "localhost";
	kit_setup_with(nas, &p);
	ck_assert(!nas->joined && nas->join_err.code == -EINVAL);
	p = kit_setup_params(nas);
	p.node_name = "NAS\n";
	kit_setup_with(nas, &p);
	ck_assert(!nas->joined && nas->join_err.code == -EINVAL);
	ck_assert(kit_has_nothing(nas));

	/* The token is still good. */
	kit_setup(nas);
	KIT_JOINED(nas);
	kit_close(&k);
}
END_TEST

START_TEST(fingerprint_mismatch_names_both)
{
	struct kit k;
	struct kit_node *nas;
	struct setup_params p;
	char want[2 * HASH_LEN + 1], got[2 * HASH_LEN + 1];
	uint64_t requests;

	kit_open(&k);
	nas = kit_node(&k, "nas");
	p = kit_setup_params(nas);
	p.signal_cert[0] ^= 0x80;
	requests = signal_server_stats_get(k.server).requests;
	kit_setup_with(nas, &p);
	KIT_REFUSED(nas, REFUSAL_FINGERPRINT);
	hex_encode(p.signal_cert, HASH_LEN, want);
	hex_encode(k.cert, HASH_LEN, got);
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, want));
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, got));
	ck_assert_uint_eq(signal_server_stats_get(k.server).requests, requests);
	kit_close(&k);
}
END_TEST

START_TEST(setup_with_a_used_token)
{
	struct kit k;
	struct kit_node *nas, *other;

	kit_open(&k);
	nas = kit_node(&k, "nas");
	other = kit_node(&k, "other");
	kit_setup(nas);
	KIT_JOINED(nas);
	kit_setup(other);
	KIT_REFUSED(other, REFUSAL_USED_CODE);
	ck_assert(kit_has_nothing(other));
	/* And a cluster that is there is not touched. */
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert_int_eq(nas->join_err.code, -EEXIST);
	kit_load(nas);
	kit_close(&k);
}
END_TEST

START_TEST(setup_with_a_lost_reply)
{
	struct kit k;
	struct kit_node *nas;
	struct pending first;
	struct node_id id;

	kit_open(&k);
	nas = kit_node(&k, "nas");
	kit_deafen(&k, 3); /* hello, setup_offer, setup */
	kit_setup(nas);
	ck_assert(k.dropped);
	KIT_REFUSED(nas, REFUSAL_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, "same command again"));
	ck_assert(kit_has_file(nas, STORE_PENDING));
	ck_assert(!kit_has_file(nas, STORE_CLUSTER));
	ck_assert_int_eq(store_load_pending(nas->host, &nas->store, KIT_CLUSTER, &first, NULL), 0);
	ck_assert_uint_eq(signal_server_stats_get(k.server).clusters, 1);

	/* Still deaf: nothing is lost by trying. */
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert(kit_has_file(nas, STORE_PENDING));

	k.deaf = false;
	kit_setup(nas);
	KIT_JOINED(nas);
	ck_assert(nas->result.completed_pending);
	ck_assert_str_eq(nas->result.recovery_code, first.recovery_code);
	ck_assert_uint_eq(nas->result.cluster.address, IP(100, 64, 0, 1));
	ck_assert(!kit_has_file(nas, STORE_PENDING));
	ck_assert_uint_eq(signal_server_stats_get(k.server).clusters, 1);
	kit_load(nas);
	id = identity_node_id(nas->id);
	ck_assert(node_id_equal(&id, &nas->cluster.node_id));
	ck_assert(span_equal(mlog_entry(nas->log, 0), span_of(first.entry.data, first.entry.len)));
	kit_close(&k);
}
END_TEST

/* The request itself was lost: the server never saw it. */
START_TEST(setup_with_a_lost_request)
{
	struct kit k;
	struct kit_node *nas;

	kit_open(&k);
	nas = kit_node(&k, "nas");
	kit_deafen(&k, 3);
	kit_setup(nas);
	ck_assert(kit_has_file(nas, STORE_PENDING));
	/* The server comes back from a time before it. */
	kit_server_crash(&k);
	ck_assert_int_eq(unlink(k.db), 0);
	k.deaf = false;
	kit_server_boot(&k);
	/* It is another server now: its certificate, its token. */
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert_int_eq(nas->join_err.code, -EEXIST);
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, "mlsh forget homelab"));
	ck_assert_int_eq(store_remove_pending(nas->host, &nas->store, KIT_CLUSTER), 0);
	kit_setup(nas);
	KIT_JOINED(nas);
	kit_close(&k);
}
END_TEST

START_TEST(setup_on_a_full_disk_completes_later)
{
	struct kit k;
	struct kit_node *nas;

	kit_open(&k);
	nas = kit_node(&k, "nas");
	world_host_disk_full(nas->host, true);
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert_int_eq(nas->join_err.code, -ENOSPC);
	ck_assert(kit_has_nothing(nas));
	world_host_disk_full(nas->host, false);
	kit_setup(nas);
	KIT_JOINED(nas);
	kit_close(&k);
}
END_TEST

/* --- adopt ------------------------------------------------------------------------------------ */

/* A server, a first node and another machine. */
static void open_pair(struct kit *k, struct kit_node **ret_nas, struct kit_node **ret_laptop)
{
	kit_open(k);
	*ret_nas = kit_node(k, "nas");
	*ret_laptop = kit_node(k, "laptop");
	kit_setup(*ret_nas);
	KIT_JOINED(*ret_nas);
}

START_TEST(adopt_joins)
{
	struct kit k;
	struct kit_node *nas, *laptop;

	open_pair(&k, &nas, &laptop);
	kit_join(laptop, nas);
	ck_assert_uint_eq(laptop->result.cluster.address, IP(100, 64, 0, 2));
	ck_assert(!kit_has_file(laptop, STORE_PENDING));
	kit_load(laptop);
	ck_assert_uint_eq(mlog_count(laptop->log), 2);
	ck_assert_ptr_nonnull(roster_by_name(mlog_roster(laptop->log), span_str("laptop"),
					     ROSTER_CURRENT));
	ck_assert_uint_eq(laptop->cluster.signal_port, KIT_PORT);
	kit_close(&k);
}
END_TEST

START_TEST(adopt_refusals_leave_nothing)
{
	struct kit k;
	struct kit_node *nas, *laptop, *late;
	struct invite_url url, other;

	open_pair(&k, &nas, &laptop);
	late = kit_node(&k, "late");

	/* Tampered: the sponsor's signature does not fit any more. */
	url = kit_invite(nas);
	url.invite_sig[5] ^= 1;
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_TAMPERED);
	ck_assert(kit_has_nothing(laptop));

	/* Another cluster's id: the server does not know it. */
	url = kit_invite(nas);
	url.invite.cluster_id[0] ^= 1;
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_CLUSTER_UNKNOWN);
	ck_assert(kit_has_nothing(laptop));

	/* Name taken. */
	url = kit_invite(nas);
	laptop->name = "nas";
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_NAME_TAKEN);
	ck_assert(kit_has_nothing(laptop));
	laptop->name = "laptop";

	/* Wrong fingerprint. */
	other = url;
	other.signal_cert[3] ^= 1;
	kit_adopt(laptop, &other);
	KIT_REFUSED(laptop, REFUSAL_FINGERPRINT);
	ck_assert(kit_has_nothing(laptop));

	/* Unreachable. */
	other = url;
	other.port++;
	kit_adopt(laptop, &other);
	KIT_REFUSED(laptop, REFUSAL_UNREACHABLE);
	ck_assert(kit_has_nothing(laptop));

	/* Used. */
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	kit_adopt(late, &url);
	KIT_REFUSED(late, REFUSAL_INVITE_USED);
	ck_assert(kit_has_nothing(late));

	/* Expired, by our own clock: nobody is asked. */
	url = kit_invite_ttl(nas, 60);
	sim_pass(k.w, 61 * NS_PER_S);
	kit_adopt(late, &url);
	KIT_REFUSED(late, REFUSAL_INVITE_EXPIRED);
	ck_assert(kit_has_nothing(late));

	/* Expired by the server's, ours being slow. */
	world_host_wall_skew(late->host, -3600);
	kit_adopt(late, &url);
	KIT_REFUSED(late, REFUSAL_INVITE_EXPIRED);
	ck_assert(kit_has_nothing(late));
	kit_close(&k);
}
END_TEST

START_TEST(invites_of_plain_nodes_are_not_made_and_not_taken)
{
	struct kit k;
	struct kit_node *nas, *laptop, *third;
	struct invite_url url;
	struct invite_params p;
	struct err err = { 0 };

	open_pair(&k, &nas, &laptop);
	third = kit_node(&k, "third");
	kit_join(laptop, nas);
	kit_load(laptop);
	p = (struct invite_params){
		.cluster = &laptop->cluster,
		.identity = laptop->id,
		.log = laptop->log,
		.ttl_s = 60,
		.now_s = (uint64_t)clock_wall_s(laptop->host),
	};
	ck_assert_int_lt(invite_new(laptop->host, &p, &err, &url), 0);
	ck_assert_int_eq(err.reason, REFUSAL_SPONSOR_NOT_ADMIN);
	ck_assert_ptr_nonnull(strstr(err.text, "nas"));

	/* A modified program signs one all the same. */
	url = kit_invite(nas);
	url.invite.sponsor = identity_node_id(laptop->id);
	ck_assert_int_eq(invite_make(&url.invite, laptop->id, url.invite_bytes, &url.invite_len,
				     url.invite_sig, &err),
			 0);
	kit_adopt(third, &url);
	KIT_REFUSED(third, REFUSAL_SPONSOR_NOT_ADMIN);
	ck_assert(kit_has_nothing(third));
	kit_close(&k);
}
END_TEST

START_TEST(invite_with_a_name_admits_only_it)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	struct invite_url url;
	struct invite_params p;
	struct err err = { 0 };

	open_pair(&k, &nas, &laptop);
	kit_load(nas);
	p = (struct invite_params){
		.cluster = &nas->cluster,
		.identity = nas->id,
		.log = nas->log,
		.ttl_s = 60,
		.node_name = "printer",
		.now_s = (uint64_t)clock_wall_s(nas->host),
	};
	ck_assert_int_eq(invite_new(nas->host, &p, &err, &url), 0);
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_NAME_BAD);
	ck_assert_ptr_nonnull(strstr(laptop->join_err.text, "printer"));
	ck_assert(kit_has_nothing(laptop));
	laptop->name = "printer";
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	kit_close(&k);
}
END_TEST

START_TEST(adopt_with_a_lost_reply)
{
	struct kit k;
	struct kit_node *nas, *laptop, *third;
	struct invite_url url;
	struct pending first;

	open_pair(&k, &nas, &laptop);
	third = kit_node(&k, "third");
	url = kit_invite(nas);
	kit_deafen(&k, 5); /* hello, invite_open, log, log, admit */
	kit_adopt(laptop, &url);
	ck_assert(k.dropped);
	KIT_REFUSED(laptop, REFUSAL_TIMEOUT);
	ck_assert(kit_has_file(laptop, STORE_PENDING));
	ck_assert(!kit_has_identity(laptop)); /* the key is with the request */
	ck_assert_int_eq(store_load_pending(laptop->host, &laptop->store, KIT_CLUSTER, &first,
					    NULL),
			 0);

	/* Meanwhile another one joins. */
	k.deaf = false;
	kit_join(third, nas);
	ck_assert_uint_eq(third->result.cluster.address, IP(100, 64, 0, 3));

	/* The invite runs out, too: it was used in time. */
	sim_pass(k.w, 2 * 3600 * NS_PER_S);
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	ck_assert(laptop->result.completed_pending);
	ck_assert_uint_eq(laptop->result.cluster.address, IP(100, 64, 0, 2));
	ck_assert(!kit_has_file(laptop, STORE_PENDING));
	kit_load(laptop);
	ck_assert_uint_eq(mlog_count(laptop->log), 3);
	ck_assert(span_equal(mlog_entry(laptop->log, 1),
			     span_of(first.entry.data, first.entry.len)));
	kit_close(&k);
}
END_TEST

/* The admit entry was never accepted, and its invite has run out: a new one serves as well. */
START_TEST(adopt_goes_on_with_another_invite)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	struct invite_url url;

	open_pair(&k, &nas, &laptop);
	kit_server_stop(&k);
	kit_copy_file(k.db, k.copy);
	kit_server_boot(&k);
	url = kit_invite_ttl(nas, 60);
	kit_deafen(&k, 5);
	kit_adopt(laptop, &url);
	ck_assert(kit_has_file(laptop, STORE_PENDING));
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db); /* as if the request had not arrived */
	k.deaf = false;
	kit_server_boot(&k);
	server_accept(k.db);

	sim_pass(k.w, 61 * NS_PER_S);
	kit_join(laptop, nas);
	ck_assert(!laptop->result.completed_pending);
	ck_assert_uint_eq(laptop->result.cluster.address, IP(100, 64, 0, 2));
	kit_close(&k);
}
END_TEST

START_TEST(adopt_shown_a_stale_log)
{
	struct kit k;
	struct kit_node *nas, *laptop, *third;
	struct invite_url url;

	open_pair(&k, &nas, &laptop);
	third = kit_node(&k, "third");
	kit_server_stop(&k);
	kit_copy_file(k.db, k.copy);
	kit_server_boot(&k);
	kit_join(laptop, nas);
	/* An invite on top of the laptop's entry; then the server forgets that entry. */
	kit_load(laptop);
	kit_load(nas);
	SIM_CHECK_OK(k.w, mlog_append(nas->log, mlog_entry(laptop->log, 1), NULL));
	url = kit_invite(nas);
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);
	kit_adopt(third, &url);
	KIT_REFUSED(third, REFUSAL_RESTORED);
	ck_assert(kit_has_nothing(third));
	server_accept(k.db);
	kit_adopt(third, &url);
	KIT_REFUSED(third, REFUSAL_UNKNOWN_HEAD);
	ck_assert(kit_has_nothing(third));
	kit_close(&k);
}
END_TEST

START_TEST(two_join_at_once)
{
	struct kit k;
	struct kit_node *nas, *a, *b;
	struct invite_url url_a, url_b;
	ip4 got;

	open_pair(&k, &nas, &a);
	b = kit_node(&k, "second");
	url_a = kit_invite(nas);
	url_b = kit_invite(nas);
	kit_join_begin(a);
	kit_join_begin(b);
	SIM_CHECK_OK(k.w, adopt_start(a->host, &a->store, &url_a, a->name, kit_on_join,
				      kit_on_progress, a, &a->join_err, &a->join));
	SIM_CHECK_OK(k.w, adopt_start(b->host, &b->store, &url_b, b->name, kit_on_join,
				      kit_on_progress, b, &b->join_err, &b->join));
	ck_assert(world_run(k.w, 30 * NS_PER_S, kit_join_ended, a));
	ck_assert(world_run(k.w, 30 * NS_PER_S, kit_join_ended, b));
	KIT_JOINED(a);
	KIT_JOINED(b);
	got = a->result.cluster.address + b->result.cluster.address;
	ck_assert_uint_eq(got, 2 * IP(100, 64, 0, 0) + 5);
	kit_close(&k);
}
END_TEST

/* A machine whose files were removed is another machine: it joins again without a trick. */
START_TEST(a_machine_that_forgot_joins_with_another_key)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	struct invite_url url;
	struct node_id before;
	char path[STORE_PATH_MAX];
	struct err err = { 0 };

	open_pair(&k, &nas, &laptop);
	url = kit_invite(nas);
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	before = laptop->result.cluster.node_id;

	/* Not even the key has to be removed. */
	SIM_CHECK_OK(k.w,
		     store_cluster_path(&laptop->store, KIT_CLUSTER, STORE_CLUSTER, path, &err));
	SIM_CHECK_OK(k.w, file_remove(laptop->host, path));
	url = kit_invite(nas);
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_NAME_TAKEN);
	laptop->name = "again";
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	ck_assert(!node_id_equal(&laptop->result.cluster.node_id, &before));
	kit_load(laptop);
	ck_assert_mem_eq(identity_node_id(laptop->id).bytes, laptop->cluster.node_id.bytes,
			 NODE_ID_LEN);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("client/join", setup_makes_a_cluster, setup_refusals_leave_nothing,
	  fingerprint_mismatch_names_both, setup_with_a_used_token, setup_with_a_lost_reply,
	  setup_with_a_lost_request, setup_on_a_full_disk_completes_later, adopt_joins,
	  adopt_refusals_leave_nothing, invites_of_plain_nodes_are_not_made_and_not_taken,
	  invite_with_a_name_admits_only_it, adopt_with_a_lost_reply,
	  adopt_goes_on_with_another_invite, adopt_shown_a_stale_log, two_join_at_once,
	  a_machine_that_forgot_joins_with_another_key)
