/* SPDX-License-Identifier: MIT */
/*
 * What archives built against glibc 2.38 or newer expect and an older glibc lacks: the C23
 * names of the number parsers, and two calls with which libsystemd starts processes (it is never
 * asked to). Only the sanitizer and fuzzer builds need it, because they use the machine's own C
 * library. Binary constants ("0b1"), all that C23 adds to the parsers, are not needed.
 */
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base);
unsigned long __isoc23_strtoul(const char *text, char **end, int base);
long long __isoc23_strtoll(const char *text, char **end, int base);
unsigned long long __isoc23_strtoull(const char *text, char **end, int base);
int __isoc23_sscanf(const char *text, const char *format, ...);
int __isoc23_fscanf(FILE *file, const char *format, ...);
int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]);
int posix_spawnattr_setcgroup_np(posix_spawnattr_t *attributes, int cgroup);

#if !__GLIBC_PREREQ(2, 38)
long __isoc23_strtol(const char *text, char **end, int base)
{
	return strtol(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
	return strtoul(text, end, base);
}

long long __isoc23_strtoll(const char *text, char **end, int base)
{
	return strtoll(text, end, base);
}

unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
	return strtoull(text, end, base);
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int count = vsscanf(text, format, args);
	va_end(args);
	return count;
}

int __isoc23_fscanf(FILE *file, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int count = vfscanf(file, format, args);
	va_end(args);
	return count;
}
#endif

#if !__GLIBC_PREREQ(2, 39)
int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
	(void)pidfd, (void)path, (void)actions, (void)attributes, (void)argv, (void)environment;
	return ENOSYS;
}

int posix_spawnattr_setcgroup_np(posix_spawnattr_t *attributes, int cgroup)
{
	(void)attributes, (void)cgroup;
	return ENOSYS;
}
#endif
