/* SPDX-License-Identifier: MIT */
/* setup against the real server: what it leaves on disk, every refusal, and lost replies. */
#include "client_session_kit.h"
#include "identity/identity.h"

/* --- setup ------------------------------------------------------------------------------------ */

START_TEST(setup_makes_a_cluster)
{
	struct kit k;
	struct kit_node *nas;
	char path[STORE_PATH_MAX];

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	kit_setup(nas);
	KIT_JOINED(nas);
	ck_assert_str_eq(nas->result.cluster.cluster, KIT_CLUSTER);
	ck_assert_uint_eq(nas->result.cluster.address, IP(100, 64, 0, 1));
	ck_assert_uint_eq(nas->codes_shown, 1);
	ck_assert(!nas->result.completed_pending);
	ck_assert(!kit_has_file(nas, STORE_PENDING));
	ck_assert_int_eq(store_cluster_path(&nas->store, KIT_CLUSTER, STORE_CLUSTER, path, NULL),
			 0);
	ck_assert_int_eq(world_file_mode(nas->host, path), 0600);
	kit_load(nas);
	ck_assert_uint_eq(mlog_count(nas->log), 1);
	ck_assert_mem_eq(mlog_genesis(nas->log)->server.cert, k.cert, HASH_LEN);
	ck_assert_str_eq(nas->cluster.node_name, "nas");
	ck_assert_mem_eq(nas->cluster.node_token, nas->result.cluster.node_token, HASH_LEN);
	ck_assert_mem_eq(nas->cluster.cluster_id, mlog_cluster_id(nas->log), HASH_LEN);
	ck_assert(kit_code_is_good(nas, nas->log));
	kit_world_close(&k);
}
END_TEST

START_TEST(setup_refusals_leave_nothing)
{
	struct kit k;
	struct kit_node *nas;
	struct setup_params p;

	kit_world_open(&k);
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
	kit_world_close(&k);
}
END_TEST

/* [P1-19] */
START_TEST(fingerprint_mismatch_names_both)
{
	struct kit k;
	struct kit_node *nas;
	struct setup_params p;
	char want[2 * HASH_LEN + 1], got[2 * HASH_LEN + 1];
	uint64_t requests;

	kit_world_open(&k);
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
	kit_world_close(&k);
}
END_TEST

START_TEST(setup_with_a_used_token)
{
	struct kit k;
	struct kit_node *nas, *other;

	kit_world_open(&k);
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
	kit_world_close(&k);
}
END_TEST

static void check_no_code_in_pending(struct kit_node *n)
{
	char path[STORE_PATH_MAX];
	struct buf b = { 0 };
	size_t len = strlen(n->recovery_code);

	ck_assert_int_eq(store_cluster_path(&n->store, KIT_CLUSTER, STORE_PENDING, path, NULL), 0);
	ck_assert_int_eq(file_read(n->host, path, PENDING_FILE_MAX, NULL, &b), 0);
	ck_assert_uint_gt(len, 30);
	ck_assert_ptr_null(memmem(b.data, b.len, n->recovery_code, len));
	buf_free(&b);
}

/* [P1-5] */
START_TEST(setup_with_a_lost_reply)
{
	struct kit k;
	struct kit_node *nas;
	struct pending first;
	struct node_id id;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	kit_deafen(&k, 3); /* hello, setup_offer, setup */
	kit_setup(nas);
	ck_assert(k.dropped);
	KIT_REFUSED(nas, REFUSAL_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, "same command again"));
	ck_assert(kit_has_file(nas, STORE_PENDING));
	ck_assert(!kit_has_file(nas, STORE_CLUSTER));
	ck_assert_int_eq(store_load_pending(nas->host, &nas->store, KIT_CLUSTER, &first, NULL), 0);
	check_no_code_in_pending(nas);
	ck_assert_uint_eq(signal_server_stats_get(k.server).clusters, 1);

	/* Still deaf: nothing is lost by trying. */
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert(kit_has_file(nas, STORE_PENDING));

	k.deaf = false;
	kit_setup(nas);
	KIT_JOINED(nas);
	ck_assert(nas->result.completed_pending);
	ck_assert_uint_eq(nas->codes_shown, 1); /* before the first request was sent */
	ck_assert_uint_eq(nas->result.cluster.address, IP(100, 64, 0, 1));
	ck_assert(!kit_has_file(nas, STORE_PENDING));
	ck_assert_uint_eq(signal_server_stats_get(k.server).clusters, 1);
	kit_load(nas);
	id = identity_node_id(nas->id);
	ck_assert(node_id_equal(&id, &nas->cluster.node_id));
	ck_assert(kit_has_entry(nas->log, 0, &first.entry));
	ck_assert(kit_code_is_good(nas, nas->log));
	kit_world_close(&k);
}
END_TEST

/* A code that nobody has seen must not be that of a cluster. */
START_TEST(setup_whose_code_cannot_be_shown)
{
	struct kit k;
	struct kit_node *nas;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	nas->cannot_show = true;
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, "nothing was sent"));
	ck_assert_uint_eq(nas->codes_shown, 1);
	ck_assert(kit_has_nothing(nas));
	ck_assert_uint_eq(signal_server_stats_get(k.server).clusters, 0);
	nas->cannot_show = false;
	kit_setup(nas);
	KIT_JOINED(nas);
	ck_assert_uint_eq(nas->codes_shown, 2);
	kit_load(nas);
	ck_assert(kit_code_is_good(nas, nas->log));
	kit_world_close(&k);
}
END_TEST

/* The request itself was lost: the server never saw it. */
START_TEST(setup_with_a_lost_request)
{
	struct kit k;
	struct kit_node *nas;

	kit_world_open(&k);
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
	kit_world_close(&k);
}
END_TEST

START_TEST(setup_on_a_full_disk_completes_later)
{
	struct kit k;
	struct kit_node *nas;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	world_host_disk_full(nas->host, true);
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert_int_eq(nas->join_err.code, -ENOSPC);
	ck_assert(kit_has_nothing(nas));
	world_host_disk_full(nas->host, false);
	kit_setup(nas);
	KIT_JOINED(nas);
	kit_world_close(&k);
}
END_TEST

UNIT_MAIN("client/join", setup_makes_a_cluster, setup_refusals_leave_nothing,
	  fingerprint_mismatch_names_both, setup_with_a_used_token, setup_with_a_lost_reply,
	  setup_with_a_lost_request, setup_whose_code_cannot_be_shown,
	  setup_on_a_full_disk_completes_later)
