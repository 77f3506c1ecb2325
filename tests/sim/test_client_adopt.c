/* SPDX-License-Identifier: MIT */
/*
 * adopt against the real server: what it leaves on disk, every refusal, lost replies and runs that
 * were killed.
 */
#include "accept_kit.h"
#include "client_session_kit.h"
#include "identity/identity.h"

/* A server, a first node and another machine. */
static void open_pair(struct kit *k, struct kit_node **ret_nas, struct kit_node **ret_laptop)
{
	kit_world_open(k);
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
	kit_join_by(laptop, nas);
	ck_assert_uint_eq(laptop->result.cluster.address, IP(100, 64, 0, 2));
	ck_assert(!kit_has_file(laptop, STORE_PENDING));
	kit_load(laptop);
	ck_assert_uint_eq(mlog_count(laptop->log), 2);
	ck_assert_ptr_nonnull(roster_by_name(mlog_roster(laptop->log), span_str("laptop"),
					     ROSTER_CURRENT));
	ck_assert_uint_eq(laptop->cluster.signal_port, KIT_PORT);
	kit_world_close(&k);
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
	url = kit_invite_url(nas);
	url.invite_sig[5] ^= 1;
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_TAMPERED);
	ck_assert(kit_has_nothing(laptop));

	/* Another cluster's id: the server does not know it. */
	url = kit_invite_url(nas);
	url.invite.cluster_id[0] ^= 1;
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_CLUSTER_UNKNOWN);
	ck_assert(kit_has_nothing(laptop));

	/* Name taken. */
	url = kit_invite_url(nas);
	laptop->name = "nas";
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_NAME_TAKEN);
	ck_assert(kit_has_nothing(laptop));
	laptop->name = "laptop";

	/* Wrong fingerprint. */
	other = url;
	other.signal_key[3] ^= 1;
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

	/* Expired, by the server's clock, whatever ours says. */
	url = kit_invite_ttl(nas, 60);
	sim_pass(k.w, 61 * NS_PER_S);
	kit_adopt(late, &url);
	KIT_REFUSED(late, REFUSAL_INVITE_EXPIRED);
	ck_assert(kit_has_nothing(late));
	world_host_wall_skew(late->host, -3600);
	kit_adopt(late, &url);
	KIT_REFUSED(late, REFUSAL_INVITE_EXPIRED);
	ck_assert(kit_has_nothing(late));
	world_host_wall_skew(late->host, 86400 * 365);
	url = kit_invite_ttl(nas, 60);
	kit_adopt(late, &url);
	KIT_JOINED(late);
	kit_world_close(&k);
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
	kit_join_by(laptop, nas);
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
	url = kit_invite_url(nas);
	url.invite.sponsor = identity_node_id(laptop->id);
	ck_assert_int_eq(invite_make(&url.invite, identity_signer(laptop->id), url.invite_bytes,
				     &url.invite_len, url.invite_sig, &err),
			 0);
	kit_adopt(third, &url);
	KIT_REFUSED(third, REFUSAL_SPONSOR_NOT_ADMIN);
	ck_assert(kit_has_nothing(third));
	kit_world_close(&k);
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
	kit_world_close(&k);
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
	url = kit_invite_url(nas);
	kit_deafen(&k, 2); /* hello, admit */
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
	kit_join_by(third, nas);
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
	ck_assert(kit_has_entry(laptop->log, 1, &first.entry));
	kit_world_close(&k);
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
	kit_deafen(&k, 2);
	kit_adopt(laptop, &url);
	ck_assert(kit_has_file(laptop, STORE_PENDING));
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db); /* as if the request had not arrived */
	k.deaf = false;
	kit_server_boot(&k);
	server_accept(k.server_host, k.db);

	sim_pass(k.w, 61 * NS_PER_S);
	kit_join_by(laptop, nas);
	ck_assert(!laptop->result.completed_pending);
	ck_assert_uint_eq(laptop->result.cluster.address, IP(100, 64, 0, 2));
	kit_world_close(&k);
}
END_TEST

/*
 * The first run asked for a name that is taken, and lost the answer: another run with the same
 * invite and another name is not held up by it.
 */
START_TEST(adopt_goes_on_with_another_name)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	struct invite_url url;

	open_pair(&k, &nas, &laptop);
	url = kit_invite_url(nas);
	laptop->name = "nas";
	kit_deafen(&k, 2);
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_TIMEOUT);
	ck_assert(kit_has_file(laptop, STORE_PENDING));
	k.deaf = false;
	laptop->name = "laptop";
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	ck_assert(!laptop->result.completed_pending);
	ck_assert_str_eq(laptop->result.cluster.node_name, "laptop");
	ck_assert(!kit_has_file(laptop, STORE_PENDING));
	kit_world_close(&k);
}
END_TEST

/* What was carried out keeps its name, whatever the second run asks for. */
START_TEST(adopt_that_was_carried_out_keeps_its_name)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	struct invite_url url;

	open_pair(&k, &nas, &laptop);
	url = kit_invite_url(nas);
	kit_deafen(&k, 2);
	kit_adopt(laptop, &url);
	ck_assert(!laptop->joined);
	k.deaf = false;
	laptop->name = "desk";
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	ck_assert(laptop->result.completed_pending);
	ck_assert_str_eq(laptop->result.cluster.node_name, "laptop");
	kit_world_close(&k);
}
END_TEST

/* Killed between any two packets: the next run completes it, and there is one member for it. */
START_TEST(adopt_survives_being_killed_at_any_time)
{
	for (unsigned ms = 0; ms < 260; ms += 9) {
		struct kit k;
		struct kit_node *nas, *laptop;
		struct invite_url url;

		open_pair(&k, &nas, &laptop);
		url = kit_invite_url(nas);
		kit_join_begin(laptop);
		SIM_CHECK_OK(k.w, adopt_start(laptop->host, &laptop->store, &url, laptop->name,
					      kit_on_join, kit_on_progress, laptop,
					      &laptop->join_err, &laptop->join));
		sim_pass(k.w, ms * NS_PER_MS);
		world_host_crash(laptop->host);
		join_free(laptop->join);
		laptop->join = NULL;
		laptop->host = world_host_boot(laptop->host);
		if (!kit_has_file(laptop, STORE_CLUSTER) || kit_has_file(laptop, STORE_PENDING)) {
			kit_adopt(laptop, &url);
			KIT_JOINED(laptop);
		}
		kit_load(laptop);
		ck_assert_uint_eq(mlog_count(laptop->log), 2);
		ck_assert_uint_eq(laptop->cluster.address, IP(100, 64, 0, 2));
		ck_assert(!kit_has_file(laptop, STORE_PENDING));
		kit_world_close(&k);
	}
}
END_TEST

/* A reinstalled machine takes its former self's name and address. */
START_TEST(adopt_replaces_a_member)
{
	struct kit k;
	struct kit_node *nas, *laptop, *fresh;
	struct invite_params p;
	struct invite_url url;
	struct err err = { 0 };

	open_pair(&k, &nas, &laptop);
	fresh = kit_node(&k, "debian");
	kit_join_by(laptop, nas);
	kit_load(nas);
	kit_load(laptop);
	kit_show(nas, mlog_record(laptop->log, 1));
	p = (struct invite_params){
		.cluster = &nas->cluster,
		.identity = nas->id,
		.log = nas->log,
		.ttl_s = 60,
		.replace = "laptop",
		.now_s = (uint64_t)clock_wall_s(nas->host),
	};
	SIM_CHECK_OK(k.w, invite_new(nas->host, &p, &err, &url));
	fresh->name = "laptop";
	kit_adopt(fresh, &url);
	KIT_JOINED(fresh);
	ck_assert_str_eq(fresh->result.cluster.node_name, "laptop");
	ck_assert_uint_eq(fresh->result.cluster.address, laptop->cluster.address);
	kit_load(fresh);
	ck_assert_uint_eq(roster_count(mlog_roster(fresh->log), ROSTER_CURRENT), 2);
	p.replace = "nobody";
	ck_assert_int_eq(invite_new(nas->host, &p, &err, &url), -ENOENT);
	p.replace = "nas";
	ck_assert_int_eq(invite_new(nas->host, &p, &err, &url), -EINVAL);
	kit_world_close(&k);
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
	kit_join_by(laptop, nas);
	/* An invite on top of the laptop's entry; then the server forgets that entry. */
	kit_load(laptop);
	kit_load(nas);
	kit_show(nas, mlog_record(laptop->log, 1));
	url = kit_invite_url(nas);
	kit_server_stop(&k);
	kit_copy_file(k.copy, k.db);
	kit_server_boot(&k);
	kit_adopt(third, &url);
	KIT_REFUSED(third, REFUSAL_RESTORED);
	ck_assert(kit_has_nothing(third));
	server_accept(k.server_host, k.db);
	kit_adopt(third, &url);
	KIT_REFUSED(third, REFUSAL_UNKNOWN_HEAD);
	ck_assert(kit_has_nothing(third));
	kit_world_close(&k);
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
	url_a = kit_invite_url(nas);
	url_b = kit_invite_url(nas);
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
	kit_world_close(&k);
}
END_TEST

/* A machine whose files were removed is another machine: it joins again without a trick. */
/* [P1-4] */
START_TEST(a_machine_that_forgot_joins_with_another_key)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	struct invite_url url;
	struct node_id before;
	char path[STORE_PATH_MAX];
	struct err err = { 0 };

	open_pair(&k, &nas, &laptop);
	url = kit_invite_url(nas);
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	before = laptop->result.cluster.node_id;

	/* Not even the key has to be removed. */
	SIM_CHECK_OK(k.w,
		     store_cluster_path(&laptop->store, KIT_CLUSTER, STORE_CLUSTER, path, &err));
	SIM_CHECK_OK(k.w, file_remove(laptop->host, path));
	url = kit_invite_url(nas);
	kit_adopt(laptop, &url);
	KIT_REFUSED(laptop, REFUSAL_NAME_TAKEN);
	laptop->name = "again";
	kit_adopt(laptop, &url);
	KIT_JOINED(laptop);
	ck_assert(!node_id_equal(&laptop->result.cluster.node_id, &before));
	kit_load(laptop);
	ck_assert_mem_eq(identity_node_id(laptop->id).bytes, laptop->cluster.node_id.bytes,
			 NODE_ID_LEN);
	kit_world_close(&k);
}
END_TEST

UNIT_MAIN("client/adopt", adopt_joins, adopt_refusals_leave_nothing,
	  invites_of_plain_nodes_are_not_made_and_not_taken, invite_with_a_name_admits_only_it,
	  adopt_with_a_lost_reply, adopt_goes_on_with_another_invite,
	  adopt_goes_on_with_another_name, adopt_that_was_carried_out_keeps_its_name,
	  adopt_survives_being_killed_at_any_time, adopt_replaces_a_member, adopt_shown_a_stale_log,
	  two_join_at_once, a_machine_that_forgot_joins_with_another_key)
