/* SPDX-License-Identifier: MIT */
/*
 * The system calls that a role uses, and nothing else: no new program, no new process or thread, no
 * executable memory, no tracing, no raw sockets, no mounts, no io_uring (which would do unseen what
 * is denied here).
 *
 * What is denied fails with ENOSYS and shows in the kernel's audit log; it does not kill. An
 * attacker gains as little from one as from the other, while a call that a library makes on another
 * kernel or architecture costs that one feature instead of everybody's tunnels; and ENOSYS, unlike
 * EPERM, is what libraries answer by falling back to an older call.
 */
#include "os/linux/seccomp.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* clang-format off */
static const int calls_of_all[] = {
	/* packets, events and time */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(read),
	SCMP_SYS(write), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(timerfd_settime),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_create1),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_gettime), SCMP_SYS(signalfd4),
	SCMP_SYS(signalfd), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(restart_syscall), SCMP_SYS(getrandom),
	/* sockets; which kinds, below */
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	/* descriptors and files */
	SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
	SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link),
	SCMP_SYS(linkat), SCMP_SYS(umask), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(flock),
	/* memory; mmap and mprotect, below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(mlock2), SCMP_SYS(munlock),
	/* the process itself */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(getrusage), SCMP_SYS(getrlimit), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu),
	SCMP_SYS(capget), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* What some of these are called where a word has 32 bits: with 64 bits of time, */
	SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres_time64), SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(timerfd_settime64), SCMP_SYS(timerfd_gettime64), SCMP_SYS(ppoll_time64),
	SCMP_SYS(pselect6_time64), SCMP_SYS(recvmmsg_time64), SCMP_SYS(futex_time64),
	/* of a file's length and place, */
	SCMP_SYS(fcntl64), SCMP_SYS(_llseek), SCMP_SYS(fstat64), SCMP_SYS(stat64),
	SCMP_SYS(lstat64), SCMP_SYS(fstatat64), SCMP_SYS(ftruncate64), SCMP_SYS(arm_fadvise64_64),
	/* with 32 bits of a user's id, and others. */
	SCMP_SYS(getuid32), SCMP_SYS(geteuid32), SCMP_SYS(getgid32), SCMP_SYS(getegid32),
	SCMP_SYS(getgroups32), SCMP_SYS(ugetrlimit), SCMP_SYS(_newselect), SCMP_SYS(sigreturn),
	SCMP_SYS(send), SCMP_SYS(recv),
};
/* clang-format on */

/*
 * SQLite gives its files the owner and the mode of the database. Nobody else changes a mode: user 0
 * owns root's programs and files, also without capabilities, and Landlock does not cover modes.
 */
static const int calls_of_signal[] = { SCMP_SYS(fchown), SCMP_SYS(fchown32), SCMP_SYS(fchmod) };

static struct scmp_arg_cmp arg_is(unsigned arg, uint64_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_EQ, .datum_a = value };
}

static struct scmp_arg_cmp arg_without(unsigned arg, uint64_t bits)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits };
}

static int allow(scmp_filter_ctx ctx, int call)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
	return r == -EDOM ? 0 : r; /* this architecture does not have it */
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp condition)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, condition);
	return r == -EDOM ? 0 : r;
}

static int allow_list(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow(ctx, calls[i]);
	return r;
}

/* `call` with any of these values as its argument number `arg`. */
static int allow_values(scmp_filter_ctx ctx, int call, unsigned arg, const uint64_t *values,
			size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow_if(ctx, call, arg_is(arg, values[i]));
	return r;
}

static int allow_sockets(scmp_filter_ctx ctx, enum privs_role role)
{
	static const uint64_t internet[] = { AF_INET, AF_INET6 };
	int r = allow_values(ctx, SCMP_SYS(socket), 0, internet, ARRAY_LEN(internet));
	/* The server, open to the world, has no business with programs of its own machine. */
	if (role == PRIVS_SIGNAL)
		return r;
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(socket), arg_is(0, AF_UNIX));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				     arg_is(0, AF_NETLINK), arg_is(2, NETLINK_ROUTE));
	if (r == 0 && role == PRIVS_DAEMON) /* the fence */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				     arg_is(0, AF_NETLINK), arg_is(2, NETLINK_NETFILTER));
	return r;
}

static int allow_ioctls(scmp_filter_ctx ctx, enum privs_role role)
{
	static const uint64_t of_all[] = { FIONBIO,    FIONREAD,     FIOCLEX,	  TCGETS,
					   TIOCGWINSZ, SIOCGIFINDEX, SIOCGIFNAME, SIOCOUTQ };
	static const uint64_t of_daemon[] = { TUNSETIFF, TUNSETVNETHDRSZ, TUNSETOFFLOAD };
	static const uint64_t of_cli[] = { TCSETS, TCSETSW, TCSETSF };
	int r = allow_values(ctx, SCMP_SYS(ioctl), 1, of_all, ARRAY_LEN(of_all));
	if (r == 0 && role == PRIVS_DAEMON)
		r = allow_values(ctx, SCMP_SYS(ioctl), 1, of_daemon, ARRAY_LEN(of_daemon));
	if (r == 0 && role == PRIVS_CLI)
		r = allow_values(ctx, SCMP_SYS(ioctl), 1, of_cli, ARRAY_LEN(of_cli));
	return r;
}

static int allow_memory(scmp_filter_ctx ctx)
{
	/* Nothing that was written will ever be run. */
	int r = allow_if(ctx, SCMP_SYS(mmap), arg_without(2, PROT_EXEC));
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(mmap2), arg_without(2, PROT_EXEC));
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(mprotect), arg_without(2, PROT_EXEC));
	return r;
}

static int allow_self(scmp_filter_ctx ctx)
{
	uint64_t self = (uint64_t)getpid();
	/* sd-bus asks for the name of the process; abort() sends a signal to itself. */
	int r = allow_if(ctx, SCMP_SYS(prctl), arg_is(0, PR_GET_NAME));
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(tgkill), arg_is(0, self));
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(kill), arg_is(0, self));
	/* Limits may be read. */
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(prlimit64), arg_is(2, 0));
	return r;
}

int seccomp_add_rules(void *ctx, enum privs_role role)
{
	int r = allow_list(ctx, calls_of_all, ARRAY_LEN(calls_of_all));
	if (r == 0 && role == PRIVS_SIGNAL)
		r = allow_list(ctx, calls_of_signal, ARRAY_LEN(calls_of_signal));
	if (r == 0)
		r = allow_sockets(ctx, role);
	if (r == 0)
		r = allow_ioctls(ctx, role);
	if (r == 0)
		r = allow_memory(ctx);
	if (r == 0)
		r = allow_self(ctx);
	return r;
}

int seccomp_install(enum privs_role role)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (!ctx)
		return -ENOMEM;
	int r = seccomp_add_rules(ctx, role);
	/* Niceties that older kernels lack: denials in the audit log, a binary search. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}
