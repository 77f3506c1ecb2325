/* SPDX-License-Identifier: MIT */
/* The machine this process runs on: log to standard error, kernel randomness, name. */
#include "os/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/linux/internal.h"

static const char *journal_priority(enum log_level level)
{
	/* sd-daemon(3): syslog priorities in angle brackets */
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "<3>";
	case LOG_LEVEL_WARN:
		return "<4>";
	case LOG_LEVEL_INFO:
		return "<6>";
	case LOG_LEVEL_DEBUG:
	case LOG_LEVEL_TRACE:
		return "<7>";
	}
	UNREACHABLE();
}

static void log_to_stderr(void *ctx, enum log_level level, const char *line)
{
	const struct host *h = ctx;
	const char *prefix = h->log_to_journal ? journal_priority(level) : log_level_name(level);
	const char *colon = h->log_to_journal ? "" : ": ";
	/* One call a line: lines of two processes do not mix. */
	struct iovec iov[] = {
		{ (char *)(uintptr_t)prefix, strlen(prefix) },
		{ (char *)(uintptr_t)colon, strlen(colon) },
		{ (char *)(uintptr_t)line, strlen(line) },
		{ (char *)(uintptr_t)"\n", 1 },
	};
	ssize_t n = writev(STDERR_FILENO, iov, ARRAY_LEN(iov));
	(void)n; /* there is nowhere left to complain */
}

/*
 * $JOURNAL_STREAM holds device and inode of the journal's socket: does standard error still go
 * there?
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Opened the wrong way round: reading and writing fail, as they do on a closed stream. */
static void hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return;
}

int host_new(struct err *err, struct host **ret)
{
	struct host *h = calloc(1, sizeof(*h));
	hold_streams();
	if (!h)
		return err_set(err, -ENOMEM, "out of memory");
	h->log = (struct log){ .level = LOG_LEVEL_INFO, .sink = log_to_stderr, .ctx = h };
	h->log_to_journal = stderr_is_journal();
	clock_refresh(h);
	int r = loop_new(h, err, &h->loop);
	if (r < 0) {
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	loop_free(h->loop);
	free(h);
}

struct log *host_log(struct host *h)
{
	return &h->log;
}

int host_name(struct host *h, char *out, size_t cap)
{
	(void)h;
	if (cap == 0)
		return -ENOSPC;
	if (gethostname(out, cap) < 0)
		return errno == ENAMETOOLONG ? -ENOSPC : -errno;
	if (memchr(out, '\0', cap) == NULL)
		return -ENOSPC;
	return 0;
}

void random_fill(struct host *h, void *out, size_t len)
{
	(void)h;
	uint8_t *at = out;
	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			DIE("getrandom failed, and no key may be made from anything else");
		at += n;
		len -= (size_t)n;
	}
}

uint64_t random_u64(struct host *h)
{
	uint64_t v;
	random_fill(h, &v, sizeof(v));
	return v;
}

uint64_t random_below(struct host *h, uint64_t bound)
{
	/* Values below 2^64 mod bound would make the low results likelier. */
	uint64_t reject_below = -bound % bound;
	uint64_t v;
	do
		v = random_u64(h);
	while (v < reject_below);
	return v % bound;
}
