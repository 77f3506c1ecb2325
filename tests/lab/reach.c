/* SPDX-License-Identifier: MIT */
/*
 * What an intruder in a running process could reach: makes that process open or change a file, as
 * code in it would, and tells what its kernel says.
 *
 *	reach PID PATH read|write|create	prints "open" or the error's name; exits 0 in both
 *	reach PID PATH mode			the same for a change of the file's mode to 0644
 *
 * The process is stopped in a system call, made to do another one at the same instruction, and then
 * goes on as if nothing had been.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define PATH_MAX_BYTES 256
#define BELOW_STACK 4096 /* beyond what the stopped function may use */

#if defined(__x86_64__)
typedef struct user_regs_struct regs_t;
#define STACK(r) ((r).rsp)
#define RESULT(r) ((long)(r).rax)
#define SYSCALL_BYTES 2
static void prepare(regs_t *r, long call, const uint64_t arg[4])
{
	r->rip -= SYSCALL_BYTES;
	r->rax = (unsigned long long)call;
	r->orig_rax = (unsigned long long)-1; /* nothing is to be begun again */
	r->rdi = arg[0];
	r->rsi = arg[1];
	r->rdx = arg[2];
	r->r10 = arg[3];
}
#elif defined(__aarch64__)
typedef struct user_regs_struct regs_t;
#define STACK(r) ((r).sp)
#define RESULT(r) ((long)(r).regs[0])
#define SYSCALL_BYTES 4
static void prepare(regs_t *r, long call, const uint64_t arg[4])
{
	r->pc -= SYSCALL_BYTES;
	r->regs[8] = (unsigned long long)call;
	for (int i = 0; i < 4; i++)
		r->regs[i] = arg[i];
}
#else
#error "the registers of this architecture are unknown"
#endif

static pid_t pid;

static void must(long r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "reach: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void regs_move(int request, regs_t *r)
{
	struct iovec v = { r, sizeof(*r) };

	must(ptrace(request, pid, 1 /* NT_PRSTATUS */, &v), "registers");
}

static void memory_move(bool out, uint64_t at, void *bytes, size_t len)
{
	struct iovec mine = { bytes, len }, theirs = { (void *)(uintptr_t)at, len };
	ssize_t n = out ? process_vm_writev(pid, &mine, 1, &theirs, 1, 0)
			: process_vm_readv(pid, &mine, 1, &theirs, 1, 0);

	must(n == (ssize_t)len ? 0 : -1, "memory");
}

static void wait_stopped(void)
{
	int status;

	must(waitpid(pid, &status, 0), "wait");
	if (!WIFSTOPPED(status))
		exit(1);
}

static long call(const regs_t *before, long number, const uint64_t arg[4])
{
	regs_t r = *before;

	prepare(&r, number, arg);
	regs_move(PTRACE_SETREGSET, &r);
	must(ptrace(PTRACE_SINGLESTEP, pid, 0, 0), "step");
	wait_stopped();
	regs_move(PTRACE_GETREGSET, &r);
	return RESULT(r);
}

#define CHANGE_MODE (-1)

static long try_path(const char *path, int flags)
{
	char text[PATH_MAX_BYTES] = "", saved[PATH_MAX_BYTES];
	regs_t before;
	long fd;

	snprintf(text, sizeof(text), "%s", path);
	regs_move(PTRACE_GETREGSET, &before);
	uint64_t at = (STACK(before) - BELOW_STACK) & ~UINT64_C(15);
	memory_move(false, at, saved, sizeof(saved));
	memory_move(true, at, text, sizeof(text));
	if (flags == CHANGE_MODE)
		fd = call(&before, SYS_fchmodat, (uint64_t[]){ (uint64_t)AT_FDCWD, at, 0644, 0 });
	else
		fd = call(&before, SYS_openat,
			  (uint64_t[]){ (uint64_t)AT_FDCWD, at, (uint64_t)flags, 0600 });
	if (fd >= 0 && flags != CHANGE_MODE)
		call(&before, SYS_close, (uint64_t[]){ (uint64_t)fd, 0, 0, 0 });
	memory_move(true, at, saved, sizeof(saved));
	regs_move(PTRACE_SETREGSET, &before);
	return fd;
}

int main(int argc, char **argv)
{
	int flags = O_RDONLY;

	if (argc != 4)
		return 2;
	pid = atoi(argv[1]);
	if (strcmp(argv[3], "write") == 0)
		flags = O_WRONLY;
	else if (strcmp(argv[3], "create") == 0)
		flags = O_WRONLY | O_CREAT | O_EXCL;
	else if (strcmp(argv[3], "mode") == 0)
		flags = CHANGE_MODE;
	must(ptrace(PTRACE_ATTACH, pid, 0, 0), "attach");
	wait_stopped();
	long r = try_path(argv[2], flags);
	must(ptrace(PTRACE_DETACH, pid, 0, 0), "detach");
	puts(r >= 0 ? "open" : strerrorname_np((int)-r));
	return 0;
}
