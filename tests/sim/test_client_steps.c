/* SPDX-License-Identifier: MIT */
/*
 * setup, adopt and forget, killed at every change of a file: the same command again completes them.
 * The key stays the same, and no key is left without the request or the cluster that it belongs to.
 */
#include "hostile_kit.h"
#include "identity/identity.h"

static bool is_over(void *ctx)
{
	struct kit_node *n = ctx;

	return n->join_ended || !world_host_alive(n->host);
}

/* After a crash: the next process of the machine. */
static void boot(struct kit_node *n)
{
	world_host_crash(n->host);
	kit_node_down(n);
	n->host = world_host_boot(n->host);
}

static void check_files(struct kit_node *n)
{
	/* A key stands beside the request that it signed, or beside the cluster. */
	ck_assert(!kit_has_identity(n) || kit_has_file(n, STORE_PENDING) ||
		  kit_has_file(n, STORE_CLUSTER));
	if (kit_has_file(n, STORE_CLUSTER)) {
		kit_load(n); /* all of it is there */
		kit_unload(n);
	}
}

static void check_member(struct kit_node *n, size_t entries)
{
	KIT_JOINED(n);
	ck_assert(!kit_has_file(n, STORE_PENDING));
	kit_node_up(n);
	KIT_UP_WITHIN(n, 5 * NS_PER_S);
	ck_assert_uint_eq(mlog_count(n->log), entries);
	ck_assert_mem_eq(identity_node_id(n->id).bytes, n->cluster.node_id.bytes, NODE_ID_LEN);
	kit_node_down(n);
}

/* Killed after `changes` changes of files, then run again. Returns false if it was not killed. */
static bool kill_setup_at(unsigned changes)
{
	struct setup_params p;
	struct kit_node *nas;
	struct kit k;
	bool killed;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	p = kit_setup_params(nas);
	world_host_crash_after(nas->host, changes);
	kit_join_begin(nas);
	SIM_CHECK_OK(k.w, setup_start(nas->host, &nas->store, &p, kit_on_code, kit_on_join,
				      kit_on_progress, nas, &nas->join_err, &nas->join));
	SIM_CHECK(k.w, world_run(k.w, 60 * NS_PER_S, is_over, nas));
	killed = !world_host_alive(nas->host);
	if (killed) {
		boot(nas);
		check_files(nas);
		kit_setup(nas);
	}
	check_member(nas, 1);
	kit_load(nas);
	ck_assert(kit_code_is_good(nas, nas->log));
	kit_unload(nas);
	kit_world_close(&k);
	return killed;
}

static bool kill_adopt_at(unsigned changes)
{
	struct kit_node *nas, *laptop;
	struct invite_url url;
	struct kit k;
	bool killed;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	laptop = kit_node(&k, "laptop");
	kit_setup(nas);
	KIT_JOINED(nas);
	url = kit_invite_url(nas);
	world_host_crash_after(laptop->host, changes);
	kit_join_begin(laptop);
	SIM_CHECK_OK(k.w, adopt_start(laptop->host, &laptop->store, &url, laptop->name, kit_on_join,
				      kit_on_progress, laptop, &laptop->join_err, &laptop->join));
	SIM_CHECK(k.w, world_run(k.w, 60 * NS_PER_S, is_over, laptop));
	killed = !world_host_alive(laptop->host);
	if (killed) {
		boot(laptop);
		check_files(laptop);
		kit_adopt(laptop, &url);
	}
	check_member(laptop, 2); /* one admission, not two */
	kit_world_close(&k);
	return killed;
}

/* What is left is the whole cluster, or no cluster; and the same again removes the rest. */
static bool kill_forget_at(unsigned changes)
{
	struct kit_node *nas, *laptop;
	struct invite_url url;
	struct kit k;
	bool killed;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	laptop = kit_node(&k, "laptop");
	kit_setup(nas);
	kit_join_by(laptop, nas);
	world_host_crash_after(laptop->host, changes);
	SIM_CHECK_OK(k.w, store_forget(laptop->host, &laptop->store, KIT_CLUSTER, NULL));
	killed = !world_host_alive(laptop->host);
	boot(laptop);
	if (kit_has_file(laptop, STORE_CLUSTER)) {
		kit_load(laptop);
		kit_unload(laptop);
	} else if (killed) { /* it can even join at once */
		url = kit_invite_url(nas);
		laptop->name = "laptop2";
		kit_adopt(laptop, &url);
		check_member(laptop, 3);
	}
	SIM_CHECK_OK(k.w, store_forget(laptop->host, &laptop->store, KIT_CLUSTER, NULL));
	ck_assert(kit_has_nothing(laptop));
	ck_assert(!store_has_any(laptop->host, &laptop->store, KIT_CLUSTER));
	kit_world_close(&k);
	return killed;
}

START_TEST(forget_killed_at_every_step)
{
	unsigned changes = 0;

	while (kill_forget_at(changes))
		changes++;
	ck_assert_uint_ge(changes, 5); /* cluster, key, certificate, log, folder */
}
END_TEST

/* [P1-5] */
START_TEST(setup_killed_at_every_step)
{
	unsigned changes = 0;

	while (kill_setup_at(changes))
		changes++;
	ck_assert_uint_ge(changes, 5); /* request, key, certificate, log, cluster, end of request */
}
END_TEST

/* [P1-5] */
START_TEST(adopt_killed_at_every_step)
{
	unsigned changes = 0;

	while (kill_adopt_at(changes))
		changes++;
	ck_assert_uint_ge(changes, 5);
}
END_TEST

/* A request that the server refused for good leaves no key, in this run and in the next. */
/* [P1-6] */
START_TEST(a_refused_request_leaves_no_key)
{
	struct setup_params p;
	struct scene s;

	evil_scene_open(&s);
	p = evil_params(&s);
	s.e.at = SIGNAL_SETUP;
	s.e.how = EVIL_REFUSE;
	s.e.reason = REFUSAL_USED_CODE;
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_USED_CODE);
	ck_assert(kit_has_nothing(s.n));
	/* Unclear at first, then refused: with the same entry, by the same key. */
	s.e.reason = REFUSAL_INTERNAL;
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_INTERNAL);
	ck_assert(kit_has_file(s.n, STORE_PENDING) && !kit_has_identity(s.n));
	s.e.reason = REFUSAL_USED_CODE;
	kit_setup_with(s.n, &p);
	KIT_REFUSED(s.n, REFUSAL_USED_CODE);
	ck_assert(kit_has_nothing(s.n));
	evil_scene_close(&s);
}
END_TEST

/* Two servers that compare what they see learn nothing from it. */
/* [P1-4] */
START_TEST(two_clusters_at_two_servers_have_nothing_in_common)
{
	struct setup_params p;
	struct kit_node *n;
	struct node_id first;
	struct identity *id[2] = { NULL };
	struct scene s;

	evil_scene_open(&s);
	n = s.n;
	kit_setup(n); /* at the first server */
	KIT_JOINED(n);
	first = n->result.cluster.node_id;
	p = evil_params(&s);
	p.cluster = "office";
	kit_setup_with(n, &p);
	KIT_JOINED(n);
	ck_assert(!node_id_equal(&n->result.cluster.node_id, &first));
	SIM_CHECK_OK(s.k.w, store_identity(n->host, &n->store, KIT_CLUSTER, &id[0], NULL));
	SIM_CHECK_OK(s.k.w, store_identity(n->host, &n->store, "office", &id[1], NULL));
	ck_assert_mem_eq(identity_node_id(id[0]).bytes, first.bytes, NODE_ID_LEN);
	ck_assert_mem_eq(identity_node_id(id[1]).bytes, n->result.cluster.node_id.bytes,
			 NODE_ID_LEN);
	ck_assert_mem_ne(identity_cert_sha256(id[0]), identity_cert_sha256(id[1]), HASH_LEN);
	identity_free(id[0]);
	identity_free(id[1]);
	evil_scene_close(&s);
}
END_TEST

UNIT_MAIN("client/steps", setup_killed_at_every_step, adopt_killed_at_every_step,
	  forget_killed_at_every_step, a_refused_request_leaves_no_key,
	  two_clusters_at_two_servers_have_nothing_in_common)
