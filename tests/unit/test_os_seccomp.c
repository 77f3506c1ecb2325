/* SPDX-License-Identifier: MIT */
/*
 * The filter of system calls on each architecture that we build for, whichever this machine is:
 * calls have other names and numbers there, and no kernel of theirs runs the tests. libseccomp
 * makes the program of the other machine, and what the kernel does with it is done here.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/linux/seccomp.h"
#include "unit.h"

#define ALLOWED SECCOMP_RET_ALLOW
#define DENIED (SECCOMP_RET_ERRNO | ENOSYS)

static struct sock_filter program[8192];
static size_t program_len;
static uint32_t arch; /* as libseccomp and the kernel have it */

static void make_filter(uint32_t for_arch, enum privs_role role)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

	arch = for_arch;
	ck_assert_ptr_nonnull(ctx);
	if (arch != seccomp_arch_native()) {
		ck_assert_int_eq(seccomp_arch_add(ctx, arch), 0);
		ck_assert_int_eq(seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE), 0);
	}
	ck_assert_int_eq(seccomp_add_rules(ctx, role), 0);
	ck_assert_int_eq(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	ssize_t n = pread(fd, program, sizeof(program), 0);
	ck_assert_int_gt(n, 0);
	ck_assert_uint_lt((size_t)n, sizeof(program));
	program_len = (size_t)n / sizeof(program[0]);
	close(fd);
}

/* What the kernel answers to a call: classic BPF, of which libseccomp takes these instructions. */
static uint32_t run_filter(const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < program_len; pc++) {
		const struct sock_filter *i = &program[pc];
		bool yes = false;
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			ck_assert_uint_le(i->k, sizeof(*data) - sizeof(a));
			memcpy(&a, (const char *)data + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (a & i->k) != 0;
			break;
		default:
			ck_abort_msg("instruction %#x", i->code);
		}
		pc += yes ? i->jt : i->jf;
	}
	ck_abort_msg("the filter has no end");
}

/* The answer to a call by its name, which the architecture must have. */
static uint32_t answer(const char *name, uint64_t arg0, uint64_t arg2)
{
	struct seccomp_data data = { .arch = arch, .args = { arg0, 0, arg2 } };

	data.nr = seccomp_syscall_resolve_name_arch(arch, name);
	ck_assert_msg(data.nr >= 0, "%#x has no %s", arch, name);
	return run_filter(&data);
}

static void expect_all(uint32_t expected, const char *names)
{
	char copy[2048];
	char *rest = copy;

	ck_assert_uint_lt(strlen(names), sizeof(copy));
	memcpy(copy, names, strlen(names) + 1);
	for (char *name; (name = strsep(&rest, " ")) != NULL;)
		ck_assert_msg(answer(name, 0, 0) == expected, "%#x: %s is %s", arch, name,
			      expected == ALLOWED ? "denied" : "allowed");
}

/* What each architecture's C library calls for the same: taken from runs of the programs there. */
static const char both[] =
	"read write recvmsg sendmsg sendto recvfrom sendmmsg readv writev epoll_ctl epoll_create1 "
	"epoll_pwait timerfd_create signalfd4 bind connect listen accept4 getsockname getpeername "
	"getsockopt setsockopt shutdown close dup3 pipe2 openat pread64 pwrite64 statx faccessat "
	"readlinkat getdents64 getcwd mkdirat unlinkat renameat2 linkat umask fsync fdatasync "
	"fallocate flock brk munmap mremap madvise mlock munlock rt_sigaction rt_sigprocmask "
	"rt_sigreturn sigaltstack futex getpid gettid getppid uname sysinfo getrandom capget "
	"sched_getaffinity exit exit_group";
static const char of_amd64[] = "epoll_wait poll select open stat lstat newfstatat fstat lseek "
			       "fcntl access readlink mkdir unlink rmdir rename recvmmsg dup2 "
			       "clock_gettime clock_nanosleep timerfd_settime ppoll getuid geteuid "
			       "getgid getegid getgroups ftruncate fadvise64 time gettimeofday";
static const char of_arm64[] = "newfstatat fstat lseek fcntl renameat recvmmsg clock_gettime "
			       "clock_nanosleep timerfd_settime timerfd_gettime ppoll pselect6 "
			       "getuid geteuid getgid getegid getgroups ftruncate fadvise64";
static const char of_armhf[] =
	"epoll_wait poll _newselect open stat64 lstat64 fstatat64 fstat64 _llseek fcntl64 access "
	"readlink mkdir unlink rmdir rename recvmmsg_time64 clock_gettime64 clock_getres_time64 "
	"clock_nanosleep_time64 timerfd_settime64 timerfd_gettime64 ppoll_time64 pselect6_time64 "
	"futex_time64 getuid32 geteuid32 getgid32 getegid32 getgroups32 ugetrlimit ftruncate64 "
	"arm_fadvise64_64 sigreturn send recv";

static const struct {
	uint32_t arch;
	const char *calls, *mmap, *chown;
} machines[] = {
	{ SCMP_ARCH_X86_64, of_amd64, "mmap", "fchown" },
	{ SCMP_ARCH_AARCH64, of_arm64, "mmap", "fchown" },
	{ SCMP_ARCH_ARM, of_armhf, "mmap2", "fchown32" },
};

static const enum privs_role roles[] = { PRIVS_CLI, PRIVS_DAEMON, PRIVS_SIGNAL };

/* Calls fn for each machine and role, with the filter in place. */
static void for_each_filter(void (*fn)(size_t machine, enum privs_role role))
{
	for (size_t m = 0; m < ARRAY_LEN(machines); m++)
		for (size_t r = 0; r < ARRAY_LEN(roles); r++) {
			make_filter(machines[m].arch, roles[r]);
			fn(m, roles[r]);
		}
}

static void expect_needed(size_t m, enum privs_role role)
{
	uint32_t of_signal = role == PRIVS_SIGNAL ? ALLOWED : DENIED;

	expect_all(ALLOWED, both);
	expect_all(ALLOWED, machines[m].calls);
	expect_all(of_signal, machines[m].chown);
	expect_all(of_signal, "fchmod");
	ck_assert_uint_eq(answer("socket", AF_INET6, 0), ALLOWED);
}

static void expect_refused(size_t m, enum privs_role role)
{
	expect_all(DENIED, "execve execveat clone clone3 ptrace mount umount2 chroot bpf "
			   "io_uring_setup process_vm_writev unshare setns kexec_load init_module "
			   "finit_module keyctl perf_event_open fchmodat chdir setresuid reboot "
			   "memfd_create socketpair personality");
	ck_assert_uint_eq(answer("socket", AF_PACKET, 0), DENIED);
	ck_assert_uint_eq(answer("socket", AF_UNIX, 0), role == PRIVS_SIGNAL ? DENIED : ALLOWED);
	ck_assert_uint_eq(answer("tgkill", 1, 0), DENIED);
	ck_assert_uint_eq(answer("prlimit64", 0, 4096), DENIED);
	ck_assert_uint_eq(answer(machines[m].mmap, 0, PROT_READ | PROT_EXEC), DENIED);
	ck_assert_uint_eq(answer("mprotect", 0, PROT_WRITE | PROT_EXEC), DENIED);
	ck_assert_uint_eq(answer(machines[m].mmap, 0, PROT_READ | PROT_WRITE), ALLOWED);
	ck_assert_uint_eq(answer("mprotect", 0, PROT_READ), ALLOWED);
}

/* A kernel takes calls of other architectures, too, with other numbers. */
static void expect_no_other(size_t m, enum privs_role role)
{
	struct seccomp_data data = { .arch = AUDIT_ARCH_I386, .nr = 3 /* read */ };

	(void)m, (void)role;
	ck_assert_uint_eq(run_filter(&data), SECCOMP_RET_KILL_THREAD);
}

START_TEST(all_that_is_needed)
{
	for_each_filter(expect_needed);
}
END_TEST

START_TEST(and_nothing_else)
{
	for_each_filter(expect_refused);
}
END_TEST

START_TEST(nothing_of_another_architecture)
{
	for_each_filter(expect_no_other);
}
END_TEST

UNIT_MAIN("os/seccomp", all_that_is_needed, and_nothing_else, nothing_of_another_architecture)
