/* SPDX-License-Identifier: MIT */
/* What os/file.h promises: whole files, secrets, locks, slots, folders. */
#include "os/file.h"
#include "port_kit.h"

static struct host *h;

/* The file has this content, read with no byte to spare. */
static void check_content(const char *path, const char *content)
{
	struct buf b = { 0 };

	PORT_OK(file_read(h, path, strlen(content), NULL, &b));
	ck_assert_uint_eq(b.len, strlen(content));
	ck_assert_str_eq((const char *)b.data, content); /* NUL-terminated */
	buf_free(&b);
	ck_assert_ptr_null(b.data);
}

static int put(const char *path, const char *content, unsigned mode)
{
	return file_write(h, path, content, strlen(content), mode, NULL);
}

START_TEST(a_file_is_written_whole_with_its_mode)
{
	h = port_begin();
	const char *path = port_path("file");
	struct err err = { 0 };

	PORT_OK(put(path, "one", 0644));
	check_content(path, "one");
	ck_assert_int_eq(port_mode(path), 0644);
	PORT_OK(put(path, "two and more", 0600));
	check_content(path, "two and more");
	ck_assert_int_eq(port_mode(path), 0600);
	PORT_OK(put(path, "", 0666));
	check_content(path, "");
	ck_assert_int_eq(port_mode(path), 0666);
	ck_assert_int_eq(file_write(h, port_path("missing/file"), "x", 1, 0600, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "missing/file"));
	PORT_OK(dir_make(h, port_path("folder"), 0755, NULL));
	ck_assert_int_eq(put(port_path("folder"), "x", 0600), -EISDIR);
	port_end();
}
END_TEST

START_TEST(a_file_is_created_once)
{
	h = port_begin();
	const char *path = port_path("file");

	PORT_OK(file_create(h, path, "one", 3, 0640, NULL));
	ck_assert_int_eq(port_mode(path), 0640);
	ck_assert_int_eq(file_create(h, path, "two", 3, 0600, NULL), -EEXIST);
	check_content(path, "one");
	PORT_OK(dir_make(h, port_path("folder"), 0755, NULL));
	ck_assert_int_eq(file_create(h, port_path("folder"), "x", 1, 0600, NULL), -EEXIST);
	port_end();
}
END_TEST

START_TEST(reading_has_a_limit_and_takes_files_only)
{
	h = port_begin();
	struct buf b = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(file_read(h, port_path("no"), 9, &err, &b), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, port_path("no")));
	PORT_OK(put(port_path("file"), "four", 0600));
	ck_assert_int_eq(file_read(h, port_path("file"), 3, &err, &b), -EFBIG);
	PORT_OK(dir_make(h, port_path("folder"), 0755, NULL));
	ck_assert_int_eq(file_read(h, port_path("folder"), 9, &err, &b), -EINVAL);
	ck_assert_int_eq(file_read_private(h, port_path("folder"), 9, &err, &b), -EINVAL);
	ck_assert_ptr_null(b.data);
	buf_free(&b);
	buf_free(NULL);
	port_end();
}
END_TEST

START_TEST(a_secret_is_its_owners_alone)
{
	h = port_begin();
	static const unsigned open_modes[] = { 0644, 0640, 0620, 0610, 0604, 0602, 0601 };
	const char *path = port_path("secret");
	struct buf b = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(file_read_private(h, path, 9, &err, &b), -ENOENT);
	for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
		PORT_OK(put(path, "key", open_modes[i]));
		ck_assert_int_eq(file_read_private(h, path, 9, &err, &b), -EACCES);
		ck_assert_ptr_nonnull(strstr(err.text, path));
	}
	PORT_OK(put(path, "key", 0600));
	ck_assert_int_eq(file_read_private(h, path, 2, &err, &b), -EFBIG);
	PORT_OK(file_read_private(h, path, 3, &err, &b));
	ck_assert_str_eq((const char *)b.data, "key");
	buf_free(&b);
	port_end();
}
END_TEST

START_TEST(adding_cuts_and_appends)
{
	h = port_begin();
	const char *path = port_path("log");
	struct err err = { 0 };

	ck_assert_int_eq(file_add(h, path, 0, "x", 1, &err), -ENOENT);
	PORT_OK(put(path, "abc", 0640));
	PORT_OK(file_add(h, path, 3, "def", 3, NULL));
	check_content(path, "abcdef");
	PORT_OK(file_add(h, path, 2, "X", 1, NULL));
	check_content(path, "abX");
	PORT_OK(file_add(h, path, 1, "", 0, NULL));
	check_content(path, "a");
	ck_assert_int_eq(file_add(h, path, 2, "x", 1, &err), -ESTALE);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	check_content(path, "a");
	ck_assert_int_eq(port_mode(path), 0640);
	PORT_OK(dir_make(h, port_path("folder"), 0755, NULL));
	ck_assert_int_eq(file_add(h, port_path("folder"), 0, "x", 1, &err), -EINVAL);
	port_end();
}
END_TEST

START_TEST(what_is_removed_is_gone)
{
	h = port_begin();
	const char *path = port_path("file");

	ck_assert_int_eq(file_remove(h, path), -ENOENT);
	PORT_OK(file_forget(h, path));
	PORT_OK(file_forget(h, port_path("missing/file")));
	PORT_OK(put(path, "x", 0600));
	ck_assert(file_exists(h, path));
	PORT_OK(file_remove(h, path));
	ck_assert(!file_exists(h, path));
	PORT_OK(put(path, "x", 0600));
	PORT_OK(put(port_path("file2"), "x", 0600));
	PORT_OK(file_forget(h, path));
	ck_assert(!file_exists(h, path));
	ck_assert(file_exists(h, port_path("file2")));
	PORT_OK(dir_make(h, port_path("folder"), 0755, NULL));
	ck_assert(file_exists(h, port_path("folder")));
	ck_assert_int_eq(file_remove(h, port_path("folder")), -EISDIR);
	ck_assert(file_exists(h, port_path("folder")));
	port_end();
}
END_TEST

START_TEST(a_lock_has_one_holder)
{
	h = port_begin();
	const char *path = port_path("lock");
	struct file_lock *l = NULL, *other = NULL;
	struct err err = { 0 };
	int pid = 0;

	PORT_OK(file_lock(h, path, &pid, &err, &l));
	ck_assert_int_eq(port_mode(path), 0600);
	ck_assert_int_eq(file_lock(port_second(), path, &pid, &err, &other), -EBUSY);
	ck_assert_int_gt(pid, 0);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_ptr_null(other);
	file_unlock(l);
	ck_assert(file_exists(h, path)); /* it stays */
	PORT_OK(file_lock(port_second(), path, &pid, &err, &other));
	file_unlock(other);
	file_unlock(NULL);
	port_end();
}
END_TEST

START_TEST(a_lock_is_a_file_of_its_own)
{
	h = port_begin();
	struct file_lock *l = NULL;
	struct err err = { 0 };
	int pid = 0;

	PORT_OK(dir_make(h, port_path("folder"), 0755, NULL));
	ck_assert_int_eq(file_lock(h, port_path("folder"), &pid, &err, &l), -EMLINK);
	ck_assert_ptr_nonnull(strstr(err.text, port_path("folder")));
	ck_assert_int_eq(file_lock(h, port_path("missing/lock"), &pid, &err, &l), -ENOENT);
	PORT_OK(put(port_path("file"), "", 0640)); /* made by hand: its mode stays */
	PORT_OK(file_lock(h, port_path("file"), &pid, &err, &l));
	ck_assert_int_eq(port_mode(port_path("file")), 0640);
	file_unlock(l);
	port_end();
}
END_TEST

START_TEST(a_slot_is_written_again_and_again)
{
	h = port_begin();
	const char *path = port_path("slot");
	struct file_slot *s = NULL;
	struct err err = { 0 };

	PORT_OK(file_slot_open(h, path, 0640, &err, &s));
	ck_assert_int_eq(port_mode(path), 0640);
	check_content(path, "");
	PORT_OK(file_slot_write(s, "long content", 12));
	check_content(path, "long content");
	PORT_OK(file_slot_write(s, "short", 5));
	check_content(path, "short");
	file_slot_close(s);
	check_content(path, "short");
	PORT_OK(file_slot_open(h, path, 0600, &err, &s)); /* is there: as it is */
	ck_assert_int_eq(port_mode(path), 0640);
	check_content(path, "short");
	PORT_OK(file_slot_write(s, "x", 1));
	ck_assert_int_eq(port_mode(path), 0640);
	/* It holds the file, and not the name. */
	PORT_OK(file_remove(h, path));
	PORT_OK(file_slot_write(s, "y", 1));
	ck_assert(!file_exists(h, path));
	file_slot_close(s);
	file_slot_close(NULL);
	port_end();
}
END_TEST

START_TEST(a_slot_is_a_file)
{
	h = port_begin();
	struct file_slot *s = NULL;
	struct err err = { 0 };

	PORT_OK(dir_make(h, port_path("folder"), 0755, NULL));
	ck_assert_int_eq(file_slot_open(h, port_path("folder"), 0600, &err, &s), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, port_path("folder")));
	ck_assert_int_eq(file_slot_open(h, port_path("missing/slot"), 0600, &err, &s), -ENOENT);
	ck_assert_ptr_null(s);
	port_end();
}
END_TEST

START_TEST(folders_are_made_with_their_parents)
{
	h = port_begin();
	struct err err = { 0 };

	PORT_OK(dir_make(h, port_path("a/b"), 0755, &err));
	ck_assert_int_eq(port_mode(port_path("a")), 0755);
	ck_assert_int_eq(port_mode(port_path("a/b")), 0755);
	PORT_OK(dir_make(h, port_path("a/b/c"), 0700, &err));
	ck_assert_int_eq(port_mode(port_path("a/b/c")), 0700);
	PORT_OK(dir_make(h, port_path("a/b"), 0700, &err));
	ck_assert_int_eq(port_mode(port_path("a/b")), 0755); /* keeps its mode */
	PORT_OK(put(port_path("a/file"), "x", 0600));
	ck_assert_int_eq(dir_make(h, port_path("a/file"), 0700, &err), -ENOTDIR);
	ck_assert_int_eq(dir_make(h, port_path("a/file/d"), 0700, &err), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(err.text, port_path("a/file/d")));
	port_end();
}
END_TEST

START_TEST(only_empty_folders_are_removed)
{
	h = port_begin();

	ck_assert_int_eq(dir_remove(h, port_path("no")), -ENOENT);
	PORT_OK(dir_make(h, port_path("a/b"), 0755, NULL));
	ck_assert_int_eq(dir_remove(h, port_path("a")), -ENOTEMPTY);
	PORT_OK(put(port_path("a/b/file"), "x", 0600));
	ck_assert_int_eq(dir_remove(h, port_path("a/b")), -ENOTEMPTY);
	ck_assert_int_eq(dir_remove(h, port_path("a/b/file")), -ENOTDIR);
	PORT_OK(file_remove(h, port_path("a/b/file")));
	PORT_OK(dir_remove(h, port_path("a/b")));
	PORT_OK(dir_remove(h, port_path("a")));
	ck_assert(!file_exists(h, port_path("a")));
	port_end();
}
END_TEST

static char names[128];

static void add_name(void *ctx, const char *name)
{
	ck_assert_ptr_eq(ctx, names);
	strcat(strcat(names, name), " ");
	/* The list is of the time of the call. */
	PORT_OK(put(port_path("d/zz"), "x", 0600));
}

START_TEST(a_folder_lists_its_files_by_name)
{
	h = port_begin();
	struct err err = { 0 };

	PORT_OK(dir_list(h, port_path("no"), add_name, names, &err));
	PORT_OK(dir_make(h, port_path("d/inner"), 0755, NULL));
	PORT_OK(dir_list(h, port_path("d"), add_name, names, &err));
	ck_assert_str_eq(names, "");
	PORT_OK(put(port_path("d/b"), "x", 0600));
	PORT_OK(put(port_path("d/aa.toml"), "x", 0600));
	PORT_OK(put(port_path("d/a"), "x", 0600));
	PORT_OK(put(port_path("d/.hidden"), "x", 0600));
	PORT_OK(put(port_path("d/inner/c"), "x", 0600));
	PORT_OK(put(port_path("dx"), "x", 0600));
	PORT_OK(dir_list(h, port_path("d"), add_name, names, &err));
	ck_assert_str_eq(names, "a aa.toml b ");
	ck_assert_int_eq(dir_list(h, port_path("dx"), add_name, names, &err), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(err.text, port_path("dx")));
	port_end();
}
END_TEST

UNIT_MAIN("port/file", a_file_is_written_whole_with_its_mode, a_file_is_created_once,
	  reading_has_a_limit_and_takes_files_only, a_secret_is_its_owners_alone,
	  adding_cuts_and_appends, what_is_removed_is_gone, a_lock_has_one_holder,
	  a_lock_is_a_file_of_its_own, a_slot_is_written_again_and_again, a_slot_is_a_file,
	  folders_are_made_with_their_parents, only_empty_folders_are_removed,
	  a_folder_lists_its_files_by_name)
