/* SPDX-License-Identifier: MIT */
/* What the daemon keeps: its state files, and logs of which one is older. */
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_kit.h"
#include "os_unit.h"
#include "tund/state.h"

static struct cluster_state state_of(const char *cluster, size_t invites)
{
	struct cluster_state s = { .owner = { 1000 },
				   .enabled = true,
				   .rank = UINT64_MAX - 1,
				   .device = STATE_DEVICE_MAX };

	snprintf(s.cluster, sizeof(s.cluster), "%s", cluster);
	for (; s.invites.n < invites; s.invites.n++) {
		memset(s.invites.item[s.invites.n].nonce, (int)s.invites.n + 1, NONCE_LEN);
		s.invites.item[s.invites.n].expiry_s = UINT64_MAX - s.invites.n;
		s.invites.item[s.invites.n].promote = s.invites.n % 2;
	}
	for (; s.let_back.n < MIN(invites, LET_BACK_MAX); s.let_back.n++) {
		memset(&s.let_back.item[s.let_back.n].id, (int)s.let_back.n + 7, NODE_ID_LEN);
		s.let_back.item[s.let_back.n].seq = LOG_MAX_ENTRIES - 1 - s.let_back.n;
	}
	return s;
}

static void check_same(const struct cluster_state *a, const struct cluster_state *b)
{
	ck_assert_str_eq(a->cluster, b->cluster);
	ck_assert(user_equal(a->owner, b->owner));
	ck_assert_int_eq(a->enabled, b->enabled);
	ck_assert(a->rank == b->rank);
	ck_assert_uint_eq(a->device, b->device);
	ck_assert_uint_eq(a->invites.n, b->invites.n);
	for (size_t i = 0; i < a->invites.n; i++) {
		ck_assert_mem_eq(a->invites.item[i].nonce, b->invites.item[i].nonce, NONCE_LEN);
		ck_assert_uint_eq(a->invites.item[i].expiry_s, b->invites.item[i].expiry_s);
		ck_assert(a->invites.item[i].promote == b->invites.item[i].promote);
	}
	ck_assert_uint_eq(a->let_back.n, b->let_back.n);
	for (size_t i = 0; i < a->let_back.n; i++) {
		ck_assert(node_id_equal(&a->let_back.item[i].id, &b->let_back.item[i].id));
		ck_assert_uint_eq(a->let_back.item[i].seq, b->let_back.item[i].seq);
	}
}

/* In the order that is expected: each is senior to all behind it, and to no other. */
START_TEST(seniors_come_first)
{
	static const struct cluster_state in_order[] = {
		{ .cluster = "old", .owner = { 0 }, .rank = 0 }, /* from before ranks */
		{ .cluster = "zzz", .owner = { 0 }, .rank = 2 },
		{ .cluster = "aaa", .owner = { 0 }, .rank = 7 },
		{ .cluster = "ann", .owner = { 1001 }, .rank = 0 }, /* by name: both from before */
		{ .cluster = "bob", .owner = { 1000 }, .rank = 0 },
		{ .cluster = "zoo", .owner = { 1000 }, .rank = 1 },
		{ .cluster = "ape", .owner = { 1001 }, .rank = 3 },
		{ .cluster = "ant", .owner = { UINT_MAX }, .rank = UINT64_MAX - 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(in_order); i++)
		for (size_t j = 0; j < ARRAY_LEN(in_order); j++)
			ck_assert_msg(state_is_senior(&in_order[i], &in_order[j]) == (i < j),
				      "%s and %s", in_order[i].cluster, in_order[j].cluster);
}
END_TEST

START_TEST(state_comes_back)
{
	static const size_t invites[] = { 0, 1, 23, 24, INVITES_MAX };
	uint8_t bytes[64 << 10];

	for (size_t i = 0; i < ARRAY_LEN(invites); i++) {
		struct cluster_state s = state_of("homelab", invites[i]), back;
		ptrdiff_t n = cluster_state_encode(&s, bytes, sizeof(bytes));

		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(cluster_state_decode(span_of(bytes, (size_t)n), &back), 0);
		check_same(&s, &back);
		for (ptrdiff_t cap = 0; cap < n; cap += 7)
			ck_assert_int_eq(cluster_state_encode(&s, bytes, (size_t)cap), -ENOSPC);
	}
}
END_TEST

START_TEST(largest_state_fits_its_file)
{
	struct cluster_state s = state_of("", INVITES_MAX);
	uint8_t bytes[64 << 10];

	memset(s.cluster, 'x', LABEL_MAX);
	s.owner = user_of_number(UINT32_MAX);
	ck_assert_int_gt(cluster_state_encode(&s, bytes, sizeof(bytes)), 0);
}
END_TEST

/* The file of a daemon that knew no ranks: its cluster comes before those with one. */
START_TEST(state_of_before_ranks_is_read)
{
	static const uint8_t old[] = "\x86\x01\x67homelab\x19\x03\xe8\xf5\x80\x80";
	struct cluster_state back = { .rank = 7, .device = 7 };

	ck_assert_int_eq(cluster_state_decode(span_of(old, sizeof(old) - 1), &back), 0);
	ck_assert_str_eq(back.cluster, "homelab");
	ck_assert_uint_eq(user_number(back.owner), 1000);
	ck_assert(back.enabled && back.rank == 0 && back.device == 0);
}
END_TEST

START_TEST(torn_state_is_refused)
{
	struct cluster_state s = state_of("homelab", 3), back = state_of("kept", 0);
	uint8_t bytes[4097];
	ptrdiff_t n = cluster_state_encode(&s, bytes, sizeof(bytes) - 1);

	ck_assert_int_gt(n, 0);
	for (size_t len = 0; len < (size_t)n; len++)
		ck_assert_int_eq(cluster_state_decode(span_of(bytes, len), &back), -EBADMSG);
	bytes[n] = 0;
	ck_assert_int_eq(cluster_state_decode(span_of(bytes, (size_t)n + 1), &back), -EBADMSG);
	bytes[1] = 3; /* a later version */
	ck_assert_int_eq(cluster_state_decode(span_of(bytes, (size_t)n), &back), -EPROTONOSUPPORT);
	bytes[0] = 0x89; /* with other elements behind it */
	ck_assert_int_eq(cluster_state_decode(span_of(bytes, (size_t)n), &back), -EPROTONOSUPPORT);
	bytes[1] = 0;
	ck_assert_int_eq(cluster_state_decode(span_of(bytes, (size_t)n), &back), -EBADMSG);
	ck_assert_str_eq(back.cluster, "kept");
}
END_TEST

START_TEST(only_state_files_are_of_clusters)
{
	static const char *const others[] = {
		".state",
		"homelab",
		"homelab.states",
		"Homelab.state",
		"a.b.state",
		"../x.state",
		"-a.state",
		"homelab.state~",
		"state",
		"",
		"homelab.state.state",
	};
	char cluster[LABEL_MAX + 1] = "kept", longest[128];

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		ck_assert_msg(!state_file_cluster(others[i], cluster), "%s", others[i]);
	ck_assert_str_eq(cluster, "kept");
	ck_assert(state_file_cluster("homelab.state", cluster));
	ck_assert_str_eq(cluster, "homelab");
	memset(longest, 'a', 64);
	strcpy(longest + 64, ".state");
	ck_assert(!state_file_cluster(longest, cluster));
	ck_assert(state_file_cluster(longest + 1, cluster));
	ck_assert_uint_eq(strlen(cluster), LABEL_MAX);
}
END_TEST

static void folder_new(char out[64])
{
	strcpy(out, "/tmp/mlsh-state-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(out));
}

START_TEST(files_are_private_and_checked)
{
	struct cluster_state s = state_of("homelab", 2), back;
	struct host *h = os_unit_host();
	struct err err = { 0 };
	char dir[64], path[128], other[128];
	struct stat st;

	folder_new(dir);
	ck_assert_int_eq(state_load(h, dir, "homelab", &back, &err), -ENOENT);
	ck_assert_int_eq(state_save(h, dir, &s, &err), 0);
	snprintf(path, sizeof(path), "%s/homelab.state", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(state_load(h, dir, "homelab", &back, &err), 0);
	check_same(&s, &back);
	/* another cluster's file under this name */
	snprintf(other, sizeof(other), "%s/garage.state", dir);
	ck_assert_int_eq(rename(path, other), 0);
	ck_assert_int_eq(state_load(h, dir, "garage", &back, &err), -EBADMSG);
	ck_assert_msg(strstr(err.text, "garage.state is damaged"), "%s", err.text);
	/* names that would lead elsewhere */
	ck_assert_int_eq(state_load(h, dir, "../garage", &back, &err), -EINVAL);
	strcpy(s.cluster, "../x");
	ck_assert_int_eq(state_save(h, dir, &s, &err), -EINVAL);
	unlink(other);
	rmdir(dir);
	host_free(h);
}
END_TEST

START_TEST(what_can_not_be_replaced_is_named)
{
	struct kit k = kit_open();
	struct tunnel_parts p = { .identity = k.admin, .log = k.log };
	struct host *h = os_unit_host();
	struct err err = { 0 };
	static const char *const made[] = { "", "/homelab.node" };
	static const char *const left[] = { "/homelab/clusters/homelab.log",
					    "/homelab/clusters/homelab.verified",
					    "/homelab/clusters", "/homelab" };
	char dir[64], path[ARRAY_LEN(made)][128], other[128];

	strcpy(p.cluster.cluster, "homelab");
	folder_new(dir);
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		snprintf(path[i], sizeof(path[i]), "%s%s", dir, made[i]);
		ck_assert_int_eq(i ? mkdir(path[i], 0700) : 0, 0);
	}
	ck_assert_int_eq(state_save_parts(h, dir, &p, &err), -EISDIR);
	ck_assert_msg(strstr(err.text, path[1]) && strstr(err.text, "directory"), "%s", err.text);
	for (size_t i = 0; i < ARRAY_LEN(left); i++) {
		snprintf(other, sizeof(other), "%s%s", dir, left[i]);
		ck_assert_int_eq(remove(other), 0);
	}
	for (size_t i = ARRAY_LEN(made); i-- > 0;)
		ck_assert_int_eq(rmdir(path[i]), 0);
	host_free(h);
	kit_close(&k);
}
END_TEST

/* A long log is not written again each time that its cluster is connected. */
START_TEST(what_the_file_has_is_not_written_again)
{
	struct kit k = kit_open_with(3);
	struct tunnel_parts p = { .identity = k.admin, .log = k.log };
	struct host *h = os_unit_host();
	struct stat first, st;
	char dir[64], path[128], command[128];

	strcpy(p.cluster.cluster, "homelab");
	memcpy(p.cluster.cluster_id, mlog_cluster_id(k.log), HASH_LEN);
	folder_new(dir);
	snprintf(path, sizeof(path), "%s/homelab/clusters/homelab.log", dir);
	ck_assert_int_eq(state_save_parts(h, dir, &p, NULL), 0);
	ck_assert_int_eq(stat(path, &first), 0);
	ck_assert_int_eq(first.st_size, p.saved.bytes);
	kit_join(&k, 4);
	ck_assert_int_eq(state_save_parts(h, dir, &p, NULL), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_ino, first.st_ino);
	ck_assert_int_gt(st.st_size, first.st_size);
	ck_assert_int_eq(st.st_size, p.saved.bytes);
	/* somebody else has cut it */
	ck_assert_int_eq(truncate(path, 100), 0);
	ck_assert_int_eq(state_save_parts(h, dir, &p, NULL), 0);
	first = st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, first.st_size);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
	host_free(h);
	kit_close(&k);
}
END_TEST

/* --- of two logs, the longer one --- */

static int merge(struct kit *into, struct kit *other, size_t want)
{
	struct tunnel_parts p = { .log = into->log };
	struct err err = { 0 };
	int rc;

	strcpy(p.cluster.cluster, "homelab");
	rc = parts_merge_log(&p, &other->log, &err);
	if (rc == 0)
		ck_assert_ptr_null(other->log);
	else
		ck_assert_ptr_nonnull(strstr(err.text, "fork"));
	ck_assert_uint_eq(mlog_count(p.log), want);
	into->log = p.log;
	kit_close(into);
	kit_close(other);
	return rc;
}

START_TEST(longer_log_is_kept)
{
	struct kit a = kit_open_with(1), b = kit_open_with(3);

	ck_assert_int_eq(merge(&a, &b, 4), 0);
	a = kit_open_with(3);
	b = kit_open_with(1);
	ck_assert_int_eq(merge(&a, &b, 4), 0);
	a = kit_open_with(2);
	b = kit_open_with(2);
	ck_assert_int_eq(merge(&a, &b, 3), 0);
}
END_TEST

START_TEST(a_fork_is_refused_either_way)
{
	struct kit a = kit_open_with(1), b = kit_open_with(0);

	kit_join(&b, 7);
	kit_join(&b, 8);
	ck_assert_int_eq(merge(&a, &b, 2), -EEXIST);
	a = kit_open_with(0);
	kit_join(&a, 7);
	kit_join(&a, 8);
	b = kit_open_with(1);
	ck_assert_int_eq(merge(&a, &b, 3), -EEXIST);
}
END_TEST

UNIT_MAIN("tund/state", seniors_come_first, state_comes_back, largest_state_fits_its_file,
	  state_of_before_ranks_is_read, torn_state_is_refused, only_state_files_are_of_clusters,
	  files_are_private_and_checked, what_can_not_be_replaced_is_named,
	  what_the_file_has_is_not_written_again, longer_log_is_kept, a_fork_is_refused_either_way)
