/* SPDX-License-Identifier: MIT */
/*
 * A server that is started as root: its files become another user's, and so does the process. Each
 * case is played in a process of its own, in a fresh folder.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "os/file.h"
#include "os/privs.h"
#include "os_deny.h"
#include "os_unit.h"

#define NOBODY 65534

static struct host *host;
static char dir[] = "/tmp/mlsh-test-owner-XXXXXX";

static char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *out = paths[next++ % ARRAY_LEN(paths)];
	snprintf(out, sizeof(paths[0]), "%s/%s", dir, name);
	return out;
}

static void drop(void)
{
	const struct privs_paths paths = { .written = { path_of("server/db") } };
	struct err err = { 0 };
	int r = privs_drop(host, PRIVS_SIGNAL, &paths, &err);
	ck_assert_msg(r == 0, "%s", err.text);
}

static void bind_low_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
}

static const char *const companions[] = { "-wal", "-shm", NULL };

static struct privs_file database(const char *user)
{
	return (struct privs_file){ .user = user,
				    .path = path_of("server/db"),
				    .companions = companions };
}

static struct privs_account take_over(const char *user, int expected)
{
	const struct privs_file f = database(user);
	struct privs_account a;
	struct err err = { 0 };
	int r = privs_take_over(host, &f, &err, &a);
	ck_assert_msg(r == expected, "%d: %s", r, err.text);
	return a;
}

static void check_owner(const char *path, unsigned uid)
{
	struct stat st;
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, uid);
}

static void make_file(const char *path)
{
	ck_assert_int_eq(file_write(host, path, "x", 1, 0600, NULL), 0);
}

/* As a restored backup is: all of it root's. */
static void make_database(void)
{
	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert_int_eq(dir_make(host, path_of("server"), 0700, NULL), 0);
	make_file(path_of("server/db"));
	make_file(path_of("server/db-wal"));
}

static void become(const struct privs_account *a)
{
	struct err err = { 0 };
	int r = privs_become(host, a, &err);
	ck_assert_msg(r == 0, "%s", err.text);
}

static void play_taken_over(void)
{
	make_database();
	struct privs_account a = take_over("no such user", 0);
	ck_assert(a.differs && a.reaches);
	ck_assert_uint_eq(a.id, PRIVS_UNNAMED_ID);
	check_owner(path_of("server"), a.id);
	check_owner(path_of("server/db"), a.id);
	check_owner(path_of("server/db-wal"), a.id);
	become(&a);
	ck_assert_int_eq(getgroups(0, NULL), 0);
	ck_assert_uint_eq(getuid(), a.id);
	ck_assert_uint_eq(getegid(), a.group_id);
	ck_assert_int_eq(setuid(0), -1); /* no way back */
	bind_low_port();		 /* until privileges are dropped */
	make_file(path_of("server/db-shm"));
	ck_assert_int_eq(open(path_of("secret"), O_RDONLY), -1);
	drop();
	make_file(path_of("server/db"));
}

static void play_named(void)
{
	make_database();
	struct privs_account a = take_over("nobody", 0);
	ck_assert_uint_eq(a.id, NOBODY);
	check_owner(path_of("server/db"), NOBODY);
	/* The second program goes by the owner, whoever that is. */
	const struct privs_file f = database("no such user");
	ck_assert_int_eq(privs_account_of(host, &f, NULL, &a), 0);
	ck_assert(a.differs && a.reaches);
	ck_assert_uint_eq(a.id, NOBODY);
}

static void play_missing(void)
{
	ck_assert_int_eq(chmod(dir, 0711), 0);
	struct privs_account a = take_over("no such user", 0);
	check_owner(path_of("server"), a.id);
	ck_assert(a.reaches);
	const struct privs_file f = database("no such user");
	ck_assert_int_eq(privs_account_of(host, &f, NULL, &a), -ENOENT);
}

/* A folder with other things in it stays root's; the files are the server's all the same. */
static void play_shared_folder(void)
{
	make_database();
	make_file(path_of("server/letters"));
	struct privs_account a = take_over("no such user", 0);
	ck_assert(a.differs && !a.reaches);
	check_owner(path_of("server"), 0);
	check_owner(path_of("server/letters"), 0);
	check_owner(path_of("server/db"), a.id);
}

/* The folder is the user's, but one above it is closed to it. */
static void play_closed_above(void)
{
	make_database();
	ck_assert_int_eq(chmod(dir, 0700), 0);
	struct privs_account a = take_over("no such user", 0);
	ck_assert(a.differs && !a.reaches);
	int fd = open(path_of("server/db"), O_RDWR);
	become(&a);
	ck_assert_int_eq(write(fd, "y", 1), 1);
	ck_assert_int_eq(open(path_of("server/db"), O_RDWR), -1);
}

/* What another user can lay into a folder that is theirs. */
static void play_traps(void)
{
	make_database();
	ck_assert_int_eq(unlink(path_of("server/db-wal")), 0);
	ck_assert_int_eq(symlink(path_of("secret"), path_of("server/db-wal")), 0);
	take_over("nobody", -EINVAL);
	check_owner(path_of("server/db"), 0); /* undone */
	ck_assert_int_eq(unlink(path_of("server/db-wal")), 0);
	ck_assert_int_eq(link(path_of("secret"), path_of("server/db-wal")), 0);
	take_over("nobody", -EMLINK);
	ck_assert_int_eq(unlink(path_of("server/db-wal")), 0);
	/* a folder behind a link of another user */
	ck_assert_int_eq(rename(path_of("server"), path_of("real")), 0);
	ck_assert_int_eq(symlink(path_of("real"), path_of("server")), 0);
	ck_assert_int_eq(lchown(path_of("server"), NOBODY, NOBODY), 0);
	take_over("nobody", -ELOOP);
	check_owner(path_of("secret"), 0);
	check_owner(path_of("real/db"), 0);
	/* root's own link, in root's own folder, is what systemd makes */
	ck_assert_int_eq(lchown(path_of("server"), 0, 0), 0);
	take_over("nobody", 0);
	check_owner(path_of("real/db"), NOBODY);
}

/* No folder is made where the link of another user leads. */
static void play_link_above(void)
{
	struct stat st;

	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert_int_eq(dir_make(host, path_of("theirs"), 0755, NULL), 0);
	ck_assert_int_eq(dir_make(host, path_of("roots"), 0755, NULL), 0);
	ck_assert_int_eq(symlink(path_of("roots"), path_of("theirs/way")), 0);
	ck_assert_int_eq(lchown(path_of("theirs/way"), NOBODY, NOBODY), 0);
	ck_assert_int_eq(chown(path_of("theirs"), NOBODY, NOBODY), 0);

	const struct privs_file f = { .user = "nobody",
				      .path = path_of("theirs/way/new/db"),
				      .companions = companions };
	struct privs_account a;
	struct err err = { 0 };

	ck_assert_int_eq(privs_take_over(host, &f, &err, &a), -ELOOP);
	ck_assert_int_eq(lstat(path_of("roots/new"), &st), -1);
}

/* Nothing comes into being behind another user's link, also in a folder that is root's. */
static void play_makes_nothing_behind_links(void)
{
	static const char *const names[] = { "", "-made", NULL };
	struct privs_file f = { .user = "nobody", .companions = names, .made = "-made" };
	struct privs_account a;

	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert_int_eq(dir_make(host, path_of("roots"), 0700, NULL), 0);
	ck_assert_int_eq(symlink(path_of("roots"), path_of("link")), 0);
	ck_assert_int_eq(lchown(path_of("link"), NOBODY, NOBODY), 0);
	f.path = path_of("link/db");
	ck_assert_int_eq(privs_take_over(host, &f, NULL, &a), -ELOOP);
	f.path = path_of("link/new/db");
	ck_assert_int_eq(privs_take_over(host, &f, NULL, &a), -ELOOP);
	ck_assert_int_eq(rmdir(path_of("roots")), 0); /* it is empty */
	f.path = path_of("good/db");
	ck_assert_int_eq(privs_take_over(host, &f, NULL, &a), 0);
	check_owner(path_of("good/db-made"), NOBODY);
}

/* Another user can exchange the folders on the way: nothing there is opened as root by its path. */
static void play_folder_of_another(void)
{
	struct privs_account a;

	make_database();
	ck_assert_int_eq(chmod(dir, 0700), 0);
	ck_assert_int_eq(chown(dir, NOBODY, NOBODY), 0);
	a = take_over("no such user", 0);
	ck_assert(a.differs && !a.reaches && a.searches);
	become(&a);
	ck_assert_int_eq(open(path_of("secret"), O_RDWR), -1);
	make_file(path_of("server/db-shm"));
	drop();
	ck_assert_int_eq(open(path_of("server/db"), O_RDWR), -1);
}

static void play_letters_of_another(void)
{
	make_database();
	make_file(path_of("server/letters"));
	ck_assert_int_eq(chown(path_of("server"), NOBODY, NOBODY), 0);
	take_over("no such user", -EPERM);
}

/* A user namespace with one user. */
static void play_without_setuid(void)
{
	make_database();
	os_deny(EINVAL, SCMP_SYS(setresuid), 1, PRIVS_UNNAMED_ID);
	struct privs_account a = take_over("no such user", 0);
	ck_assert(!a.differs && a.reaches);
	check_owner(path_of("server/db"), 0);
	become(&a);
	drop();
	make_file(path_of("server/db"));
}

/* A file system without owners: the files that could be given are taken back. */
static void play_without_chown(void)
{
	make_database();
	os_deny(EPERM, SCMP_SYS(fchownat), 2, PRIVS_UNNAMED_ID);
	struct privs_account a = take_over("no such user", 0);
	ck_assert(!a.differs);
	become(&a);
	drop();
	make_file(path_of("server/db"));
}

/* ---- a daemon and its state folder ---- */

static struct privs_account give(const char *user, int expected)
{
	static const char *const suffixes[] = { ".state", ".node", "lock", NULL };
	const struct privs_state s = { .user = user,
				       .folder = path_of("state"),
				       .suffixes = suffixes,
				       .socket = path_of("run/socket") };
	struct privs_account a;
	struct err err = { 0 };
	int r = privs_give_state(host, &s, &err, &a);
	ck_assert_msg(r == expected, "%d: %s", r, err.text);
	return a;
}

/* As udev makes it, for this process alone. */
static void make_device(const char *mode)
{
	char command[96];
	snprintf(command, sizeof(command),
		 "mount -t tmpfs tmpfs /dev/net && mknod -m %s /dev/net/tun c 10 200", mode);
	ck_assert(os_unit_command("mount --make-rprivate / && mkdir -p /dev/net"));
	ck_assert(os_unit_command(command));
}

static void make_state(void)
{
	make_device("666");
	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert_int_eq(dir_make(host, path_of("run"), 0755, NULL), 0);
	make_file(path_of("run/socket"));
	ck_assert_int_eq(dir_make(host, path_of("state/lab/clusters"), 0700, NULL), 0);
	make_file(path_of("state/lab/clusters/lab.log"));
	make_file(path_of("state/lab.state"));
	make_file(path_of("state/.lab.state.0123456789abcdef"));
	make_file(path_of("state/lock"));
}

static void check_state_owner(unsigned uid)
{
	static const char *const names[] = { "state",
					     "state/lab",
					     "state/lab/clusters",
					     "state/lab/clusters/lab.log",
					     "state/lab.state",
					     "state/.lab.state.0123456789abcdef",
					     "state/lock",
					     "run" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		check_owner(path_of(names[i]), uid);
}

static void play_state_given(void)
{
	make_state();
	struct privs_account a = give("nobody", 0);
	ck_assert(a.differs);
	check_state_owner(NOBODY);
	check_owner(path_of("run/socket"), 0);
	become(&a);
	bind_low_port();
	make_file(path_of("state/lab.node"));
	make_file(path_of("run/new"));
	const struct privs_paths paths = { .folders = { path_of("state") } };
	ck_assert_int_eq(privs_drop(host, PRIVS_DAEMON, &paths, NULL), 0);
	bind_low_port();
	make_file(path_of("state/lab/clusters/lab.log"));
}

static void play_state_taken_back(void)
{
	make_state();
	give("nobody", 0);
	make_file(path_of("state/lab.node")); /* what root has put back */
	ck_assert(!give("no such user", 0).differs);
	check_state_owner(0);
	ck_assert(give("nobody", 0).differs);
	check_state_owner(NOBODY);
	check_owner(path_of("state/lab.node"), NOBODY);
	ck_assert(!give("root", 0).differs);
	check_state_owner(0);
}

static void play_state_traps(void)
{
	make_state();
	ck_assert_int_eq(symlink(path_of("secret"), path_of("state/a.state")), 0);
	ck_assert_int_eq(link(path_of("secret"), path_of("state/b.state")), 0);
	ck_assert_int_eq(mkfifo(path_of("state/c.state"), 0600), 0);
	ck_assert_int_eq(symlink(dir, path_of("state/lab/d.state")), 0);
	make_file(path_of("state/e.state"));
	ck_assert_int_eq(chown(path_of("state/e.state"), 4040, 4040), 0);
	ck_assert(give("nobody", 0).differs);
	check_owner(path_of("secret"), 0);
	check_owner(path_of("state/a.state"), 0);
	check_owner(path_of("state/c.state"), 0);
	check_owner(path_of("state/e.state"), 4040);
	check_owner(dir, 0);
	check_owner(path_of("state/lab.state"), NOBODY);
}

/* --state-dir names a folder with somebody's letters: none of it is given away. */
static void play_state_beside_letters(void)
{
	static const char *const others[] = { "state/letter", "state/.profile", "state/.x.state" };
	static const char *const folders[] = { "state/mail", "state/.config" };
	make_state();
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		make_file(path_of(others[i]));
		ck_assert_msg(!give("nobody", 0).differs || i == 2, "%s", others[i]);
		check_state_owner(i == 2 ? NOBODY : 0);
		ck_assert_int_eq(unlink(path_of(others[i])), 0);
	}
	give("root", 0);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		ck_assert_int_eq(mkdir(path_of(folders[i]), 0700), 0);
		ck_assert(!give("nobody", 0).differs);
		check_state_owner(0);
		ck_assert_int_eq(rmdir(path_of(folders[i])), 0);
	}
	ck_assert(give("nobody", 0).differs);
}

static void play_state_out_of_reach(void)
{
	make_state();
	ck_assert_int_eq(chmod(dir, 0700), 0);
	ck_assert(!give("nobody", 0).differs);
	check_state_owner(0);
}

static void play_state_without_device(void)
{
	make_state();
	make_device("600");
	ck_assert(!give("nobody", 0).differs);
	check_state_owner(0);
}

static void play_state_without_chown(void)
{
	make_state();
	os_deny(EPERM, SCMP_SYS(fchownat), 2, NOBODY);
	struct privs_account a = give("nobody", 0);
	ck_assert(!a.differs);
	check_state_owner(0);
	become(&a);
	ck_assert_uint_eq(geteuid(), 0);
}

static void play_state_behind_a_link(void)
{
	make_state();
	ck_assert_int_eq(rename(path_of("state"), path_of("real")), 0);
	ck_assert_int_eq(symlink(path_of("real"), path_of("state")), 0);
	ck_assert_int_eq(lchown(path_of("state"), 4040, 4040), 0);
	give("nobody", -ELOOP);
	check_owner(path_of("real/lab.state"), 0);
	ck_assert_int_eq(lchown(path_of("state"), 0, 0), 0); /* root's own link */
	ck_assert(give("nobody", 0).differs);
	check_owner(path_of("real/lab.state"), NOBODY);
}

static void play(void (*fn)(void))
{
	char command[64];
	int status;
	memcpy(strrchr(dir, '-') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	host = os_unit_host();
	make_file(path_of("secret"));
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fn();
		_exit(0); /* leak checkers need what was given up */
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	host_free(host);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(server_of_root_becomes_another_user)
{
	static void (*const plays[])(void) = {
		play_taken_over,	play_named,
		play_missing,		play_shared_folder,
		play_closed_above,	play_traps,
		play_link_above,	play_makes_nothing_behind_links,
		play_folder_of_another, play_letters_of_another,
		play_without_setuid,	play_without_chown
	};
	if (!os_unit_namespace())
		return;
	for (size_t i = 0; i < ARRAY_LEN(plays); i++)
		play(plays[i]);
}
END_TEST

/* [P5-16] */
START_TEST(daemon_of_root_gives_its_state)
{
	static void (*const plays[])(void) = {
		play_state_given,	   play_state_taken_back,    play_state_traps,
		play_state_beside_letters, play_state_out_of_reach,  play_state_without_device,
		play_state_without_chown,  play_state_behind_a_link,
	};
	if (!os_unit_namespace())
		return;
	for (size_t i = 0; i < ARRAY_LEN(plays); i++)
		play(plays[i]);
}
END_TEST

START_TEST(server_of_a_user_stays_one)
{
	if (getuid() == 0)
		ck_assert_int_eq(setuid(NOBODY), 0);
	memcpy(strrchr(dir, '-') + 1, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	host = os_unit_host();
	struct privs_account a = take_over("root", 0);
	ck_assert(!a.differs && a.reaches);
	become(&a);
	host_free(host);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

UNIT_MAIN("os/owner", server_of_root_becomes_another_user, daemon_of_root_gives_its_state,
	  server_of_a_user_stays_one)
