/* SPDX-License-Identifier: MIT */
/*
 * Privileges: what is gone is gone, and all that a role does still works. Each role is played in a
 * process of its own, which ends without cleaning up: leak checkers need what was given up.
 */
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "os/fence.h"
#include "os/file.h"
#include "os/local.h"
#include "os/netconf.h"
#include "os/posix/local_internal.h"
#include "os/privs.h"
#include "os/resolve.h"
#include "os/splitdns.h"
#include "os/tun.h"
#include "os/udp.h"
#include "os_bus.h"

#define NOBODY 65534

static struct host *host;
static int status_fd; /* what the kernel says of the process that gave up its privileges */
static char dir[] = "/tmp/mlsh-test-privs-XXXXXX";
static char outside[] = "/tmp/mlsh-test-outside-XXXXXX"; /* of root; a secret is in it */

static char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *out = paths[next++ % ARRAY_LEN(paths)];
	snprintf(out, sizeof(paths[0]), "%s/%s", dir, name);
	return out;
}

static void run_in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* Confined to the test's own folder. */
static void drop(enum privs_role role)
{
	const struct privs_paths paths = { .folders = { dir }, .sockets = { path_of("socket") } };
	struct err err = { 0 };
	status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	int r = privs_drop(host, role, &paths, &err);
	ck_assert_msg(r == 0, "%s", err.text);
}

/* A line of /proc/self/status, as a hexadecimal number. */
static uint64_t own_status(const char *name)
{
	static char text[8192];
	uint64_t value = UINT64_MAX;
	ssize_t n = pread(status_fd, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	for (char *line = text, *next = text; (line = strsep(&next, "\n")) != NULL;)
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL, 16);
	ck_assert_msg(value != UINT64_MAX, "%s", name);
	return value;
}

static void check_caps(uint64_t expected)
{
	ck_assert_uint_eq(own_status("CapEff"), expected);
	ck_assert_uint_eq(own_status("CapPrm"), expected);
	ck_assert_uint_eq(own_status("CapInh"), 0);
	ck_assert_uint_eq(own_status("CapAmb"), 0);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void check_closed(int fd)
{
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errno, EACCES);
}

static char *path_outside(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", outside, name);
	return path;
}

/* Root's own files, which need no capability: neither read nor written nor made. */
static void check_files_confined(void)
{
	if (!has_landlock())
		return;
	check_closed(open(path_outside("secret"), O_RDONLY));
	check_closed(open(path_outside("secret"), O_WRONLY));
	check_closed(open(path_outside("new"), O_WRONLY | O_CREAT, 0600));
	check_closed(mkdir(path_outside("folder"), 0700));
	check_closed(unlink(path_outside("secret")));
	check_closed(open(outside, O_RDONLY | O_DIRECTORY));
	check_closed(open("/root", O_RDONLY | O_DIRECTORY));
	check_closed(open("/etc/mlsh-test-new", O_WRONLY | O_CREAT, 0600));
	check_closed(open("/dev/kmsg", O_WRONLY));
}

static void check_denied(long result)
{
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(errno, ENOSYS);
}

/* What no role may do. */
static void check_confined(void)
{
	static char *const args[] = { (char *)(uintptr_t)"true", NULL };
	ck_assert_uint_eq(own_status("NoNewPrivs"), 1);
	ck_assert_uint_eq(own_status("Seccomp"), 2);
	check_denied(execve("/bin/true", args, NULL));
	check_denied(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	check_denied(syscall(SYS_clone3, NULL, 0));
	check_denied(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	check_denied(mount("none", "/mnt", "tmpfs", 0, NULL));
	check_denied(unshare(CLONE_NEWUSER));
	check_denied(setuid(0));
	check_denied(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	check_denied(syscall(SYS_io_uring_setup, 8, NULL));
	check_denied(syscall(SYS_bpf, 0, NULL, 0));
	check_denied(kill(getppid(), 0));
	check_denied(socket(AF_PACKET, SOCK_RAW, 0));
	check_denied(socket(AF_NETLINK, SOCK_RAW, 9)); /* the audit system */
	check_files_confined();
	const int private = MAP_PRIVATE | MAP_ANONYMOUS;
	check_denied((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, private, -1, 0));
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, private, -1, 0);
	ck_assert_ptr_ne(page, MAP_FAILED);
	check_denied(mprotect(page, 4096, PROT_READ | PROT_EXEC));
	ck_assert_int_eq(munmap(page, 4096), 0);
}

/* ---- what the roles do ---- */

static void use_files(void)
{
	struct buf b = { 0 };
	ck_assert_int_eq(dir_make(host, path_of("sub/state"), 0700, NULL), 0);
	ck_assert_int_eq(file_write(host, path_of("sub/state/a"), "1", 1, 0600, NULL), 0);
	ck_assert_int_eq(file_write(host, path_of("sub/state/a"), "2", 1, 0600, NULL), 0);
	ck_assert_int_eq(file_create(host, path_of("sub/state/b"), "3", 1, 0600, NULL), 0);
	ck_assert_int_eq(file_create(host, path_of("sub/state/b"), "3", 1, 0600, NULL), -EEXIST);
	ck_assert_int_eq(file_read(host, path_of("sub/state/a"), 10, NULL, &b), 0);
	ck_assert_str_eq((char *)b.data, "2");
	buf_free(&b);
	ck_assert_int_eq(file_read_private(host, path_of("sub/state/a"), 10, NULL, &b), 0);
	buf_free(&b);
	ck_assert_int_eq(file_remove(host, path_of("sub/state/a")), 0);
	ck_assert_int_eq(file_remove(host, path_of("sub/state/b")), 0);
}

static void on_datagram(void *ctx)
{
	struct udp_rx rx;
	struct udp *u = *(struct udp **)ctx;
	if (udp_recv(u, &rx, 1) == 1)
		loop_stop(host);
}

static void use_udp(uint16_t port)
{
	struct udp_config cfg = { .bind = addr_v4(0x7f000001, port),
				  .rcvbuf_bytes = 1 << 20,
				  .sndbuf_bytes = 1 << 20 };
	struct udp *u = NULL;
	struct err err = { 0 };
	int r = udp_open(host, &cfg, on_datagram, &u, &err, &u);
	ck_assert_msg(r == 0, "%s", err.text);
	struct udp_tx tx = {
		.data = (const uint8_t *)"xy", .len = 2, .segment = 1, .to = udp_local(u)
	};
	ck_assert_uint_eq(udp_send(u, &tx, 1), 1);
	os_unit_run(host, "a datagram");
	udp_close(u);
}

static void on_resolved(void *ctx, const struct err *err, const struct addr *addrs, size_t n)
{
	(void)addrs;
	(void)n;
	ck_assert_int_eq(err ? err->code : 0, *(int *)ctx);
	loop_stop(host);
}

static void use_resolver(const char *name, int expected)
{
	struct resolve *r = NULL;
	uint64_t timeout = 50 * NS_PER_MS;
	int code = resolve_start(host, name, 1, timeout, on_resolved, &expected, NULL, &r);
	ck_assert_int_eq(code, 0);
	os_unit_run(host, name);
}

static void on_message(void *ctx, struct local_conn *c, struct span m)
{
	(void)ctx;
	(void)c;
	ck_assert_uint_eq(m.len, 1);
	loop_stop(host);
}

static void on_closed(void *ctx, struct local_conn *c)
{
	(void)ctx;
	(void)c;
}

static void *on_accepted(void *ctx, struct local_conn *c)
{
	struct local_cred cred = local_conn_cred(c);
	ck_assert_uint_eq(cred.uid, getuid());
	(void)local_cred_in_group(host, &cred, "mlsh");
	return ctx;
}

static void use_local_socket(void)
{
	static const struct local_ops ops = { on_message, on_closed };
	struct local_listener *l = NULL;
	struct local_conn *c = NULL;
	const struct local_limits limits = { .conns = 4, .of_user = 4 };
	const char *at = path_of("socket");
	ck_assert_int_eq(local_listen(host, at, limits, &ops, on_accepted, &l, NULL, &l), 0);
	ck_assert_int_eq(local_connect(host, at, &ops, NULL, NULL, &c), 0);
	ck_assert_int_eq(local_send(c, "x", 1), 0);
	os_unit_run(host, "a message");
	local_conn_close(c);
	local_listener_close(l);
}

static void use_fence(const char *device)
{
	struct fence *f = fence_new(host, device, os_unit_stop, host);
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fence_address(f, 0x64400001, true), 0);
	os_unit_run_for(host, NS_PER_MS);
	ck_assert_msg(fence_state_get(f) == FENCE_UP, "%s", fence_detail(f));
	ck_assert_uint_eq(fence_dropped(f), 0);
	fence_free(f);
}

static void use_network(void)
{
	struct tun *t = NULL;
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = 1400 };
	struct prefix4 peer = { 0x64400009, 32 }, backstop = { 0x64400000, 24 };
	struct netif_addr list[16];
	struct err err = { 0 };
	char what[64];
	struct netwatch_config nc = { .changed = os_unit_stop,
				      .ctx = host,
				      .subnet = { 0x64400000, 10 } };
	const struct netuses *uses;
	const struct netown *own;
	struct netwatch *w = netwatch_new(host, &nc);
	ck_assert_ptr_nonnull(w);
	ck_assert_int_eq(netconf_cleanup(host, NULL), 0);
	int r = tun_open(host, &cfg, os_unit_stop, host, &err, &t);
	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert(tun_can_join(t, TUN_GSO_TCP4));
	unsigned i = tun_ifindex(t);
	ck_assert_int_eq(netconf_conflict(host, backstop, what), 0);
	ck_assert_int_eq(netconf_link_up(host, i, NULL), 0);
	ck_assert_int_eq(netconf_addr_add(host, i, 0x64400001, 32, NULL), 0);
	ck_assert_int_eq(netconf_route_add(host, i, peer, 0x64400001, NULL), 0);
	ck_assert_int_eq(netconf_route_add(host, 0, backstop, 0, NULL), 0);
	ck_assert_int_eq(netconf_route_del(host, 0, backstop), 0);
	ck_assert_int_gt(netif_list(host, list, ARRAY_LEN(list)), 0);
	ck_assert_int_eq(netconf_rules_add(host, (struct prefix4){ 0x64400000, 10 }, NULL), 0);
	ck_assert_int_eq(netconf_guard_add(host, peer.net, NULL), 0);
	use_fence(tun_name(t));
	ck_assert_int_eq(netconf_link_mtu(host, i, 1390, NULL), 0);
	ck_assert_int_eq(netconf_link_rename(host, i, "mlsh77", NULL), 0);
	ck_assert_int_eq(netwatch_own(w, i, 0x64400001), 0);
	ck_assert_int_eq(netwatch_look(w, &uses, &own), 0);
	ck_assert(own->link && own->up && own->rules && own->mtu_bytes == 1390);
	ck_assert(netown_has(own, NETROUTE_MEMBER, peer) && netown_has(own, NETROUTE_GUARD, peer));
	tun_close(t);
	netwatch_free(w);
}

static void on_dns(void *ctx)
{
	struct splitdns **s = ctx;
	ck_assert_int_eq(splitdns_state_get(*s), SPLITDNS_UNAVAILABLE);
	ck_assert_str_eq(splitdns_detail(*s), "systemd-resolved is not running");
	loop_stop(host);
}

/* The bus answers that nobody is there: so it was reached. */
static void use_bus(void)
{
	struct splitdns *s = NULL;
	ck_assert_int_eq(splitdns_start(host, 42, "homelab", 0x64400001, on_dns, &s, NULL, &s), 0);
	os_unit_run(host, "word from the bus");
	splitdns_stop(s);
}

static void use_loop(void)
{
	struct signal_watch *w = signal_watch_new(host, SIGTERM, os_unit_stop, host);
	ck_assert_ptr_nonnull(w);
	ck_assert_int_eq(raise(SIGTERM), 0);
	os_unit_run(host, "a signal");
	signal_watch_free(w);
	ck_assert(random_u64(host) != random_u64(host));
	log_info(host_log(host), "a line of the log");
}

/* ---- the roles ---- */

static void play_daemon(void)
{
	struct err err = { 0 };
	int r = privs_check_tunnel(host, &err);
	ck_assert_msg(r == 0, "%s", err.text);
	int fd = open(path_of("foreign"), O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(fchown(fd, NOBODY, NOBODY), 0);
	close(fd);
	drop(PRIVS_DAEMON);
	check_caps(1ull << 12 | 1ull << 10); /* net_admin, net_bind_service: capability.h */
	ck_assert_uint_eq(own_status("CapBnd"), 1ull << 12 | 1ull << 10);
	check_confined();
	ck_assert_int_eq(open(path_of("foreign"), O_RDONLY), -1); /* root, and yet */
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), -1);
	ck_assert_int_eq(privs_check_tunnel(host, &err), 0);
	use_loop();
	use_files();
	use_udp(53);
	use_network();
	use_local_socket();
	use_resolver("192.0.2.1", 0);
	use_resolver("localhost", 0);
	use_resolver("nas.example", -ETIMEDOUT);
	if (getenv("DBUS_SYSTEM_BUS_ADDRESS"))
		use_bus();
}

static void play_signal(void)
{
	drop(PRIVS_SIGNAL);
	check_caps(0);
	check_confined();
	check_denied(socket(AF_UNIX, SOCK_STREAM, 0));
	check_denied(socket(AF_NETLINK, SOCK_RAW, 0));
	use_loop();
	use_files();
	use_udp(0);
}

static void play_cli(void)
{
	drop(PRIVS_CLI);
	check_caps(0);
	check_confined();
	use_loop();
	use_files();
	use_udp(0);
	use_local_socket();
	use_resolver("192.0.2.1", 0);
}

static void be_nobody(void)
{
	if (getuid() == 0) {
		ck_assert_int_eq(chown(dir, NOBODY, NOBODY), 0);
		ck_assert_int_eq(setgid(NOBODY), 0);
		ck_assert_int_eq(setuid(NOBODY), 0);
	}
}

static void play_cli_of_a_user(void)
{
	be_nobody();
	play_cli();
}

static void play_server_of_a_user(void)
{
	be_nobody();
	play_signal();
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(mkdtemp(outside));
	host = os_unit_host();
	ck_assert_int_eq(file_write(host, path_outside("secret"), "s", 1, 0600, NULL), 0);
}

static void teardown(void)
{
	char command[128];
	host_free(host);
	snprintf(command, sizeof(command), "rm -rf %s %s", dir, outside);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(daemon_still_does_its_work)
{
	struct os_bus bus = { 0 };
	if (!os_unit_namespace())
		return;
	if (!os_unit_command("ip link set lo up && mount --make-rprivate /")) {
		os_unit_skip("needs iproute2");
		return;
	}
	setup();
	if (!os_bus_start(&bus, path_of("bus")))
		unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
	/* A name server that never answers. */
	static const char resolv[] = "nameserver 127.0.0.53\n";
	const char *p = path_of("resolv");
	ck_assert_int_eq(file_write(host, p, resolv, strlen(resolv), 0644, NULL), 0);
	ck_assert_int_eq(mount(p, "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(53),
				 .sin_addr.s_addr = htonl(0x7f000035) };
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	run_in_child(play_daemon);
	close(fd);
	os_bus_stop(&bus);
	teardown();
}
END_TEST

START_TEST(server_still_does_its_work)
{
	setup();
	run_in_child(play_signal);
	teardown();
}
END_TEST

START_TEST(command_line_still_does_its_work)
{
	setup();
	run_in_child(play_cli);
	teardown();
}
END_TEST

START_TEST(users_need_no_privilege_to_drop_some)
{
	setup();
	run_in_child(play_cli_of_a_user);
	teardown();
	memcpy(strrchr(dir, '-') + 1, "XXXXXX", 6);
	memcpy(strrchr(outside, '-') + 1, "XXXXXX", 6);
	setup();
	run_in_child(play_server_of_a_user);
	teardown();
}
END_TEST

START_TEST(tunnel_needs_privilege_and_says_so)
{
	struct err err = { 0 };
	host = os_unit_host();
	if (getuid() == 0)
		ck_assert_int_eq(setuid(NOBODY), 0);
	ck_assert_int_eq(privs_check_tunnel(host, &err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "root"));
	host_free(host);
}
END_TEST

UNIT_MAIN("os/privs", daemon_still_does_its_work, server_still_does_its_work,
	  command_line_still_does_its_work, users_need_no_privilege_to_drop_some,
	  tunnel_needs_privilege_and_says_so)
