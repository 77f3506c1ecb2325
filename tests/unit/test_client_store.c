/* SPDX-License-Identifier: MIT */
/* A user's files on a real disk: where they lie, who may read them, what comes back. */
#include "client/store.h"

#include <sys/stat.h>
#include <unistd.h>

#include "identity/identity.h"
#include "log_kit.h"

struct home {
	struct host *h;
	char dir[64];
	struct store s;
};

static struct home home_open(void)
{
	struct home o = { .dir = "/tmp/mlsh-store-XXXXXX" };

	ck_assert_int_eq(host_new(NULL, &o.h), 0);
	ck_assert_ptr_nonnull(mkdtemp(o.dir));
	ck_assert_int_eq(store_open(NULL, o.dir, NULL, &o.s), 0);
	return o;
}

static void home_close(struct home *o)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", o->dir);
	ck_assert_int_eq(system(command), 0);
	host_free(o->h);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(stat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st.st_mode & 07777;
}

static struct cluster_file cluster_of(const struct kit *k)
{
	struct cluster_file f = {
		.cluster = "homelab",
		.node_name = "nas",
		.address = KIT_NET + 1,
		.subnet = { KIT_NET, 16 },
		.signal_host = "signal.example.org",
		.signal_port = 4433,
	};

	memcpy(f.cluster_id, mlog_cluster_id(k->log), HASH_LEN);
	f.node_id = identity_node_id(k->admin);
	return f;
}

START_TEST(folder_follows_the_environment)
{
	struct store s = { .dir = "untouched" };
	struct err err = { 0 };
	char longest[STORE_PATH_MAX + 8];

	ck_assert_int_eq(store_open("/xdg", "/home/me", NULL, &s), 0);
	ck_assert_str_eq(s.dir, "/xdg/mlsh");
	ck_assert_int_eq(store_open("relative", "/home/me", NULL, &s), 0);
	ck_assert_str_eq(s.dir, "/home/me/.config/mlsh");
	ck_assert_int_eq(store_open("", "/home/me", NULL, &s), 0);
	ck_assert_str_eq(s.dir, "/home/me/.config/mlsh");
	ck_assert_int_lt(store_open(NULL, NULL, &err, &s), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "HOME"));
	ck_assert_int_lt(store_open(NULL, "", &err, &s), 0);
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(store_open(longest, NULL, &err, &s), -ENAMETOOLONG);
	ck_assert_str_eq(s.dir, "/home/me/.config/mlsh");
}
END_TEST

static void count_cluster(void *ctx, const char *cluster)
{
	(void)cluster;
	++*(unsigned *)ctx;
}

/* Of a command that needs no files, in a service that has no HOME. */
START_TEST(a_store_that_is_nowhere_says_so)
{
	struct cluster_file f;
	struct store s = { 0 };
	struct host *h = NULL;
	struct identity *id = NULL;
	struct err err = { 0 };
	unsigned n = 0;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	ck_assert_int_eq(store_load_cluster(h, &s, "homelab", &f, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "HOME"));
	err = (struct err){ 0 };
	ck_assert_int_eq(store_identity(h, &s, "homelab", &id, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "HOME"));
	ck_assert(!store_has_cluster(h, &s, "homelab"));
	ck_assert(!store_has_pending(h, &s, "homelab"));
	store_each_cluster(h, &s, count_cluster, &n);
	ck_assert_uint_eq(n, 0);
	host_free(h);
}
END_TEST

START_TEST(names_can_not_leave_the_folder)
{
	static const char *const bad[] = { "", "..", "../x", "a/b", "a\nb", "A", ".x", "a.b" };
	struct store s = { .dir = "/d" };
	char path[STORE_PATH_MAX], longest[LABEL_MAX + 2];
	struct err err = { 0 };

	ck_assert_int_eq(store_cluster_path(&s, "homelab", ".toml", path, NULL), 0);
	ck_assert_str_eq(path, "/d/clusters/homelab.toml");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(store_cluster_path(&s, bad[i], ".toml", path, &err), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[LABEL_MAX + 1] = '\0';
	ck_assert_int_lt(store_cluster_path(&s, longest, ".toml", path, &err), 0);
}
END_TEST

START_TEST(cluster_comes_back_private)
{
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k), back = { 0 };
	struct mlog *log = NULL;
	struct err err = { 0 };
	char path[STORE_PATH_MAX];

	umask(0);
	kit_join(&k, 1);
	ck_assert(!store_has_cluster(o.h, &o.s, "homelab"));
	ck_assert_int_eq(store_load_cluster(o.h, &o.s, "homelab", &back, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "homelab"));
	ck_assert_msg(store_save_cluster(o.h, &o.s, &f, k.log, &err) == 0, "%s", err.text);
	ck_assert(store_has_cluster(o.h, &o.s, "homelab"));
	/* A file that cannot be looked at is not one that is missing. */
	ck_assert_int_eq(store_cluster_path(&o.s, "loop", STORE_CLUSTER, path, NULL), 0);
	ck_assert_int_eq(symlink(path, path), 0);
	ck_assert_int_eq(store_load_cluster(o.h, &o.s, "loop", &back, &err), -ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, "homelab", STORE_CLUSTER, path, NULL), 0);
	ck_assert_uint_eq(mode_of(path), 0600);
	snprintf(path, sizeof(path), "%s/.config/mlsh/clusters", o.dir);
	ck_assert_uint_eq(mode_of(path), 0700);
	snprintf(path, sizeof(path), "%s/.config/mlsh", o.dir);
	ck_assert_uint_eq(mode_of(path), 0700);
	ck_assert_int_eq(store_load_cluster(o.h, &o.s, "homelab", &back, &err), 0);
	ck_assert_str_eq(back.node_name, "nas");
	ck_assert_int_eq(store_load_log(o.h, &o.s, &back, &log, NULL, &err), 0);
	ck_assert_uint_eq(mlog_count(log), 2);
	mlog_free(log);

	kit_join(&k, 2);
	ck_assert_int_eq(store_save_log(o.h, &o.s, &f, k.log, &err), 0);
	ck_assert_int_eq(store_load_log(o.h, &o.s, &back, &log, NULL, &err), 0);
	ck_assert_uint_eq(mlog_count(log), 3);
	mlog_free(log);

	/* Another cluster's id in the file: the log does not belong to it. */
	back.cluster_id[0] ^= 1;
	ck_assert_int_lt(store_load_log(o.h, &o.s, &back, &log, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "homelab.log"));
	kit_close(&k);
	home_close(&o);
}
END_TEST

START_TEST(readable_secrets_are_refused)
{
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k), back = { .signal_port = 7 };
	struct err err = { 0 };
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(store_save_cluster(o.h, &o.s, &f, k.log, &err), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, "homelab", STORE_CLUSTER, path, NULL), 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(store_load_cluster(o.h, &o.s, "homelab", &back, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "chmod"));
	ck_assert_uint_eq(back.signal_port, 7);
	kit_close(&k);
	home_close(&o);
}
END_TEST

/* A person's mistake: the line, what is wrong in it, and what to do. */
START_TEST(a_spoilt_file_says_what_to_do)
{
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k), back = { .signal_port = 7 };
	struct err err = { 0 };
	struct buf text = { 0 };
	char path[STORE_PATH_MAX], *at;

	ck_assert_int_eq(store_save_cluster(o.h, &o.s, &f, k.log, &err), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, "homelab", STORE_CLUSTER, path, NULL), 0);
	ck_assert_int_eq(file_read(o.h, path, CLUSTER_FILE_MAX, &err, &text), 0);
	at = strstr((char *)text.data, "\nport = ");
	ck_assert_ptr_nonnull(at);
	at[8] = 'x';
	ck_assert_int_eq(file_write(o.h, path, text.data, text.len, 0600, &err), 0);
	ck_assert_int_eq(store_load_cluster(o.h, &o.s, "homelab", &back, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, "homelab.toml:18: ") && !strstr(err.text, "..") &&
			      strstr(err.text, ". Correct the file") &&
			      strstr(err.text, "mlsh connect homelab"),
		      "%s", err.text);
	ck_assert_uint_eq(back.signal_port, 7);
	buf_free(&text);
	kit_close(&k);
	home_close(&o);
}
END_TEST

START_TEST(a_file_under_another_name_is_refused)
{
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k), back;
	struct err err = { 0 };
	char from[STORE_PATH_MAX], to[STORE_PATH_MAX];

	ck_assert_int_eq(store_save_cluster(o.h, &o.s, &f, k.log, &err), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, "homelab", STORE_CLUSTER, from, NULL), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, "other", STORE_CLUSTER, to, NULL), 0);
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_int_eq(store_load_cluster(o.h, &o.s, "other", &back, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "homelab"));
	kit_close(&k);
	home_close(&o);
}
END_TEST

/* Each cluster has its own, and only that. */
START_TEST(identities_are_kept_apart)
{
	struct home o = home_open();
	struct identity *id[2] = { NULL }, *again = NULL;
	static const char *const cluster[] = { "homelab", "office" };
	struct err err = { 0 };
	char path[STORE_PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(store_identity(o.h, &o.s, cluster[i], &again, &err), -ENOENT);
		ck_assert_ptr_nonnull(strstr(err.text, cluster[i]));
		ck_assert_int_eq(identity_new(o.h, &err, &id[i]), 0);
		ck_assert_int_eq(store_save_identity(o.h, &o.s, cluster[i], id[i], &err), 0);
		ck_assert_int_eq(store_identity_path(&o.s, cluster[i], "", path, &err), 0);
		ck_assert_uint_eq(mode_of(path), 0700);
	}
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(store_identity(o.h, &o.s, cluster[i], &again, &err), 0);
		ck_assert_mem_eq(identity_key(id[i]), identity_key(again), KEY_LEN);
		identity_free(again);
	}
	/* What is left of an earlier membership is replaced. */
	ck_assert_int_eq(store_save_identity(o.h, &o.s, "office", id[0], &err), 0);
	ck_assert_int_eq(store_identity(o.h, &o.s, "office", &again, &err), 0);
	ck_assert_mem_eq(identity_key(id[0]), identity_key(again), KEY_LEN);
	identity_free(again);
	ck_assert_int_eq(store_identity(o.h, &o.s, "../office", &again, &err), -EINVAL);
	ck_assert_int_eq(store_save_identity(o.h, &o.s, ".", id[0], &err), -EINVAL);
	identity_free(id[0]);
	identity_free(id[1]);
	home_close(&o);
}
END_TEST

/* The certificate follows from the key; the key from nothing. */
START_TEST(half_an_identity)
{
	struct home o = home_open();
	struct identity *id = NULL, *again = NULL;
	struct err err = { 0 };
	char path[STORE_PATH_MAX];

	ck_assert_int_eq(identity_new(o.h, &err, &id), 0);
	ck_assert_int_eq(store_save_identity(o.h, &o.s, "homelab", id, &err), 0);
	ck_assert_int_eq(store_identity_path(&o.s, "homelab", STORE_CERT, path, &err), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(store_identity(o.h, &o.s, "homelab", &again, &err), 0);
	ck_assert_mem_eq(identity_key(id), identity_key(again), KEY_LEN);
	ck_assert_int_eq(access(path, F_OK), 0);
	identity_free(again);
	ck_assert_int_eq(store_identity_path(&o.s, "homelab", STORE_KEY, path, &err), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(store_identity(o.h, &o.s, "homelab", &again, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	identity_free(id);
	home_close(&o);
}
END_TEST

static struct pending pending_of(const char *cluster)
{
	struct pending p = { .kind = PENDING_SETUP, .port = 4433, .entry.len = 5 };

	snprintf(p.cluster, sizeof(p.cluster), "%s", cluster);
	strcpy(p.node_name, "nas");
	strcpy(p.host, "signal.example.org");
	strcpy(p.code, "ABCD-EFGH-JKMN");
	return p;
}

START_TEST(pending_request_is_kept_until_removed)
{
	struct home o = home_open();
	struct pending p = pending_of("homelab"), back;
	struct err err = { 0 };
	char path[STORE_PATH_MAX];

	umask(0);
	ck_assert_int_eq(store_load_pending(o.h, &o.s, "homelab", &back, &err), -ENOENT);
	ck_assert_int_eq(store_remove_pending(o.h, &o.s, "homelab"), 0);
	ck_assert_msg(store_save_pending(o.h, &o.s, &p, &err) == 0, "%s", err.text);
	ck_assert_int_eq(store_cluster_path(&o.s, "homelab", STORE_PENDING, path, NULL), 0);
	ck_assert_uint_eq(mode_of(path), 0600);
	ck_assert_int_eq(store_save_pending(o.h, &o.s, &p, &err), -EEXIST);
	ck_assert_int_eq(store_load_pending(o.h, &o.s, "homelab", &back, &err), 0);
	ck_assert_str_eq(back.code, p.code);

	ck_assert_int_eq(truncate(path, 40), 0);
	ck_assert_int_eq(store_load_pending(o.h, &o.s, "homelab", &back, &err), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err.text, "homelab.pending"));
	ck_assert_int_eq(store_remove_pending(o.h, &o.s, "homelab"), 0);
	home_close(&o);
}
END_TEST

static void join_names(void *ctx, const char *cluster)
{
	strcat(strcat(ctx, cluster), " ");
}

START_TEST(clusters_are_listed_by_name)
{
	static const char *const files[] = { "homelab.toml", "garage.toml",	"attic.pending",
					     "homelab.log",  "Not-a-name.toml", ".toml" };
	struct home o = home_open();
	char path[STORE_PATH_MAX + 64], names[64] = "";
	struct err err = { 0 };

	store_each_cluster(o.h, &o.s, join_names, names); /* there is no folder */
	ck_assert_str_eq(names, "");
	snprintf(path, sizeof(path), "%s/clusters", o.s.dir);
	ck_assert_int_eq(dir_make(o.h, path, 0700, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/clusters/%s", o.s.dir, files[i]);
		ck_assert_int_eq(file_write(o.h, path, "x", 1, 0600, &err), 0);
	}
	store_each_cluster(o.h, &o.s, join_names, names);
	ck_assert_str_eq(names, "garage homelab ");
	home_close(&o);
}
END_TEST

static void touch(struct home *o, const char *path)
{
	struct err err = { 0 };

	ck_assert_msg(file_write(o->h, path, "x", 1, 0600, &err) == 0, "%s", err.text);
}

START_TEST(forget_takes_all_of_one_cluster_and_no_other)
{
	static const char *const suffixes[] = { STORE_PENDING, STORE_INVITES, STORE_LOCK };
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k), other = f;
	struct identity *id = NULL;
	struct err err = { 0 };
	char path[STORE_PATH_MAX], mine[STORE_PATH_MAX];

	ck_assert(!store_has_any(o.h, &o.s, "homelab"));
	ck_assert_int_eq(store_forget(o.h, &o.s, "homelab", &err), 0);
	strcpy(other.cluster, "office");
	ck_assert_int_eq(identity_new(o.h, &err, &id), 0);
	for (int i = 0; i < 2; i++) {
		struct cluster_file *c = i ? &other : &f;

		ck_assert_int_eq(store_save_identity(o.h, &o.s, c->cluster, id, &err), 0);
		ck_assert_int_eq(store_save_cluster(o.h, &o.s, c, k.log, &err), 0);
		for (size_t n = 0; n < ARRAY_LEN(suffixes); n++) {
			ck_assert_int_eq(store_cluster_path(&o.s, c->cluster, suffixes[n], path,
							    &err),
					 0);
			touch(&o, path);
		}
	}
	/* What a person has put beside them stays. */
	ck_assert_int_eq(store_cluster_path(&o.s, "homelab", ".toml.bak", mine, &err), 0);
	touch(&o, mine);
	ck_assert_int_eq(store_forget(o.h, &o.s, "homelab", &err), 0);
	ck_assert(!store_has_any(o.h, &o.s, "homelab"));
	ck_assert_int_eq(store_identity_path(&o.s, "homelab", "", path, &err), 0);
	ck_assert(!file_exists(o.h, path));
	ck_assert(file_exists(o.h, mine));
	ck_assert_int_eq(unlink(mine), 0);
	for (size_t n = 0; n < ARRAY_LEN(suffixes); n++) {
		ck_assert_int_eq(store_cluster_path(&o.s, "office", suffixes[n], path, &err), 0);
		ck_assert(file_exists(o.h, path));
	}
	ck_assert_int_eq(store_load_cluster(o.h, &o.s, "office", &other, &err), 0);
	ck_assert_int_eq(store_forget(o.h, &o.s, "homelab", &err), 0);
	/* A part alone is forgotten, too. */
	ck_assert_int_eq(store_identity_path(&o.s, "office", STORE_KEY, path, &err), 0);
	ck_assert_int_eq(store_forget(o.h, &o.s, "office", &err), 0);
	ck_assert_int_eq(store_save_identity(o.h, &o.s, "office", id, &err), 0);
	ck_assert(store_has_any(o.h, &o.s, "office"));
	ck_assert_int_eq(store_forget(o.h, &o.s, "office", &err), 0);
	ck_assert(!file_exists(o.h, path));
	ck_assert_int_eq(store_forget(o.h, &o.s, "../x", &err), -EINVAL);
	identity_free(id);
	kit_close(&k);
	home_close(&o);
}
END_TEST

static size_t size_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void check_log(struct home *o, const struct cluster_file *f, const struct mlog *want,
		      struct log_place *ret_place)
{
	struct head a = mlog_head(want), b;
	struct mlog *l = NULL;

	ck_assert_int_eq(store_load_log(o->h, &o->s, f, &l, ret_place, NULL), 0);
	b = mlog_head(l);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	mlog_free(l);
}

/* Records are added to the file, which is never written again as a whole for one. */
START_TEST(a_log_is_added_to)
{
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k);
	struct log_place place = { .bytes = 0 };
	char path[STORE_PATH_MAX];
	struct stat before, after;

	ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, NULL), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, f.cluster, STORE_LOG, path, NULL), 0);
	ck_assert_uint_eq(place.bytes, size_of(path));
	ck_assert_int_eq(stat(path, &before), 0);
	for (unsigned n = 1; n < 5; n++) {
		kit_join(&k, n);
		ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, NULL), 0);
		ck_assert_uint_eq(place.bytes, size_of(path));
		check_log(&o, &f, k.log, NULL);
	}
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	kit_close(&k);
	home_close(&o);
}
END_TEST

/* A crash left a part of a record behind the last whole one. */
START_TEST(a_torn_log_is_added_to)
{
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k);
	struct log_place place = { .bytes = 0 };
	char path[STORE_PATH_MAX];
	size_t whole;

	kit_join(&k, 1);
	ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, NULL), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, f.cluster, STORE_LOG, path, NULL), 0);
	whole = place.bytes;
	ck_assert_int_eq(file_add(o.h, path, whole, "\0\0\2", 3, NULL), 0);
	check_log(&o, &f, k.log, &place);
	ck_assert_uint_eq(place.bytes, whole);
	kit_join(&k, 2);
	ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, NULL), 0);
	check_log(&o, &f, k.log, NULL);
	kit_close(&k);
	home_close(&o);
}
END_TEST

/* Somebody shortened it, or a recovery dropped records that it has: it is written as a whole. */
START_TEST(a_log_that_does_not_fit_is_written_again)
{
	struct home o = home_open();
	struct kit k = kit_open();
	struct cluster_file f = cluster_of(&k);
	struct log_place place = { .bytes = 0 }, before;
	char path[STORE_PATH_MAX];
	struct err err = { 0 };

	kit_join(&k, 1);
	ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, NULL), 0);
	ck_assert_int_eq(store_cluster_path(&o.s, f.cluster, STORE_LOG, path, NULL), 0);
	ck_assert_int_eq(truncate(path, (off_t)place.bytes - 1), 0);
	kit_join(&k, 2);
	ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, &err), -ESTALE);
	ck_assert_uint_eq(place.bytes, 0);
	ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, NULL), 0);
	check_log(&o, &f, k.log, &before);
	ck_assert_uint_eq(place.bytes, before.bytes);
	place.head.hash[0] ^= 1; /* a record that our log does not have */
	ck_assert_int_eq(store_add_log(o.h, &o.s, &f, k.log, &place, NULL), 0);
	ck_assert_uint_eq(place.bytes, before.bytes);
	check_log(&o, &f, k.log, NULL);
	kit_close(&k);
	home_close(&o);
}
END_TEST

UNIT_MAIN("client/store", a_log_is_added_to, a_torn_log_is_added_to,
	  a_log_that_does_not_fit_is_written_again, folder_follows_the_environment,
	  a_store_that_is_nowhere_says_so, names_can_not_leave_the_folder,
	  cluster_comes_back_private, readable_secrets_are_refused, a_spoilt_file_says_what_to_do,
	  a_file_under_another_name_is_refused, identities_are_kept_apart, half_an_identity,
	  forget_takes_all_of_one_cluster_and_no_other, pending_request_is_kept_until_removed,
	  clusters_are_listed_by_name)
